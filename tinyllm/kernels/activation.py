r"""The curves between two linear layers: GELU (exact and by tanh), SiLU, sigmoid, and the gated SwiGLU.

Source: Hendrycks & Gimpel 2016 (GELU); Elfwing, Uchibe & Doya 2017 (SiLU); Shazeer 2020 (SwiGLU).
"""

from __future__ import annotations

import math

import numpy as np

from .erf import erf
from .table import Array, kernel, reference

_ROOT_TWO = math.sqrt(2)
_ROOT_TWO_OVER_PI = math.sqrt(2 / math.pi)
_CUBIC = 0.044715


@kernel
def sigmoid(x: Array) -> Array:
    r"""Return 1 / (1 + exp(-x)) of every entry, by exp(x) / (1 + exp(x)) where x is negative: exp never overflows.

    Example:
        >>> sigmoid(np.array([-1e4, 0.0, 1e4]))
        array([0. , 0.5, 1. ])
    """
    positive = x.real >= 0
    e = np.exp(np.where(positive, -x, x))
    return np.where(positive, 1, e) / (1 + e)


@kernel
def silu(x: Array) -> Array:
    r"""Return x sigmoid(x) of every entry, also known as swish.

    Example:
        >>> silu(np.array([-1e4, 0.0, 1e4]))
        array([   -0.,     0., 10000.])
    """
    return x * reference(sigmoid)(x)


@kernel
def silu_backward(x: Array, dy: Array) -> Array:
    r"""Return dx: in the forward pass y = x s with s = sigmoid(x); now dx = dy s (1 + x (1 - s)).

    Example:
        >>> silu_backward(np.array([0.0]), np.array([1.0]))
        array([0.5])
    """
    s = reference(sigmoid)(x)
    return dy * s * (1 + x * (1 - s))


@kernel
def swiglu(gate: Array, up: Array) -> Array:
    r"""Return silu(gate) up: one half of the channels decides how much of the other half passes.

    Example:
        >>> swiglu(np.array([0.0, 1e4]), np.array([5.0, 2.0]))
        array([    0., 20000.])
    """
    return gate * reference(sigmoid)(gate) * up


@kernel
def swiglu_backward(gate: Array, up: Array, dy: Array) -> tuple[Array, Array]:
    r"""Return (dgate, dup): in the forward pass y = silu(gate) up; now dgate = dy up silu'(gate), dup = dy silu(gate).

    Example:
        >>> swiglu_backward(np.array([0.0]), np.array([3.0]), np.array([1.0]))
        (array([1.5]), array([0.]))
    """
    s = reference(sigmoid)(gate)
    return dy * up * s * (1 + gate * (1 - s)), dy * gate * s


@kernel
def gelu(x: Array) -> Array:
    r"""Return x Phi(x) of every entry, where Phi(x) = (1 + erf(x / sqrt 2)) / 2 is the normal distribution's.

    Example:
        >>> gelu(np.array([-1e4, 0.0, 1.0])).round(6)
        array([-0.      ,  0.      ,  0.841345])
    """
    return x * _normal_cdf(x)


@kernel
def gelu_backward(x: Array, dy: Array) -> Array:
    r"""Return dx: in the forward pass y = x Phi(x); now dx = dy (Phi(x) + x phi(x)), phi(x) = exp(-x^2/2) / sqrt(2 pi).

    Example:
        >>> gelu_backward(np.array([0.0]), np.array([1.0]))
        array([0.5])
    """
    density = np.exp(-x * x / 2) / math.sqrt(2 * math.pi)
    return dy * (_normal_cdf(x) + x * density)


@kernel
def gelu_tanh(x: Array) -> Array:
    r"""Return x (1 + tanh(u)) / 2 with u = sqrt(2/pi) (x + 0.044715 x^3): GPT-2's GELU, within 5e-4 of the exact one.

    Example:
        >>> gelu_tanh(np.array([-1e4, 0.0, 1.0])).round(6)
        array([-0.      ,  0.      ,  0.841192])
    """
    u = _ROOT_TWO_OVER_PI * (x + _CUBIC * x * x * x)
    return x * (1 + np.tanh(u)) / 2


@kernel
def gelu_tanh_backward(x: Array, dy: Array) -> Array:
    r"""Return dx: in the forward pass y = x (1 + t) / 2 with t = tanh(u); now dx = dy ((1 + t) + x (1 - t^2) u') / 2.

    Example:
        >>> gelu_tanh_backward(np.array([0.0]), np.array([1.0]))
        array([0.5])
    """
    t = np.tanh(_ROOT_TWO_OVER_PI * (x + _CUBIC * x * x * x))
    du = _ROOT_TWO_OVER_PI * (1 + 3 * _CUBIC * x * x)
    return dy * (1 + t + x * (1 - t * t) * du) / 2


def _normal_cdf(x: Array) -> Array:
    return (1 + reference(erf)(x / _ROOT_TWO)) / 2
