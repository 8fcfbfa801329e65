"""Which neighbors may merge, and how soon? A hash table of pairs of ids.

Open addressing in a table at most half full. A slot is one 64-bit number: the two ids of a pair, and below them its
rank. Most neighbors do not merge, and a filter of a few bits for each pair, small enough to be always near, says so for
nearly all of them: a pair whose bit is not set is not in the table.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from ..compiler import bare, compiled
from .bits import EVERYWHERE, ONE, prefetch
from .packed import SHORT, packed, spread
from .tokens import token_id

BITS: Final = 21  # of an id or a rank: three of them fit
NO_RANK: Final = np.int32(2**31 - 1)  # of neighbors that do not merge
EMPTY: Final = EVERYWHERE  # a slot of the table that holds no pair
FILTER: Final = 4  # bits of the filter for each slot of the table
AHEAD: Final = 4  # tokens whose places in the table are asked for before they are looked at
_BITS: Final = np.uint64(BITS)
_RANK: Final = np.uint64((1 << BITS) - 1)
_FILTER_SHIFT: Final = np.uint64(2)
_WORD: Final = np.uint64(6)
_IN_WORD: Final = np.uint64(63)
_ZERO: Final = np.uint64(0)


@bare
def rank_of(pairs, maybe, shift, left, right):
    """Return the rank of two neighbors, NO_RANK if they do not merge."""
    key = np.uint64(left) << _BITS | np.uint64(right)
    place = np.uint64(spread(key, _ZERO, shift - _FILTER_SHIFT))
    if not maybe[place >> _WORD] >> (place & _IN_WORD) & ONE:
        return NO_RANK
    slot = place >> _FILTER_SHIFT
    while pairs[slot] >> _BITS != key:
        if pairs[slot] == EMPTY:
            return NO_RANK
        slot = (slot + ONE) & np.uint64(pairs.size - 1)
    return np.int32(pairs[slot] & _RANK)


@compiled
def fill_pairs(merges, ranks, pairs, maybe, shift):
    """Put merges (N, 2 or more: left, right) with their ranks (N,) into the table and the filter.

    The table is all ones, the filter all zeros. Of a pair that is there twice the first counts.
    """
    for i in range(ranks.size):
        key = np.uint64(merges[i, 0]) << _BITS | np.uint64(merges[i, 1])
        place = np.uint64(spread(key, _ZERO, shift - _FILTER_SHIFT))
        maybe[place >> _WORD] |= ONE << (place & _IN_WORD)
        slot = place >> _FILTER_SHIFT
        while pairs[slot] != EMPTY and pairs[slot] >> _BITS != key:
            slot = (slot + ONE) & np.uint64(pairs.size - 1)
        if pairs[slot] == EMPTY:
            pairs[slot] = key << _BITS | np.uint64(ranks[i])


@compiled
def fill_byte_pairs(byte_ids, pairs, maybe, shift, ranks):
    """Write the ranks of all pairs of single bytes, (256, 256)."""
    for left in range(256):
        for right in range(256):
            ranks[left, right] = rank_of(pairs, maybe, shift, byte_ids[left], byte_ids[right])


@compiled
def all_splits(token_bytes, ends, ids, table, shift, long_maybe, found):
    """List every cut of a token into two tokens, found (cuts, 3): left, right, whole; return how many there are."""
    count = begin = 0
    for i in range(ids.size):
        end = ends[i]
        if i + AHEAD < ids.size:
            near, far = ends[i + AHEAD - 1], ends[i + AHEAD]
            for cut in range(near + 1, far):
                ask_for_token(table, shift, token_bytes, near, cut - near)
                ask_for_token(table, shift, token_bytes, cut, far - cut)
        for cut in range(begin + 1, end):
            left = token_id(table, shift, long_maybe, token_bytes, token_bytes, begin, cut - begin)
            if left >= 0:
                right = token_id(table, shift, long_maybe, token_bytes, token_bytes, cut, end - cut)
                if right >= 0:
                    found[count, 0], found[count, 1], found[count, 2] = left, right, ids[i]
                    count += 1
        begin = end
    return count


@bare
def ask_for_token(table, shift, data, p, size):
    """Ask for the slot where data[p : p + size] would be, which will be looked at soon, to be brought near."""
    if size <= SHORT:
        first, second = packed(data, p, size)
        prefetch(table, spread(first, second, shift))
