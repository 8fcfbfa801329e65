"""Linear: every output a weighted sum of the inputs."""

from __future__ import annotations

import numpy as np

from ..autograd import Tensor, linear
from .init import Init, fan_in
from .module import Module, Parameter


class Linear(Module):
    r"""Map vectors of C numbers to vectors of N numbers.

    Forward   y = x W^T + b
    Shapes    x (..., C), weight (N, C), bias (N,) -> y (..., N)

    Args:
        C, N: sizes of the input and the output.
        bias: is there a b? It starts at zero.
        rng: draws the initial weight.
        init: how it is drawn.

    Example:
        >>> layer = Linear(3, 5, rng=np.random.default_rng(0))
        >>> layer(np.ones((2, 7, 3), dtype=np.float32)).shape
        (2, 7, 5)
    """

    def __init__(
        self, C: int, N: int, bias: bool = True, *, rng: np.random.Generator, init: Init | None = None
    ) -> None:
        self.weight = Parameter((init or fan_in())(rng, (N, C)))
        self.bias = Parameter(np.zeros(N, dtype=np.float32)) if bias else None

    def forward(self, x: Tensor) -> Tensor:
        """Apply the layer to x (..., C)."""
        return linear(x, self.weight, self.bias)
