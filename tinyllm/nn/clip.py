"""Gradient clipping: when all gradients together are too long a vector, shorten it and keep its direction."""

from __future__ import annotations

import math
from collections.abc import Iterable

from .. import kernels
from ..autograd import Tensor
from ..errors import ConfigError


def grad_norm(params: Iterable[Tensor]) -> float:
    """Return the norm of all gradients together, |g| = sqrt(sum of the squares of all their entries).

    Example:
        >>> import numpy as np
        >>> p = Tensor(np.zeros(2), requires_grad=True)
        >>> p.grad = np.array([3.0, 4.0])
        >>> grad_norm([p])
        5.0
    """
    grads = [p.grad for p in params if p.grad is not None]
    return math.sqrt(kernels.sum_of_squares_of(*grads)) if grads else 0.0


def clip_scale(norm: float, max_norm: float) -> float:
    """Return what gradients of this norm are to be multiplied by, so that it is at most ``max_norm``.

    An optimizer takes it along (``optimizer.step(grad_scale=...)``), which saves one way through all gradients. For a
    norm that is not finite it is 1: one infinity would turn every gradient into zeros or NaN.

    Example:
        >>> clip_scale(5.0, max_norm=1.0), clip_scale(0.5, max_norm=1.0)
        (0.2, 1.0)
    """
    if not max_norm > 0:
        raise ConfigError(f"clip: max_norm is {max_norm}", hint="a positive number, math.inf to only measure")
    return max_norm / norm if math.isfinite(norm) and norm > max_norm else 1.0


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
    params = list(params)
    norm = grad_norm(params)
    scale = clip_scale(norm, max_norm)
    if scale != 1:
        for p in params:
            if p.grad is not None:
                p.grad *= scale
    return norm
