"""AdamW: Adam, with a weight decay that does not pass through the gradient."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ... import kernels
from ...autograd import Tensor
from .optimizer import Array, Group, Optimizer, check_range


class AdamW(Optimizer):
    r"""Shrink the parameter a little, then take Adam's step.

        p <- p (1 - lr weight_decay)
        m <- beta1 m + (1 - beta1) g              v <- beta2 v + (1 - beta2) g^2
        p <- p - lr mhat / (sqrt(vhat) + eps)     mhat = m / (1 - beta1^step),  vhat = v / (1 - beta2^step)

    One kernel does all of it in a single pass over all parameters, gradients and moments. The decay applies to Groups
    that decay, which for ``decay_groups(model)`` are the matrices; a plain list of parameters decays as a whole.

    Source: Loshchilov & Hutter 2017.

    Example:
        >>> import numpy as np
        >>> p = Tensor(np.array([1.0]), requires_grad=True)
        >>> p.grad = np.array([0.003])
        >>> AdamW([p], lr=0.1, weight_decay=0.5).step()
        >>> p.data.round(5)  # 1 (1 - 0.05) - 0.1
        array([0.85])
    """

    moments = ("m", "v")

    def __init__(
        self,
        params: Iterable[Tensor] | Iterable[Group],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.01,
    ) -> None:
        super().__init__(params, lr)
        check_range("AdamW", beta1=(betas[0], 0, 1), beta2=(betas[1], 0, 1), eps=(eps, 0, 1))
        check_range("AdamW", weight_decay=(weight_decay, 0, float("inf")))
        self.betas = betas
        self.eps = eps
        self.weight_decay = weight_decay

    def update(self, p: Array, g: Array, moments: tuple[Array, ...], lr: float, decays: bool) -> None:
        """Apply the lines above."""
        m, v = moments
        decay = self.weight_decay if decays else 0.0
        kernels.adamw(p, g, m, v, lr, *self.betas, self.eps, decay, self.steps)

    def update_all(self, which: Sequence[int], lr: float, grad_scale: float) -> None:
        """Apply them to all parameters in one call."""
        params, m, v = [self.params[i] for i in which], *self.lines
        decays = [self.weight_decay if self.decays[i] else 0.0 for i in which]
        values, grads, offsets = [p.data for p in params], [p.grad for p in params], [self.offsets[i] for i in which]
        settings = lr, *self.betas, self.eps, self.steps, grad_scale
        kernels.adamw_all(values, grads, m, v, offsets, decays, *settings)  # type: ignore[arg-type]
