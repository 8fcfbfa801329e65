"""Write a file so that whoever looks, at any moment and after any crash, finds the old one or the new one whole.

The new content goes to a temporary file in the same folder, is forced to the disk, and takes the name in one step; then
the folder itself is forced to the disk, so that the new name survives a power cut, too.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from .errors import CheckpointError

_MARK = ".part"  # ends the name of a temporary file


def write_atomically(path: Path, write: Callable[[IO[bytes]], object], keeps: str = "") -> None:
    """Replace the file at ``path`` by what ``write`` puts into the file it is given.

    Args:
        path: the file; its folder must exist.
        write: is called once with the open temporary file.
        keeps: what an error says about the file that stays, e.g. "the checkpoint of step 50 is intact".

    Raises:
        CheckpointError: the disk is full, the folder cannot be written, or another trouble of the file system.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}{_MARK}")
    try:
        try:
            with open(temporary, "wb") as file:
                write(file)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)
            _sync_folder(path.parent)
        except BaseException:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise cannot_write(path, error, keeps) from error


def write_json(path: Path, value: Any) -> None:
    """Replace the file at ``path`` by ``value`` as indented JSON.

    Raises:
        CheckpointError: as ``write_atomically``.
    """
    text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    write_atomically(path, lambda file: file.write(text.encode()))


def remove_leftovers(folder: Path) -> None:
    """Delete the temporary files that a killed process left in ``folder``."""
    for leftover in folder.glob(f".*{_MARK}"):
        with contextlib.suppress(OSError):
            leftover.unlink()


def cannot_write(path: Path, error: OSError, keeps: str = "") -> CheckpointError:
    """Put a trouble of the file system into one line that says what to do."""
    hints = {
        "ENOSPC": "free some space on this disk, then resume",
        "EDQUOT": "free some of your quota, then resume",
        "EACCES": "choose a folder you may write to",
        "EPERM": "choose a folder you may write to",
        "EROFS": "choose a folder on a disk that is not read-only",
        "ENOENT": "make the folder first",
    }
    name = errno.errorcode.get(error.errno or 0, "")
    reason = (error.strerror or str(error)).lower()
    message = f"cannot write {path}: {reason}" + (f"; {keeps}" if keeps else "")
    return CheckpointError(message, hint=hints.get(name))


def _sync_folder(folder: Path) -> None:
    if os.name != "posix":  # elsewhere a folder cannot be opened, and a rename is on the disk when it returns
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
