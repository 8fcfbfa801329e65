r"""The header of a safetensors file: which tensors it holds, of what type and shape, and between which bytes.

    8 bytes     N, little-endian
    N bytes     {"__metadata__": {"format": "pt"}, "name": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}}
    the rest    the values, C order, little-endian; offsets count from here

A file may come from anywhere, so its header is read with suspicion: by the grammar below and not by a general JSON
reader. That knows what must come next and refuses all else, walks over what it does not need without keeping it, and
allocates by what it has read, never by what the header claims. What is accepted is what the safetensors library 0.8.0
accepts, oddities included (a tensor may be a list of three, a type an object of null), with one exception: a tensor
that is named twice is refused, where the library silently lets the last one win.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import NamedTuple, NoReturn

from ...errors import CheckpointError, nearest

LONGEST_HEADER = 100_000_000
LARGEST = 2**64 - 1
DEEPEST = 127  # brackets within brackets

# bits of a value, by type, in the order in which a writer sorts them (last first)
BITS = {
    "BOOL": 8,
    "F4": 4,
    "F6_E2M3": 6,
    "F6_E3M2": 6,
    "U8": 8,
    "I8": 8,
    "F8_E5M2": 8,
    "F8_E4M3": 8,
    "F8_E8M0": 8,
    "F8_E4M3FNUZ": 8,
    "F8_E5M2FNUZ": 8,
    "I16": 16,
    "U16": 16,
    "F16": 16,
    "BF16": 16,
    "I32": 32,
    "U32": 32,
    "F32": 32,
    "C64": 64,
    "F64": 64,
    "I64": 64,
    "U64": 64,
}

_SPACE = re.compile(rb"[ \t\n\r]*+")
_STRING = re.compile(rb'"(?:[^"\\\x00-\x1f]++|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*+"')
_WHOLE = re.compile(rb"(?:0|[1-9][0-9]{0,19})(?![0-9.eE])")
_NUMBER = re.compile(rb"-?(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?(?:[eE][+-]?[0-9]++)?")
_WORD = re.compile(rb"true|false|null")
# a tensor as nearly every writer spells it, of up to nine axes: read in one step; all others go through the grammar
_USUAL = re.compile(
    rb'\{"dtype":"([A-Z0-9_]++)","shape":\[((?:(?:0|[1-9][0-9]{0,18})(?:,(?:0|[1-9][0-9]{0,18})){0,8})?)\],'
    rb'"data_offsets":\[(0|[1-9][0-9]{0,18}),(0|[1-9][0-9]{0,18})\]\}'
)
_CLOSES = {ord("{"): b"}", ord("["): b"]"}


class Entry(NamedTuple):
    """What a header says of one tensor.

    Attributes:
        dtype: a key of BITS.
        shape: its sizes; () for a scalar.
        begin, end: between which bytes its values are, counted from the end of the header.
    """

    dtype: str
    shape: tuple[int, ...]
    begin: int
    end: int


class Header(NamedTuple):
    """A header that was found to be consistent.

    Attributes:
        entries: name -> Entry, in the order of the values in the file.
        metadata: free texts about the file; None when there are none.
        start: where the values begin, in bytes from the start of the file.
    """

    entries: dict[str, Entry]
    metadata: dict[str, str] | None
    start: int


def read_header(data: bytes | memoryview, source: str = "these bytes") -> Header:
    """Read and check the header of a safetensors file.

    Args:
        data: the whole file; of its values nothing is touched.
        source: what an error calls the file.

    Raises:
        CheckpointError: the file is cut short, is something else, or contradicts itself; says what and where.

    Example:
        >>> text = b'{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}'
        >>> read_header(len(text).to_bytes(8, "little") + text + bytes(8)).entries
        {'a': Entry(dtype='F32', shape=(2,), begin=0, end=8)}
    """
    if len(data) < 8:
        raise _damaged(source, f"has {len(data)} bytes, and the length of a header alone takes 8")
    N = int.from_bytes(data[:8], "little")
    if min(LONGEST_HEADER, len(data) - 8) < N:
        foreign = _foreign(bytes(data[:64]))
        if foreign:
            raise CheckpointError(f"{source}: {foreign[0]}, not safetensors", hint=foreign[1])
        limit = f"at most {LONGEST_HEADER:,} are allowed" if N > LONGEST_HEADER else f"the file has {len(data):,}"
        raise _damaged(source, f"claims a header of {N:,} bytes, and {limit}")
    reader = _Reader(bytes(data[8 : 8 + N]), source)
    entries, metadata = reader.top()
    return Header(_in_order(entries, len(data) - 8 - N, source), metadata, 8 + N)


def size_in_bytes(dtype: str, shape: tuple[int, ...]) -> int | None:
    """Return the bytes of a tensor; None when they are not whole or a step of the product overflows 64 bits.

    Example:
        >>> size_in_bytes("F32", (2, 3)), size_in_bytes("F4", (3,)), size_in_bytes("U8", (2**40, 2**40, 0))
        (24, None, None)
    """
    values = 1
    for size in shape:
        values *= size
        if values > LARGEST:
            return None
    bits = values * BITS[dtype]
    return None if bits > LARGEST or bits % 8 else bits // 8


def _in_order(entries: dict[str, Entry], nbytes: int, source: str) -> dict[str, Entry]:
    """Sort by place; the tensors must tile the values: no hole, no overlap, nothing left over."""
    ordered = dict(sorted(entries.items(), key=lambda item: item[1][2:]))
    reached = 0
    for name, (dtype, shape, begin, end) in ordered.items():
        if begin != reached or end < begin:
            what = "an overlap" if begin < reached else "a hole" if begin > reached else "an end before its beginning"
            raise _damaged(source, f"{name!r} at bytes {begin} to {end}, after {reached} that are taken, makes {what}")
        size = size_in_bytes(dtype, shape)
        if size != end - begin:
            takes = "no whole number of bytes below 2**64" if size is None else f"{size} bytes"
            raise _damaged(source, f"{name!r} is {dtype} {brief(shape)}, {takes}, and has {end - begin}")
        reached = end
    if reached != nbytes:
        raise _damaged(source, f"its tensors take {reached:,} bytes, and {nbytes:,} follow the header")
    return ordered


def brief(shape: tuple[int, ...]) -> str:
    """Write a shape, leaving out the middle of a very long one.

    Example:
        >>> brief((2, 3)), brief((1,) * 100)
        ('[2, 3]', '[1, 1, 1, 1, ... 100 sizes]')
    """
    return str(list(shape)) if len(shape) <= 8 else f"[{', '.join(map(str, shape[:4]))}, ... {len(shape)} sizes]"


class _Reader:
    """Reads a header from left to right; `at` is the next byte."""

    __slots__ = ("at", "source", "text")

    def __init__(self, text: bytes, source: str) -> None:
        self.text, self.source, self.at = text, source, 0

    # the grammar, from the outside in

    def top(self) -> tuple[dict[str, Entry], dict[str, str] | None]:
        entries: dict[str, Entry] = {}
        metadata, described = None, False
        for name in self.keys():
            if name == "__metadata__":
                if described:
                    self.refuse("__metadata__ is there twice")
                metadata, described = self.metadata(), True
            elif name in entries:
                self.refuse(f"the tensor {name[:80]!r} is there twice")
            else:
                entries[name] = self.tensor()
        if self.peek():
            self.refuse("something follows the last brace")
        return entries, metadata

    def metadata(self) -> dict[str, str] | None:
        if self.peek() == b"n":
            self.null()
            return None
        return {key: self.string() for key in self.keys()}

    def tensor(self) -> Entry:
        usual = _USUAL.match(self.text, self.at)
        if usual and usual[1].decode() in BITS:
            self.at = usual.end()
            sizes = tuple(map(int, usual[2].split(b","))) if usual[2] else ()
            return Entry(usual[1].decode(), sizes, int(usual[3]), int(usual[4]))
        dtype: str | None = None
        shape: tuple[int, ...] | None = None
        place: tuple[int, ...] | None = None
        in_turn = iter(("dtype", "shape", "data_offsets"))
        as_list = self.peek() == b"["
        for field in (next(in_turn, "") for _ in self.items(b"[", b"]")) if as_list else self.keys():
            if field == "dtype" and dtype is None:
                dtype = self.dtype()
            elif field == "shape" and shape is None:
                shape = tuple(self.wholes())
            elif field == "data_offsets" and place is None:
                place = tuple(self.wholes(most=2))
            elif as_list or field in ("dtype", "shape", "data_offsets"):
                self.refuse("a list of more than three" if as_list else f"{field} is there twice in one tensor")
            else:
                self.skip(depth=2)
        if dtype is None or shape is None or place is None or len(place) != 2:
            self.refuse("a tensor lacks dtype, shape or one of its two data_offsets")
        return Entry(dtype, shape, *place)

    def dtype(self) -> str:
        if self.peek() == b"{":
            names = []
            for key in self.keys():
                names.append(key)
                if len(names) > 1:
                    self.refuse("a dtype of several")
                self.null()
            named = names[0] if names else ""
        else:
            named = self.string()
        if named not in BITS:
            near = nearest(named[:20].upper(), BITS)
            raise CheckpointError(
                f"{self.source}: the dtype {named[:20]!r} is unknown", hint=near or "one of " + " ".join(BITS)
            )
        return named

    def wholes(self, most: int | None = None) -> Iterator[int]:
        for count, _ in enumerate(self.items(b"[", b"]")):
            self.peek()
            found = _WHOLE.match(self.text, self.at)
            value = int(found[0]) if found else LARGEST + 1
            if found is None or value > LARGEST or count == most:
                self.refuse("a size or an offset that is not a whole number below 2**64, or one too many")
            self.at = found.end()
            yield value

    def skip(self, depth: int) -> None:
        """Walk over a value of any kind, keeping nothing of it but the brackets that are open."""
        opened = bytearray()
        while True:
            first = self.peek()
            if first in (b"{", b"["):
                opened += first
                if depth + len(opened) > DEEPEST:
                    self.refuse(f"brackets more than {DEEPEST} deep")
                self.at += 1
                if not self.take(_CLOSES[opened[-1]]):
                    self.key_in(opened)
                    continue
                opened.pop()
            elif first == b'"':
                self.string()
            else:
                self.number_or_word()
            while opened and self.take(_CLOSES[opened[-1]]):
                opened.pop()
            if not opened:
                return
            self.expect(b",")
            self.key_in(opened)

    def key_in(self, opened: bytearray) -> None:
        if opened[-1] == ord("{"):
            self.string()
            self.expect(b":")

    def number_or_word(self) -> None:
        found = _NUMBER.match(self.text, self.at) or _WORD.match(self.text, self.at)
        if found is None:
            self.refuse("no value of JSON")
        if found.re is _NUMBER and abs(float(found[0])) == float("inf"):
            self.refuse("a number that is out of range")
        self.at = found.end()

    # its words

    def keys(self) -> Iterator[str]:
        for _ in self.items(b"{", b"}"):
            key = self.string()
            self.expect(b":")
            yield key

    def items(self, opening: bytes, closing: bytes) -> Iterator[None]:
        self.expect(opening)
        if self.take(closing):
            return
        while True:
            yield
            if self.take(closing):
                return
            self.expect(b",")

    def string(self) -> str:
        self.peek()
        found = _STRING.match(self.text, self.at)
        if found is None:
            self.refuse("no string of JSON")
        inside = found[0]
        try:
            if b"\\" not in inside:
                text = inside[1:-1].decode()
            else:
                text = json.loads(inside.decode())
                text.encode()  # half a pair of surrogates is no character
        except UnicodeError:
            self.refuse("a string that is not UTF-8")
        self.at = found.end()
        return text

    def null(self) -> None:
        self.peek()
        if not self.text.startswith(b"null", self.at):
            self.refuse("not null")
        self.at += 4

    def peek(self) -> bytes:
        """Skip white space; return the next byte, or nothing at the end."""
        at = self.at
        if self.text[at : at + 1] in b" \t\n\r":  # true at the end, too
            self.at = at = _SPACE.match(self.text, at).end()  # type: ignore[union-attr]
        return self.text[at : at + 1]

    def take(self, mark: bytes) -> bool:
        here = self.peek() == mark
        self.at += here
        return here

    def expect(self, mark: bytes) -> None:
        if self.peek() != mark:
            self.refuse(f"no {mark.decode()!r} where one belongs")
        self.at += 1

    def refuse(self, what: str) -> NoReturn:
        raise _damaged(self.source, f"byte {self.at} of its header: {what}")


def _damaged(source: str, what: str) -> CheckpointError:
    return CheckpointError(f"{source}: {what}", hint="fetch or save the file again: it is damaged, or not safetensors")


def _foreign(start: bytes) -> tuple[str, str] | None:
    """Tell what else a file is by its first bytes, and what to do with it."""
    if start[:4] == b"PK\x03\x04" or start[:1] == b"\x80":
        return "a pickle of torch.save, which can run code when it is read", (
            "safetensors.torch.save_file(torch.load(path, weights_only=True), 'model.safetensors'), where torch is"
        )
    if start[:4] == b"GGUF":
        return "a GGUF file", "a reader of GGUF"
    if start.startswith(b"version https://git-lfs"):
        return "a pointer of Git LFS in place of the file", "git lfs pull, in its repository"
    if start.lstrip()[:1] == b"<":
        return "a web page", "fetch the file itself, not the page that shows it"
    return None
