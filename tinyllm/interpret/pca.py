r"""PCA: turn a cloud of points so that its first axes show as much of its spread as possible.

    x - mean = U S V^T,   points = U S,   components = V^T,   variance_i = S_i^2 / (N - 1)

The singular value decomposition of the centered points does all of it; the covariance matrix is never made, whose
condition would be the square of theirs.

Source: Pearson 1901; Hotelling 1933; Jolliffe, Principal Component Analysis, 2002.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import ConfigError, ShapeError
from .neighbors import cloud

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True)
class PCA:
    """The axes of a cloud of points.

    Attributes:
        points: (N, k) the points in the new axes.
        components: (k, C) the new axes, of length 1 and at right angles to each other.
        mean: (C,) of all points.
        variance: (k,) along each axis, with N - 1.
        share: (k,) that variance as a share of the whole.
    """

    points: Array
    components: Array
    mean: Array
    variance: Array
    share: Array

    def project(self, x: Any) -> Array:
        """Return other points x (N, C) in the same axes, (N, k).

        Raises:
            ShapeError: their C is another.
        """
        x = cloud(x, "project")
        if x.shape[1] != len(self.mean):
            raise ShapeError(f"project: x {x.shape}, but the axes are of C={len(self.mean)}")
        return (x - self.mean) @ self.components.T


def pca(x: Any, k: int = 2) -> PCA:
    """Find the k axes along which points x (N, C) vary most, the first of them most of all.

    The sign of an axis means nothing. So that it is the same on every machine, the entry of a component that is largest
    in size is positive; of several as large, to nine digits, the first.

    Raises:
        ConfigError: k is not between 1 and min(N, C), or there is only one point.
        NaNError, ShapeError: x is no cloud of points.

    Example:
        >>> found = pca([[0.0, 0.0], [1.0, -1.0], [2.0, -2.0]], k=1)
        >>> found.components.round(3), found.share.round(3), found.variance.round(3)
        (array([[ 0.707, -0.707]]), array([1.]), array([2.]))
    """
    x = cloud(x, "pca")
    N, C = x.shape
    if not 1 <= k <= min(N, C) or N < 2:
        raise ConfigError(
            f"pca: {k} axes of {N} points in {C} dimensions", hint=f"1 to {min(N, C)} axes, and two points at least"
        )
    mean = x.mean(axis=0)
    u, s, vt = np.linalg.svd(x - mean, full_matrices=False)
    size = np.abs(vt)
    largest = (size >= size.max(axis=1, keepdims=True) * (1 - 1e-9)).argmax(axis=1)
    sign = np.where(np.take_along_axis(vt, largest[:, None], 1) < 0, -1.0, 1.0)  # (r, 1)
    variance = s**2 / (N - 1)
    total = variance.sum()
    share = variance / total if total > 0 else np.zeros_like(variance)
    return PCA(((u * s) * sign[:, 0])[:, :k], (vt * sign)[:k], mean, variance[:k], share[:k])
