"""Adam: every parameter gets a step size of its own, from the average size of its gradients."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

from ...autograd import Tensor
from .optimizer import Array, Group, Optimizer, check_range


class Adam(Optimizer):
    r"""Divide the average gradient by its average size.

        m <- beta1 m + (1 - beta1) g              v <- beta2 v + (1 - beta2) g^2
        p <- p - lr mhat / (sqrt(vhat) + eps)     mhat = m / (1 - beta1^step),  vhat = v / (1 - beta2^step)

    m and v start at zero and are too small at first; the two divisions make up for it. For weight decay take AdamW.

    Source: Kingma & Ba 2014.

    Example:
        >>> p = Tensor(np.array([1.0]), requires_grad=True)
        >>> p.grad = np.array([0.003])
        >>> Adam([p], lr=0.1).step()
        >>> p.data.round(5)  # the first step is lr, whatever the size of the gradient
        array([0.9])
    """

    moments = ("m", "v")

    def __init__(
        self,
        params: Iterable[Tensor] | Iterable[Group],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
    ) -> None:
        super().__init__(params, lr)
        check_range("Adam", beta1=(betas[0], 0, 1), beta2=(betas[1], 0, 1), eps=(eps, 0, 1))
        self.betas = betas
        self.eps = eps

    def update(self, p: Array, g: Array, moments: tuple[Array, ...], lr: float, decays: bool) -> None:
        """Apply the lines above."""
        m, v = moments
        beta1, beta2 = self.betas
        m *= beta1
        m += (1 - beta1) * g
        v *= beta2
        v += (1 - beta2) * g * g
        size = np.sqrt(v) / math.sqrt(1 - beta2**self.steps) + self.eps
        p -= lr / (1 - beta1**self.steps) * m / size
