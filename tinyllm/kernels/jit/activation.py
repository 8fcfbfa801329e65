"""The curves between two linear layers, entry by entry.

    gelu_v1         naive: math.erf, one number at a time
    gelu_v2         erf in vector registers (elementary.py)
    gelu_v3         blocks of entries shared by the threads

The others begin at the second rung (v1); those that models use on large arrays have the third as well (v2). tanh does
not occur: (1 + tanh(u)) / 2 is sigmoid(2u), which needs one exp and one division and loses no digits near zero.
"""
# ruff: noqa: D103 (the head of this file says what each rung adds)

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import prange

from ..compiler import compiled, inner, parallel
from ..table import Array
from .door import SMALL, flat
from .elementary import erf, exp, exp2, like

BLOCK = 4096  # entries a thread takes at a time

ROOT_HALF = math.sqrt(1 / 2)
DENSITY_AT_ZERO = 1 / math.sqrt(2 * math.pi)
TWICE_ROOT = 2 * math.sqrt(2 / math.pi)
EXPONENT = -TWICE_ROOT * math.log2(math.e)
CUBIC = 0.044715


# Each curve and its slope: (y, dy/dx). What a kernel does not use of the two, LLVM does not calculate.


@inner
def _sigmoid(x):
    one = like(x, 1.0)
    return one / (one + exp(-x))


@inner
def _silu(x):
    one, s = like(x, 1.0), _sigmoid(x)
    return x * s, s * (one + x * (one - s))


@inner
def _gelu(x):
    cdf = like(x, 0.5) * (like(x, 1.0) + erf(x * like(x, ROOT_HALF)))
    return x * cdf, cdf + x * like(x, DENSITY_AT_ZERO) * exp(like(x, -0.5) * x * x)


@inner
def _gelu_tanh(x):
    one, square = like(x, 1.0), x * x
    s = one / (one + exp2(x * (like(x, EXPONENT) + like(x, CUBIC * EXPONENT) * square)))  # exp(-2u) in the powers of 2
    return x * s, s * (one + x * (one - s) * (like(x, TWICE_ROOT) + like(x, 3 * CUBIC * TWICE_ROOT) * square))


@compiled
def erf_v1(x, y):
    for i in range(y.size):
        y[i] = erf(x[i])


@compiled
def sigmoid_v1(x, y):
    for i in range(y.size):
        y[i] = _sigmoid(x[i])


@compiled
def gelu_v1(x, y):
    for i in range(y.size):
        y[i] = x[i] * (1 + math.erf(x[i] / math.sqrt(2))) / 2


@compiled
def gelu_v2(x, y):
    for i in range(y.size):
        y[i] = _gelu(x[i])[0]


