"""Safetensors: a file of named tensors, mapped into memory and read one at a time; and the writer of such files.

Opening a file reads its header and nothing else (tensor_header.py is how, and what is refused). A tensor is then a view
of the mapped file, which costs no memory of its own, or a copy in the type one wants:

    with SafeTensors("model.safetensors") as file:
        file.view("norm.weight")                # read-only, the stored values where they lie; BF16 as its bits
        file.read("norm.weight", np.float32)    # an array of one's own, converted
        file.raw("norm.weight")                 # type, shape and bytes: what `save` takes to copy any tensor exactly

`save` writes byte for byte what the safetensors library writes. No code in a file is ever run: there is none.
"""

from __future__ import annotations

import json
import mmap
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np

from ...atomic import write_atomically
from ...errors import CheckpointError, nearest
from .halves import TILE, bf16_to_float32, float32_to_bf16
from .tensor_header import BITS, LONGEST_HEADER, Entry, brief, read_header, size_in_bytes

Array = np.ndarray[Any, np.dtype[Any]]

NUMPY = {
    "BOOL": "?",
    "U8": "<u1",
    "I8": "<i1",
    "I16": "<i2",
    "U16": "<u2",
    "F16": "<f2",
    "I32": "<i4",
    "U32": "<u4",
    "F32": "<f4",
    "C64": "<c8",
    "F64": "<f8",
    "I64": "<i8",
    "U64": "<u8",
}
NAMES = {np.dtype(code): name for name, code in NUMPY.items()}
RANK = {name: rank for rank, name in enumerate(BITS)}
PIECE = 1 << 22  # bytes that are copied before their pages in the file are given back
FLOATS = ("F16", "BF16", "F32", "F64")


class Raw(NamedTuple):
    """A tensor as it is stored, for types that NumPy lacks and for copies that change nothing.

    Attributes:
        dtype: a key of BITS, such as "BF16" or "F8_E4M3".
        shape: its sizes, in values.
        data: its bytes in C order, little-endian: uint8, one axis.
    """

    dtype: str
    shape: tuple[int, ...]
    data: Array


