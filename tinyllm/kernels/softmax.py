r"""Softmax and its logarithm over the last axis: scores in, probabilities out.

The forward pass shifts every row by its maximum, so that the largest term is exp(0) = 1 and nothing overflows.
The maximum looks at ``.real`` only: it is a constant of the calculation, since shifting a row leaves p unchanged.
A score of -inf gives a probability of exactly zero; a row of nothing but -inf has no softmax (NaN).
"""

from __future__ import annotations

import numpy as np

from .table import Array, kernel


@kernel
def softmax(x: Array) -> Array:
    r"""Turn rows of scores x (..., V) into rows of probabilities: p_i = exp(x_i) / sum_j exp(x_j).

    Example:
        >>> softmax(np.array([0.0, 0.0, -np.inf]))
        array([0.5, 0.5, 0. ])
    """
    highest = x.real.max(axis=-1, keepdims=True, initial=-np.inf)
    e = np.exp(x - highest)
    return e / e.sum(axis=-1, keepdims=True)


@kernel
def softmax_backward(p: Array, dp: Array) -> Array:
    r"""Return dx (..., V): in the forward pass p_i = e_i / sum_j e_j; now dx = p (dp - sum_j dp_j p_j).

    Example:
        >>> softmax_backward(np.array([0.5, 0.5]), np.array([1.0, 0.0]))
        array([ 0.25, -0.25])
    """
    return p * (dp - (dp * p).sum(axis=-1, keepdims=True))


@kernel
def log_softmax(x: Array) -> Array:
    r"""Turn rows of scores x (..., V) into log-probabilities: x_i - log sum_j exp(x_j).

    Example:
        >>> bool(np.allclose(log_softmax(np.array([1000.0, 1000.0])), -np.log(2)))
        True
    """
    highest = x.real.max(axis=-1, keepdims=True, initial=-np.inf)
    shifted = x - highest
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))


@kernel
def log_softmax_backward(logp: Array, dlogp: Array) -> Array:
    r"""Return dx (..., V): in the forward pass logp = x - logsumexp(x); now dx = dlogp - exp(logp) sum dlogp.

    Example:
        >>> log_softmax_backward(np.log(np.array([0.5, 0.5])), np.array([1.0, 0.0]))
        array([ 0.5, -0.5])
    """
    return dlogp - np.exp(logp) * dlogp.sum(axis=-1, keepdims=True)


@kernel
def logsumexp(x: Array) -> Array:
    r"""Return log sum_j exp(x_j) of each row of x (..., V), shape (...): a maximum with rounded corners.

    Example:
        >>> bool(np.isclose(logsumexp(np.array([1e4, 1e4])), 1e4 + np.log(2)))
        True
    """
    highest = x.real.max(axis=-1, keepdims=True, initial=-np.inf)
    return highest[..., 0] + np.log(np.exp(x - highest).sum(axis=-1))
