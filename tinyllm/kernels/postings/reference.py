"""Search over postings in NumPy: what the Numba kernels are held to, and what runs without them."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np

from ..table import Array
from . import TINY

Pool = tuple[Array, Array, Array, Array]


def weigh(pool: Pool, sizes: Array, gain: Array, steady: float, slope: float) -> Array:
    """Return the weight of every posting of the pool, and 0 for the room between the lists."""
    docs, counts, starts, lengths = pool
    weights = np.zeros(docs.size, np.float32)
    ends = np.cumsum(lengths)
    places = np.arange(int(lengths.sum())) + np.repeat(starts - ends + lengths, lengths)
    weights[places] = _weight(counts[places], sizes[docs[places]], np.repeat(gain, lengths), steady, slope)
    return weights


def search_weights(pool: Pool, queries: tuple[Array, Array], n: int, k: int) -> tuple[Array, Array, Array]:
    """Return the k best documents of each query, from weights that are kept."""
    docs, weights, starts, lengths = pool

    def scores() -> Iterator[Array]:
        for terms in _each(queries):
            total = np.zeros(n, np.float32)
            for t in terms:
                at = slice(starts[t], starts[t] + lengths[t])
                total[docs[at]] += weights[at]  # a document stands in a list once
            yield total

    return _best(scores(), len(queries[1]) - 1, k)


def search_counts(
    pool: Pool, queries: tuple[Array, Array], sizes: Array, gain: Array, steady: float, slope: float, k: int
) -> tuple[Array, Array, Array]:
    """Return the k best documents of each query, weighing postings as they are met."""
    docs, counts, starts, lengths = pool

    def scores() -> Iterator[Array]:
        for terms, gains in zip(_each(queries), _each((gain, queries[1])), strict=True):
            total = np.zeros(sizes.size, np.float32)
            for t, g in zip(terms, gains, strict=True):
                at = slice(starts[t], starts[t] + lengths[t])
                total[docs[at]] += _weight(counts[at], sizes[docs[at]], g, steady, slope)
            yield total

    return _best(scores(), len(queries[1]) - 1, k)


def _weight(tf: Array, sizes: Array, gain: Array, steady: float, slope: float) -> Array:
    return np.maximum((gain * tf / (steady + slope * sizes + tf)).astype(np.float32), np.float32(TINY))


def _each(queries: tuple[Array, Array]) -> Iterator[Array]:
    values, bounds = queries
    for first, last in pairwise(bounds.tolist()):
        yield values[first:last]


def _best(scores: Iterator[Array], Q: int, k: int) -> tuple[Array, Array, Array]:
    places, top, found = np.zeros((Q, k), np.int32), np.zeros((Q, k), np.float32), np.zeros(Q, np.int64)
    for q, total in enumerate(scores):
        hits = np.flatnonzero(total)
        best = hits[np.lexsort((hits, -total[hits]))[:k]]
        found[q] = best.size
        places[q, : best.size], top[q, : best.size] = best, total[best]
    return places, top, found
