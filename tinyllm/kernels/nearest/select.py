"""The best k of a row of scores, and of the products of a query with rows.

A row is read in pieces of 64: counting the scores above the worst of the best so far is one short vector loop, and only
a piece that has some is looked at score by score. After the first few pieces almost none has.

The best so far are a heap with the worst at its root: lowest score, and of equal ones the latest place. Scores come in
the order of their places, so a score that equals the root's is always later, and stays out.
"""
# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

from typing import Final

import numpy as np
from numba import prange

from ..compiler import bare, compiled, inner, parallel

PIECE: Final = 64  # scores asked about at once
ROWS: Final = 256  # rows whose products a thread makes at a time


@bare
def worse(score, place, other_score, other_place):
    """Whether the first is to stand behind the second."""
    return score < other_score or (score == other_score and place > other_place)


@bare
def sink(scores, places, size, i):
    """Move entry i of a heap down to where it belongs."""
    score, place = scores[i], places[i]
    while True:
        child = 2 * i + 1
        if child >= size:
            break
        if child + 1 < size and worse(scores[child + 1], places[child + 1], scores[child], places[child]):
            child += 1
        if not worse(scores[child], places[child], score, place):
            break
        scores[i], places[i] = scores[child], places[child]
        i = child
    scores[i], places[i] = score, place


@bare
def rise(scores, places, i):
    """Move entry i of a heap up to where it belongs."""
    score, place = scores[i], places[i]
    while i > 0:
        parent = (i - 1) // 2
        if not worse(score, place, scores[parent], places[parent]):
            break
        scores[i], places[i] = scores[parent], places[parent]
        i = parent
    scores[i], places[i] = score, place


@bare
def unheap(scores, places, size):
    """Turn a heap into a list, best first."""
    for last in range(size - 1, 0, -1):
        scores[0], scores[last] = scores[last], scores[0]
        places[0], places[last] = places[last], places[0]
        sink(scores, places, last, 0)


@inner
def best_of_row(row, first, allowed, size, best, places):
    """Offer row (N,) to a heap (k,) of ``size`` entries, and return how many it has; allowed (0,) is all.

    The row's places, in ``allowed`` too, are first, first + 1, ...
    """
    k, N, filtered = best.size, row.size, allowed.size > 0
    for start in range(0, N, PIECE):
        piece = row[start : min(start + PIECE, N)]
        if size == k:
            root, above = best[0], np.int32(0)
            for j in range(piece.size):
                above += np.int32(piece[j] > root)
            if above == 0:
                continue
        for j in range(piece.size):
            if filtered and not allowed[first + start + j]:
                continue
            if size < k:
                best[size], places[size] = piece[j], first + start + j
                rise(best, places, size)
                size += 1
            elif piece[j] > best[0]:
                best[0], places[0] = piece[j], first + start + j
                sink(best, places, k, 0)
    return size


@parallel
def offer(scores, first, last, allowed, sizes, best, places):
    """Offer scores (Q, N) of places from ``first`` on to heaps (Q, k) of sizes (Q,), rows shared by the threads.

    With the last scores of all the heaps become lists, best first.
    """
    for q in prange(scores.shape[0]):
        sizes[q] = best_of_row(scores[q], first, allowed, sizes[q], best[q], places[q])
        if last:
            unheap(best[q], places[q], sizes[q])


def top_k(scores, allowed, best, places):
    """Fill best (Q, k) and places (Q, k) from scores (Q, N)."""
    offer(scores, 0, True, allowed, np.zeros(len(scores), np.int64), best, places)


@inner
def dot(a, b):
    """The product of two rows."""
    total = a.dtype.type(0)
    for j in range(a.size):
        total += a[j] * b[j]
    return total


@parallel
def products(x, q, out):
    """Fill out (N,) with the products of q (D,) with rows of x (N, D)."""
    for block in prange((x.shape[0] + ROWS - 1) // ROWS):
        here, there = x[block * ROWS : (block + 1) * ROWS], out[block * ROWS : (block + 1) * ROWS]
        for n in range(here.shape[0]):
            there[n] = dot(here[n], q)


@compiled
def top_1(scores, allowed, best, places):
    """Fill best (k,) and places (k,) from one row of scores."""
    unheap(best, places, best_of_row(scores, 0, allowed, 0, best, places))


def dot_topk(x, q, allowed, best, places):
    """Fill best (k,) and places (k,) with the largest products of q (D,) with rows of x (N, D)."""
    scores = np.empty(x.shape[0], x.dtype)
    products(x, q, scores)
    top_1(scores, allowed, best, places)
