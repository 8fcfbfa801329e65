r"""A picture in the style of UMAP: edges of its graph pull, random pairs push.

    q(d) = 1 / (1 + a d^{2b})      how strongly two points of the picture are tied, at distance d
    pull   -log q(d)               for an edge, drawn as often as its membership says
    push   -log(1 - q(d))          for a point and a few others, drawn at random

It follows the paper's algorithm, and differs from the package umap-learn in this: neighbors are found exactly, with a
number for each pair of points; a point is none of its own neighbors; the start is PCA unless the spectral one is asked
for, which takes all eigenvectors and refuses a graph in pieces; edges are handled in small batches, where umap-learn
takes one after another; there is no other metric, no transform of new points, and no supervision. Pictures are alike in
what they show, not point by point.

Source: McInnes, Healy & Melville 2018, section 4; Damrich & Hamprecht 2021, "On UMAP's True Loss Function" (what the
random pairs really do: the memberships of the graph are not what the picture shows).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import ConfigError, DataError
from .neighbors import MOST, cloud
from .pca import pca
from .umap_graph import umap_graph

Array = np.ndarray[Any, np.dtype[Any]]
_CLIP = 4.0  # no pair moves a point further than this in one step, before the learning rate
_SOFT = 1e-3  # keeps the push of a pair at the same place finite


@dataclass(frozen=True)
class UMAP:
    """A picture and the graph it was made of.

    Attributes:
        points: (N, k) where each point lies.
        graph: (N, N) the memberships.
        a, b: of the curve q.
    """

    points: Array
    graph: Array
    a: float
    b: float


def umap(
    x: Any,
    neighbors: int = 15,
    k: int = 2,
    min_dist: float = 0.1,
    epochs: int = 200,
    negatives: int = 5,
    learning_rate: float = 1.0,
    init: str = "pca",
    *,
    rng: np.random.Generator,
) -> UMAP:
    """Lay points x (N, C) out in k dimensions; the same generator gives the same picture.

    Args:
        x: the points.
        neighbors: of each point in the graph: few for detail, many for the whole.
        k: dimensions of the picture.
        min_dist: how near points may come in it.
        epochs: how often the strongest edge is drawn.
        negatives: random pairs for each edge drawn.
        learning_rate: at first; it falls to 0 in a straight line.
        init: "pca", or "spectral": the first eigenvectors of the graph's normalized Laplacian.
        rng: draws the random pairs and the order of the edges.

    Raises:
        ConfigError: a setting is out of range, or the graph is in pieces and the start spectral.
        DataError: all points are the same, or they are too many.
        NaNError, ShapeError: x is no cloud of points.

    Example:
        >>> x = np.concatenate([np.eye(5), np.eye(5) + 9])
        >>> points = umap(x, neighbors=3, epochs=50, rng=np.random.default_rng(0)).points
        >>> left = points[:, 0] < points[:, 0].mean()
        >>> len(set(left[:5])), len(set(left[5:])), bool(left[0] != left[5])
        (1, 1, True)
    """
    x = cloud(x, "umap", MOST)
    if epochs < 1 or negatives < 0 or not learning_rate > 0:
        raise ConfigError(
            f"umap: epochs={epochs}, negatives={negatives}, learning_rate={learning_rate}",
            hint="1 epoch or more, 0 negatives or more, a rate above 0",
        )
    graph = umap_graph(x, neighbors)
    a, b = curve(min_dist)
    if init not in ("pca", "spectral"):
        raise ConfigError(f"umap: init is {init!r}", hint="'pca' or 'spectral'")
    Y = pca(x, k).points if init == "pca" else spectral(graph, k)
    largest = np.abs(Y).max()
    if not largest > 0:
        raise DataError("umap: all points are the same", hint="points that differ")
    Y = Y * (10 / largest) + rng.normal(0, 1e-4, Y.shape)  # noise, so that points at the same place can part
    i, j = np.nonzero(graph)  # each edge from both of its ends
    often = graph[i, j] / graph.max()
    due = np.zeros(len(i))
    for epoch in range(epochs):
        due += often
        drawn = rng.permutation(np.flatnonzero(due >= 1))
        due[drawn] -= 1
        for edges in np.array_split(drawn, -(-len(drawn) // max(1, len(x) // 4))) if len(drawn) else []:
            _step(Y, i[edges], j[edges], a, b, negatives, learning_rate * (1 - epoch / epochs), rng)
    return UMAP(Y, graph, a, b)


def _step(Y: Array, i: Array, j: Array, a: float, b: float, negatives: int, rate: float, rng: Any) -> None:
    """Move the points of some edges, in place: few enough that hardly any point is moved twice at once."""
    apart = Y[i] - Y[j]  # (E, k)
    move = np.clip(attraction((apart**2).sum(axis=1), a, b)[:, None] * apart, -_CLIP, _CLIP)
    np.add.at(Y, i, rate * move)
    np.add.at(Y, j, -rate * move)
    i = np.repeat(i, negatives)
    j = rng.integers(len(Y), size=len(i))
    i, j = i[i != j], j[i != j]
    apart = Y[i] - Y[j]
    np.add.at(Y, i, rate * np.clip(repulsion((apart**2).sum(axis=1), a, b)[:, None] * apart, -_CLIP, _CLIP))


def attraction(d2: Array, a: float, b: float) -> Array:
    """Return what y_i - y_j is multiplied with to go down on -log q, for squared distances d2; below 0.

    -log q = log(1 + a d2^b), so its derivative by y_i is 2 a b d2^{b-1} / (1 + a d2^b) (y_i - y_j).

    Example:
        >>> attraction(np.array([0.0, 1.0]), a=1.0, b=1.0) + 0
        array([ 0., -1.])
    """
    safe = np.where(d2 > 0, d2, 1.0)  # at 0 the power has no value, and the product with y_i - y_j is 0
    return np.where(d2 > 0, -2 * a * b * safe ** (b - 1) / (1 + a * safe**b), 0.0)


def repulsion(d2: Array, a: float, b: float) -> Array:
    """Return what y_i - y_j is multiplied with to go down on -log(1 - q), for squared distances d2; above 0.

    -log(1 - q) = log(1 + a d2^b) - log(a d2^b), so its derivative by y_i is -2 b / (d2 (1 + a d2^b)) (y_i - y_j).

    Example:
        >>> repulsion(np.array([1.0]), a=1.0, b=1.0).round(2)
        array([1.])
    """
    return 2 * b / ((_SOFT + d2) * (1 + a * d2**b))


def curve(min_dist: float, spread: float = 1.0) -> tuple[float, float]:
    """Return a and b for which q(d) is nearest to: 1 up to min_dist, then exp(-(d - min_dist) / spread).

    Least squares on 300 distances up to 3 spreads, by the method of Levenberg and Marquardt on log a and log b.

    Raises:
        ConfigError: min_dist is not between 0 and the spread.

    Example:
        >>> a, b = curve(0.1)
        >>> round(a, 3), round(b, 3)
        (1.577, 0.895)
    """
    if not 0 <= min_dist <= spread or not spread > 0:
        raise ConfigError(f"umap: min_dist is {min_dist} for a spread of {spread}", hint=f"0 to {spread}")
    d = np.linspace(0, 3 * spread, 300)[1:]
    wanted = np.where(d < min_dist, 1.0, np.exp(-(d - min_dist) / spread))
    at, damping = np.zeros(2), 1e-3
    for _ in range(200):
        a, b = np.exp(at)
        q = 1 / (1 + a * d ** (2 * b))
        slope = -q * (1 - q)  # dq / d log a
        jacobian = np.stack([slope, slope * 2 * b * np.log(d)], axis=1)
        error = q - wanted
        normal = jacobian.T @ jacobian
        step = np.linalg.solve(normal + damping * np.diag(np.diag(normal)), -jacobian.T @ error)
        a, b = np.exp(at + step)
        better = ((1 / (1 + a * d ** (2 * b)) - wanted) ** 2).sum() <= (error**2).sum()
        at, damping = (at + step, damping / 10) if better else (at, damping * 10)
        if better and np.abs(step).max() < 1e-12:
            break
    return float(np.exp(at[0])), float(np.exp(at[1]))


def spectral(graph: Array, k: int) -> Array:
    """Return the k eigenvectors (N, k) of the graph's normalized Laplacian after the first, which says nothing.

    Raises:
        ConfigError: the graph is in pieces, so that the first eigenvectors only say who is in which; k is not below N.

    Example:
        >>> line = np.eye(4, k=1) + np.eye(4, k=-1)
        >>> spectral(line, 1)[:, 0].round(2)
        array([ 0.58,  0.41, -0.41, -0.58])
    """
    if not 1 <= k < len(graph):
        raise ConfigError(f"umap: {k} dimensions for {len(graph)} points", hint=f"1 to {len(graph) - 1}")
    root = 1 / np.sqrt(graph.sum(axis=1))
    values, vectors = np.linalg.eigh(np.eye(len(graph)) - root[:, None] * graph * root)
    if values[1] < 1e-10:
        raise ConfigError(
            "umap: the graph is in pieces, and has no spectral start", hint="init='pca', or more neighbors"
        )
    chosen = vectors[:, 1 : k + 1]
    size = np.abs(chosen)
    largest = (size >= size.max(axis=0) * (1 - 1e-9)).argmax(axis=0)  # the sign of an eigenvector means nothing
    return chosen * np.where(chosen[largest, np.arange(k)] < 0, -1.0, 1.0)
