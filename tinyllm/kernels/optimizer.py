r"""AdamW's step over one array of parameters, and the sum of squares that gradient clipping needs.

Source: Kingma & Ba 2014 (Adam); Loshchilov & Hutter 2017 (decoupled weight decay). The order of operations is that of
torch.optim.AdamW, so that the two can be held against each other number by number.
"""

from __future__ import annotations

import math

import numpy as np

from .table import Array, kernel


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
) -> None:
    r"""Move the parameters p one step along the gradient g, updating p and the two moments m and v in place.

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

    Example:
        >>> p, m, v = np.array([1.0]), np.zeros(1), np.zeros(1)
        >>> adamw(p, np.array([0.5]), m, v, 0.1, 0.9, 0.999, 0.0, 0.0, 1)
        >>> float(p[0].round(6))
        0.9
    """
    correction1, correction2 = 1 - beta1**step, 1 - beta2**step
    p *= 1 - lr * weight_decay
    m *= beta1
    m += (1 - beta1) * g
    v *= beta2
    v += (1 - beta2) * g * g
    p -= lr / correction1 * m / (np.sqrt(v) / math.sqrt(correction2) + eps)


@kernel
def sum_of_squares(x: Array) -> float:
    r"""Return the sum of the squares of all entries as a Python float, added up in float64.

    Example:
        >>> sum_of_squares(np.array([3.0, 4.0], dtype=np.float32))
        25.0
    """
    wide = np.result_type(x.dtype, np.float64)
    return np.square(x, dtype=wide).sum().item()
