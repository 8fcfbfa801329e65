r"""The rows with the largest products with a query, or with many: exact search."""

from __future__ import annotations

import numpy as np

from ..errors import ShapeError
from .table import Array, backend
from .topk import checked_allowed, top_k, top_k_numpy

_SCORES = 1 << 21  # held at a time: 8 MB, which the second look at them still finds in the cache
_FEWEST = 16  # queries multiplied at once: with fewer, reading x would take the time


def dot_topk(x: Array, q: Array, k: int, allowed: Array | None = None) -> tuple[Array, Array]:
    """Return the places of the k rows of x with the largest products with q, and those products, best first.

    Of equal products the earlier row comes first. A product's last bit may depend on how many queries there are.

    Shapes: x (N, D), q (D,) or (Q, D), allowed (N,) of booleans or None for all -> places and products, (k,) or (Q, k).

    Raises:
        RangeError: k is negative.
        ShapeError: q or allowed does not fit x.

    Example:
        >>> dot_topk(np.eye(3, dtype=np.float32), np.array([1, 3, 2], np.float32), 2)[0]
        array([1, 2])
    """
    if x.ndim != 2 or q.ndim not in (1, 2) or q.shape[-1] != x.shape[1]:
        raise ShapeError(f"dot_topk: x {x.shape} and q {q.shape} are not (N, D) and (D,) or (Q, D)")
    allowed, k = checked_allowed("dot_topk", len(x), k, allowed)
    if q.ndim == 2:
        return _many(x, q, k, allowed if allowed.size else None)
    if k == 0 or backend() == "numpy" or x.dtype not in (np.float32, np.float64) or q.dtype != x.dtype:
        return dot_topk_numpy(x, q, k, allowed)
    from .nearest import select

    best, places = np.empty(k, x.dtype), np.empty(k, np.int64)
    select.dot_topk(np.ascontiguousarray(x), np.ascontiguousarray(q), allowed, best, places)
    return places, best


def dot_topk_numpy(x: Array, q: Array, k: int, allowed: Array) -> tuple[Array, Array]:
    """All products, sorted. allowed (0,) is all."""
    places, best = top_k_numpy((x @ q)[None], k, allowed)
    return places[0], best[0]


def _many(x: Array, q: Array, k: int, allowed: Array | None) -> tuple[Array, Array]:
    """So many queries at a time that their products with all rows stay in the cache: BLAS multiplies, ``top_k`` picks.

    Every product is of the same number of queries, but the last.
    """
    places, best = np.empty((len(q), k), np.int64), np.empty((len(q), k), np.result_type(x, q))
    step = max(_FEWEST, _SCORES // max(1, len(x)))
    for start in range(0, len(q), step):
        here = slice(start, start + step)
        places[here], best[here] = top_k(q[here] @ x.T, k, allowed)
    return places, best
