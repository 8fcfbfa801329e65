"""Text to token ids: the door of the tokenizer's kernels.

A slice is cut into pieces (split.py), each is looked up among the words already seen (words.py), and what is new is
merged (merge.py). The ids are those of tinyllm/tokenizer/bytepair.py, always.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
from numba import types

from ...errors import ShapeError
from ..compiler import compiled, unlocked
from ..table import Array
from . import state as at
from .bits import array_at
from .calls import IDS_TYPE, TEXT_TYPE, entry_point, ids_at, span_of
from .scan import CODE_POINTS
from .split import PADDING, fill_ends, padded, split
from .tables import Tables
from .words import SLACK, emit, tally

_NO_CUTS = np.empty(0, np.int64)
_PATTERN = at.CLASSES, at.FAMILY, at.DIGITS, at.ENDS_WHOLE
_SCRATCH = 1 << 14  # ids that are counted and forgotten


@unlocked
def encode_some(address, data, n, cuts, done, ids):
    """Write ids of data[:n] to ``ids`` until its end, or until they might not fit; return how much room they need then.

    ``done`` counts bytes, pieces and ids, and says where to go on. If there are ``cuts``, they are the ends of pieces.
    """
    state = at.state_at(address)
    classes, ends = at.classes_of(state), at.ends_of(state)
    p, piece, k = done[0], done[1], done[2]
    room = 0
    while p < n:
        if cuts.size:
            batch = cuts[piece : piece + at.BATCH]
        else:
            count = fill_ends(data, p, n, classes, state[at.FAMILY], state[at.DIGITS], state[at.ENDS_WHOLE], ends)
            batch = ends[:count]
        end = batch[batch.size - 1]
        if ids.size - k < end - p + SLACK:  # there are at most as many tokens as bytes
            room = end - p + SLACK
            break
        k = emit(state, data, p, batch, ids, k)
        p = end
        piece += batch.size
    done[0], done[1], done[2] = p, piece, k
    return room


@unlocked
def count_some(address, data, n, done, ids):
    """Count the ids of data[:n] until its end, or until a batch has more bytes than ``ids`` has room for; return these.

    ``done`` counts bytes and ids, and says where to go on.
    """
    state = at.state_at(address)
    classes, ends = at.classes_of(state), at.ends_of(state)
    p = done[0]
    room = 0
    while p < n:
        count = fill_ends(data, p, n, classes, state[at.FAMILY], state[at.DIGITS], state[at.ENDS_WHOLE], ends)
        end = ends[count - 1]
        if ids.size < end - p + SLACK:
            room = end - p + SLACK
            break
        done[1] += tally(state, data, p, ends[:count], ids)
        p = end
    done[0] = p
    return room


@compiled
def encode_short(text, address):
    """Return the ids of a text of at most SHORT_TEXT characters."""
    state = at.state_at(address)
    data, ids, classes, ends = at.text_of(state), at.ids_of(state), at.classes_of(state), at.ends_of(state)
    begin, n = span_of(text)
    characters = array_at(begin, (n,), np.uint8(0))
    for i in range(n):
        data[i] = characters[i]
    for i in range(PADDING):
        data[n + i] = 0
    p = k = np.int64(0)
    while p < n:
        count = fill_ends(data, p, n, classes, state[at.FAMILY], state[at.DIGITS], state[at.ENDS_WHOLE], ends)
        k = emit(state, data, p, ends[:count], ids, k)
        p = ends[count - 1]
    return ids_at(state[at.IDS], k)


@cache
def _machine_code() -> tuple[Any, Any, Any, Any]:
    """Return the kernels that an encoder calls, for the only types they are called with."""
    number, numbers, ids, text = types.int64, types.int64[::1], types.int32[::1], types.uint8[::1]
    some = entry_point(encode_some, number(number, text, number, numbers, numbers, ids))
    count = entry_point(count_some, number(number, text, number, numbers, ids))
    short = entry_point(encode_short, IDS_TYPE(TEXT_TYPE, number))
    return some, count, short, entry_point(split, numbers(text, number, text, number, number, number))


class Encoder:
    """A vocabulary at work: UTF-8 in, ids out. Threads may share it.

    Args:
        classes: the class of every code point, uint8 (1114112,).
        family: a number of ``split.FAMILIES``.
        digits: the most numbers in one piece, 0 for no limit.
        ends_whole: whether spaces that reach the end of a slice are one piece.
        tokens: the bytes of each token, every single byte among them.
        ids: of each token, int32 (V,).
        merges: pairs of ids in the order of their ranks, int32 (M, 2), and ``merged``, what each becomes, (M,). Without
            them any two neighbors may merge that spell a token, at the rank of its id.
        whole_piece: take a piece that is a token at once, even where no merges lead to it.

    Raises:
        ConfigError: a single byte is missing, ids are too large or not unique, or merges do not add up.
        ShapeError: there is no class for every code point.

    Example:
        >>> tokens = [bytes((i,)) for i in range(256)] + [b"he", b"ll", b"hell"]
        >>> classes = np.where(np.arange(0x110000) < 65, np.uint8(0), np.uint8(2))
        >>> toy = Encoder(classes, 0, 0, False, tokens, np.arange(259, dtype=np.int32), None, None)
        >>> toy.encode(b"hello!").tolist(), toy.encode_list("he!"), toy.count(b"hello!"), toy.split(b"hello!").tolist()
        ([258, 111, 33], [256, 33], 3, [5, 6])
    """

    def __init__(
        self,
        classes: Array,
        family: int,
        digits: int,
        ends_whole: bool,
        tokens: Sequence[bytes],
        ids: Array,
        merges: Array | None,
        merged: Array | None,
        whole_piece: bool = True,
    ) -> None:
        if len(classes) != CODE_POINTS:
            raise ShapeError(f"Encoder: there are classes for {len(classes):,} of {CODE_POINTS:,} code points")
        self._encode_some, self._count_some, self._encode_short, self._split = _machine_code()
        self._pattern = np.ascontiguousarray(classes, np.uint8), int(family), int(digits), int(ends_whole)
        self._values: dict[int, int | Array] = dict(zip(_PATTERN, self._pattern, strict=True))
        self._values |= Tables(tokens, ids, merges, merged).values | {at.WHOLE_PIECE: int(whole_piece)}
        self._state = at.row_of(self._values)
        self._workspaces: dict[int, at.Workspace] = {}  # by the address of its state
        self._idle: list[int] = []  # addresses; that a list's pop and append are atomic is all the locking there is

    def encode(self, data: bytes) -> Array:
        """Return the ids of a slice of UTF-8 text, int32 (T,)."""
        return self._ids(data, _NO_CUTS)

    def encode_pieces(self, data: bytes, ends: Array) -> Array:
        """Return the ids of pieces that somebody else has cut, int32 (T,); their ends grow up to len(data).

        Raises:
            ShapeError: they do not.
        """
        cuts = np.ascontiguousarray(ends, np.int64)
        steps = np.diff(cuts, prepend=0)
        if steps.sum() != len(data) or (steps < 0).any():
            raise ShapeError("encode_pieces: the ends of the pieces do not grow up to the end of the data")
        return self._ids(data, cuts[steps > 0])  # no kernel ever sees an empty piece

    def encode_piece(self, data: bytes) -> list[int]:
        """Return the ids of bytes of any kind, taken as one piece."""
        return list(self._ids(data, np.array([len(data)], np.int64)).tolist())

    def encode_list(self, text: str) -> list[int]:
        """Return the ids of a text as a list: the quickest way for a short one.

        Raises:
            UnicodeEncodeError: the text holds surrogates.
        """
        ids: list[int]
        if len(text) > at.SHORT_TEXT:
            ids = self.encode(text.encode()).tolist()
            return ids
        workspace = self._take()
        try:
            ids = self._encode_short(text, workspace)
        finally:
            self._idle.append(workspace)
        return ids

    def count(self, data: bytes) -> int:
        """Return how many ids ``encode`` would give, without keeping them."""
        array, done, ids = padded(data), np.zeros(2, np.int64), np.empty(_SCRATCH, np.int32)
        workspace = self._take()
        try:
            while room := self._count_some(workspace, array, len(data), done, ids):
                ids = np.empty(room, np.int32)
        finally:
            self._idle.append(workspace)
        return int(done[1])

    def split(self, data: bytes) -> Array:
        """Return the ends of the pieces of a slice of UTF-8 text, int64 (number of pieces,)."""
        ends: Array = self._split(padded(data), len(data), *self._pattern)
        return ends

    def _ids(self, data: bytes, cuts: Array) -> Array:
        array, done, ids = padded(data), np.zeros(3, np.int64), np.empty(len(data) // 2 + at.BATCH, np.int32)
        workspace = self._take()
        try:
            while room := self._encode_some(workspace, array, len(data), cuts, done, ids):
                ids.resize(max(int(done[2]) + room, len(ids) * 3 // 2), refcheck=False)
        finally:
            self._idle.append(workspace)
        ids.resize(done[2], refcheck=False)  # gives back what is left over, and copies nothing
        return ids

    def _take(self) -> int:
        """Take an idle workspace, or make one, and return its address."""
        try:
            return self._idle.pop()
        except IndexError:
            made = at.Workspace(self._state)
            self._workspaces[made.address] = made
            return made.address