@parallel
def gelu_v3(x, y):
    for block in prange((y.size + BLOCK - 1) // BLOCK):
        here = slice(block * BLOCK, (block + 1) * BLOCK)
        gelu_v2(x[here], y[here])


@compiled
def gelu_backward_v1(x, dy, dx):
    for i in range(dx.size):
        dx[i] = dy[i] * _gelu(x[i])[1]


@parallel
def gelu_backward_v2(x, dy, dx):
    for block in prange((dx.size + BLOCK - 1) // BLOCK):
        here = slice(block * BLOCK, (block + 1) * BLOCK)
        gelu_backward_v1(x[here], dy[here], dx[here])


@compiled
def gelu_tanh_v1(x, y):
    for i in range(y.size):
        y[i] = _gelu_tanh(x[i])[0]


@parallel
def gelu_tanh_v2(x, y):
    for block in prange((y.size + BLOCK - 1) // BLOCK):
        here = slice(block * BLOCK, (block + 1) * BLOCK)
        gelu_tanh_v1(x[here], y[here])


@compiled
def gelu_tanh_backward_v1(x, dy, dx):
    for i in range(dx.size):
        dx[i] = dy[i] * _gelu_tanh(x[i])[1]


@parallel
def gelu_tanh_backward_v2(x, dy, dx):
    for block in prange((dx.size + BLOCK - 1) // BLOCK):
        here = slice(block * BLOCK, (block + 1) * BLOCK)
        gelu_tanh_backward_v1(x[here], dy[here], dx[here])


@compiled
def silu_v1(x, y):
    for i in range(y.size):
        y[i] = _silu(x[i])[0]


@parallel
def silu_v2(x, y):
    for block in prange((y.size + BLOCK - 1) // BLOCK):
        here = slice(block * BLOCK, (block + 1) * BLOCK)
        silu_v1(x[here], y[here])


@compiled
def silu_backward_v1(x, dy, dx):
    for i in range(dx.size):
        dx[i] = dy[i] * _silu(x[i])[1]


@parallel
def silu_backward_v2(x, dy, dx):
    for block in prange((dx.size + BLOCK - 1) // BLOCK):
        here = slice(block * BLOCK, (block + 1) * BLOCK)
        silu_backward_v1(x[here], dy[here], dx[here])


@compiled
def swiglu_v1(gate, up, y):
    for i in range(y.size):
        y[i] = _silu(gate[i])[0] * up[i]


@parallel
def swiglu_v2(gate, up, y):
    for block in prange((y.size + BLOCK - 1) // BLOCK):
        here = slice(block * BLOCK, (block + 1) * BLOCK)
        swiglu_v1(gate[here], up[here], y[here])


@compiled
def swiglu_backward_v1(gate, up, dy, dgate, dup):
    for i in range(dgate.size):
        opened, slope = _silu(gate[i])
        dgate[i] = dy[i] * up[i] * slope
        dup[i] = dy[i] * opened


@parallel
def swiglu_backward_v2(gate, up, dy, dgate, dup):
    for block in prange((dy.size + BLOCK - 1) // BLOCK):
        here = slice(block * BLOCK, (block + 1) * BLOCK)
        swiglu_backward_v1(gate[here], up[here], dy[here], dgate[here], dup[here])


def erf_of(x: Array) -> Array:
    """Return the error function of every entry."""
    return _run(erf_v1, erf_v1, 1, x)


def sigmoid(x: Array) -> Array:
    """Return 1 / (1 + exp(-x)) of every entry."""
    return _run(sigmoid_v1, sigmoid_v1, 1, x)


def silu(x: Array) -> Array:
    """Return x sigmoid(x) of every entry."""
    return _run(silu_v1, silu_v2, 1, x)


def silu_backward(x: Array, dy: Array) -> Array:
    """Return dx of y = silu(x)."""
    return _run(silu_backward_v1, silu_backward_v2, 1, x, dy)


def swiglu(gate: Array, up: Array) -> Array:
    """Return silu(gate) up."""
    return _run(swiglu_v1, swiglu_v2, 1, gate, up)


def swiglu_backward(gate: Array, up: Array, dy: Array) -> tuple[Array, Array]:
    """Return (dgate, dup) of y = silu(gate) up."""
    return _run(swiglu_backward_v1, swiglu_backward_v2, 2, gate, up, dy)


def gelu(x: Array) -> Array:
    """Return x Phi(x) of every entry."""
    return _run(gelu_v2, gelu_v3, 1, x)


def gelu_backward(x: Array, dy: Array) -> Array:
    """Return dx of y = gelu(x)."""
    return _run(gelu_backward_v1, gelu_backward_v2, 1, x, dy)


def gelu_tanh(x: Array) -> Array:
    """Return GPT-2's GELU of every entry."""
    return _run(gelu_tanh_v1, gelu_tanh_v2, 1, x)


def gelu_tanh_backward(x: Array, dy: Array) -> Array:
    """Return dx of y = gelu_tanh(x)."""
    return _run(gelu_tanh_backward_v1, gelu_tanh_backward_v2, 1, x, dy)


def _run(small: Any, large: Any, outputs: int, *inputs: Array) -> Any:
    """Run the rung that fits the size on flat inputs, and return its outputs in their shape."""
    first = inputs[0]
    if any(x.shape != first.shape for x in inputs):
        return NotImplemented
    results = tuple(np.empty(first.shape, first.dtype) for _ in range(outputs))
    (small if first.size < SMALL else large)(*(flat(x) for x in inputs), *(y.reshape(-1) for y in results))
    return results if outputs > 1 else results[0]
