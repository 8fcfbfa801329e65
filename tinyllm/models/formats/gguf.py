"""GGUF, version 3: one file with a model's settings, its tokenizer and its weights, as llama.cpp reads it.

    "GGUF"  u32 3  u64 tensors  u64 pairs
    pairs    key, type, value                                         see ``gguf_values``
    tensors  name, u32 axes, u64 sizes, u32 block type, u64 offset    sizes from the contiguous axis on: reversed
    padding  up to a multiple of ``general.alignment`` (32)
    data     one tensor after another, each padded likewise           see ``ggml``; offsets count from here

Reading maps the file and looks at its header only: each tensor is a view, converted when asked for. A header is held to
what llama.cpp demands: tensors lie one behind the other in the order in which they are named, with no hole between. A
count or a length in it is believed only as far as the file has the bytes, so memory stays in proportion to its size.

Writing keeps the order it is given, so equal input gives equal bytes.
"""

from __future__ import annotations

import contextlib
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np

from ...atomic import write_atomically
from ...errors import CheckpointError, ConfigError, TinyLLMError, nearest
from .ggml import BLOCK_TYPES, READABLE, Blocks, BlockType, encode
from .gguf_values import LONGEST_KEY, Cursor, string_bytes, value_bytes, value_type
from .mapped import map_file

Array = np.ndarray[Any, Any]

FILE_TYPES = {"F32": 0, "F16": 1, "Q4_0": 2, "Q8_0": 7, "BF16": 32}  # what general.file_type says of most tensors
_MAGIC, _VERSION = b"GGUF", 3
_ALIGNMENT = "general.alignment"
_LONGEST_NAME = 64  # bytes of a tensor's name; llama.cpp keeps a zero at the end, so fewer are written
_MOST_AXES = 4
_MOST = 1 << 16  # tensors, and pairs; the largest models have some thousands
_LEAST_PAIR, _LEAST_TENSOR = 13, 24  # bytes
_BY_CODE = {block_type.code: block_type for block_type in BLOCK_TYPES.values()}


@dataclass(frozen=True, eq=False)
class GGUF:
    """What a GGUF file holds.

    Attributes:
        metadata: key -> value: str, int, float, bool, an array of numbers, or a sequence of texts.
        types: key -> its type in the file, e.g. "u32" or "[string]".
        tensors: name -> Blocks, in the order of the file; views, read-only.
    """

    metadata: dict[str, Any]
    types: dict[str, str]
    tensors: dict[str, Blocks]

    def array(self, name: str) -> Array:
        """Return a tensor in float32.

        Raises:
            CheckpointError: there is no such tensor, or it is of a type whose values are not read.
        """
        if name not in self.tensors:
            close = nearest(name, self.tensors)
            raise CheckpointError(f"{name!r}: there is no such tensor", hint=close and f"{close!r}")
        with _naming(name):
            return self.tensors[name].array()


def read_gguf(path: str | Path) -> GGUF:
    """Open a GGUF file; no weight is read before it is asked for.

    Args:
        path: of the file, which must not change as long as what is returned is in use.

    Raises:
        CheckpointError: the file cannot be read, is something else than GGUF 3, or is damaged in any way.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder) / "toy.gguf"
        ...     write_gguf(path, {"general.architecture": "toy"}, {"a.weight": np.eye(2)})
        ...     file = read_gguf(path)
        ...     file.metadata, file.array("a.weight")
        ({'general.architecture': 'toy'}, array([[1., 0.], [0., 1.]], dtype=float32))
    """
    path = Path(path).expanduser()
    return parse_gguf(map_file(path), path.name)


def parse_gguf(data: memoryview, name: str) -> GGUF:
    """Read the bytes of a GGUF file; tensors are views of them.

    Args:
        data: the whole file.
        name: what errors call it.

    Raises:
        CheckpointError: this is something else than GGUF 3, or damaged in any way.

    Example:
        >>> parse_gguf(memoryview(b"GGUF" + bytes([3, 0, 0, 0]) + bytes(16)), "empty.gguf").tensors
        {}
        >>> parse_gguf(memoryview(b"PK"), "zip.gguf")
        Traceback (most recent call last):
            ...
        tinyllm.errors.CheckpointError: E-CHECKPOINT zip.gguf: begins with b'PK', not with b'GGUF'. Try: a GGUF file
    """
    cursor = Cursor(data, name)
    magic = bytes(data[:4])
    if magic != _MAGIC:
        raise cursor.wrong(f"begins with {magic!r}, not with {_MAGIC!r}", hint="a GGUF file")
    cursor.take(len(_MAGIC), "the magic")
    version = cursor.u32("the version")
    if version != _VERSION:
        big = int.from_bytes(version.to_bytes(4, "little"), "big") == _VERSION
        found = "is big-endian" if big else f"is of version {version:,}"
        raise cursor.wrong(f"{found}, expected little-endian and version 3", hint="convert it with llama.cpp")
    tensors, pairs = cursor.u64("the number of tensors"), cursor.u64("the number of pairs")
    _check_count(cursor, tensors, "tensors", _LEAST_TENSOR)
    _check_count(cursor, pairs, "pairs", _LEAST_PAIR)
    metadata: dict[str, Any] = {}
    types: dict[str, str] = {}
    for i in range(pairs):
        key = cursor.string(f"key {i}", LONGEST_KEY)
        if key in metadata:
            raise cursor.wrong(f"{_short(key)} is there twice")
        types[key], metadata[key] = cursor.value(_short(key))
    return GGUF(metadata, types, _tensors(cursor, tensors, _alignment(cursor, metadata, types)))


