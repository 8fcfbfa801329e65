from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import pytest

from tinyllm import atomic
from tinyllm.errors import CheckpointError


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_replaces_the_content(tmp_path):
    path = tmp_path / "a"
    for content in (b"one", b"another, longer", b""):
        atomic.write_atomically(path, lambda file, content=content: file.write(content))
        assert path.read_bytes() == content
    assert files(tmp_path) == ["a"]


def test_the_old_file_stands_while_the_new_one_is_written(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"old")

    def write(file):
        file.write(b"half of the ne")
        file.flush()
        assert path.read_bytes() == b"old"
        file.write(b"w")

    atomic.write_atomically(path, write)
    assert path.read_bytes() == b"half of the new"


@pytest.mark.parametrize("error", [KeyboardInterrupt(), ValueError("no"), MemoryError()])
def test_whatever_breaks_the_writing_off_leaves_the_old_file(tmp_path, error):
    path = tmp_path / "a"
    path.write_bytes(b"old")

    def write(file):
        file.write(b"half")
        raise error

    with pytest.raises(type(error)):
        atomic.write_atomically(path, write)
    assert path.read_bytes() == b"old" and files(tmp_path) == ["a"]


@pytest.mark.parametrize(
    ("number", "says"),
    [(errno.ENOSPC, "no space left on device"), (errno.EROFS, "read-only"), (errno.EIO, "input/output error")],
)
@pytest.mark.parametrize("broken", ["write", "fsync", "replace"])
def test_a_full_or_failing_disk_is_one_clear_line_and_the_old_file_stands(tmp_path, monkeypatch, number, says, broken):
    path = tmp_path / "a"
    path.write_bytes(b"old")

    def fail(*_):
        raise OSError(number, os.strerror(number))

    if broken != "write":
        monkeypatch.setattr(atomic.os, broken, fail)
    with pytest.raises(CheckpointError) as caught:
        atomic.write_atomically(
            path, fail if broken == "write" else lambda file: file.write(b"new"), "what was is intact"
        )
    message = str(caught.value)
    assert says in message and str(path) in message and "what was is intact" in message and "\n" not in message
    monkeypatch.undo()
    assert path.read_bytes() == b"old" and files(tmp_path) == ["a"]


def test_a_full_disk_says_what_to_do(tmp_path):
    error = atomic.cannot_write(tmp_path / "a", OSError(errno.ENOSPC, "No space left on device"))
    assert error.hint == "free some space on this disk, then resume"


def test_a_folder_that_may_not_be_written_is_one_clear_line(tmp_path, monkeypatch):
    def denied(*_):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(atomic, "open", denied, raising=False)
    with pytest.raises(CheckpointError, match=r"permission denied.*Try: choose a folder you may write to"):
        atomic.write_atomically(tmp_path / "a", lambda file: file.write(b"new"))


def test_a_missing_folder_is_one_clear_line(tmp_path):
    with pytest.raises(CheckpointError, match="Try: make the folder first"):
        atomic.write_atomically(tmp_path / "missing" / "a", lambda file: None)


def test_content_and_folder_are_forced_to_the_disk_before_and_after_the_name_is_given(tmp_path, monkeypatch):
    happened = []
    real_fsync, real_replace = os.fsync, os.replace

    def fsync(handle):
        happened.append("folder" if os.path.isdir(f"/proc/self/fd/{handle}") else "file")
        real_fsync(handle)

    def replace(*args):
        happened.append("name")
        real_replace(*args)

    monkeypatch.setattr(atomic.os, "fsync", fsync)
    monkeypatch.setattr(atomic.os, "replace", replace)
    atomic.write_atomically(tmp_path / "a", lambda file: file.write(b"x"))
    if os.path.isdir("/proc/self/fd"):
        assert happened == ["file", "name", "folder"]


def test_what_a_killed_process_left_is_removed_and_nothing_else(tmp_path):
    for name in ("a", ".a.123.part", ".hidden", "b.part"):
        (tmp_path / name).write_bytes(b"x")
    atomic.remove_leftovers(tmp_path)
    assert files(tmp_path) == [".hidden", "a", "b.part"]


def test_json(tmp_path):
    atomic.write_json(tmp_path / "a", {"naïve": [1, 2.5, None]})
    assert json.loads((tmp_path / "a").read_text(encoding="utf-8")) == {"naïve": [1, 2.5, None]}
    with pytest.raises(ValueError, match="JSON"):
        atomic.write_json(tmp_path / "a", float("nan"))
