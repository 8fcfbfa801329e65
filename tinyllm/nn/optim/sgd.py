"""SGD: stochastic gradient descent, with momentum."""

from __future__ import annotations

from collections.abc import Iterable

from ...autograd import Tensor
from .optimizer import Array, Group, Optimizer, check_range


class SGD(Optimizer):
    r"""Go down the gradient, and keep some of the speed of the steps before.

        v <- momentum v + g
        p <- p - lr v

    Source: Robbins & Monro 1951; Polyak 1964 (momentum).

    Example:
        >>> import numpy as np
        >>> p = Tensor(np.array([1.0]), requires_grad=True)
        >>> optimizer = SGD([p], lr=0.1, momentum=0.5)
        >>> for _ in range(2):
        ...     p.grad = np.array([1.0])
        ...     optimizer.step()
        >>> p.data
        array([0.75])
    """

    moments = ("v",)

    def __init__(self, params: Iterable[Tensor] | Iterable[Group], lr: float, momentum: float = 0.0) -> None:
        super().__init__(params, lr)
        check_range("SGD", momentum=(momentum, 0, 1))
        self.momentum = momentum

    def update(self, p: Array, g: Array, moments: tuple[Array, ...], lr: float, decays: bool) -> None:
        """Apply the two lines above."""
        (v,) = moments
        v *= self.momentum
        v += g
        p -= lr * v
