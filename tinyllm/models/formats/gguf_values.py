"""The values in a GGUF header, from bytes and to bytes: numbers, booleans, texts, and arrays of them.

    u8 0   i8 1   u16 2   i16 3   u32 4   i32 5   f32 6   bool 7   string 8   array 9   u64 10   i64 11   f64 12

A string is its length in u64 and its bytes in UTF-8; an array is the type of its items in u32, their number in u64, and
the items. Here an array's type is written "[i32]". All is little-endian.

A header may come from anywhere, so nothing is believed: a length is held against the bytes that are left before a byte
is taken. An array of numbers is a view of the file, an array of strings a list of places in it, and a text is kept as
a str, which takes at most four times its bytes.
"""

from __future__ import annotations

import struct
from array import array
from collections.abc import Iterator, Sequence
from typing import Any, overload

import numpy as np

from ...errors import CheckpointError, ConfigError, DTypeError

Array = np.ndarray[Any, Any]

LONGEST_KEY = 65_535  # bytes
_LONGEST_TEXT = 1 << 24  # bytes; the longest ones known, chat templates, have some thousands
_DTYPES: dict[str, np.dtype[Any]] = {
    "u8": np.dtype("u1"),
    "i8": np.dtype("i1"),
    "u16": np.dtype("<u2"),
    "i16": np.dtype("<i2"),
    "u32": np.dtype("<u4"),
    "i32": np.dtype("<i4"),
    "f32": np.dtype("<f4"),
    "bool": np.dtype("?"),
    "u64": np.dtype("<u8"),
    "i64": np.dtype("<i8"),
    "f64": np.dtype("<f8"),
}
_CODES = {
    name: code
    for code, name in enumerate(
        ("u8", "i8", "u16", "i16", "u32", "i32", "f32", "bool", "string", "array", "u64", "i64", "f64")
    )
}
_NAMES = {code: name for name, code in _CODES.items()}
_OF_DTYPE = {dtype: name for name, dtype in _DTYPES.items()}
_U32, _U64 = struct.Struct("<I"), struct.Struct("<Q")


class Strings(Sequence[str]):
    """The strings of an array, each decoded when it is asked for.

    Example:
        >>> from array import array
        >>> strings = Strings(memoryview(b"........one........three"), array("Q", [8, 19, 32]))
        >>> strings[1], len(strings), list(strings)
        ('three', 2, ['one', 'three'])
    """

    def __init__(self, data: memoryview, starts: array[int]) -> None:
        self._data, self._starts = data, starts  # starts: of each text, and where a next one would start

    def __len__(self) -> int:
        return len(self._starts) - 1

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> list[str]: ...
    def __getitem__(self, index: int | slice) -> str | list[str]:
        here = range(len(self))[index]
        return self._text(here) if isinstance(here, int) else [self._text(i) for i in here]

    def __iter__(self) -> Iterator[str]:
        return map(self._text, range(len(self)))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence) or isinstance(other, (str, bytes)):
            return NotImplemented
        return len(self) == len(other) and all(a == b for a, b in zip(self, other, strict=True))

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"<{len(self):,} strings>"

    def _text(self, i: int) -> str:
        return str(self._data[self._starts[i] : self._starts[i + 1] - _U64.size], "utf-8")


