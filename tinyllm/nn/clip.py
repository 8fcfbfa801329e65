"""Gradient clipping: when all gradients together are too long a vector, shorten it and keep its direction."""

from __future__ import annotations

import math
from collections.abc import Iterable

from .. import kernels
from ..autograd import Tensor
from ..errors import ConfigError


def clip_grad_norm(params: Iterable[Tensor], max_norm: float) -> float:
    r"""Scale all gradients in place so that their joint norm is at most ``max_norm``; return the norm before that.

        g <- g min(1, max_norm / |g|),  |g| = sqrt(sum of the squares of all entries of all gradients)

    A norm that is not finite is returned and nothing is scaled: one infinity would turn every gradient into zeros or
    NaN, so the caller decides what happens to the step.

    Source: Pascanu, Mikolov & Bengio 2012.

    Example:
        >>> import numpy as np
        >>> p = Tensor(np.zeros(2), requires_grad=True)
        >>> p.grad = np.array([3.0, 4.0])
        >>> clip_grad_norm([p], max_norm=1.0), p.grad
        (5.0, array([0.6, 0.8]))
    """
    if not max_norm > 0:
        raise ConfigError(f"clip_grad_norm: max_norm is {max_norm}", hint="a positive number, math.inf to only measure")
    grads = [p.grad for p in params if p.grad is not None]
    norm = math.sqrt(sum(kernels.sum_of_squares(g) for g in grads))
    if math.isfinite(norm) and norm > max_norm:
        scale = max_norm / norm
        for g in grads:
            g *= scale
    return norm
