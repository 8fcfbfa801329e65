"""Products with weights in 8 and in 4 bits: at the speed at which memory can be read, or not much below.

    linear_8_v1     naive: every weight made a float, one at a time
    linear_8_v2     a block of 32 weights in two vectors (vectors.py); their scale multiplies the sum of the block
    linear_8_v3     rows of weights shared by the threads
    linear_8_v4     four rows of x at a time: a block becomes floats once for all of them
    linear_8_v5     for many rows of x: LANES rows of weights become floats, for the micro-kernel of matmul.py

    linear_4_v1 to v5           the same with two weights in a byte
    linear_4_by_8_v1, v2, v3    x, too, in whole numbers: 64 products an instruction instead of 16, where there is one
    dequantize_8_v1, v2         float weights again; v2 in parallel
    dequantize_4_v1, v2

One row of weights at a time, from its first block to its last: memory is read in the order in which it lies there.
(Four rows at a time reuse x, but four streams of reading were measured at half the speed of one.) x is small, and stays
in the cache. ``y`` holds what the product is added to: zeros or the bias.

On two cores that read 34 GB/s, linear_8_v3 reads weights at 31 to 36 GB/s. linear_4_v3, with two of them in each byte
to be multiplied, reads at 18 to 22: now arithmetic is what takes the time. linear_4_by_8_v3 reads at 28 to 31 again.
"""
# ruff: noqa: D103 (the head of this file says what each rung adds)

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import prange

from ..compiler import compiled, inner, parallel
from ..quantized import BLOCK
from ..table import Array
from .door import SMALL, rows
from .fours import four_4, four_8
from .matmul import block_product
from .registers import LANES
from .vectors import (
    SIXTEEN,
    floats,
    four_times,
    high_nibbles,
    int8s,
    low_nibbles,
    nibble_products,
    plus,
    plus_product,
    splat,
    times,
    total,
)

N_BLOCK = 64  # rows of weights a thread takes at a time
FEW_ROWS = 16  # of x: with more of them (20 in 8 bits, 12 in 4) it is faster to make floats of the weights first


