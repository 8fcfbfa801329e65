r"""t-SNE: a picture in which neighbors stay neighbors, found by gradient descent.

The exact method, with a number for each pair of points: for hundreds of points, or a few thousand with patience.

What to know before believing such a picture: sizes of groups and distances between them mean little, and another
perplexity may show other groups. ``neighbor_recall`` says how many neighbors were kept.

Source: van der Maaten & Hinton 2008 (momentum, early exaggeration, gains); Kobak & Berens 2019, "The art of using
t-SNE for single-cell transcriptomics" (PCA for the start, which keeps the order of the groups); Belkina et al. 2019
(a learning rate that grows with N).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import ConfigError, DataError, NaNError
from .neighbors import MOST, cloud
from .pca import pca
from .tsne_gradient import tsne_grad, tsne_loss
from .tsne_neighbors import tsne_p

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True)
class TSNE:
    """A picture, and the way to it.

    Attributes:
        points: (N, k) where each point lies.
        steps: the steps at which the loss was measured, the first of them 0: before any.
        losses: KL(p || q) there, in nats, always without exaggeration.
        exaggerated: how many steps were taken with it.
        perplexity: the one that was asked for.
    """

    points: Array
    steps: list[int]
    losses: list[float]
    exaggerated: int
    perplexity: float


def tsne(
    x: Any,
    perplexity: float = 30.0,
    k: int = 2,
    steps: int = 750,
    exaggeration: float = 4.0,
    learning_rate: float | None = None,
    every: int = 10,
    start: Any = None,
    on_step: Callable[[int, Array], None] | None = None,
) -> TSNE:
    """Lay points x (N, C) out in k dimensions.

    The first quarter of the steps, but at most 100, is taken with exaggerated neighborhoods and a momentum of 0.5, the
    rest with a momentum of 0.8. Nothing is random: the same points give the same picture.

    Args:
        x: the points.
        perplexity: about how many neighbors each point has.
        k: dimensions of the picture.
        steps: how many to take.
        exaggeration: how many times stronger the pull is at first; 1 for no exaggeration. 12 has become usual for many
            thousands of points, but draws a few hundred without clear groups together into one place.
        learning_rate: of the later steps, by default N / 4; the first ones, whose pull is stronger, divide it by the
            exaggeration.
        every: how many steps from one measurement of the loss to the next.
        start: (N, k) where to begin; by default the first k axes of PCA, shrunk to a standard deviation of 1e-4.
        on_step: called with the number of steps taken and the points, whenever the loss is measured.

    Raises:
        ConfigError: a setting is out of range.
        DataError: all points are the same, or they are too many.
        NaNError, ShapeError: x is no cloud of points, or the learning rate was so large that the picture flew apart.

    Example:
        >>> x = np.concatenate([np.eye(5), np.eye(5) + 9])
        >>> picture = tsne(x, perplexity=3, steps=60)
        >>> left = picture.points[:, 0] < 0
        >>> len(set(left[:5])), len(set(left[5:])), bool(left[0] != left[5])
        (1, 1, True)
    """
    x = cloud(x, "tsne", MOST)
    P = tsne_p(x, perplexity)
    if steps < 0 or every < 1 or not exaggeration >= 1:
        raise ConfigError(
            f"tsne: steps={steps}, every={every}, exaggeration={exaggeration}", hint="steps from 0, the others from 1"
        )
    rate = len(x) / 4 if learning_rate is None else learning_rate
    if not rate > 0:
        raise ConfigError(f"tsne: a learning rate of {rate}", hint="above 0, or None")
    Y = _started(x, k) if start is None else cloud(start, "tsne: start").copy()
    if Y.shape != (len(x), k):
        raise ConfigError(f"tsne: start {Y.shape} for {len(x)} points in {k} dimensions")
    exaggerated = min(100, steps // 4) if exaggeration > 1 else 0
    measured, losses = [0], [tsne_loss(P, Y)]
    pulled = P * exaggeration
    velocity, gains = np.zeros_like(Y), np.ones_like(Y)
    for step in range(1, steps + 1):
        early = step <= exaggerated
        dY = tsne_grad(pulled if early else P, Y)
        turned = dY * velocity > 0  # the velocity points uphill: slower along this axis, else a little faster
        gains = np.maximum(np.where(turned, gains * 0.8, gains + 0.2), 0.01)
        velocity = (0.5 if early else 0.8) * velocity - (rate / exaggeration if early else rate) * gains * dY
        Y = Y + velocity
        Y -= Y.mean(axis=0)  # the loss does not see a shift of all points
        if step % every == 0 or step == steps:
            loss = tsne_loss(P, Y)
            if not np.isfinite(loss):
                raise NaNError(f"tsne: the picture flew apart by step {step}", hint="a smaller learning_rate")
            measured.append(step)
            losses.append(loss)
            if on_step is not None:
                on_step(step, Y)
    return TSNE(Y, measured, losses, exaggerated, perplexity)


def _started(x: Array, k: int) -> Array:
    Y = pca(x, k).points
    spread = Y[:, 0].std()
    if not spread > 0:
        raise DataError("tsne: all points are the same", hint="points that differ")
    return Y * (1e-4 / spread)
