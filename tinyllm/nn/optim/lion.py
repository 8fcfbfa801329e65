"""Lion: only the sign of the averaged gradient counts, so every parameter moves by the same amount."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from ...autograd import Tensor
from .optimizer import Array, Group, Optimizer, check_range


class Lion(Optimizer):
    r"""Take the sign of a mix of momentum and gradient; one moment is kept instead of Adam's two.

        u <- sign(beta1 m + (1 - beta1) g)
        p <- p (1 - lr weight_decay) - lr u
        m <- beta2 m + (1 - beta2) g

    Steps are larger than Adam's, so lr wants to be 3 to 10 times smaller and the decay as many times larger. The decay
    applies to Groups that decay, as in AdamW.

    Source: Chen et al. 2023, "Symbolic Discovery of Optimization Algorithms".

    Example:
        >>> p = Tensor(np.array([1.0, 1.0]), requires_grad=True)
        >>> p.grad = np.array([0.003, -70.0])
        >>> Lion([p], lr=0.1).step()
        >>> p.data
        array([0.9, 1.1])
    """

    moments = ("m",)

    def __init__(
        self,
        params: Iterable[Tensor] | Iterable[Group],
        lr: float = 1e-4,
        betas: tuple[float, float] = (0.9, 0.99),
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(params, lr)
        check_range("Lion", beta1=(betas[0], 0, 1), beta2=(betas[1], 0, 1))
        check_range("Lion", weight_decay=(weight_decay, 0, float("inf")))
        self.betas = betas
        self.weight_decay = weight_decay

    def update(self, p: Array, g: Array, moments: tuple[Array, ...], lr: float, decays: bool) -> None:
        """Apply the lines above."""
        (m,) = moments
        beta1, beta2 = self.betas
        u = np.sign(beta1 * m + (1 - beta1) * g)
        if decays:
            p *= 1 - lr * self.weight_decay
        p -= lr * u
        m *= beta2
        m += (1 - beta2) * g