class SafeTensors(Mapping[str, Entry]):
    """A safetensors file, open for reading: name -> Entry, in the order of the values, and the tensors on request.

    The file is mapped, so memory is used for what is touched only, and other processes share it. It must not be cut
    short while it is open. Views keep the map alive after `close`; nothing else can be read then.

    Args:
        path: the file.

    Raises:
        CheckpointError: there is no such file, or it is damaged, contradictory or of another kind; says which.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "small.safetensors"
        >>> save(path, {"b": np.zeros(2, np.float32), "a": np.eye(2)}, {"format": "pt"})
        >>> with SafeTensors(path) as file:
        ...     print(list(file), file["a"].shape, file.metadata, file.read("b"))
        ['a', 'b'] (2, 2) {'format': 'pt'} [0. 0.]
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self._own: mmap.mmap | None = None
        mapped, self._identity = _map(self.path)
        with memoryview(mapped) as whole:
            self._entries, self.metadata, self._start = read_header(whole, str(self.path))
        self._map: mmap.mmap | None = mapped

    def __getitem__(self, name: str) -> Entry:
        try:
            return self._entries[name]
        except KeyError:
            raise MissingTensor(
                f"{self.path}: has no tensor {name!r} among its {len(self)}", hint=nearest(str(name), self._entries)
            ) from None

    def __contains__(self, name: object) -> bool:
        return name in self._entries

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def view(self, name: str) -> Array:
        """Return the stored values, read-only and without a copy.

        Types that NumPy has come in them and in their shape, BF16 as uint16 (see halves.py), all others as uint8 along
        one axis. A view need not be aligned: the format does not ask for it.

        Raises:
            CheckpointError: there is no such tensor, the file is closed, or NumPy cannot hold such a shape.
        """
        dtype, shape, begin, end = self[name]
        code = "<u2" if dtype == "BF16" else NUMPY.get(dtype)
        if code is None:
            code, shape = "<u1", (end - begin,)
        if len(shape) > 64 or max(shape, default=0) > np.iinfo(np.intp).max:
            raise CheckpointError(f"{self.path}: {name!r} has the shape {brief(shape)}, beyond what NumPy holds")
        try:
            return np.ndarray(shape, code, buffer=self._mapped(), offset=self._start + begin)
        except ValueError as error:  # no values, but sizes whose product is out of reach
            raise CheckpointError(f"{self.path}: {name!r} has the shape {brief(shape)}: {error}") from None

    def read(self, name: str, dtype: Any = None) -> Array:
        """Return a tensor as an array of one's own: aligned, writable, in C order.

        Args:
            name: which.
            dtype: what to convert to; None keeps the stored type, and makes float32 of BF16.

        Raises:
            CheckpointError: as `view`; also for a type that NumPy lacks.

        Example:
            >>> import tempfile
            >>> path = Path(tempfile.mkdtemp()) / "half.safetensors"
            >>> save(path, {"x": np.float32([1, 2, 3])}, floats="BF16")
            >>> SafeTensors(path)["x"].dtype, SafeTensors(path).read("x")
            ('BF16', array([1., 2., 3.], dtype=float32))
        """
        stored = self[name].dtype
        if stored not in NUMPY and stored != "BF16":
            raise CheckpointError(f"{self.path}: {name!r} is {stored}, which NumPy lacks", hint="raw() gives its bytes")
        values = self.view(name)
        own = np.float32 if stored == "BF16" else values.dtype
        wanted = np.empty(values.shape, np.dtype(own if dtype is None else dtype).newbyteorder("="))
        flat, given = wanted.reshape(-1), values.reshape(-1)
        step = TILE if stored == "BF16" else max(1, PIECE // given.itemsize)
        for begin in range(0, flat.size, step):
            tile = given[begin : begin + step]
            flat[begin : begin + step] = bf16_to_float32(tile) if stored == "BF16" else tile
            self._let_go(self[name].begin + begin * given.itemsize, tile.nbytes)
        return wanted

    def private(self, name: str) -> Array | None:
        """Return the stored values as an array that may be written to, without a copy: the file never changes.

        What is written to is copied then, a page at a time, and only this process sees it. None where that cannot be:
        on Windows, which would not let go of the file's name; where the values are not aligned, or NumPy lacks their
        type; and where another file has come in place of this one.

        Raises:
            CheckpointError: there is no such tensor, or the file is closed.
        """
        values = self.view(name)
        if self[name].dtype not in NUMPY or not values.flags.aligned or os.name != "posix":
            return None
        if self._own is None:
            try:
                own, identity = _map(self.path, mmap.ACCESS_COPY)
            except CheckpointError:  # it is gone, or the system promises no more memory
                return None
            if identity != self._identity:
                return None
            self._own = own
        return np.ndarray(values.shape, values.dtype, buffer=self._own, offset=self._start + self[name].begin)

    def let_go(self, name: str) -> None:
        """Stop counting a tensor as memory of this process, after a copy of it was made; a view stays as good as it is.

        Looked at pages of a mapped file count until they are given back. The system still keeps them as long as it has
        room, so looking again is cheap.

        Raises:
            CheckpointError: there is no such tensor, or the file is closed.
        """
        _, _, begin, end = self[name]
        self._let_go(begin, end - begin)

    def _let_go(self, begin: int, size: int) -> None:
        start = (self._start + begin) // mmap.PAGESIZE * mmap.PAGESIZE
        end = self._start + begin + size
        if size and hasattr(mmap, "MADV_DONTNEED"):  # Windows has no such advice, and takes pages away by itself
            self._mapped().madvise(mmap.MADV_DONTNEED, start, end - start)

    def raw(self, name: str) -> Raw:
        """Return a tensor as it is stored, of any type: read-only, without a copy.

        Raises:
            CheckpointError: there is no such tensor, or the file is closed.
        """
        dtype, shape, begin, end = self[name]
        data = np.ndarray((end - begin,), np.uint8, buffer=self._mapped(), offset=self._start + begin)
        return Raw(dtype, shape, data)

    def close(self) -> None:
        """Read no more; the map itself goes with the last view of it."""
        self._map = self._own = None

    def _mapped(self) -> mmap.mmap:
        if self._map is None:
            raise CheckpointError(f"{self.path}: is closed", hint="read inside of the with block, or open it again")
        return self._map

    def __enter__(self) -> SafeTensors:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class MissingTensor(CheckpointError, KeyError):
    """A tensor that a file of weights does not have; also a KeyError, as a mapping owes its readers."""

    def __str__(self) -> str:  # a KeyError would print its message in quotes
        return str(self.args[0])


def save(
    path: str | os.PathLike[str],
    tensors: Mapping[str, Array | Raw],
    metadata: Mapping[str, str] | None = None,
    floats: str | None = None,
) -> None:
    """Write a safetensors file, atomically: at every moment the old file or the new one is there, whole.

    The largest types come first, within a type the names in order; so the same tensors give the same bytes always.

    Args:
        path: where to; its folder must exist.
        tensors: name -> array, or Raw for other types.
        metadata: texts about the file. transformers wants {"format": "pt"}.
        floats: "F16", "BF16" or "F32" to store all floating-point arrays so (float64 reaches BF16 by way of float32);
            None keeps each array's own type.

    Raises:
        CheckpointError: a name, a type or a shape that the format cannot hold, a value beyond F16's reach, or a trouble
            of the file system; an old file stays as it was.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "one.safetensors"
        >>> save(path, {"x": np.arange(3, dtype=np.uint8)})
        >>> path.read_bytes()[8:]
        b'{"x":{"dtype":"U8","shape":[3],"data_offsets":[0,3]}}   \\x00\\x01\\x02'
    """
    path = Path(path)
    kinds = stored_types(tensors, floats)
    header = _header(tensors, kinds, metadata)

    def write(file: IO[bytes]) -> None:
        file.write(len(header).to_bytes(8, "little") + header)
        for name, kind in kinds.items():
            _write_values(file, name, tensors[name], kind)

    write_atomically(path, write)


def stored_types(tensors: Mapping[str, Array | Raw], floats: str | None = None) -> dict[str, str]:
    """Return name -> type in the file, in the order of the file, after checking that the format can hold each.

    Raises:
        CheckpointError: see `save`.

    Example:
        >>> stored_types({"a": np.zeros(2, np.float16), "b": np.zeros(2), "c": np.zeros(2)}, floats="F16")
        {'a': 'F16', 'b': 'F16', 'c': 'F16'}
    """
    if floats not in (None, "F16", "BF16", "F32"):
        raise CheckpointError(f"save: floats is {floats!r}", hint="'F16', 'BF16', 'F32', or None for as they are")
    kinds = {name: _stored_type(name, tensor, floats) for name, tensor in tensors.items()}
    return dict(sorted(kinds.items(), key=lambda item: (-RANK[item[1]], item[0])))


def stored_size(tensor: Array | Raw, kind: str) -> int:
    """Return how many bytes a tensor takes when it is stored as `kind`.

    Example:
        >>> stored_size(np.zeros((2, 3), np.float32), "BF16")
        12
    """
    size = size_in_bytes(kind, tensor.shape)
    if size is None:
        raise CheckpointError(f"save: {kind} {brief(tensor.shape)} is no whole number of bytes")
    return size


def _stored_type(name: str, tensor: Array | Raw, floats: str | None) -> str:
    """Return the type a tensor will have in the file, or say why it cannot be there."""
    if not isinstance(name, str) or name == "__metadata__":
        raise CheckpointError(f"save: a tensor cannot be named {name!r}", hint="any other text")
    _check_text(name, "a tensor's name")
    if isinstance(tensor, Raw):
        if tensor.dtype not in BITS:
            raise CheckpointError(f"save: {name!r} has the dtype {tensor.dtype!r}", hint="one of " + " ".join(BITS))
        size = stored_size(tensor, tensor.dtype)
        if tensor.data.dtype != np.uint8 or tensor.data.shape != (size,):
            got = f"{tensor.data.dtype} {brief(tensor.data.shape)}"
            raise CheckpointError(
                f"save: {name!r} is {tensor.dtype} {brief(tensor.shape)}, and its data {got}, not uint8 [{size}]"
            )
        return tensor.dtype
    if not isinstance(tensor, np.ndarray):
        raise CheckpointError(f"save: {name!r} is a {type(tensor).__name__}", hint="an array, or Raw")
    kind = NAMES.get(tensor.dtype.newbyteorder("<"))
    if kind is None:
        raise CheckpointError(
            f"save: {name!r} is {tensor.dtype}, which the format lacks", hint="float32 or " + " ".join(NUMPY)
        )
    return floats if floats and kind in FLOATS else kind


def _header(tensors: Mapping[str, Array | Raw], kinds: Mapping[str, str], metadata: Mapping[str, str] | None) -> bytes:
    """Return the JSON of a header, padded so that the values begin at a multiple of 8 bytes."""
    top: dict[str, Any] = {}
    if metadata is not None:
        for key, value in metadata.items():
            for text in (key, value):
                _check_text(text, "metadata")
        top["__metadata__"] = dict(sorted(metadata.items()))
    begin = 0
    for name, kind in kinds.items():
        end = begin + stored_size(tensors[name], kind)
        top[name] = {"dtype": kind, "shape": list(tensors[name].shape), "data_offsets": [begin, end]}
        begin = end
    header = json.dumps(top, ensure_ascii=False, separators=(",", ":")).encode()
    header += b" " * (-len(header) % 8)
    if len(header) > LONGEST_HEADER:
        raise CheckpointError(
            f"save: {len(kinds)} tensors make a header of {len(header):,} bytes, over {LONGEST_HEADER:,}",
            hint="save_sharded",
        )
    return header


def _write_values(file: IO[bytes], name: str, tensor: Array | Raw, kind: str) -> None:
    """Write a tensor's values, converted tile by tile where it is stored as another type than its own."""
    if isinstance(tensor, Raw):
        file.write(np.ascontiguousarray(tensor.data).data)
        return
    flat = np.ascontiguousarray(tensor).reshape(-1)
    if NAMES[flat.dtype.newbyteorder("<")] == kind:
        file.write(flat.astype(NUMPY[kind], copy=False).view(np.uint8).data)
        return
    for begin in range(0, flat.size, TILE):
        tile = flat[begin : begin + TILE]
        with np.errstate(over="ignore"):
            if kind == "BF16":
                stored = float32_to_bf16(tile.astype(np.float32)).astype("<u2")
            else:
                stored = tile.astype(NUMPY[kind])
        if kind != "BF16" and not np.array_equal(np.isinf(stored), np.isinf(tile)):
            most = np.finfo(NUMPY[kind]).max
            hint = 'floats="BF16"' if kind == "F16" else "floats=None"
            raise CheckpointError(f"save: {name!r} holds values beyond {most}, {kind}'s largest", hint=hint)
        file.write(stored.view(np.uint8).data)


