"""Distinct words of a text, how often each occurs, and where each occurs first.

Words are the pieces that a split pattern cuts. A counter is fed the text in blocks and keeps its words in the order in
which it met them. Together with the place in the whole text where each was met first, that makes the result
independent of how the text was cut into blocks and of which counter got which: ``ordered`` sorts by that place. The
kernels let go of Python's lock, so each thread can feed a counter of its own; one counter then takes in the others.

The hash table is at most half full. A slot holds the two numbers of the word's bytes (packed.py), the word's number and
its count. A kernel that runs out of room stops before the word that does not fit, and goes on from there once the
counter has made room.
"""
# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import numpy as np

from ..compiler import bare, unlocked
from ..table import Array
from .bits import ONE
from .packed import is_long, packed_or_hashed, shift_for, spread
from .split import PADDING, fill_ends
from .tokens import equal

KEY, KEY2, WORD, COUNT = range(4)  # columns of the hash table
ROW, PLACE, KNOWN, NEEDED = range(4)  # how far a kernel is: row and place of its input, words known, size of the next
AT_ONCE: Final = 1024  # pieces cut before they are looked up


class Words(NamedTuple):
    """Distinct words: word i is ``text[starts[i] : starts[i + 1]]``, and it occurs ``counts[i]`` times."""

    text: Array
    starts: Array
    counts: Array


def words_of(counts: Mapping[bytes, int]) -> Words:
    """Return the words of a dictionary, in its order.

    Example:
        >>> words_of({b"low": 5, b"new": 6}).starts.tolist()
        [0, 3, 6]
    """
    starts = np.cumsum([0, *map(len, counts)], dtype=np.int64)
    return Words(np.frombuffer(b"".join(counts), np.uint8), starts, np.array(list(counts.values()), np.int64))


# one word


@bare
def slot_of(table, shift, text, starts, data, p, size, key, key2):
    """Return the slot of the word data[p : p + size], or the empty one where it belongs."""
    slot = spread(key, key2, shift)
    while table[slot, KEY2]:  # the second number of a word is never 0
        same = table[slot, KEY] == key and table[slot, KEY2] == key2
        if same and (not is_long(key2) or equal(text, starts[np.int64(table[slot, WORD])], data, p, size)):
            return slot
        slot = (slot + 1) & (table.shape[0] - 1)
    return slot


@bare
def fits(table, text, starts, known, size):
    """Is there room for one more word of this size?"""
    return 2 * (known + 1) <= table.shape[0] and known + 1 < starts.size and starts[known] + size + PADDING <= text.size


@bare
def enter(table, slot, text, starts, known, data, p, size, key, key2):
    """Enter a word that is not there yet, and has not occurred yet."""
    table[slot, KEY], table[slot, KEY2] = key, key2
    table[slot, WORD], table[slot, COUNT] = np.uint64(known), np.uint64(0)
    start = starts[known]
    for i in range(size):
        text[start + i] = data[p + i]
    starts[known + 1] = start + size


# all words


@unlocked
def count_pieces(
    data, segments, offset, classes, family, digits, ends_whole, table, shift, text, starts, firsts, state
):
    """Count the pieces of data[begin:end] for each row (begin, end) of ``segments``, from ``state`` on.

    PADDING zero bytes follow each segment. ``offset`` is the place of data[0] in the whole text; ``classes`` to
    ``ends_whole`` say how to cut, see split.py; from ``table`` on it is the counter's own.
    """
    ends = np.empty(AT_ONCE, np.int64)
    known = state[KNOWN]
    while state[ROW] < segments.shape[0]:
        begin, end = segments[state[ROW], 0], segments[state[ROW], 1]
        p = max(begin, state[PLACE])
        found = fill_ends(data, p, end, classes, family, digits, ends_whole, ends)
        for i in range(found):
            size = ends[i] - p
            key, key2 = packed_or_hashed(data, p, size)
            slot = slot_of(table, shift, text, starts, data, p, size, key, key2)
            if not table[slot, KEY2]:
                if not fits(table, text, starts, known, size):
                    state[PLACE], state[KNOWN], state[NEEDED] = p, known, size
                    return
                enter(table, slot, text, starts, known, data, p, size, key, key2)
                firsts[known] = offset + p
                known += 1
            table[slot, COUNT] += ONE
            p = ends[i]
        state[PLACE] = p
        if p >= end:
            state[ROW] += 1
    state[KNOWN] = known


@unlocked
def add_words(data, bounds, counts, places, table, shift, text, starts, firsts, state):
    """Add words that another counter has found: word i is data[bounds[i] : bounds[i + 1]], first met at places[i]."""
    while state[ROW] < counts.size:
        i, known = state[ROW], state[KNOWN]
        p, size = bounds[i], bounds[i + 1] - bounds[i]
        key, key2 = packed_or_hashed(data, p, size)
        slot = slot_of(table, shift, text, starts, data, p, size, key, key2)
        if not table[slot, KEY2]:
            if not fits(table, text, starts, known, size):
                state[NEEDED] = size
                return
            enter(table, slot, text, starts, known, data, p, size, key, key2)
            firsts[known] = places[i]
            state[KNOWN] += 1
        word = np.int64(table[slot, WORD])
        firsts[word] = min(firsts[word], places[i])
        table[slot, COUNT] += np.uint64(counts[i])
        state[ROW] += 1


