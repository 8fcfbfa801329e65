r"""Who is near whom, as t-SNE sees it: a probability for each pair of points.

    p_{j|i} = exp(-beta_i |x_i - x_j|^2) / sum over all l but i,   p_ij = (p_{j|i} + p_{i|j}) / 2 N

Each point has a width of its own, set so that it has about as many neighbors as every other: the perplexity
exp(H(p_{.|i})), which would be n for n neighbors alike. It grows with the width, so bisection finds it.

Source: van der Maaten & Hinton 2008, "Visualizing Data using t-SNE", sections 2 and 3.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import ConfigError
from .neighbors import MOST, cloud, squared_distances

Array = np.ndarray[Any, np.dtype[Any]]
_HALVINGS = 100


def tsne_p(x: Any, perplexity: float = 30.0) -> Array:
    """Return how near points x (N, C) are to each other, p (N, N): symmetric, zero on the diagonal, with a sum of 1.

    Raises:
        ConfigError: the perplexity is not between 1 and N - 1.
        NaNError, ShapeError, DataError: x is no cloud of points, or too large a one.

    Example:
        >>> tsne_p([[0.0], [1.0], [5.0], [6.0]], perplexity=1.5).round(2)
        array([[0.  , 0.22, 0.01, 0.01],
               [0.22, 0.  , 0.02, 0.01],
               [0.01, 0.02, 0.  , 0.22],
               [0.01, 0.01, 0.22, 0.  ]])
    """
    x = cloud(x, "tsne_p", MOST)
    N = len(x)
    if not 1 < perplexity < N - 1:
        hint = f"above 1 and below {N - 1}; about {max(2, min(30, N // 4))}" if N > 3 else "four points at least"
        raise ConfigError(f"tsne_p: a perplexity of {perplexity:g} for {N} points", hint=hint)
    p = conditional(squared_distances(x), perplexity)
    return (p + p.T) / (2 * N)


def conditional(d: Array, perplexity: float) -> Array:
    """Return p_{j|i} (N, N), a row for each i, of squared distances d (N, N); every row has the perplexity.

    A point with more others at one and the same smallest distance than the perplexity allows cannot have it: it gets
    them all alike.
    """
    N = len(d)
    other = ~np.eye(N, dtype=bool)
    closest = np.where(other, d, np.inf).min(axis=1, keepdims=True)
    beyond = np.where(other, d - closest, np.inf)  # the nearest at 0, so that its exponential is 1 whatever beta is
    scale = np.where(other, beyond, 0).sum(axis=1) / (N - 1)
    beyond /= np.where(scale > 0, scale, 1)[:, None]  # beta is then about 1
    low, high = np.full(N, -60.0), np.full(N, 60.0)  # of log2 beta: the perplexity falls as it grows
    p = np.zeros_like(d)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        np.exp(-np.exp2(middle)[:, None] * beyond, out=p)
        p /= p.sum(axis=1, keepdims=True)
        apart = entropy(p) - np.log(perplexity)
        wide = apart > 0
        low, high = np.where(wide, middle, low), np.where(wide, high, middle)
        if np.abs(apart).max() < 1e-10:
            break
    return p


def entropy(p: Array) -> Array:
    """Return the entropy (N,) of rows of probabilities p (N, M), in nats.

    Example:
        >>> entropy(np.array([[0.5, 0.5, 0.0], [1.0, 0.0, 0.0]])).round(3)
        array([0.693, 0.   ])
    """
    logs = np.log(p, out=np.zeros_like(p), where=p > 0)
    return np.maximum(-(p * logs).sum(axis=1), 0.0)  # not -0.0
