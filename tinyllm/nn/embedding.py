"""Embedding: one learned vector for every token id."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..autograd import Tensor, take
from .init import Init, normal
from .module import Module, Parameter


class Embedding(Module):
    r"""Look up the vector of every token id.

    Forward   y_t = weight[idx_t]
    Shapes    idx (...) integers below V, weight (V, C) -> y (..., C)

    Args:
        V, C: how many ids there are, and the size of each vector.
        rng: draws the initial weight.
        init: how it is drawn; a normal distribution of standard deviation 1 unless told otherwise.

    Errors: an id that is negative or not below V is refused (RangeError).

    Example:
        >>> Embedding(11, 3, rng=np.random.default_rng(0))(np.array([[1, 2], [3, 5]])).shape
        (2, 2, 3)
    """

    def __init__(self, V: int, C: int, *, rng: np.random.Generator, init: Init | None = None) -> None:
        self.weight = Parameter((init or normal(1.0))(rng, (V, C)))

    def forward(self, idx: Any) -> Tensor:
        """Return the vectors of idx (...)."""
        return take(self.weight, idx)
