r"""UMAP's graph: how strongly each point is tied to its nearest neighbors.

    w_{i->j} = exp(-max(0, d_ij - rho_i) / sigma_i)      for the k nearest neighbors j of i
    w_ij     = w_{i->j} + w_{j->i} - w_{i->j} w_{j->i}   tied from one side or the other

rho_i is the distance to the nearest neighbor, which therefore has a membership of 1: no point is alone. sigma_i is set
by bisection so that the k memberships of a point have a sum of log2 k, whether it lies in a dense place or a thin one.

Source: McInnes, Healy & Melville 2018, "UMAP: Uniform Manifold Approximation and Projection", sections 3.1 and 4.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import ConfigError
from .neighbors import nearest

Array = np.ndarray[Any, np.dtype[Any]]
_HALVINGS = 64
_NARROWEST = 1e-3  # sigma, as a share of the mean distance to the neighbors


def umap_graph(x: Any, k: int = 15) -> Array:
    """Return the memberships w (N, N) of points x (N, C): symmetric, between 0 (no edge) and 1, 0 on the diagonal.

    Raises:
        ConfigError: k is not between 2 and N - 1.
        NaNError, ShapeError, DataError: x is no cloud of points, or too large a one.

    Example:
        >>> umap_graph([[0.0], [1.0], [3.0], [9.0]], k=3).round(2)
        array([[0.  , 1.  , 0.76, 0.27],
               [1.  , 0.  , 1.  , 0.38],
               [0.76, 1.  , 0.  , 1.  ],
               [0.27, 0.38, 1.  , 0.  ]])
    """
    if k < 2:
        raise ConfigError(f"umap_graph: {k} neighbors", hint="two at least, 15 as a rule")
    ids, distances = nearest(x, k)
    rho, sigma = local_scales(distances)
    one_way = np.zeros((len(ids), len(ids)))
    np.put_along_axis(one_way, ids, memberships(distances, rho, sigma), 1)
    return one_way + one_way.T - one_way * one_way.T


def local_scales(distances: Array) -> tuple[Array, Array]:
    """Return rho and sigma (N,) of each point, from the distances (N, k) to its nearest neighbors, the nearest first.

    rho is the smallest distance that is not 0: where points coincide, the nearest one that does not. Where so many are
    at most that far that their memberships alone have a sum above log2 k, sigma is a thousandth of the mean distance.

    Example:
        >>> rho, sigma = local_scales(np.array([[1.0, 2.0, 3.0, 4.0]]))
        >>> memberships(np.array([[1.0, 2.0, 3.0, 4.0]]), rho, sigma).sum().round(6)  # log2 of 4
        np.float64(2.0)
    """
    N, k = distances.shape
    apart = np.where(distances > 0, distances, np.inf).min(axis=1)
    rho = np.where(np.isfinite(apart), apart, 0.0)
    mean = distances.mean(axis=1)
    scale = np.where(mean > 0, mean, 1.0)
    low, high = np.full(N, np.log2(_NARROWEST)), np.full(N, 30.0)  # of log2 sigma / scale
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        narrow = memberships(distances, rho, np.exp2(middle) * scale).sum(axis=1) < np.log2(k)
        low, high = np.where(narrow, middle, low), np.where(narrow, high, middle)
    return rho, np.exp2((low + high) / 2) * scale


def memberships(distances: Array, rho: Array, sigma: Array) -> Array:
    """Return w_{i->j} (N, k) of distances (N, k): 1 up to rho, and then less and less.

    Example:
        >>> memberships(np.array([[1.0, 2.0]]), np.array([1.0]), np.array([1.0])).round(3)
        array([[1.   , 0.368]])
    """
    return np.exp(-np.maximum(0, distances - rho[:, None]) / sigma[:, None])