def write_gguf(
    path: str | Path,
    metadata: Mapping[str, Any],
    tensors: Mapping[str, Array | Blocks],
    kind: str = "F32",
    types: Mapping[str, str] | None = None,
) -> None:
    """Write a GGUF file, which takes its name when it is complete.

    Args:
        path: of the file; its folder must exist.
        metadata: key -> value; readers want "general.architecture" first.
        tensors: name -> floats, stored as ``stored_kind`` says, or Blocks, which stay as they are. They are asked for
            twice, one at a time, so a mapping may make them when asked.
        kind: the block type of matrices, e.g. "Q8_0".
        types: key -> type of a value, where it should not be the one ``value_type`` chooses.

    Raises:
        ConfigError: a name or value that GGUF cannot hold, or weights too large for the block type.
        DTypeError: a value or tensor of a kind that GGUF has no type for.
        NaNError: NaN or inf in a tensor to be quantized.
        CheckpointError: the file cannot be written.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder) / "toy.gguf"
        ...     write_gguf(path, {}, {"a.weight": np.zeros((2, 32)), "a.bias": np.zeros(32)}, kind="Q8_0")
        ...     {name: blocks.type.name for name, blocks in read_gguf(path).tensors.items()}
        {'a.weight': 'Q8_0', 'a.bias': 'F32'}
    """
    path = Path(path).expanduser()
    if kind not in READABLE:
        raise ConfigError(f"{kind!r} is no block type that is written", hint=f"one of {', '.join(READABLE)}")
    kinds = {name: str(value) for name, value in (types or {}).items()}
    if extra := kinds.keys() - metadata.keys():
        raise ConfigError(f"{sorted(extra)[0]!r}: a type for a value that is not there")
    body = [_MAGIC, struct.pack("<IQQ", _VERSION, _few(tensors, "tensors"), _few(metadata, "pairs"))]
    for key, value in metadata.items():
        body += [_name_bytes(key, LONGEST_KEY), value_bytes(value, kinds.setdefault(key, value_type(value, key)), key)]
    alignment = metadata.get(_ALIGNMENT, 32)
    if not _is_alignment(alignment, kinds.get(_ALIGNMENT, "u32")):
        raise ConfigError(f"{_ALIGNMENT}: is {alignment!r}", hint="a power of two, as u32")
    stored: dict[str, tuple[BlockType, tuple[int, ...]]] = {}
    offset = 0
    for name, tensor in tensors.items():
        shape = tuple(tensor.shape)
        block_type = tensor.type if isinstance(tensor, Blocks) else BLOCK_TYPES[stored_kind(name, shape, kind)]
        stored[name] = block_type, shape
        if len(shape) > _MOST_AXES:
            raise ConfigError(f"{name}: has {len(shape)} axes, expected at most {_MOST_AXES}")
        body.append(_name_bytes(name, _LONGEST_NAME - 1))
        body.append(struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape[::-1], block_type.code, offset))
        with _naming(name):
            offset = _up(offset + block_type.nbytes(shape), alignment)
    header = b"".join(body)

    def write(file: IO[bytes]) -> None:
        file.write(header + bytes(_up(len(header), alignment) - len(header)))
        for name, tensor in tensors.items():
            with _naming(name):
                blocks = tensor if isinstance(tensor, Blocks) else encode(tensor, stored[name][0].name)
            if (blocks.type, blocks.shape) != stored[name]:
                raise ConfigError(f"{name}: was {stored[name][1]} and is {blocks.shape} when it is written")
            file.write(blocks.raw.data)
            file.write(bytes(_up(blocks.raw.size, alignment) - blocks.raw.size))

    write_atomically(path, write)


