"""Rotary positions: every pair of channels turned by its angle.

rope_half_v1, rope_pairs_v1     the heads one after the other
rope_half_v2, rope_pairs_v2     heads shared by the threads
"""
# ruff: noqa: D103 (the head of this file says what each rung adds)

from __future__ import annotations

import numpy as np
from numba import prange

from ..compiler import compiled, parallel
from ..table import Array
from .door import SMALL, solid


@compiled
def rope_half_v1(x, cos, sin, y):
    half = cos.shape[1]
    for n in range(x.shape[0]):
        for t in range(x.shape[1]):
            c, s = cos[t], sin[t]
            first, second, out1, out2 = x[n, t, :half], x[n, t, half:], y[n, t, :half], y[n, t, half:]
            for i in range(c.size):
                out1[i] = first[i] * c[i] - second[i] * s[i]
                out2[i] = second[i] * c[i] + first[i] * s[i]


@parallel
def rope_half_v2(x, cos, sin, y):
    for n in prange(x.shape[0]):
        rope_half_v1(x[n : n + 1], cos, sin, y[n : n + 1])


@compiled
def rope_pairs_v1(x, cos, sin, y):
    for n in range(x.shape[0]):
        for t in range(x.shape[1]):
            c, s, row, out = cos[t], sin[t], x[n, t], y[n, t]
            for i in range(c.size):
                even, odd = row[2 * i], row[2 * i + 1]
                out[2 * i] = even * c[i] - odd * s[i]
                out[2 * i + 1] = odd * c[i] + even * s[i]


@parallel
def rope_pairs_v2(x, cos, sin, y):
    for n in prange(x.shape[0]):
        rope_pairs_v1(x[n : n + 1], cos, sin, y[n : n + 1])


def rope_half(x: Array, cos: Array, sin: Array) -> Array:
    """Turn channels (i, i + D/2) of x (B, H, T, D)."""
    return _turn("rope_half", x, cos, sin)


def rope_pairs(x: Array, cos: Array, sin: Array) -> Array:
    """Turn channels (2i, 2i + 1) of x (B, H, T, D)."""
    return _turn("rope_pairs", x, cos, sin)


_RUNGS = {"rope_half": (rope_half_v1, rope_half_v2), "rope_pairs": (rope_pairs_v1, rope_pairs_v2)}


def _turn(name: str, x: Array, cos: Array, sin: Array) -> Array:
    T, D = x.shape[-2:]
    if x.ndim < 3 or D % 2 or not cos.shape == sin.shape == (T, D // 2):  # such as angles of their own for each head
        return NotImplemented
    y = np.empty(x.shape, x.dtype)
    serial, by_heads = _RUNGS[name]
    rung = serial if x.size < SMALL else by_heads
    rung(solid(x).reshape(-1, T, D), solid(cos), solid(sin), y.reshape(-1, T, D))
    return y