@unlocked
def move_slots(table, longer, shift):
    """Enter all slots of a table into a longer one."""
    for i in range(table.shape[0]):
        if table[i, KEY2]:
            slot = spread(table[i, KEY], table[i, KEY2], shift)
            while longer[slot, KEY2]:
                slot = (slot + 1) & (longer.shape[0] - 1)
            for column in range(4):
                longer[slot, column] = table[i, column]


@unlocked
def gather(text, starts, order, chosen, bounds):
    """Copy words in a new order: word i of the copy is word order[i] of the original."""
    bounds[0] = 0
    for i in range(order.size):
        word = order[i]
        size = starts[word + 1] - starts[word]
        for k in range(size):
            chosen[bounds[i] + k] = text[starts[word] + k]
        bounds[i + 1] = bounds[i] + size


class WordCounter:
    """What one thread has counted so far.

    Args:
        classes: uint8, the class of each code point.
        family: number of the pattern's family, of split.FAMILIES.
        digits: the most numbers in one piece.
        ends_whole: whether spaces that reach the end of a segment are one piece.
    """

    def __init__(self, classes: Array, family: int, digits: int, ends_whole: int) -> None:
        self._pattern = (read_only(classes), family, digits, ends_whole)
        self._table = np.zeros((1 << 14, 4), np.uint64)
        self._text = np.zeros(1 << 17, np.uint8)
        self._starts = np.zeros(1 << 13, np.int64)
        self._firsts = np.zeros(1 << 13, np.int64)
        self._known = 0

    @property
    def known(self) -> int:
        """How many distinct words there are."""
        return self._known

    def count(self, data: Array, segments: Array, offset: int) -> None:
        """Count the pieces of a block of text.

        Args:
            data: uint8, the bytes of the block, with PADDING zero bytes after each segment.
            segments: int64 (number of segments, 2), the begin and end of each; no piece reaches across.
            offset: the place of data[0] in the whole text; those of words come out in the same measure.
        """
        self._run(count_pieces, len(segments), read_only(data), segments, offset, *self._pattern)

    def absorb(self, other: WordCounter) -> None:
        """Add what another counter has found."""
        text, starts, counts, firsts = other._arrays()
        self._run(add_words, counts.size, text, starts, counts, firsts)

    def ordered(self) -> Words:
        """Return the words in the order of their first places in the whole text."""
        text, starts, counts, firsts = self._arrays()
        if np.all(firsts[1:] > firsts[:-1]):
            return Words(read_only(text[: starts[-1]]), starts, counts)
        order = np.argsort(firsts)
        chosen, bounds = np.empty(starts[-1], np.uint8), np.empty(starts.size, np.int64)
        gather(text, starts, order, chosen, bounds)
        return Words(read_only(chosen), bounds, counts[order])

    def _arrays(self) -> tuple[Array, Array, Array, Array]:
        """Return text (with padding), starts, counts and first places of all words."""
        taken = self._table[self._table[:, KEY2] != 0]
        counts = np.empty(self._known, np.int64)
        counts[taken[:, WORD].astype(np.int64)] = taken[:, COUNT]
        return self._text, self._starts[: self._known + 1], counts, self._firsts[: self._known]

    def _run(self, kernel: Any, rows: int, *work: Any) -> None:
        """Let a kernel do its work, and make room whenever it stops for lack of it."""
        state = np.array([0, 0, self._known, 0], np.int64)
        while True:
            shift = np.uint64(shift_for(len(self._table)))
            kernel(*work, self._table, shift, self._text, self._starts, self._firsts, state)
            self._known = int(state[KNOWN])
            if state[ROW] == rows:
                return
            self._make_room(int(state[NEEDED]))

    def _make_room(self, size: int) -> None:
        """Enlarge what is full, for one more word of this size at least."""
        if 2 * (self._known + 1) > len(self._table):
            longer = np.zeros((4 * len(self._table), 4), np.uint64)
            move_slots(self._table, longer, np.uint64(shift_for(len(longer))))
            self._table = longer
        if self._known + 1 >= self._starts.size:
            self._starts, self._firsts = lengthened(self._starts), lengthened(self._firsts)
        if self._starts[self._known] + size + PADDING > self._text.size:
            self._text = lengthened(self._text, size + PADDING)


def lengthened(array: Array, more: int = 0) -> Array:
    """Return an array twice as long, and by ``more`` entries at least, that begins like this one."""
    longer = np.zeros(array.size + max(array.size, more), array.dtype)
    longer[: array.size] = array
    return longer


def read_only(array: Array) -> Array:
    """Return a view that cannot be written to: to Numba these are other types, and one of them is enough."""
    view = array.view()
    view.flags.writeable = False
    return view