def _check_text(text: object, what: str) -> None:
    try:
        if not isinstance(text, str):
            raise CheckpointError(f"save: {what} is {text!r}", hint="a text: str(...)")
        text.encode()
    except UnicodeError:
        raise CheckpointError(
            f"save: {what} {text!r} is not Unicode text", hint="no half of a surrogate pair"
        ) from None


def _map(path: Path, access: int = mmap.ACCESS_READ) -> tuple[mmap.mmap, tuple[int, ...]]:
    """Map a file; return the map, and what tells this file from any other of its name."""
    try:
        with open(path, "rb") as file:
            about = os.fstat(file.fileno())
            if about.st_size < 8:
                raise CheckpointError(
                    f"{path}: has {about.st_size} bytes, too few for a safetensors file", hint="fetch it again"
                )
            identity = (about.st_dev, about.st_ino, about.st_size, about.st_mtime_ns)
            return mmap.mmap(file.fileno(), 0, access=access), identity
    except FileNotFoundError:
        raise CheckpointError(f"{path}: there is no such file", hint="the path of a .safetensors file") from None
    except IsADirectoryError:
        raise CheckpointError(f"{path}: is a folder", hint="tinyllm.models.formats.sharded.open_tensors") from None
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read: {(error.strerror or str(error)).lower()}") from None
