"""Clusters: k centers such that the vectors are close to their nearest one (k-means++ and Lloyd's rounds).

Nearly all of the work is one product of all vectors with all centers, which BLAS does, so there is no rung in Numba.
"""

from __future__ import annotations

import numpy as np

from ..errors import RangeError
from .table import Array


def kmeans(x: Array, k: int, seed: int, rounds: int = 10) -> Array:
    """Return k centers (k, D) of the vectors x (N, D).

    The first centers are drawn one by one, each vector with a probability that grows with its squared distance to the
    centers there are. Then, in each round, a center moves to the mean of the vectors that are closest to it; one that
    has none moves to the vector that is farthest from its own. The same seed gives the same centers.

    Raises:
        RangeError: k is not in 1 .. N.

    Example:
        >>> kmeans(np.array([[0.0], [1.0], [8.0], [9.0]]), 2, seed=0).ravel().round(1).tolist()
        [8.5, 0.5]
    """
    if not 1 <= k <= len(x):
        raise RangeError(f"kmeans: {k} centers for {len(x)} vectors", hint=f"1 to {len(x)}")
    rng = np.random.default_rng(seed)
    lengths = (x * x).sum(axis=1)
    centers = _spread(x, lengths, k, rng)
    for _ in range(rounds):
        closeness = x @ centers.T - (centers * centers).sum(axis=1) / 2
        nearest, distance = closeness.argmax(axis=1), lengths - 2 * closeness.max(axis=1)
        counts = np.bincount(nearest, minlength=k)
        sums = np.zeros_like(centers)
        order = np.argsort(nearest, kind="stable")
        full = np.flatnonzero(counts)
        sums[full] = np.add.reduceat(x[order], (np.cumsum(counts) - counts)[full], axis=0)
        moved = sums / np.maximum(counts, 1)[:, None].astype(x.dtype)
        empty = np.flatnonzero(counts == 0)
        moved[empty] = x[np.argsort(-distance, kind="stable")[: empty.size]]
        if (moved == centers).all():
            break
        centers = moved
    return centers


def nearest_center(x: Array, centers: Array) -> Array:
    """Return which center each vector is closest to, (N,); the first of equally close ones.

    Example:
        >>> nearest_center(np.array([[1.0], [5.0]]), np.array([[0.0], [4.0]])).tolist()
        [0, 1]
    """
    return np.argmax(x @ centers.T - (centers * centers).sum(axis=1) / 2, axis=1)


def _spread(x: Array, lengths: Array, k: int, rng: np.random.Generator) -> Array:
    """Draw k vectors that are far from each other (k-means++)."""
    chosen = [int(rng.integers(len(x)))]
    far = np.full(len(x), np.inf)
    while len(chosen) < k:
        last = x[chosen[-1]]
        far = np.minimum(far, np.maximum(lengths - 2 * (x @ last) + last @ last, 0))
        far[chosen[-1]] = 0
        total = np.cumsum(far)
        if total[-1] > 0:
            chosen.append(int(np.searchsorted(total, rng.random() * total[-1], side="right")))
        else:  # fewer different vectors than centers
            chosen.append(int(rng.integers(len(x))))
    return x[chosen].copy()
