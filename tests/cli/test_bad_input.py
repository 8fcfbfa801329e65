"""The table of bad input: each gives one clear line, exit code 1, no traceback, and nothing saved is lost."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil

import numpy as np
import pytest


def write(path, content):
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        path.write_text(content, encoding="utf-8")
    return path


def one_line(done, *words):
    assert done.code == 1
    assert done.err.count("\n") == 1, done.err
    assert done.err.startswith("tinyllm: ")
    for word in words:
        assert word in done.err


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", ["the text is empty", "Try:"]),
        (b" \n\t\n", ["the text is empty", "Try:"]),
        (b"\x7fELF\x00\x01\x02", ["is a binary file", "Try:"]),
        (b"caf\xe9 au lait", ["is not UTF-8 text", "iconv"]),
        ("too short", ["tokens", "blocks of 16", "Try:"]),
        ("a" * 5000, ["one symbol", "Try:"]),
    ],
    ids=["empty", "blank", "binary", "latin-1", "short", "one symbol"],
)
def test_texts_that_cannot_be_learned(tinyllm, tmp_path, content, words, smoke):
    path = write(tmp_path / "text.txt", content)
    one_line(tinyllm(*smoke, "--data", path, "--out", "run"), *words)
    assert not (tmp_path / "run" / "manifest.json").exists()


@pytest.mark.parametrize(
    ("source", "words"),
    [("python-manuel", ["no such file", "Try: python-manual"]), ("no/such/text", ["no such file"])],
)
def test_texts_that_are_not_there(tinyllm, source, words, smoke):
    one_line(tinyllm(*smoke, "--data", source, "--out", "run"), *words)


def test_a_folder_without_text(tinyllm, tmp_path, smoke):
    (tmp_path / "nothing").mkdir()
    one_line(tinyllm(*smoke, "--data", "nothing"), "no text to learn from")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ('{"stepz": 5}', ["'stepz'", "Try: steps"]),
        ('{"model": {"n_heads": 2}}', ["'n_heads'", "Try: n_head"]),
        ('{"steps": ', ["is not JSON"]),
        ("[1]", ["is not a JSON object"]),
        ('{"steps": "many"}', ["steps is 'many', not a whole number"]),
    ],
)
def test_configs_that_do_not_fit(tinyllm, tmp_path, content, words):
    path = write(tmp_path / "settings.json", content)
    one_line(tinyllm("train", "--config", path, "--out", "run"), *words)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--heads", "3"], ["n_head=3 does not divide n_embd=16", "Try:"]),
        (["--preset", "smok"], ["no preset 'smok'", "Try: smoke"]),
        (["--model", "modem"], ["no 'modem'", "Try: modern"]),
        (["--set", "lerning_rate=1"], ["no field 'lerning_rate'"]),
        (["--set", "model.n_heads=1"], ["no field 'n_heads'", "Try: n_head"]),
        (["--set", "n_layer=1"], ["a setting of the model", "Try: --set model.n_layer=1"]),
        (["--set", "lr"], ["is not NAME=VALUE"]),
        (["--set", "model=gpt2"], ["name one field of it"]),
        (["--tokenizer", "byte"], ["tokenizer: there is no 'byte'", "Try: bytes"]),
        (["--tokenizer", "bpe"], ["'bpe' does not say how many tokens", "Try: bpe:1024"]),
        (["--tokenizer", "bpe:100"], ["too small", "256 single bytes"]),
        (["--tokenizer", "./none.json"], ["no file ./none.json"]),
        (["--schedule", "cosin"], ["no 'cosin'", "Try: cosine"]),
        (["--config", "missing.json"], ["missing.json: no such file"]),
        (["--data", "a", "b"], ["two texts are given"]),
    ],
)
def test_options_that_do_not_fit(tinyllm, options, words, smoke):
    one_line(tinyllm(*smoke, "--out", "run", *options), *words)


def test_a_loss_that_is_no_number_keeps_the_last_checkpoint(tinyllm, tmp_path, smoke):
    one_line(
        tinyllm(*smoke, "--lr", "1e30", "--out", "run"),
        "no longer a number",
        "checkpoint is intact",
        "Try: a lower learning rate",
    )
    assert (tmp_path / "run" / "checkpoint.npz").exists()


def test_a_folder_that_is_a_file_or_cannot_be_made(tinyllm, tmp_path, smoke):
    write(tmp_path / "file", "x")
    one_line(tinyllm(*smoke, "--out", "file"), "is a file")
    one_line(tinyllm(*smoke, "--out", "file/run"), "cannot write")


def test_a_folder_that_may_not_be_written(tinyllm, monkeypatch, smoke):
    from pathlib import Path

    def refuse(self, *_, **__):
        raise PermissionError(errno.EACCES, "Permission denied", str(self))

    monkeypatch.setattr(Path, "mkdir", refuse)
    one_line(tinyllm(*smoke, "--out", "run"), "permission denied", "Try:")


def test_a_full_disk_keeps_what_is_saved(tinyllm, trained, tmp_path, monkeypatch):
    folder = shutil.copytree(trained, tmp_path / "run")
    before = hashlib.sha256((folder / "checkpoint.npz").read_bytes()).hexdigest()
    real = os.fsync

    def full(handle):
        if "checkpoint" in os.readlink(f"/proc/self/fd/{handle}") if os.path.exists("/proc/self/fd") else True:
            raise OSError(errno.ENOSPC, "No space left on device")
        real(handle)

    edit_steps(folder, 8)
    monkeypatch.setattr(os, "fsync", full)
    one_line(tinyllm("train", "--resume", folder), "no space left on device", "Try: free some space")
    assert hashlib.sha256((folder / "checkpoint.npz").read_bytes()).hexdigest() == before


def edit_steps(folder, steps):
    """Let a finished run have more steps to go."""
    import json

    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "steps": steps}))


@pytest.mark.parametrize("command", [["generate"], ["train", "--resume"]])
def test_run_folders_that_are_none(tinyllm, tmp_path, command):
    (tmp_path / "empty").mkdir()
    write(tmp_path / "file", "x")
    for name in ("nowhere", "empty", "file"):
        one_line(tinyllm(*command, name), name)


@pytest.mark.parametrize("damage", ["cut", "foreign", "noise", "other npz"])
def test_checkpoints_that_are_damaged(tinyllm, trained, tmp_path, damage):
    folder = shutil.copytree(trained, tmp_path / "run")
    for name in ("checkpoint.npz", "best.npz"):
        path = folder / name
        data = path.read_bytes()
        if damage == "cut":
            path.write_bytes(data[: len(data) // 2])
        elif damage == "foreign":
            path.write_bytes(b"PK\x03\x04 something else")
        elif damage == "noise":
            path.write_bytes(b"\x93" + data[1:2000] + b"\0" + data[2001:])
        else:
            with open(path, "wb") as file:
                np.savez(file, weights=np.zeros(3))
    one_line(tinyllm("generate", folder), "npz")
    one_line(tinyllm("train", "--resume", folder), "checkpoint.npz")


def test_a_second_run_in_the_same_folder_is_refused(tinyllm, trained, smoke):
    before = sorted(path.name for path in trained.iterdir())
    one_line(tinyllm(*smoke, "--out", trained), "holds a run already", "Try:")
    one_line(tinyllm("tour", "--quick", "--out", trained), "holds a run already")
    assert sorted(path.name for path in trained.iterdir()) == before


def test_resuming_keeps_its_settings(tinyllm, trained):
    one_line(tinyllm("train", "--resume", trained, "--lr", "1"), "--lr would change them", "Try: leave out --lr")


def test_prompts_and_sampling_that_cannot_be(tinyllm, trained):
    one_line(tinyllm("generate", trained, "日本"), "'日'", "Try:")
    assert tinyllm("generate", trained, "--temperature", "-1").code == 2
    assert tinyllm("generate", trained, "--top-k", "0").code == 2
    assert tinyllm("generate", trained, "--top-p", "0").code == 2
    one_line(tinyllm("generate", trained, "--top-p", "1.5"), "top_p is 1.5", "Try:")
    one_line(tinyllm("generate", trained, "--stop", ""), "'' cannot end a text", "Try:")


def test_stops_that_are_not_there(tinyllm):
    one_line(tinyllm("tour", "--stop", "chek"), "no stop 'chek'", "Try: check")
    one_line(tinyllm("tour", "--stop", "99"), "no stop '99'")