@compiled
def linear_8_v1(x, q, scales, y):
    for m in range(y.shape[0]):
        for n in range(y.shape[1]):
            for c in range(q.shape[1]):
                y[m, n] += x[m, c] * (scales[n, c // BLOCK] * q[n, c])


@compiled
def linear_8_v2(x, q, scales, y):
    _products_8(x, q, scales, y)


@inner
def _products_8(x, q, scales, y):
    for n in range(y.shape[1]):
        for m in range(y.shape[0]):
            y[m, n] += _product_8(x[m], q[n], scales[n])


@parallel
def linear_8_v3(x, q, scales, y):
    for block in prange((y.shape[1] + N_BLOCK - 1) // N_BLOCK):
        here = slice(block * N_BLOCK, (block + 1) * N_BLOCK)
        _products_8(x, q[here], scales[here], y[:, here])


@parallel
def linear_8_v4(x, q, scales, y):
    for block in prange((y.shape[1] + N_BLOCK - 1) // N_BLOCK):
        for n in range(block * N_BLOCK, min((block + 1) * N_BLOCK, y.shape[1])):
            m, M, row, factors = 0, y.shape[0], q[n], scales[n]
            while m < M:
                if M - m > 2:
                    four_8(x, m, row, factors, y[:, n])
                    m += 4
                else:
                    y[m, n] += _product_8(x[m], row, factors)
                    m += 1


@parallel
def linear_8_v5(x, q, scales, y):
    for block in prange((y.shape[1] + LANES - 1) // LANES):
        here = slice(block * LANES, min((block + 1) * LANES, y.shape[1]))
        w = np.empty((here.stop - here.start, x.shape[1]), x.dtype)
        dequantize_8_v1(q[here], scales[here], w)
        block_product(x, w.T, y[:, here], True)


@inner
def _product_8(x, q, scales):
    """The sum of x (C,) times one row of weights q (C,)."""
    zero = x.dtype.type(0)
    sums = splat(zero)
    for k in range(scales.size):
        first, second = k * BLOCK, k * BLOCK + SIXTEEN
        block = plus_product(int8s(q, first, zero), floats(x, first), splat(zero))
        block = plus_product(int8s(q, second, zero), floats(x, second), block)
        sums = plus_product(splat(scales[k]), block, sums)
    return total(sums)


@compiled
def linear_4_v1(x, p, scales, y):
    for m in range(y.shape[0]):
        for n in range(y.shape[1]):
            for c in range(2 * p.shape[1]):
                pair = p[n, c // BLOCK * SIXTEEN + c % SIXTEEN]
                nibble = pair >> 4 if c % BLOCK >= SIXTEEN else pair & 15
                y[m, n] += x[m, c] * (scales[n, c // BLOCK] * x.dtype.type(np.int64(nibble) - 8))


@compiled
def linear_4_v2(x, p, scales, y):
    _products_4(x, p, scales, y)


@inner
def _products_4(x, p, scales, y):
    eights = _eights(x)
    for n in range(y.shape[1]):
        for m in range(y.shape[0]):
            y[m, n] += _product_4(x[m], eights[m], p[n], scales[n])


@inner
def _eights(x):
    """What 8 takes away: scale sum (q - 8) x = scale (sum q x - sum 8 x), the last the same for all rows of weights."""
    eights = np.empty((x.shape[0], x.shape[1] // 2), x.dtype)
    for m in range(x.shape[0]):
        for k in range(x.shape[1] // BLOCK):
            first, second = x[m, k * BLOCK : k * BLOCK + SIXTEEN], x[m, k * BLOCK + SIXTEEN : (k + 1) * BLOCK]
            out = eights[m, k * SIXTEEN : (k + 1) * SIXTEEN]
            for j in range(SIXTEEN):
                out[j] = x.dtype.type(-8) * (first[j] + second[j])
    return eights


@parallel
def linear_4_v3(x, p, scales, y):
    for block in prange((y.shape[1] + N_BLOCK - 1) // N_BLOCK):
        here = slice(block * N_BLOCK, (block + 1) * N_BLOCK)
        _products_4(x, p[here], scales[here], y[:, here])


@parallel
def linear_4_v4(x, p, scales, y):
    eights = _eights(x)
    for block in prange((y.shape[1] + N_BLOCK - 1) // N_BLOCK):
        for n in range(block * N_BLOCK, min((block + 1) * N_BLOCK, y.shape[1])):
            m, M, row, factors = 0, y.shape[0], p[n], scales[n]
            while m < M:
                if M - m > 2:
                    four_4(x, eights, m, row, factors, y[:, n])
                    m += 4
                else:
                    y[m, n] += _product_4(x[m], eights[m], row, factors)
                    m += 1


@parallel
def linear_4_v5(x, p, scales, y):
    for block in prange((y.shape[1] + LANES - 1) // LANES):
        here = slice(block * LANES, min((block + 1) * LANES, y.shape[1]))
        w = np.empty((here.stop - here.start, x.shape[1]), x.dtype)
        dequantize_4_v1(p[here], scales[here], w)
        block_product(x, w.T, y[:, here], True)


@inner
def _product_4(x, eights, p, scales):
    """The sum of x (C,) times one row of weights p (C/2,)."""
    zero = x.dtype.type(0)
    sums = splat(zero)
    for k in range(scales.size):
        first, second, pairs = k * BLOCK, k * BLOCK + SIXTEEN, k * SIXTEEN
        block = plus_product(low_nibbles(p, pairs, zero), floats(x, first), floats(eights, pairs))
        block = plus_product(high_nibbles(p, pairs, zero), floats(x, second), block)
        sums = plus_product(splat(scales[k]), block, sums)
    return total(sums)


@compiled
def linear_4_by_8_v1(x, p, scales, y):
    low, high, steps, shifts = _rounded(x)
    for m in range(y.shape[0]):
        for n in range(y.shape[1]):
            for k in range(scales.shape[1]):
                whole = 0
                for i in range(k * SIXTEEN, (k + 1) * SIXTEEN):
                    whole += np.int64(p[n, i] & 15) * low[m, i] + np.int64(p[n, i] >> 4) * high[m, i]
                y[m, n] += (x.dtype.type(whole) + 4 * shifts[m, 4 * k]) * scales[n, k] * steps[m, 4 * k]


@compiled
def linear_4_by_8_v2(x, p, scales, y):
    _products_4_by_8(*_rounded(x), p, scales, y)


@parallel
def linear_4_by_8_v3(x, p, scales, y):
    low, high, steps, shifts = _rounded(x)
    for block in prange((y.shape[1] + N_BLOCK - 1) // N_BLOCK):
        here = slice(block * N_BLOCK, (block + 1) * N_BLOCK)
        _products_4_by_8(low, high, steps, shifts, p[here], scales[here], y[:, here])


@inner
def _rounded(x):
    """x (M, C) in whole numbers, as linear_4_by_8 needs them: the first and the second 16 of each block, (M, C/2) each.

    A block fills four of the sixteen sums of a vector. So there are four of each block's scale (steps), and four
    quarters of what the 8 in scale (q - 8) takes from its sum (shifts): both (M, C/8).
    """
    M, blocks = x.shape[0], x.shape[1] // BLOCK
    one, most = x.dtype.type(1), x.dtype.type(127)
    low, high = np.empty((M, blocks * SIXTEEN), np.int8), np.empty((M, blocks * SIXTEEN), np.int8)
    steps, shifts = np.empty((M, blocks * 4), x.dtype), np.empty((M, blocks * 4), x.dtype)
    for m in range(M):
        for k in range(blocks):
            row, nothing = x[m, k * BLOCK : (k + 1) * BLOCK], x.dtype.type(0)
            largest = nothing
            for j in range(BLOCK):
                largest = max(largest, abs(row[j]))
                nothing += row[j] * x.dtype.type(0)  # NaN where a NaN or an inf is among them
            inverse = most / largest if largest > 0 else x.dtype.type(0)
            whole = np.int32(0)
            for j in range(BLOCK):
                number = row[j] * inverse if nothing == 0 else x.dtype.type(0)
                q = np.int32(number + math.copysign(x.dtype.type(0.5), number))
                whole += q
                (low if j < SIXTEEN else high)[m, k * SIXTEEN + j % SIXTEEN] = q
            for j in range(4):
                steps[m, 4 * k + j] = largest * (one / most) + nothing
                shifts[m, 4 * k + j] = x.dtype.type(-2 * whole)
    return low, high, steps, shifts


@inner
def _products_4_by_8(low, high, steps, shifts, p, scales, y):
    for n in range(y.shape[1]):
        for m in range(y.shape[0]):
            y[m, n] += _product_4_by_8(low[m], high[m], steps[m], shifts[m], p[n], scales[n])


@inner
def _product_4_by_8(low, high, steps, shifts, p, scales):
    """The sum of x times one row of weights p (C/2,), four blocks at a time."""
    zero = steps.dtype.type(0)
    sums = splat(zero)
    for k in range(0, scales.size, 4):
        whole = plus(nibble_products(p, k * SIXTEEN, low, high, zero), floats(shifts, 4 * k))
        sums = plus_product(whole, times(four_times(scales, k), floats(steps, 4 * k)), sums)
    return total(sums)


@compiled
def dequantize_8_v1(q, scales, w):
    for n in range(w.shape[0]):
        for k in range(scales.shape[1]):
            scale, here, out = scales[n, k], q[n, k * BLOCK : (k + 1) * BLOCK], w[n, k * BLOCK : (k + 1) * BLOCK]
            for j in range(BLOCK):
                out[j] = scale * w.dtype.type(here[j])


@parallel
def dequantize_8_v2(q, scales, w):
    for block in prange((w.shape[0] + N_BLOCK - 1) // N_BLOCK):
        here = slice(block * N_BLOCK, (block + 1) * N_BLOCK)
        dequantize_8_v1(q[here], scales[here], w[here])


@compiled
def dequantize_4_v1(p, scales, w):
    for n in range(w.shape[0]):
        for k in range(scales.shape[1]):
            scale, pairs = scales[n, k], p[n, k * SIXTEEN : (k + 1) * SIXTEEN]
            first, second = w[n, k * BLOCK : k * BLOCK + SIXTEEN], w[n, k * BLOCK + SIXTEEN : (k + 1) * BLOCK]
            for j in range(SIXTEEN):
                pair = np.int32(pairs[j])
                first[j] = scale * w.dtype.type((pair & np.int32(15)) - np.int32(8))
                second[j] = scale * w.dtype.type((pair >> np.int32(4)) - np.int32(8))


@parallel
def dequantize_4_v2(p, scales, w):
    for block in prange((w.shape[0] + N_BLOCK - 1) // N_BLOCK):
        here = slice(block * N_BLOCK, (block + 1) * N_BLOCK)
        dequantize_4_v1(p[here], scales[here], w[here])


def linear_8(x: Array, q: Array, scales: Array, b: Array | None = None) -> Array:
    """Return x w^T + b of x (..., C) and weights in 8 bits."""
    shared = linear_8_v3 if x.size <= 2 * x.shape[-1] else linear_8_v4  # of one row 5 % faster; the same bits
    return _linear(x, q, scales, b, BLOCK, linear_8_v2, shared, linear_8_v5)


def linear_4(x: Array, p: Array, scales: Array, b: Array | None = None) -> Array:
    """Return x w^T + b of x (..., C) and weights in 4 bits."""
    return _linear(x, p, scales, b, BLOCK // 2, linear_4_v2, linear_4_v4, linear_4_v5)


def linear_4_by_8(x: Array, p: Array, scales: Array, b: Array | None = None) -> Array:
    """Return x w^T + b of x (..., C), rounded to 8 bits, and weights in 4 bits."""
    whole = scales.ndim == 2 and scales.shape[1] % 4 == 0
    shared = linear_4_by_8_v3 if whole else linear_4_by_8_v1  # the vectors take four blocks at a time
    return _linear(x, p, scales, b, BLOCK // 2, linear_4_by_8_v2 if whole else linear_4_by_8_v1, shared, shared)


def dequantize_8(q: Array, scales: Array) -> Array:
    """Return the weights (N, C) of (q, scales)."""
    return _dequantize(q, scales, BLOCK, dequantize_8_v1, dequantize_8_v2)


def dequantize_4(p: Array, scales: Array) -> Array:
    """Return the weights (N, C) of (p, scales)."""
    return _dequantize(p, scales, BLOCK // 2, dequantize_4_v1, dequantize_4_v2)


def _linear(
    x: Array, q: Array, scales: Array, b: Array | None, width: int, serial: Any, shared: Any, many: Any
) -> Array:
    (N, blocks), C = scales.shape, x.shape[-1]
    if _misfit(q, scales, width) or blocks * BLOCK != C or not (b is None or b.shape == (N,)):
        return NotImplemented  # the reference fills up x, or complains
    M = x.size // C
    y = np.empty((M, N), x.dtype)
    y[:] = 0 if b is None else b
    product = many if M > FEW_ROWS else serial if q.size < SMALL else shared
    product(rows(x), rows(q), rows(scales), y)
    return y.reshape(*x.shape[:-1], N)


def _dequantize(q: Array, scales: Array, width: int, serial: Any, shared: Any) -> Array:
    if _misfit(q, scales, width):
        return NotImplemented
    w = np.empty((len(q), scales.shape[1] * BLOCK), scales.dtype)
    (serial if q.size < SMALL else shared)(rows(q), rows(scales), w)
    return w


def _misfit(q: Array, scales: Array, width: int) -> bool:
    """Tell whether q is not (N, C/32 * width) bytes to scales (N, C/32)."""
    return q.ndim != 2 or q.itemsize != 1 or scales.ndim != 2 or q.shape != (len(scales), scales.shape[1] * width)
