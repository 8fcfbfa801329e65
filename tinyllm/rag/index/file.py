"""One file for an index: a line with the digest of the rest, a line of JSON, and arrays as they lie in memory.

    tinyllm-index 1 <sha256 of everything below>
    {"kind": "Flat", "settings": {...}, "arrays": [["data", "<f4", [1000, 384]], ...]}
    bytes

A file that was cut short, or in which one bit has changed, is refused. Ids are kept as one array of bytes with NUL
between them, which no id may hold. Other things that are a few settings and arrays lie in such files as well, under
another name than "index" in their first line.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from ...atomic import write_atomically
from ...errors import CheckpointError
from ...kernels import Array


def write(
    path: str | PathLike[str],
    kind: str,
    settings: Mapping[str, Any],
    arrays: Mapping[str, Array],
    what: str = "index",
) -> None:
    """Replace the file at ``path``, at once and whole.

    Args:
        path: of the file.
        kind: which class it is that can read it.
        settings: what JSON can hold.
        arrays: by name, of numbers.
        what: the thing that it holds, for the first line and for errors: one word.

    Raises:
        CheckpointError: the file system refuses.
    """
    solid = {name: np.ascontiguousarray(a) for name, a in arrays.items()}
    table = [[name, a.dtype.newbyteorder("<").str, a.shape] for name, a in solid.items()]
    head = json.dumps({"kind": kind, "settings": dict(settings), "arrays": table}).encode() + b"\n"
    little = [a.astype(a.dtype.newbyteorder("<"), copy=False).data for a in solid.values() if a.size]
    digest = hashlib.sha256(head)
    for part in little:
        digest.update(part)

    def parts(file: Any) -> None:
        file.write(_magic(what) + digest.hexdigest().encode() + b"\n" + head)
        for part in little:
            file.write(part)

    write_atomically(Path(path), parts)


def read(path: str | PathLike[str], kind: str, what: str = "index") -> tuple[dict[str, Any], dict[str, Array]]:
    """Return the settings and the arrays of an index (or ``what`` else was written) of this kind.

    Raises:
        CheckpointError: the file is missing, damaged, of another kind or no index at all.
    """
    magic, article = _magic(what), "an" if what[0] in "aeiou" else "a"
    try:
        content = memoryview(Path(path).read_bytes())
    except OSError as error:
        raise CheckpointError(f"cannot read the {what} {path}: {(error.strerror or str(error)).lower()}") from error
    start = len(magic) + 65
    if bytes(content[: len(magic)]) != magic:
        raise CheckpointError(f"{path} is not {article} {what}", hint=f"a file that {what}.save wrote")
    if hashlib.sha256(content[start:]).hexdigest().encode() + b"\n" != bytes(content[len(magic) : start]):
        raise CheckpointError(f"the {what} {path} is damaged: its checksum differs", hint="build and save it again")
    end = start + bytes(content[start:]).index(b"\n") + 1
    head = json.loads(bytes(content[start:end]))
    if head["kind"] != kind:
        raise CheckpointError(f"{path} holds {article} {what} of the kind {head['kind']}, not {kind}")
    arrays = {}
    for name, dtype, shape in head["arrays"]:
        size = np.dtype(dtype).itemsize * math.prod(shape)
        arrays[name] = (
            np.frombuffer(content[end : end + size], dtype).reshape(shape).astype(np.dtype(dtype).newbyteorder("="))
        )
        end += size
    return head["settings"], arrays


def _magic(what: str) -> bytes:
    return f"tinyllm-{what} 1 ".encode()


def pack_ids(ids: Sequence[str]) -> Array:
    """Return ids as bytes with NUL between them.

    Example:
        >>> unpack_ids(pack_ids(["a", "b"]))
        ['a', 'b']
    """
    return np.frombuffer("\0".join(ids).encode("utf-8", "surrogatepass"), np.uint8)


def unpack_ids(packed: Array) -> list[str]:
    """Return the ids that ``pack_ids`` made one array of."""
    return packed.tobytes().decode("utf-8", "surrogatepass").split("\0") if packed.size else []
