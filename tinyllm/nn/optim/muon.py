"""Muon: the step of a matrix is its averaged gradient with all singular values made equal."""

from __future__ import annotations

import math
from collections.abc import Iterable

from ...autograd import Tensor
from ...errors import ConfigError
from .optimizer import Array, Group, Optimizer, check_range


class Muon(Optimizer):
    r"""Orthogonalize the momentum of every matrix, so that rare directions move as far as frequent ones.

        v <- momentum v + g
        u <- orthogonalize(g + momentum v)
        p <- p (1 - lr weight_decay) - lr sqrt(max(1, N / C)) u      for p (N, C)

    It is meant for the matrices inside of the blocks. Embeddings, the head, gains and biases are not maps between two
    spaces of the same kind; they go to an AdamW beside it:

        inside = [p for name, p in model.named_parameters() if p.ndim == 2 and name.startswith("blocks")]

    Source: Jordan et al. 2024, "Muon: an optimizer for hidden layers in neural networks".

    Errors: a parameter that is not a matrix is refused (ConfigError).

    Example:
        >>> import numpy as np
        >>> p = Tensor(np.zeros((2, 2)), requires_grad=True)
        >>> p.grad = np.array([[100.0, 0.0], [0.0, 1.0]])
        >>> Muon([p], lr=0.1).step()
        >>> bool(np.abs(p.data + 0.1 * np.eye(2)).max() < 0.04)  # both directions moved by about lr
        True
    """

    moments = ("v",)

    def __init__(
        self,
        params: Iterable[Tensor] | Iterable[Group],
        lr: float = 0.02,
        momentum: float = 0.95,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(params, lr)
        check_range("Muon", momentum=(momentum, 0, 1), weight_decay=(weight_decay, 0, float("inf")))
        for p in self.params:
            if p.ndim != 2:
                raise ConfigError(f"Muon: a parameter of shape {p.shape} is not a matrix", hint="give it to an AdamW")
        self.momentum = momentum
        self.weight_decay = weight_decay

    def update(self, p: Array, g: Array, moments: tuple[Array, ...], lr: float, decays: bool) -> None:
        """Apply the lines above."""
        (v,) = moments
        v *= self.momentum
        v += g
        u = orthogonalize(g + self.momentum * v)
        if decays:
            p *= 1 - lr * self.weight_decay
        p -= lr * math.sqrt(max(1.0, p.shape[0] / p.shape[1])) * u


def orthogonalize(g: Array, rounds: int = 5) -> Array:
    r"""Bring all singular values of g (N, C) near to 1 and keep its singular vectors, by matrix products alone.

    Every round maps each singular value s to a s + b s^3 + c s^5. The coefficients are chosen to lift small values
    fast; the price is that large ones settle between 0.7 and 1.2 and not at 1, which does no harm in a step.

    Example:
        >>> import numpy as np
        >>> g = np.random.default_rng(0).normal(size=(5, 3))
        >>> s = np.linalg.svd(orthogonalize(g), compute_uv=False)
        >>> bool(s.min() > 0.6 and s.max() < 1.3)
        True
    """
    a, b, c = 3.4445, -4.7750, 2.0315
    tall = g.shape[0] > g.shape[1]
    x = g.T if tall else g  # the products below are as small as the shorter side
    x = x / (math.sqrt(float((x * x).sum())) + 1e-7)  # now no singular value is above 1
    for _ in range(rounds):
        s = x @ x.T
        x = a * x + (b * s + c * (s @ s)) @ x
    return x.T if tall else x
