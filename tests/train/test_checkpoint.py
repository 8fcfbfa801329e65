from __future__ import annotations

import errno
import os
import zipfile

import numpy as np
import pytest

from tinyllm import atomic
from tinyllm.errors import CheckpointError
from tinyllm.train import checkpoint

ABOUT = {"kind": "run", "step": 7, "rng": {"state": 2**127 + 1}, "loss": 0.1}


def arrays():
    rng = np.random.default_rng(0)
    return {
        "model.a.weight": rng.normal(size=(3, 5)).astype(np.float32),
        "model.b": rng.normal(size=7),
        "model.empty": np.zeros((0, 3), np.float32),
        "optimizer.steps": np.array(3),
        "optimizer.m.0": np.asfortranarray(rng.normal(size=(3, 5))),
    }


def equal(one, two):
    return one.keys() == two.keys() and all(
        one[name].dtype == two[name].dtype and one[name].tobytes() == two[name].tobytes() for name in one
    )


def refused(path) -> str:
    with pytest.raises(CheckpointError) as caught:
        checkpoint.load(path)
    message = str(caught.value)
    assert "\n" not in message and str(path) in message
    return message


def test_what_is_saved_comes_back_to_the_last_bit(tmp_path):
    checkpoint.save(tmp_path / "c.npz", arrays(), ABOUT)
    saved = checkpoint.load(tmp_path / "c.npz")
    assert equal(saved.arrays, arrays())
    assert {name: saved.about[name] for name in ABOUT} == ABOUT
    assert sorted(saved.part("optimizer")) == ["m.0", "steps"]


def test_numpy_alone_can_read_it_without_pickle(tmp_path):
    checkpoint.save(tmp_path / "c.npz", arrays(), ABOUT)
    with np.load(tmp_path / "c.npz", allow_pickle=False) as file:
        assert (file["model.b"] == arrays()["model.b"]).all()


def test_equal_states_give_equal_files(tmp_path):
    checkpoint.save(tmp_path / "one.npz", arrays(), ABOUT)
    checkpoint.save(tmp_path / "two.npz", arrays(), ABOUT)
    assert (tmp_path / "one.npz").read_bytes() == (tmp_path / "two.npz").read_bytes()


def test_nothing_that_needs_pickle_is_written(tmp_path):
    checkpoint.save(tmp_path / "c.npz", arrays(), ABOUT)
    with pytest.raises((ValueError, TypeError)):
        checkpoint.save(tmp_path / "c.npz", {"a": np.array([{}], dtype=object)}, ABOUT)
    assert equal(checkpoint.load(tmp_path / "c.npz").arrays, arrays())


def test_a_file_cut_short_anywhere_is_refused(tmp_path):
    path = tmp_path / "c.npz"
    checkpoint.save(path, arrays(), ABOUT)
    whole = path.read_bytes()
    for cut in [*range(0, len(whole), 61), len(whole) - 1]:
        path.write_bytes(whole[:cut])
        refused(path)


def test_a_flipped_bit_is_found_out_or_changes_nothing(tmp_path):
    path = tmp_path / "c.npz"
    checkpoint.save(path, arrays(), ABOUT)
    whole = path.read_bytes()
    expected = checkpoint.load(path)
    caught = 0
    rng = np.random.default_rng(3)
    for place in rng.integers(0, len(whole), 300):
        damaged = bytearray(whole)
        damaged[place] ^= 1 << rng.integers(8)
        path.write_bytes(damaged)
        try:
            found = checkpoint.load(path)
        except CheckpointError as error:
            assert "\n" not in str(error)
            caught += 1
        else:
            assert found.about == expected.about and equal(found.arrays, expected.arrays)
    assert caught > 150


def test_a_member_taken_from_another_checkpoint_is_found_out(tmp_path):
    checkpoint.save(tmp_path / "one.npz", arrays(), ABOUT)
    other = {**arrays(), "model.b": arrays()["model.b"] + 1e-12}
    checkpoint.save(tmp_path / "two.npz", other, ABOUT)
    with (
        zipfile.ZipFile(tmp_path / "one.npz") as one,
        zipfile.ZipFile(tmp_path / "two.npz") as two,
        zipfile.ZipFile(tmp_path / "mixed.npz", "w") as mixed,
    ):
        for name in one.namelist():
            mixed.writestr(name, (two if name == "model.b.npy" else one).read(name))
    assert "checksum" in refused(tmp_path / "mixed.npz")


def test_foreign_files_are_refused(tmp_path):
    path = tmp_path / "c.npz"
    for content in (b"", b"hello", b"PK\x03\x04 not a zip", b"\x80\x04\x95pickle", b"\x93NUMPY\x01\x00v\x00"):
        path.write_bytes(content)
        refused(path)
    np.savez(path, a=np.zeros(3))
    assert "not a checkpoint of tinyllm" in refused(path)
    np.savez(path, about=np.zeros(3))
    refused(path)
    np.savez(path, about=np.array([{}], dtype=object))
    refused(path)
    np.savez(path, about=np.frombuffer(b'{"format": "something else"}', np.uint8))
    assert "not a checkpoint of tinyllm" in refused(path)
    np.savez(path, about=np.frombuffer(b'{"format": "tinyllm checkpoint 99"}', np.uint8))
    assert "tinyllm checkpoint 99" in refused(path)
    with open(path, "wb") as file:
        np.save(file, np.zeros(3))
    assert "not a checkpoint of tinyllm" in refused(path)


def test_a_missing_file_and_a_folder(tmp_path):
    assert "no checkpoint yet" in refused(tmp_path / "c.npz")
    refused(tmp_path)


def test_a_full_disk_keeps_the_checkpoint_before(tmp_path, monkeypatch):
    path = tmp_path / "c.npz"
    checkpoint.save(path, arrays(), ABOUT)
    before = path.read_bytes()

    class Full:
        """A file on a disk with room for 300 more bytes."""

        def __init__(self, *args):
            self.file = open(*args)  # noqa: SIM115
            self.room = 300

        def __enter__(self):
            return self

        def __exit__(self, *_):
            self.file.close()

        def __getattr__(self, name):
            return getattr(self.file, name)

        def write(self, data):
            self.room -= len(data)
            if self.room < 0:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return self.file.write(data)

    monkeypatch.setattr(atomic, "open", Full, raising=False)
    with pytest.raises(CheckpointError, match=r"no space left on device; step 7 is intact\. Try: free some space"):
        checkpoint.save(path, {**arrays(), "more": np.zeros(100)}, ABOUT, keeps="step 7 is intact")
    assert path.read_bytes() == before and os.listdir(tmp_path) == ["c.npz"]
