"""The kernels of lexical search, over postings: for each term, the documents that hold it, in ascending order.

All postings lie in one pool. The list of term t is ``pool[starts[t] : starts[t] + lengths[t]]``, and what lies between
the lists is room to grow. ``docs`` (uint32) says in which document, ``counts`` (int32) how often, and ``weights``
(float32), where they are kept, what that adds to the document's score. All five variants of BM25 are one formula with
other constants, given as (gain of each term, steady, slope):

    weight = gain[t] * tf / (steady + slope * length[document] + tf)

and never less than TINY: a word found in every document can weigh nothing, but who holds it has been found. So a score
of 0 means "no word of the query". The terms are added up in the query's order, in float32.

The references in NumPy are in reference.py, the Numba kernels in search.py. Importing this package loads neither
Numba nor them; the three doors below load what the back end in force asks for.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..table import Array, backend
from ..threads import prepare

prepare()  # before any module of this package imports numba: its thread pool reads the environment once

TINY = float(np.finfo(np.float32).tiny)


def weigh(pool: tuple[Array, Array, Array, Array], sizes: Array, gain: Array, steady: float, slope: float) -> Array:
    """Return the weight of every posting (float32, as long as the pool): what ``search_weights`` adds up.

    Args:
        pool: docs, counts, starts, lengths.
        sizes: of each document, how many words it has (float64).
        gain: of each term, its inverse document frequency times the variant's factor (float64).
        steady: the part of the denominator that all documents share.
        slope: what a word of the document's length adds to it.

    Example:
        >>> docs, counts = np.array([0, 1], np.uint32), np.array([1, 3], np.int32)
        >>> pool = docs, counts, np.array([0]), np.array([2])
        >>> weigh(pool, np.array([5.0, 5.0]), np.array([2.0]), 1.0, 0.0)
        array([1. , 1.5], dtype=float32)
    """
    return _kernels().weigh(pool, sizes, gain, float(steady), float(slope))


def search_weights(
    pool: tuple[Array, Array, Array, Array], queries: tuple[Array, Array], n: int, k: int
) -> tuple[Array, Array, Array]:
    """Return the k best documents of each query, from weights that are kept.

    Args:
        pool: docs, weights, starts, lengths.
        queries: the terms of all queries in a row, and where each query begins, with the end of the last.
        n: how many documents there are.
        k: how many to return at most.

    Returns:
        documents (Q, k), their scores (Q, k), and how many there are (Q,). Best first, equal ones in ascending order.

    Example:
        >>> docs, weights = np.array([0, 2, 1], np.uint32), np.array([1, 2, 1], np.float32)
        >>> pool = docs, weights, np.array([0, 2]), np.array([2, 1])
        >>> search_weights(pool, (np.array([0, 1]), np.array([0, 2])), 3, 2)
        (array([[2, 0]], dtype=int32), array([[2., 1.]], dtype=float32), array([2]))
    """
    return _kernels().search_weights(pool, queries, n, k)


def search_counts(
    pool: tuple[Array, Array, Array, Array],
    queries: tuple[Array, Array],
    sizes: Array,
    gain: Array,
    steady: float,
    slope: float,
    k: int,
) -> tuple[Array, Array, Array]:
    """Return the k best documents of each query, weighing postings as they are met: nothing goes stale.

    Args:
        pool: docs, counts, starts, lengths.
        queries: as in ``search_weights``.
        sizes: of each document, how many words it has (float64).
        gain: of each entry of the queries' terms, its gain (float64).
        steady: as in ``weigh``.
        slope: as in ``weigh``.
        k: how many to return at most.

    Example:
        >>> docs, counts = np.array([0, 1], np.uint32), np.array([1, 3], np.int32)
        >>> pool, queries = (docs, counts, np.array([0]), np.array([2])), (np.array([0]), np.array([0, 1]))
        >>> search_counts(pool, queries, np.array([5.0, 5.0]), np.array([2.0]), 1.0, 0.0, 1)
        (array([[1]], dtype=int32), array([[1.5]], dtype=float32), array([1]))
    """
    return _kernels().search_counts(pool, queries, sizes, gain, float(steady), float(slope), k)


def _kernels() -> Any:
    """Return the module that the back end in force asks for."""
    if backend() == "numba":
        from . import search

        return search
    from . import reference

    return reference
