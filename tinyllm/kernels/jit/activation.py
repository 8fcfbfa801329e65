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
from .elementary import erf, exp, like

BLOCK = 4096  # entries a thread takes at a time

ROOT_HALF = math.sqrt(1 / 2)
DENSITY_AT_ZERO = 1 / math.sqrt(2 * math.pi)
TWICE_ROOT_TWO_OVER_PI = 2 * math.sqrt(2 / math.pi)
CUBIC = 0.044715


@inner
def _sigmoid(x):
    one = like(x, 1.0)
    return one / (one + exp(-x))


@inner
def _normal_cdf(x):
    return like(x, 0.5) * (like(x, 1.0) + erf(x * like(x, ROOT_HALF)))


@compiled
def erf_v1(x, y):
    for i in range(y.size):
        y[i] = erf(x[i])


@compiled
def sigmoid_v1(x, y):
    for i in range(y.size):
        y[i] = _sigmoid(x[i])


@compiled
def silu_v1(x, y):
    for i in range(y.size):
        y[i] = x[i] * _sigmoid(x[i])


@compiled
def silu_backward_v1(x, dy, dx):
    one = x.dtype.type(1)
    for i in range(dx.size):
        s = _sigmoid(x[i])
        dx[i] = dy[i] * s * (one + x[i] * (one - s))


@compiled
def swiglu_v1(gate, up, y):
    for i in range(y.size):
        y[i] = gate[i] * _sigmoid(gate[i]) * up[i]


@parallel
def swiglu_v2(gate, up, y):
    for block in prange((y.size + BLOCK - 1) // BLOCK):
        here = slice(block * BLOCK, (block + 1) * BLOCK)
        swiglu_v1(gate[here], up[here], y[here])


@compiled
def swiglu_backward_v1(gate, up, dy, dgate, dup):
    one = dy.dtype.type(1)
    for i in range(dgate.size):
        s = _sigmoid(gate[i])
        dgate[i] = dy[i] * up[i] * s * (one + gate[i] * (one - s))
        dup[i] = dy[i] * gate[i] * s


@parallel
def swiglu_backward_v2(gate, up, dy, dgate, dup):
    for block in prange((dy.size + BLOCK - 1) // BLOCK):
        here = slice(block * BLOCK, (block + 1) * BLOCK)
        swiglu_backward_v1(gate[here], up[here], dy[here], dgate[here], dup[here])


@compiled
def gelu_v1(x, y):
    for i in range(y.size):
        y[i] = x[i] * (1 + math.erf(x[i] / math.sqrt(2))) / 2


@compiled
def gelu_v2(x, y):
    for i in range(y.size):
        y[i] = x[i] * _normal_cdf(x[i])


@parallel
def gelu_v3(x, y):
    for block in prange((x.size + BLOCK - 1) // BLOCK):
        here = slice(block * BLOCK, (block + 1) * BLOCK)
        gelu_v2(x[here], y[here])


@compiled
def gelu_backward_v1(x, dy, dx):
    half, top = x.dtype.type(-0.5), x.dtype.type(DENSITY_AT_ZERO)
    for i in range(dx.size):
        dx[i] = dy[i] * (_normal_cdf(x[i]) + x[i] * top * exp(half * x[i] * x[i]))


@parallel
def gelu_backward_v2(x, dy, dx):
    for block in prange((x.size + BLOCK - 1) // BLOCK):
        here = slice(block * BLOCK, (block + 1) * BLOCK)
        gelu_backward_v1(x[here], dy[here], dx[here])


@compiled
def gelu_tanh_v1(x, y):
    scale, cubic = x.dtype.type(TWICE_ROOT_TWO_OVER_PI), x.dtype.type(CUBIC)
    for i in range(y.size):
        y[i] = x[i] * _sigmoid(scale * (x[i] + cubic * x[i] * x[i] * x[i]))


@parallel
def gelu_tanh_v2(x, y):
    for block in prange((x.size + BLOCK - 1) // BLOCK):
        here = slice(block * BLOCK, (block + 1) * BLOCK)
        gelu_tanh_v1(x[here], y[here])


@compiled
def gelu_tanh_backward_v1(x, dy, dx):
    one, scale = x.dtype.type(1), x.dtype.type(TWICE_ROOT_TWO_OVER_PI)
    cubic, thrice = x.dtype.type(CUBIC), x.dtype.type(3 * CUBIC)
    for i in range(dx.size):
        square = x[i] * x[i]
        s = _sigmoid(scale * (x[i] + cubic * square * x[i]))
        dx[i] = dy[i] * s * (one + x[i] * (one - s) * scale * (one + thrice * square))


@parallel
def gelu_tanh_backward_v2(x, dy, dx):
    for block in prange((x.size + BLOCK - 1) // BLOCK):
        here = slice(block * BLOCK, (block + 1) * BLOCK)
        gelu_tanh_backward_v1(x[here], dy[here], dx[here])


def erf_of(x: Array) -> Array:
    """Return the error function of every entry."""
    return _one(erf_v1, erf_v1, x)


def sigmoid(x: Array) -> Array:
    """Return 1 / (1 + exp(-x)) of every entry."""
    return _one(sigmoid_v1, sigmoid_v1, x)


def silu(x: Array) -> Array:
    """Return x sigmoid(x) of every entry."""
    return _one(silu_v1, silu_v1, x)


def silu_backward(x: Array, dy: Array) -> Array:
    """Return dx of y = silu(x)."""
    return _one(silu_backward_v1, silu_backward_v1, x, dy)


def swiglu(gate: Array, up: Array) -> Array:
    """Return silu(gate) up."""
    return _one(swiglu_v1, swiglu_v2, gate, up)


def swiglu_backward(gate: Array, up: Array, dy: Array) -> tuple[Array, Array]:
    """Return (dgate, dup) of y = silu(gate) up."""
    if not gate.shape == up.shape == dy.shape:
        return NotImplemented
    dgate, dup = np.empty(gate.shape, gate.dtype), np.empty(gate.shape, gate.dtype)
    rung = swiglu_backward_v1 if gate.size < SMALL else swiglu_backward_v2
    rung(flat(gate), flat(up), flat(dy), dgate.reshape(-1), dup.reshape(-1))
    return dgate, dup


def gelu(x: Array) -> Array:
    """Return x Phi(x) of every entry."""
    return _one(gelu_v2, gelu_v3, x)


def gelu_backward(x: Array, dy: Array) -> Array:
    """Return dx of y = gelu(x)."""
    return _one(gelu_backward_v1, gelu_backward_v2, x, dy)


def gelu_tanh(x: Array) -> Array:
    """Return GPT-2's GELU of every entry."""
    return _one(gelu_tanh_v1, gelu_tanh_v2, x)


def gelu_tanh_backward(x: Array, dy: Array) -> Array:
    """Return dx of y = gelu_tanh(x)."""
    return _one(gelu_tanh_backward_v1, gelu_tanh_backward_v2, x, dy)


def _one(small: Any, large: Any, *inputs: Array) -> Array:
    """Run the rung that fits the size on flat inputs, and return its one output in their shape."""
    if len({x.shape for x in inputs}) > 1:
        return NotImplemented
    y = np.empty(inputs[0].shape, inputs[0].dtype)
    (small if y.size < SMALL else large)(*(flat(x) for x in inputs), y.reshape(-1))
    return y
