"""Dropout: while training, forget a random part of the values, so that no unit can rely on another."""

from __future__ import annotations

import numpy as np

from ..autograd import Tensor, dropout
from ..errors import ConfigError
from .module import Module


class Dropout(Module):
    r"""Set every entry to zero with probability p and scale the others by 1 / (1 - p); in evaluation do nothing.

    Each call in training draws a new seed from ``rng``, which the layer keeps (layers may share one): what is dropped
    is part of the run's randomness, reproducible, and saved and restored with ``rng_state`` and ``set_rng_state``.
    With p = 0 nothing is drawn.

    Shapes    x (...) -> y (...)
    Source    Srivastava et al. 2014

    Example:
        >>> layer = Dropout(0.5, rng=np.random.default_rng(0))
        >>> bool((layer(np.ones(100, dtype=np.float32)).data == 0).any()), layer.eval()(3.0)
        (True, 3.0)
    """

    shown = ("p",)

    def __init__(self, p: float, *, rng: np.random.Generator) -> None:
        if not 0 <= p < 1:
            raise ConfigError(f"Dropout: p is {p}", hint="a probability from 0 to below 1")
        self.p = p
        self.rng = rng

    def forward(self, x: Tensor) -> Tensor:
        """Drop entries of x."""
        if not self.training or not self.p:
            return x
        return dropout(x, p=self.p, seed=int(self.rng.integers(2**63)))
