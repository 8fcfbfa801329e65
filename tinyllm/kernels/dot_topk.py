r"""The rows with the largest products with a query, or with many: exact search."""

from __future__ import annotations

import numpy as np

from ..errors import ShapeError
from .table import Array, backend
from .topk import _ALL, checked_allowed, top_k, top_k_numpy

_SCORES = 1 << 22  # held at a time: 16 MB, which the second look at them still finds in the cache of a server
_QUERIES = 1024  # multiplied at once, if there are so many: then BLAS comes nearest to what the processor can do


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
    """Tile by tile of all products, each so small that it stays in the cache: BLAS multiplies, a heap picks."""
    dtype = np.result_type(x, q)
    places, best = np.empty((len(q), k), np.int64), np.empty((len(q), k), dtype)
    fast = k > 0 and backend() == "numba" and dtype in (np.float32, np.float64)
    block = max(1, min(len(q), _QUERIES))
    rows = min(len(x), max(1, _SCORES // block))
    room = np.empty(block * rows if fast else 0, dtype)
    for start in range(0, len(q), _QUERIES):
        some = q[start : start + _QUERIES]
        here = slice(start, start + len(some))
        if not fast:
            places[here], best[here] = top_k(some @ x.T, k, allowed)
            continue
        from .nearest import select

        sizes = np.zeros(len(some), np.int64)
        for first in range(0, len(x), rows):
            tile = x[first : first + rows]
            scores = room[: len(some) * len(tile)].reshape(len(some), len(tile))
            np.matmul(some, tile.T, out=scores)
            last = first + rows >= len(x)
            select.offer(scores, first, last, _ALL if allowed is None else allowed, sizes, best[here], places[here])
    return places, best
