r"""AdamW's step over one array of parameters or over all, and the sum of squares that gradient clipping needs.

Source: Kingma & Ba 2014 (Adam); Loshchilov & Hutter 2017 (decoupled weight decay). The order of operations is that of
torch.optim.AdamW, so that the two can be held against each other number by number.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from .table import Array, kernel, reference


@kernel
def adamw(
    p: Array,
    g: Array,
    m: Array,
    v: Array,
    lr: float,
    beta1: float,
    beta2: float,
    eps: float,
    weight_decay: float,
    step: int,
    grad_scale: float = 1.0,
) -> None:
    r"""Move the parameters p one step along the gradient g, updating p and the two moments m and v in place.

        g <- grad_scale g
        p <- p (1 - lr weight_decay)
        m <- beta1 m + (1 - beta1) g              v <- beta2 v + (1 - beta2) g^2
        p <- p - lr / (1 - beta1^step) * m / (sqrt(v) / sqrt(1 - beta2^step) + eps)

    Args:
        p, g, m, v: parameters, gradient, first and second moment, all of one shape; m and v start at zero.
        lr: learning rate.
        beta1, beta2: decay of the two moments.
        eps: keeps the division finite.
        weight_decay: decay of the parameters, apart from the gradient.
        step: 1 for the first step.
        grad_scale: what clipping multiplies all gradients by; the array g itself stays as it is.

    Example:
        >>> p, m, v = np.array([1.0]), np.zeros(1), np.zeros(1)
        >>> adamw(p, np.array([0.5]), m, v, 0.1, 0.9, 0.999, 0.0, 0.0, 1)
        >>> float(p[0].round(6))
        0.9
    """
    correction1, correction2 = 1 - beta1**step, 1 - beta2**step
    g = g * grad_scale
    p *= 1 - lr * weight_decay
    m *= beta1
    m += (1 - beta1) * g
    v *= beta2
    v += (1 - beta2) * g * g
    p -= lr / correction1 * m / (np.sqrt(v) / math.sqrt(correction2) + eps)


@kernel
def adamw_all(
    ps: Sequence[Array],
    gs: Sequence[Array],
    m: Array,
    v: Array,
    offsets: Sequence[int],
    decays: Sequence[float],
    lr: float,
    beta1: float,
    beta2: float,
    eps: float,
    step: int,
    grad_scale: float = 1.0,
) -> None:
    r"""Take AdamW's step for many parameters at once; their moments lie in one line of memory.

    Args:
        ps, gs: the parameters, updated in place, and their gradients, of any shapes.
        m, v: the moments of all, (n,), updated in place.
        offsets: where in m and v those of each parameter begin.
        decays: the weight_decay of each parameter.
        lr, beta1, beta2, eps, step, grad_scale: as in ``adamw``.

    Example:
        >>> a, b, m, v = np.ones(1), np.ones((1, 2)), np.zeros(3), np.zeros(3)
        >>> adamw_all([a, b], [np.ones(1), -np.ones((1, 2))], m, v, [0, 1], [0.0, 0.5], 0.1, 0.9, 0.999, 0.0, 1)
        >>> a.round(6), b.round(6)
        (array([0.9]), array([[1.05, 1.05]]))
    """
    for p, g, offset, decay in zip(ps, gs, offsets, decays, strict=True):
        own_m, own_v = (x[offset : offset + p.size].reshape(p.shape) for x in (m, v))
        reference(adamw)(p, g, own_m, own_v, lr, beta1, beta2, eps, decay, step, grad_scale)


@kernel
def sum_of_squares(x: Array) -> float:
    r"""Return the sum of the squares of all entries as a Python float, added up in float64.

    Example:
        >>> sum_of_squares(np.array([3.0, 4.0], dtype=np.float32))
        25.0
    """
    wide = np.result_type(x.dtype, np.float64)
    return np.square(x, dtype=wide).sum().item()


@kernel
def sum_of_squares_of(*xs: Array) -> float:
    r"""Return the sum of the squares of all entries of all arrays, added up in float64: a norm, for clipping.

    Example:
        >>> sum_of_squares_of(np.array([3.0]), np.array([[4.0]]))
        25.0
    """
    return sum((reference(sum_of_squares)(x) for x in xs), 0.0)