class Cursor:
    """A place in the bytes of a file, which moves on and never beyond their end.

    Args:
        data: the bytes.
        name: of the file, for messages.

    Example:
        >>> cursor = Cursor(memoryview(b"\\x03\\x00\\x00\\x00"), "toy.gguf")
        >>> cursor.u32("a number"), cursor.left
        (3, 0)
        >>> cursor.u32("another")
        Traceback (most recent call last):
            ...
        tinyllm.errors.CheckpointError: E-CHECKPOINT toy.gguf: another takes 4 bytes, and after byte 4 there are 0. ...
    """

    def __init__(self, data: memoryview, name: str) -> None:
        self.data, self.name, self.at = data, name, 0

    @property
    def left(self) -> int:
        """How many bytes there are after this place."""
        return len(self.data) - self.at

    def wrong(self, message: str, hint: str = "get the file again, whole and unchanged") -> CheckpointError:
        """Return the error that says what is wrong with the file."""
        return CheckpointError(f"{self.name}: {message}", hint=hint)

    def take(self, size: int, what: str) -> int:
        """Step over ``size`` bytes and return where they start.

        Raises:
            CheckpointError: there are not as many.
        """
        if size > self.left:
            raise self.wrong(f"{what} takes {size:,} bytes, and after byte {self.at:,} there are {self.left:,}")
        start, self.at = self.at, self.at + size
        return start

    def u32(self, what: str) -> int:
        """Read a whole number of four bytes."""
        return int(_U32.unpack_from(self.data, self.take(_U32.size, what))[0])

    def u64(self, what: str) -> int:
        """Read a whole number of eight bytes."""
        return int(_U64.unpack_from(self.data, self.take(_U64.size, what))[0])

    def string(self, what: str, longest: int) -> str:
        """Read a text.

        Raises:
            CheckpointError: it is cut off, not UTF-8, or longer than ``longest`` bytes.
        """
        size = self.u64(f"the length of {what}")
        if size > longest:
            raise self.wrong(f"{what} has {size:,} bytes, expected at most {longest:,}")
        start = self.take(size, what)
        return self._decoded(start, size, what)

    def value(self, what: str) -> tuple[str, Any]:
        """Read a type and a value of it: a str, an int, a float, a bool, an array of numbers, or Strings.

        Raises:
            CheckpointError: there is no such type, or the value is cut off or malformed.
        """
        kind = self._kind(what)
        if kind != "array":
            return kind, self.string(what, _LONGEST_TEXT) if kind == "string" else self._numbers(kind, 1, what)[
                0
            ].item()
        kind = self._kind(f"an item of {what}")
        count = self.u64(f"the length of {what}")
        if kind == "array":
            raise self.wrong(f"{what} is an array of arrays, which is not read")
        return f"[{kind}]", self._strings(count, what) if kind == "string" else self._numbers(kind, count, what)

    def _kind(self, what: str) -> str:
        code = self.u32(f"the type of {what}")
        if code not in _NAMES:
            raise self.wrong(f"{what} is of type {code}, expected 0 to {len(_NAMES) - 1}")
        return _NAMES[code]

    def _numbers(self, kind: str, count: int, what: str) -> Array:
        dtype = _DTYPES[kind]
        start = self.take(count * dtype.itemsize, what)
        part = self.data[start : self.at]
        if kind == "bool" and count and np.frombuffer(part, np.uint8).max() > 1:
            raise self.wrong(f"{what} holds a truth value other than 0 and 1")
        return np.frombuffer(part, dtype, count) if count else np.empty(0, dtype)

    def _strings(self, count: int, what: str) -> Strings:
        if count > self.left // _U64.size:  # the lengths alone would not fit
            raise self.wrong(f"{what} is said to have {count:,} strings, and {self.left:,} bytes are left")
        data, end, at = self.data, len(self.data), self.at
        starts = array("Q", [at + _U64.size])
        for i in range(count):  # as string() does it, without its calls: vocabularies have 400,000
            start = at + _U64.size
            if start > end or (size := _U64.unpack_from(data, at)[0]) > end - start:
                raise self.wrong(f"{what}[{i}] is cut off at the end of the file")
            at = start + size
            self._decoded(start, size, what)
            starts.append(at + _U64.size)
        self.at = at
        return Strings(data, starts)

    def _decoded(self, start: int, size: int, what: str) -> str:
        try:
            return str(self.data[start : start + size], "utf-8")
        except UnicodeDecodeError as error:
            raise self.wrong(f"{what} is not UTF-8 at byte {start + error.start:,}") from None


def string_bytes(text: str, what: str) -> bytes:
    """Return a string as it is written.

    Raises:
        ConfigError: it holds half a character, which UTF-8 cannot.

    Example:
        >>> string_bytes("hi", "a toy")
        b'\\x02\\x00\\x00\\x00\\x00\\x00\\x00\\x00hi'
    """
    try:
        encoded = text.encode()
    except UnicodeEncodeError:
        raise ConfigError(f"{what}: holds half a character, which UTF-8 cannot write") from None
    return _U64.pack(len(encoded)) + encoded