def stored_kind(name: str, shape: tuple[int, ...], kind: str) -> str:
    """Return the block type of a tensor in a file whose matrices are to be of type ``kind``.

    Norms, biases and all else with one axis stay F32, and so do positions; a matrix whose rows are no whole number of
    blocks is F16.

    Example:
        >>> [stored_kind("blk.0.ffn_up.weight", (4, C), "Q8_0") for C in (64, 65)]
        ['Q8_0', 'F16']
        >>> stored_kind("output_norm.weight", (64,), "Q8_0"), stored_kind("position_embd.weight", (9, 64), "Q8_0")
        ('F32', 'F32')
    """
    if len(shape) < 2 or name == "position_embd.weight":
        return "F32"
    return kind if shape[-1] % BLOCK_TYPES[kind].values == 0 else "F16"


def _check_count(cursor: Cursor, count: int, what: str, least: int) -> None:
    if count > _MOST:
        raise cursor.wrong(f"{count:,} {what} are announced, expected at most {_MOST:,}")
    if count * least > cursor.left:
        raise cursor.wrong(f"{count:,} {what} are announced, and {cursor.left:,} bytes are left")


def _alignment(cursor: Cursor, metadata: Mapping[str, Any], types: Mapping[str, str]) -> int:
    alignment = metadata.get(_ALIGNMENT, 32)
    if not _is_alignment(alignment, types.get(_ALIGNMENT, "u32")):
        raise cursor.wrong(f"{_ALIGNMENT} is {_short(alignment)}, expected a power of two, as u32")
    return int(alignment)


def _is_alignment(value: Any, kind: str) -> bool:
    return kind == "u32" and int(value) > 0 and int(value) & int(value) - 1 == 0


def _tensors(cursor: Cursor, count: int, alignment: int) -> dict[str, Blocks]:
    """Read what is said of each tensor, and take its view of the data."""
    found: dict[str, tuple[BlockType, tuple[int, ...], int]] = {}
    end = 0  # of the data so far
    for i in range(count):
        name = cursor.string(f"the name of tensor {i}", _LONGEST_NAME)
        if name in found:
            raise cursor.wrong(f"the tensor {_short(name)} is there twice")
        axes = cursor.u32(f"the number of axes of {_short(name)}")
        if axes > _MOST_AXES:
            raise cursor.wrong(f"{_short(name)} has {axes:,} axes, expected at most {_MOST_AXES}")
        shape = tuple(cursor.u64(f"a size of {_short(name)}") for _ in range(axes))[::-1]
        code = cursor.u32(f"the block type of {_short(name)}")
        if code not in _BY_CODE:
            raise cursor.wrong(f"{_short(name)} is of block type {code:,}, which is unknown")
        offset = cursor.u64(f"the offset of {_short(name)}")
        if offset != end:
            raise cursor.wrong(f"{_short(name)} starts at {offset:,} of the data, expected {end:,}")
        try:
            end = _up(offset + _BY_CODE[code].nbytes(shape), alignment)
        except TinyLLMError as error:
            raise cursor.wrong(f"{_short(name)} is {shape}: {error.message}") from None
        found[name] = _BY_CODE[code], shape, offset
    start = _up(cursor.at, alignment)
    if len(cursor.data) > start + end:
        raise cursor.wrong(f"{len(cursor.data) - start - end:,} bytes follow the last tensor")
    return {name: _view(cursor, name, start, *told) for name, told in found.items()}


def _view(cursor: Cursor, name: str, start: int, block_type: BlockType, shape: tuple[int, ...], offset: int) -> Blocks:
    size, begin = block_type.nbytes(shape), start + offset
    if size and begin + size > len(cursor.data):
        left = max(0, len(cursor.data) - begin)
        raise cursor.wrong(f"{_short(name)} {shape} takes {size:,} bytes of {block_type.name}, and there are {left:,}")
    raw = np.frombuffer(cursor.data, np.uint8, size, begin) if size else np.empty(0, np.uint8)
    return Blocks(block_type, shape, raw)


def _few(names: Mapping[str, Any], what: str) -> int:
    if len(names) > _MOST:
        raise ConfigError(f"there are {len(names):,} {what}, expected at most {_MOST:,}")
    return len(names)


def _name_bytes(name: str, longest: int) -> bytes:
    written = string_bytes(name, _short(name))
    if len(written) - 8 > longest:
        raise ConfigError(f"{_short(name)}: a name of {len(written) - 8:,} bytes", hint=f"at most {longest:,}")
    return written


def _up(size: int, alignment: int) -> int:
    """Return the next multiple of alignment."""
    return -(-size // alignment) * alignment


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


@contextlib.contextmanager
def _naming(name: str) -> Iterator[None]:
    """Put a tensor's name before the message of an error that knows of the values only."""
    try:
        yield
    except TinyLLMError as error:
        raise type(error)(f"{name}: {error.message}", hint=error.hint) from None
