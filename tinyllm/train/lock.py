"""One training at a time in a run folder: two would write into each other's files."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..atomic import cannot_write
from ..errors import CheckpointError


@contextmanager
def only_one(folder: Path) -> Iterator[None]:
    """Hold the folder's lock during the block; a process that dies, in whatever way, lets go of it.

    Raises:
        CheckpointError: another process is training in this folder, or the folder cannot be written.
    """
    try:
        import fcntl
    except ImportError:  # Windows has no flock, and opens no file for writing twice by accident
        yield
        return
    try:
        file = open(folder / ".lock", "wb")  # noqa: SIM115  closed below; closing it lets go
    except OSError as error:
        raise cannot_write(folder / ".lock", error) from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise CheckpointError(
                f"{folder}: another process is training here", hint="wait for it, or another folder"
            ) from None
        except OSError:
            pass  # a file system without locks, such as some network ones
        yield
