"""Which pair is merged next: the most frequent one, ties broken by a rule, kept on top of a heap.

A row of the heap is (count, tie, pair): how often the pair occurs, the number by which its rule tells it from equally
frequent ones, least first, and the pair's own number. Rules are numbers to the kernels:

    first       the pair that occurs first in the text as it now stands
    ids         the least (id, id)
    bytes       the greatest (bytes, bytes)
    bytes_min   the least (bytes, bytes)

A token's bytes are ``text[place[id] : place[id] + length[id]]``, at one of the places where it occurs.
"""
# ruff: noqa: D103 (the table above says what each rule does)

from __future__ import annotations

from typing import Final

import numpy as np

from ..compiler import bare

FIRST: Final = 0
IDS: Final = 1
BYTES: Final = 2
BYTES_MIN: Final = 3
TIES = {"first": FIRST, "ids": IDS, "huggingface": IDS, "bytes": BYTES, "bytes_min": BYTES_MIN}

HALF: Final = 32  # bits of an id in a number that holds two


@bare
def prefix(text, start, size):
    """Return the first seven bytes of a token as one number that sorts as they do."""
    number = 0
    for i in range(7):
        number = number << 8 | (np.int64(text[start + i]) if i < size else 0)
    return number


@bare
def compare_tokens(tokens, a, b):
    """Return a negative number, 0 or a positive one as the bytes of a sort before, with or after those of b."""
    text, place, length = tokens
    if a == b:
        return 0
    for i in range(min(length[a], length[b])):
        difference = np.int64(text[place[a] + i]) - np.int64(text[place[b] + i])
        if difference:
            return difference
    return int(length[a]) - int(length[b])


@bare
def tie_of(rule, tokens, a, b, first):
    """Return the tie of the pair (a, b), which occurs first at the place ``first``."""
    if rule == FIRST:
        return int(first)
    if rule == IDS:
        return int(a) << HALF | int(b)
    text, place, length = tokens
    start = prefix(text, place[a], length[a])
    return -start if rule == BYTES else start


@bare
def wins_tie(rule, tokens, a, b, x, y):
    """Does the pair (a, b) come before (x, y), where their ties are the same number?"""
    if rule != BYTES and rule != BYTES_MIN:
        return False
    order = compare_tokens(tokens, a, x)
    if order == 0:
        order = compare_tokens(tokens, b, y)
    return order > 0 if rule == BYTES else order < 0


@bare
def precedes(rule, tokens, sides, this, that):
    """Does one row (count, tie, pair) come before another?"""
    if this[0] != that[0]:
        return this[0] > that[0]
    if this[1] != that[1]:
        return this[1] < that[1]
    p, q = this[2], that[2]
    return wins_tie(rule, tokens, sides[p, 0], sides[p, 1], sides[q, 0], sides[q, 1])


@bare
def row_at(heap, i):
    return heap[i, 0], heap[i, 1], heap[i, 2]


@bare
def put(heap, i, row):
    heap[i, 0], heap[i, 1], heap[i, 2] = row


@bare
def push(rule, tokens, sides, heap, size, row):
    """Add a row to a heap of ``size`` rows: those that come after it move down to make room."""
    i = size
    while i > 0:
        above = row_at(heap, (i - 1) // 2)
        if not precedes(rule, tokens, sides, row, above):
            break
        put(heap, i, above)
        i = (i - 1) // 2
    put(heap, i, row)


@bare
def replace_top(rule, tokens, sides, heap, size, row):
    """Put a row in the place of the top one: those that come before it move up."""
    i = 0
    while 2 * i + 1 < size:
        child = 2 * i + 1
        best = row_at(heap, child)
        if child + 1 < size:
            other = row_at(heap, child + 1)
            if precedes(rule, tokens, sides, other, best):
                child, best = child + 1, other
        if not precedes(rule, tokens, sides, best, row):
            break
        put(heap, i, best)
        i = child
    put(heap, i, row)
