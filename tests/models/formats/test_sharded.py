"""Sharded weights: what is written comes back, and an index and files that disagree are found out."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinyllm.errors import CheckpointError
from tinyllm.models.formats.safetensors import MissingTensor, SafeTensors, save
from tinyllm.models.formats.sharded import INDEX, WHOLE, Shards, open_tensors, parse_size, save_sharded

TENSORS = {f"layer.{n}.weight": np.full((n + 1, 5), n, np.float32) for n in range(6)}  # 20, 40, ... 120 bytes


@pytest.fixture
def folder(tmp_path):
    save_sharded(tmp_path, TENSORS, {"format": "pt"}, max_shard_size=150)
    return tmp_path


def rewrite_index(folder, change):
    index = json.loads((folder / INDEX).read_text())
    change(index)
    (folder / INDEX).write_text(json.dumps(index))


def test_files_and_index(folder):
    names = sorted(os.listdir(folder))
    assert names == [f"model-{n:05d}-of-00004.safetensors" for n in range(1, 5)] + [INDEX]
    index = json.loads((folder / INDEX).read_text())
    assert index["metadata"] == {"total_size": 420}
    assert [len(SafeTensors(folder / name)) for name in names[:-1]] == [3, 1, 1, 1]
    assert index["weight_map"]["layer.2.weight"] == names[0] and set(index["weight_map"]) == set(TENSORS)


@pytest.mark.parametrize("at", ["", INDEX])
def test_reading(folder, at):
    with open_tensors(folder / at) as shards:
        assert isinstance(shards, Shards) and set(shards) == set(TENSORS) and len(shards) == 6
        assert shards.metadata == {"format": "pt"} and shards.index_metadata == {"total_size": 420}
        for name, array in TENSORS.items():
            assert name in shards and shards[name].shape == array.shape
            assert np.array_equal(shards.read(name), array) and not shards.view(name).flags.writeable
            assert shards.raw(name).data.tobytes() == array.tobytes()
        with pytest.raises(MissingTensor, match=r"no tensor 'layer.9.weight' among its 6.*Try: layer"):
            shards["layer.9.weight"]
    with pytest.raises(CheckpointError, match="is closed"):
        shards.view("layer.0.weight")


@given(
    sizes=st.lists(st.integers(0, 40), min_size=1, max_size=12),
    most=st.integers(1, 200),
    floats=st.sampled_from([None, "BF16"]),
)
def test_round_trip(tmp_path_factory, sizes, most, floats):
    folder = tmp_path_factory.mktemp("shards")
    tensors = {f"w{n}": np.arange(size, dtype=np.float32) for n, size in enumerate(sizes)}
    files = save_sharded(folder, tensors, floats=floats, max_shard_size=most)
    with open_tensors(folder) as shards:
        assert {name: shards.read(name).tolist() for name in shards} == {n: a.tolist() for n, a in tensors.items()}
    each = 4 if floats is None else 2
    for file in files:
        inside = SafeTensors(file)
        assert len(inside) == 1 or sum(entry.end - entry.begin for entry in inside.values()) <= most
    assert len(files) > 1 or sum(sizes) * each <= most or len([s for s in sizes if s]) <= 1


def test_one_file_needs_no_index(tmp_path):
    assert save_sharded(tmp_path / "new", TENSORS) == [tmp_path / "new" / WHOLE]
    assert os.listdir(tmp_path / "new") == [WHOLE]
    assert isinstance(open_tensors(tmp_path / "new"), SafeTensors)


def test_files_of_an_earlier_save_go(folder):
    (folder / "config.json").write_text("{}")
    (folder / "model-extra.safetensors").write_bytes(b"")
    save_sharded(folder, TENSORS, max_shard_size="0.3KB")
    assert len(list(folder.glob("model-0*"))) == 2 and set(Shards(folder)) == set(TENSORS)
    save_sharded(folder, TENSORS)
    assert sorted(os.listdir(folder)) == ["config.json", "model-extra.safetensors", WHOLE]
    save_sharded(folder, TENSORS, max_shard_size=150)
    assert isinstance(open_tensors(folder), Shards) and not (folder / WHOLE).exists()


def test_weights_are_written_over_the_files_they_are_read_from(folder):
    with Shards(folder) as shards:
        save_sharded(folder, {name: shards.raw(name) for name in shards}, shards.metadata, max_shard_size=220)
    with Shards(folder) as shards:
        assert all(np.array_equal(shards.read(name), TENSORS[name]) for name in TENSORS)


@pytest.mark.parametrize("most", [75, 10**9])
def test_a_save_that_fails_leaves_the_old_weights(folder, most):
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    bad = TENSORS | {"layer.5.weight": np.float32([1e9])}
    with pytest.raises(CheckpointError, match="F16"):
        save_sharded(folder, bad, floats="F16", max_shard_size=most)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_a_save_that_was_killed_between_two_files_is_found_out(folder, monkeypatch):
    moved = []

    def replace(old, new):
        if len(moved) == 2:
            raise KeyboardInterrupt
        os.rename(old, new)
        moved.extend([new] if Path(new).parent == folder else [])

    monkeypatch.setattr("os.replace", replace)
    with pytest.raises(KeyboardInterrupt):
        save_sharded(folder, {name: array + 1 for name, array in TENSORS.items()}, max_shard_size=150)
    assert not [path for path in folder.iterdir() if path.is_dir()]
    with pytest.raises(CheckpointError, match="neither"):
        open_tensors(folder)


def test_a_name_that_its_file_lacks(folder):
    rewrite_index(folder, lambda index: index["weight_map"].update({"ghost": "model-00001-of-00004.safetensors"}))
    with pytest.raises(CheckpointError, match=r"'ghost' should be in model-00001-of-00004.safetensors and is not"):
        Shards(folder)


def test_a_tensor_that_the_index_lacks(folder):
    rewrite_index(folder, lambda index: index["weight_map"].pop("layer.1.weight"))
    with pytest.raises(CheckpointError, match=r"model-00001.* holds 'layer.1.weight', which the index places nowhere"):
        Shards(folder)


def test_a_tensor_that_two_files_have(folder):
    save(folder / "model-00002-of-00004.safetensors", {n: TENSORS[n] for n in ("layer.3.weight", "layer.0.weight")})
    with pytest.raises(
        CheckpointError, match=r"model-00002.* holds 'layer.0.weight', which the index places in model-00001"
    ):
        Shards(folder)


def test_a_file_that_is_missing_or_damaged(folder):
    os.truncate(folder / "model-00002-of-00004.safetensors", 100)
    with pytest.raises(CheckpointError, match=r"model-00002-of-00004\.safetensors: "):
        Shards(folder)
    (folder / "model-00002-of-00004.safetensors").unlink()
    with pytest.raises(CheckpointError, match=r"names model-00002.*which is not beside it"):
        Shards(folder)


@pytest.mark.parametrize(
    "file",
    ["../x.safetensors", "a/b.safetensors", "..", "", 3, None, "model.bin", "c:\\x.safetensors", "x\0.safetensors"],
)
def test_an_index_may_name_files_beside_it_only(folder, file):
    rewrite_index(folder, lambda index: index["weight_map"].update({"layer.0.weight": file}))
    with pytest.raises(CheckpointError, match=r"places 'layer.0.weight' in .*beside the index"):
        Shards(folder)


@pytest.mark.parametrize(
    "text, message",
    [
        ("{", "is no index"),
        ("[]", "lacks weight_map"),
        ("{}", "lacks weight_map"),
        ('{"weight_map":[]}', "lacks weight_map"),
        ('{"weight_map":{}}', "lacks weight_map"),
        ('{"weight_map":{"a":"x.safetensors","a":"y.safetensors"}}', "there twice"),
        ("[" * 100_000, "is no index"),
        ("\xff", "is no index"),
    ],
)
def test_an_index_that_is_none(tmp_path, text, message):
    (tmp_path / INDEX).write_bytes(text.encode("latin-1"))
    with pytest.raises(CheckpointError, match=message):
        Shards(tmp_path)


def test_folders_without_weights(tmp_path):
    with pytest.raises(CheckpointError, match=r"has neither model.safetensors nor"):
        open_tensors(tmp_path)
    with pytest.raises(CheckpointError, match="there is no such index"):
        Shards(tmp_path)
    (tmp_path / "pytorch_model.bin").write_bytes(b"PK")
    with pytest.raises(CheckpointError, match=r"pytorch_model.bin may be a pickle.*weights_only=True"):
        open_tensors(tmp_path)


def test_sizes():
    assert [parse_size(size) for size in ("5GB", "1 MiB", "1.5kb", 12)] == [5 * 10**9, 2**20, 1500, 12]
    for size in ("5", "GB", "-1GB", 0, -3, 1.5, True, None, "1TB", "9" * 400 + "GB"):
        with pytest.raises(CheckpointError, match="max_shard_size"):
            parse_size(size)
