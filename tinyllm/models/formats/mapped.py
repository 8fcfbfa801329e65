"""A file as bytes in memory that are read from the disk when they are looked at, and cannot be changed."""

from __future__ import annotations

import mmap
from pathlib import Path

from ...errors import CheckpointError


def map_file(path: Path) -> memoryview:
    """Map a file, read-only; it must not become shorter as long as a view of it is in use.

    Raises:
        CheckpointError: the file cannot be opened, is no file, or is empty.

    Example:
        >>> map_file(Path("none.gguf"))
        Traceback (most recent call last):
            ...
        tinyllm.errors.CheckpointError: E-CHECKPOINT cannot read none.gguf: no such file or directory
    """
    try:
        with open(path, "rb") as file:
            if file.seek(0, 2) == 0:
                raise CheckpointError(f"{path.name}: the file is empty", hint="get the file again")
            return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    except OSError as error:
        raise CheckpointError(f"cannot read {path}: {(error.strerror or str(error)).lower()}") from error


def forget(data: memoryview) -> None:
    """Let go of what was read of a mapped file: it counts as memory in use no more, and is read again when looked at.

    Where the system has no way to say so, or these bytes are no mapped file, nothing happens.

    Example:
        >>> forget(memoryview(b"not a file"))
    """
    if isinstance(data.obj, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
        data.obj.madvise(mmap.MADV_DONTNEED)
