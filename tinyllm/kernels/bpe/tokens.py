"""Which id do these bytes have? A hash table of all tokens.

Open addressing in a table at most half full. A slot is four 64-bit numbers: the two of the token's bytes (packed.py),
its id, and where its bytes stand among those of all tokens, which are kept one after another in ``token_bytes``.

Few tokens are longer than 15 bytes, and few strings that long are tokens: a filter of 65,536 bits, of which each long
token sets one, answers most questions about them from nearby.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from ..compiler import bare, compiled
from .bits import ONE
from .packed import is_long, packed_or_hashed, spread

FILTER_WORDS: Final = 1024
_FILTER_SHIFT: Final = np.uint64(48)
_WORD: Final = np.uint64(6)
_IN_WORD: Final = np.uint64(63)


@bare
def token_id(table, shift, long_maybe, token_bytes, data, p, size):
    """Return the id of the token that is data[p : p + size], or -1."""
    first, second = packed_or_hashed(data, p, size)
    if is_long(second):
        place = first >> _FILTER_SHIFT
        if not long_maybe[place >> _WORD] >> (place & _IN_WORD) & ONE:
            return np.int64(-1)
    slot = spread(first, second, shift)
    row = table[slot]
    while row[1]:  # the second number of a token is never 0
        same = row[0] == first and row[1] == second
        if same and (not is_long(second) or equal(token_bytes, np.int64(row[3]), data, p, size)):
            return np.int64(row[2])
        slot = (slot + 1) & (table.shape[0] - 1)
        row = table[slot]
    return np.int64(-1)


@bare
def equal(a, i, b, j, size):
    """Tell whether a[i : i + size] and b[j : j + size] are the same bytes."""
    same = 0
    while same < size and a[i + same] == b[j + same]:
        same += 1
    return same == size


@compiled
def fill_tokens(token_bytes, ends, ids, table, shift, long_maybe):
    """Put all tokens into the table and the filter, both all zeros; token i ends before byte ends[i] and has ids[i]."""
    begin = 0
    for i in range(ids.size):
        first, second = packed_or_hashed(token_bytes, begin, ends[i] - begin)
        if is_long(second):
            place = first >> _FILTER_SHIFT
            long_maybe[place >> _WORD] |= ONE << (place & _IN_WORD)
        slot = spread(first, second, shift)
        while table[slot, 1]:
            slot = (slot + 1) & (table.shape[0] - 1)
        table[slot, 0], table[slot, 1], table[slot, 2], table[slot, 3] = first, second, ids[i], begin
        begin = ends[i]
