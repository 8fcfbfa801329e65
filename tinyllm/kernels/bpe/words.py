"""Words already seen, and their tokens: few words make up most of a text.

Two caches. A line of the first is one line of the processor's, room for two words of at most 15 bytes and 3 tokens, and
nearly every word of English is one. A new word takes the first place, the word there moves to the second, and the one
there is forgotten. The second cache has a row of 128 bytes for each word of at most 48 bytes and 14 tokens, as they are
common in other scripts. So the caches never grow, never fill up and need no tidying, and what is used often stays.

A word in a line: the two numbers of its bytes (packed.py), three ids, how many tokens it has. A word in a row: the two
numbers, how many tokens it has, its bytes, its ids.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from ..compiler import bare
from . import state as at
from .bits import BLOCK, load64, store64
from .merge import merge_v2, merge_v3
from .packed import SHORT, packed, packed_or_hashed, spread
from .tokens import token_id

IN_LINE: Final = 3  # tokens
IN_ROW: Final = 14
ROW_BYTES: Final = 48
TEXT_AT: Final = 3  # in a row, where the bytes begin
IDS_AT: Final = 9
SLACK: Final = 16  # ids may be written this far beyond the last one
_HALF: Final = np.uint64(32)
_LOWER: Final = np.uint64((1 << 32) - 1)


@bare
def emit(state, data, p, ends, ids, k):
    """Write the ids of the pieces from byte p on, with these ends, to ids[k:]; return the place after the last one."""
    lines, shift = at.lines_of(state)
    for j in range(ends.size):
        size = ends[j] - p
        if size <= SHORT:
            first, second = packed(data, p, size)
            line = lines[spread(first, second, shift)]
            if line[0] == first and line[1] == second:
                store64(ids, k, line[2])
                store64(ids, k + 2, line[3])
                k += np.int64(line[3] >> _HALF)
            else:
                k += new_word(state, line, first, second, data, p, size, ids[k:])
        else:
            k += long_word(state, data, p, size, ids[k:])
        p = ends[j]
    return k


@bare
def tally(state, data, p, ends, ids):
    """Return how many ids the pieces from byte p on have, with these ends; ``ids`` is room for those of any one."""
    lines, shift = at.lines_of(state)
    count = np.int64(0)
    for j in range(ends.size):
        size = ends[j] - p
        if size <= SHORT:
            first, second = packed(data, p, size)
            line = lines[spread(first, second, shift)]
            if line[0] == first and line[1] == second:
                count += np.int64(line[3] >> _HALF)
            else:
                count += new_word(state, line, first, second, data, p, size, ids)
        else:
            count += long_word(state, data, p, size, ids)
        p = ends[j]
    return count


@bare
def new_word(state, line, first, second, data, p, size, ids):
    """Write the ids of a word that is not in the first place of its line; return how many they are."""
    if line[4] == first and line[5] == second:
        third, fourth = line[6], line[7]
        store64(ids, 0, third)
        store64(ids, 2, fourth)
        count = np.int64(fourth >> _HALF)
    else:
        count = from_row(state, first, second, data, p, size, ids)
        if count:
            return count
        count = piece_ids(state, data, p, size, ids)
        if count > IN_LINE:
            into_row(state, first, second, data, p, size, ids, count)
            return count
        third = np.uint64(ids[1]) << _HALF | np.uint64(ids[0]) & _LOWER
        fourth = np.uint64(count) << _HALF | np.uint64(ids[2]) & _LOWER
    for i in range(4):
        line[i + 4] = line[i]
    line[0], line[1], line[2], line[3] = first, second, third, fourth
    return count


@bare
def long_word(state, data, p, size, ids):
    """Write the ids of a word of more than SHORT bytes; return how many they are."""
    if size > ROW_BYTES:
        return piece_ids(state, data, p, size, ids)
    first, second = packed_or_hashed(data, p, size)
    count = from_row(state, first, second, data, p, size, ids)
    if count == 0:
        count = piece_ids(state, data, p, size, ids)
        into_row(state, first, second, data, p, size, ids, count)
    return count


@bare
def from_row(state, first, second, data, p, size, ids):
    """Write the ids of a word, if a row holds it; return how many they are, or 0."""
    rows, shift = at.rows_of(state)
    row = rows[spread(first, second, shift)]
    if row[0] != first or row[1] != second:
        return np.int64(0)
    if size > SHORT:
        for i in range(0, size - 7, 8):
            if row[TEXT_AT + i // 8] != load64(data, p + i):
                return np.int64(0)
        if row[TEXT_AT + ROW_BYTES // 8 - 1] != load64(data, p + size - 8):
            return np.int64(0)
    for i in range(IN_ROW // 2):
        store64(ids, 2 * i, row[IDS_AT + i])
    return np.int64(row[2])


@bare
def into_row(state, first, second, data, p, size, ids, count):
    """Keep a word in its row, if it has not too many tokens."""
    if count > IN_ROW:
        return
    rows, shift = at.rows_of(state)
    row = rows[spread(first, second, shift)]
    row[0], row[1], row[2] = first, second, np.uint64(count)
    if size > SHORT:
        # The last 8 bytes, which may overlap others, have the last place of the six: so whole numbers will do.
        for i in range(0, size - 7, 8):
            row[TEXT_AT + i // 8] = load64(data, p + i)
        row[TEXT_AT + ROW_BYTES // 8 - 1] = load64(data, p + size - 8)
    for i in range(IN_ROW // 2):
        row[IDS_AT + i] = np.uint64(ids[2 * i + 1]) << _HALF | np.uint64(ids[2 * i]) & _LOWER


@bare
def piece_ids(state, data, p, size, ids):
    """Write the ids of the piece data[p : p + size]; return how many they are."""
    if state[at.WHOLE_PIECE] and size <= state[at.LONGEST]:
        tokens, shift = at.tokens_of(state)
        whole = token_id(tokens, shift, at.long_maybe_of(state), at.token_bytes_of(state), data, p, size)
        if whole >= 0:
            ids[0] = whole
            return 1
    pairs, maybe, shift = at.pairs_of(state)
    merged, lengths = at.merged_of(state), at.lengths_of(state)
    byte_ids, byte_ranks = at.byte_ids_of(state), at.byte_ranks_of(state)
    text = data[p : p + size]
    if size <= BLOCK:
        return merge_v2(pairs, maybe, shift, merged, lengths, byte_ids, byte_ranks, text, ids)
    return merge_v3(pairs, maybe, shift, merged, lengths, byte_ids, byte_ranks, text, ids)
