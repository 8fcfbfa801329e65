"""Points and their neighbors: distances between all pairs, the nearest of each, and how many a picture has kept."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import ConfigError, DataError, NaNError, ShapeError

Array = np.ndarray[Any, np.dtype[Any]]
MOST = 5000  # points; a number for each pair of them is 200 MB


def cloud(x: Any, name: str, most: int | None = None) -> Array:
    """Return points as an array (N, C) in float64, if they are points.

    Args:
        x: numbers, a row for each point.
        name: of the function that was called, for the message.
        most: the largest N whose pairs may be held in memory.

    Raises:
        ShapeError: x is not (N, C), or holds nothing.
        NaNError: a coordinate is NaN or infinite.
        DataError: there are more points than ``most``.
    """
    array = np.asarray(x)
    if array.ndim != 2 or not array.size or array.dtype.kind not in "fiu":
        raise ShapeError(f"{name}: x {array.shape} {array.dtype}, not points (N, C)", hint="one row for each point")
    array = array.astype(np.float64)
    broken = np.flatnonzero(~np.isfinite(array).all(axis=1))
    if broken.size:
        raise NaNError(
            f"{name}: {broken.size} of {len(array)} points have a coordinate that is NaN or infinite, the first of "
            f"them point {broken[0]}",
            hint="leave them out",
        )
    if most is not None and len(array) > most:
        raise DataError(
            f"{name}: {len(array)} points; a number for each pair of them takes {8e-9 * len(array) ** 2:.1f} GB",
            hint=f"a random {most} of them",
        )
    return array


def squared_distances(x: Any) -> Array:
    """Return |x_i - x_j|^2 (N, N) of points x (N, C).

    Example:
        >>> squared_distances([[0.0, 0.0], [3.0, 4.0]])
        array([[ 0., 25.],
               [25.,  0.]])
    """
    x = cloud(x, "squared_distances", MOST)
    x = x - x.mean(axis=0)  # distances do not change, but rounding does
    square = (x * x).sum(axis=1)
    d = np.maximum(square[:, None] + square - 2 * (x @ x.T), 0)
    np.fill_diagonal(d, 0)
    return np.maximum(d, d.T)  # the same from both sides, to the last bit


def nearest(x: Any, k: int) -> tuple[Array, Array]:
    """Return the k nearest other points of each of x (N, C), the nearest first: their indices and distances (N, k).

    A point is no neighbor of its own, even where others lie at the same place. Of neighbors equally near the one of
    lower index comes first.

    Raises:
        ConfigError: k is not between 1 and N - 1.

    Example:
        >>> nearest([[0.0], [1.0], [5.0]], k=2)
        (array([[1, 2],
               [0, 2],
               [1, 0]]), array([[1., 5.],
               [1., 4.],
               [4., 5.]]))
    """
    d = squared_distances(x)
    if not 1 <= k < len(d):
        raise ConfigError(f"nearest: {k} neighbors among {len(d)} points", hint=f"1 to {len(d) - 1}")
    np.fill_diagonal(d, np.inf)
    ids = np.argsort(d, axis=1, kind="stable")[:, :k]
    return ids, np.sqrt(np.take_along_axis(d, ids, 1))


def neighbor_recall(x: Any, y: Any, k: int = 10) -> float:
    """Return the share of the k nearest neighbors in x (N, C) that are still among the k nearest in a picture y (N, 2).

    1 is a picture that keeps all neighbors; a random one keeps about k / (N - 1) of them.

    Raises:
        ShapeError: x and y are not equally many points.
        ConfigError: k is not between 1 and N - 1.

    Example:
        >>> x = [[0.0, 0.0], [1.0, 0.0], [9.0, 0.0], [10.0, 0.1]]
        >>> neighbor_recall(x, [[row[0]] for row in x], k=1), neighbor_recall(x, [[0], [2], [1], [3]], k=1)
        (1.0, 0.0)
    """
    if len(x) != len(y):
        raise ShapeError(f"neighbor_recall: {len(x)} points in x, and {len(y)} in y", hint="the same points in both")
    (before, _), (after, _) = nearest(x, k), nearest(y, k)
    return float((before[:, :, None] == after[:, None, :]).any(axis=2).mean())
