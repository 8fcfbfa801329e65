r"""The best k of every row of scores: what a search by products ends with."""

from __future__ import annotations

import numpy as np

from ..errors import RangeError, ShapeError
from .table import Array, backend

_ALL = np.empty(0, np.bool_)


def top_k(scores: Array, k: int, allowed: Array | None = None) -> tuple[Array, Array]:
    """Return where the k highest scores of each row are, and those scores: best first, the earlier of equal ones first.

    Shapes: scores (Q, N) without NaN, allowed (N,) of booleans or None for all -> places (Q, k), best (Q, k); fewer
    than k where fewer are allowed.

    Raises:
        RangeError: k is negative.
        ShapeError: scores is no matrix, or allowed has another length.

    Example:
        >>> top_k(np.array([[1.0, 3.0, 3.0, 2.0]]), 2)[0]
        array([[1, 2]])
    """
    if scores.ndim != 2:
        raise ShapeError(f"top_k: scores {scores.shape} is not (Q, N)")
    allowed, k = checked_allowed("top_k", scores.shape[1], k, allowed)
    if k == 0 or backend() == "numpy" or scores.dtype not in (np.float32, np.float64):
        return top_k_numpy(scores, k, allowed)
    from .nearest import select

    best, places = np.empty((len(scores), k), scores.dtype), np.empty((len(scores), k), np.int64)
    select.top_k(np.ascontiguousarray(scores), allowed, best, places)
    return places, best


def top_k_numpy(scores: Array, k: int, allowed: Array) -> tuple[Array, Array]:
    """Sort every row whole; a stable sort keeps equal scores in their order. allowed (0,) is all."""
    columns = np.flatnonzero(allowed) if allowed.size else np.arange(scores.shape[1])
    scores = scores[:, columns]
    order = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    return columns[order], np.take_along_axis(scores, order, axis=1)


def checked_allowed(who: str, rows: int, k: int, allowed: Array | None) -> tuple[Array, int]:
    """Return allowed as an array, empty for all, and k cut down to what there is."""
    if k < 0:
        raise RangeError(f"{who}: k is {k}", hint="0 or more")
    if allowed is None:
        return _ALL, min(k, rows)
    if allowed.shape != (rows,) or allowed.dtype != np.bool_:
        raise ShapeError(f"{who}: allowed is {allowed.dtype} {allowed.shape}, not bool ({rows},)")
    return np.ascontiguousarray(allowed), min(k, int(np.count_nonzero(allowed)))
