"""The bytes of one piece merged into tokens: the pair of lowest rank first, the leftmost of equals, until none is left.

    merge_v1    looks over all pairs each time, and closes the gaps: quadratic
    merge_v2    up to 64 bytes: the ranks are looked over all at once, and a gap is a bit
    merge_v3    any number: the ranks are in a tree of minima, n log n

``text`` is the piece; ``ids`` gets the ids of its tokens, and how many they are is returned. ``lengths`` holds how many
bytes each id has, ``merged`` the id that each rank makes; where that is empty, a rank is an id. ``byte_ranks`` (256,
256) are the ranks of pairs of single bytes.
"""
# ruff: noqa: D103 (the head of this file says what each rung adds)

from __future__ import annotations

from typing import Final

import numpy as np

from ..compiler import bare, compiled, inner
from .bits import BLOCK, EVERYWHERE, ONE, array_of_64, below, first_of, last_of, least_of_64, place
from .pairs import NO_RANK, rank_of

_LEVELS: Final = 8  # more than any tree has


@compiled
def merge_v1(pairs, maybe, shift, merged, lengths, byte_ids, byte_ranks, text, ids):
    size = text.size
    for i in range(size):
        ids[i] = byte_ids[text[i]]
    while True:
        best, at = NO_RANK, 0
        for i in range(size - 1):
            rank = rank_of(pairs, maybe, shift, ids[i], ids[i + 1])
            if rank < best:
                best, at = rank, i
        if best == NO_RANK:
            return size
        ids[at] = merged[best] if merged.size else best
        size -= 1
        for i in range(at + 1, size):
            ids[i] = ids[i + 1]


@compiled
def merge_v2(pairs, maybe, shift, merged, lengths, byte_ids, byte_ranks, text, ids):
    # Each byte has a cell; a token is in the cell of its first byte, and the rank there is that at which it merges with
    # the token to its right.
    size = text.size
    ranks = array_of_64(NO_RANK)
    for i in range(BLOCK):
        ranks[i] = NO_RANK
    ids[0] = byte_ids[text[0]]
    for i in range(1, size):
        ids[i] = byte_ids[text[i]]
        ranks[i - 1] = byte_ranks[text[i - 1], text[i]]
    tokens = EVERYWHERE >> np.uint64(BLOCK - size)
    while True:
        rank, i = least_of_64(ranks, 0)
        if rank == NO_RANK:
            break
        new = merged[rank] if merged.size else rank
        ids[i] = new
        right = first_of(tokens & ~below(i + 1))
        ranks[right] = NO_RANK
        tokens ^= place(right)
        later, earlier = tokens & ~below(i + 1), tokens & below(i)
        ranks[i] = rank_of(pairs, maybe, shift, new, ids[first_of(later)]) if later else NO_RANK
        if earlier:
            left = last_of(earlier)
            ranks[left] = rank_of(pairs, maybe, shift, ids[left], new)
    count = 0
    while tokens:
        ids[count] = ids[first_of(tokens)]
        tokens &= tokens - ONE
        count += 1
    return count


@compiled
def merge_v3(pairs, maybe, shift, merged, lengths, byte_ids, byte_ranks, text, ids):
    # Here a token writes its id into its last cell as well, so its neighbors are found by their lengths. The ranks are
    # the leaves of a tree in which each node is the least of the 64 below it.
    size = text.size
    starts, nodes = levels_of(size)
    tree = np.full(nodes, NO_RANK, np.int32)
    ids[0] = byte_ids[text[0]]
    for i in range(1, size):
        ids[i] = byte_ids[text[i]]
        tree[i - 1] = byte_ranks[text[i - 1], text[i]]
    for level in range(1, starts.size):
        for i in range((starts[level] - starts[level - 1]) // BLOCK):
            tree[starts[level] + i], _ = least_of_64(tree, starts[level - 1] + i * BLOCK)
    while True:
        i = 0
        rank = NO_RANK
        for level in range(starts.size - 1, -1, -1):
            i *= BLOCK
            rank, child = least_of_64(tree, starts[level] + i)
            i += child
        if rank == NO_RANK:
            break
        middle = i + lengths[ids[i]]
        end = middle + lengths[ids[middle]]
        new = merged[rank] if merged.size else rank
        ids[i] = ids[end - 1] = new
        set_leaf(tree, starts, middle, NO_RANK)
        set_leaf(tree, starts, i, rank_of(pairs, maybe, shift, new, ids[end]) if end < size else NO_RANK)
        if i:
            left = ids[i - 1]
            set_leaf(tree, starts, i - lengths[left], rank_of(pairs, maybe, shift, left, new))
    count = i = 0
    while i < size:
        ids[count] = ids[i]
        i += lengths[ids[count]]
        count += 1
    return count


@inner
def levels_of(leaves):
    """Return where the levels of a tree of so many leaves start, and how many nodes it has."""
    starts = np.zeros(_LEVELS, np.int64)
    levels, width = 0, leaves
    while levels == 0 or width > 1:
        width = (width + BLOCK - 1) // BLOCK
        starts[levels + 1] = starts[levels] + width * BLOCK
        levels += 1
    return starts[:levels], starts[levels]


@bare
def set_leaf(tree, starts, i, rank):
    """Give leaf i another rank, and the nodes above it the least of those below them."""
    tree[i] = rank
    for level in range(1, starts.size):
        i //= BLOCK
        rank, _ = least_of_64(tree, starts[level - 1] + i * BLOCK)
        if tree[starts[level] + i] == rank:
            break
        tree[starts[level] + i] = rank