def value_type(value: Any, key: str) -> str:
    """Return the type by which a value is written where none is asked for.

    Floats are f32 and whole numbers u32, in arrays i32, as readers expect; others where these do not fit. A NumPy
    number or array keeps its own type.

    Raises:
        DTypeError: GGUF has no type for it, or the array is empty and may be of any.

    Example:
        >>> [value_type(value, "key") for value in (7, -7, 1e-5, True, "text", ["a", "b"], [1, 2], np.int8(1))]
        ['u32', 'i32', 'f32', 'bool', 'string', '[string]', '[i32]', 'i8']
    """
    if isinstance(value, str):
        return "string"
    if isinstance(value, (np.ndarray, np.generic)) and (own := _OF_DTYPE.get(value.dtype.newbyteorder("<"))):
        return f"[{own}]" if value.ndim else own
    several = isinstance(value, (Sequence, np.ndarray)) and not isinstance(value, (bytes, bytearray, memoryview))
    items = list(value) if several else [value]
    kinds = {str if isinstance(item, str) else type(item) for item in items}
    kind = None
    if kinds == {str}:
        kind = "string"
    elif kinds == {bool}:
        kind = "bool"
    elif kinds == {int}:
        kind = _whole_type(min(items), max(items), "i32" if several else "u32")
    elif kinds and kinds <= {float, int}:
        kind = "f32"
    if kind is None:
        found = "nothing" if not kinds else ", ".join(sorted(kind.__name__ for kind in kinds))
        raise DTypeError(f"{key}: holds {found}", hint="texts, numbers or truth values, alone or as a list of one kind")
    return f"[{kind}]" if several else kind


def value_bytes(value: Any, kind: str, key: str) -> bytes:
    """Return a value as it is written: its type, and what it is.

    Args:
        value: a text, a number or a truth value, or a sequence of one of these.
        kind: its type, such as "u32" or "[string]".
        key: its name, for messages.

    Raises:
        ConfigError: there is no such type, or the value does not fit it.

    Example:
        >>> value_bytes(7, "u16", "key"), value_bytes([True], "[bool]", "key")[:8]
        (b'\\x02\\x00\\x00\\x00\\x07\\x00', b'\\t\\x00\\x00\\x00\\x07\\x00\\x00\\x00')
    """
    several = kind.startswith("[") and kind.endswith("]")
    name = kind[1:-1] if several else kind
    if name not in _CODES or name == "array":
        raise ConfigError(
            f"{key}: {kind!r} is no type of a value", hint=f"{', '.join(_DTYPES)}, string, or [...] of it"
        )
    head = _U32.pack(_CODES[name])
    if several:
        if isinstance(value, str) or not isinstance(value, (Sequence, np.ndarray)):
            raise ConfigError(f"{key}: {kind} is asked for, and the value is no list")
        head = _U32.pack(_CODES["array"]) + head + _U64.pack(len(value))
    items = value if several else [value]
    if name == "string":
        if not all(isinstance(item, str) for item in items):
            raise ConfigError(f"{key}: {kind} is asked for, and the value holds something else than texts")
        return head + b"".join(string_bytes(item, key) for item in items)
    return head + _number_bytes(items, name, key)


def _number_bytes(items: Any, name: str, key: str) -> bytes:
    dtype = _DTYPES[name]
    if dtype.kind in "iu" and not isinstance(items, np.ndarray) and all(type(item) is int for item in items):
        try:  # NumPy's own choice for [0, 2**63] would be float64
            return np.array(items, dtype).tobytes()
        except OverflowError:
            raise ConfigError(f"{key}: {min(items)} to {max(items)} is beyond {name}", hint="a wider type") from None
    given = np.asarray(items) if len(items) else np.empty(0, dtype)
    takes = {"b": "b", "u": "iu", "i": "iu", "f": "iuf"}[dtype.kind]
    if given.ndim != 1 or given.dtype.kind not in takes:
        raise ConfigError(f"{key}: {name} is asked for, and the value holds {given.dtype}")
    with np.errstate(over="ignore", invalid="ignore"):
        cast = given.astype(dtype)
    same = np.isfinite(cast) == np.isfinite(given) if dtype.kind == "f" else cast == given
    if not np.all(same):
        raise ConfigError(f"{key}: {given[np.argmin(same)]} is beyond {name}", hint="a wider type")
    return cast.tobytes()


def _whole_type(least: int, most: int, first: str) -> str | None:
    for name in (first, "i32", "u32", "i64", "u64"):
        if np.iinfo(_DTYPES[name]).min <= least and most <= np.iinfo(_DTYPES[name]).max:
            return name
    return None
