"""A weight matrix times a few rows at once, which is what decoding a token does with every weight it has.

y = x w^T, where the weight lies in rows, (N, K):

    gemv_v1     naive: a sum for each entry of y
    gemv_v2     a row of w is read once for all rows of x, and each sum is a vector of sums (Numba reassociates)
    gemv_v3     blocks of rows of w shared by the threads

y = x w, where it lies the other way round, (K, N), and a sum would jump from row to row:

    gevm_v1     each row of w, times its number of x, is added to y
    gevm_v2     eight rows at a time: y is loaded and stored an eighth as often
    gevm_v3     blocks of columns of w shared by the threads

Every number of w is used a handful of times only, so the memory sets the pace: one core alone cannot ask for as much as
it delivers. Rows of w are contiguous; x is (M, K) and y (M, N) with M up to FEW.
"""
# ruff: noqa: D103 (the head of this file says what each rung adds)

from __future__ import annotations

from numba import prange

from ..compiler import compiled, parallel, step
from .layout import any_layout
from .packing import contiguous

FEW = 8  # rows; beyond that matmul.py is faster
BLOCK = 64  # rows of w a thread takes at a time
COLUMNS = 1024  # or columns, at most: eight rows of them are 32 KB in float32


@compiled
def gemv_v1(w, x, c):
    for i in range(x.shape[0]):
        for n in range(w.shape[0]):
            total = c.dtype.type(0)
            for k in range(w.shape[1]):
                total += w[n, k] * x[i, k]
            c[i, n] = total


@any_layout("c")
@compiled
def gemv_v2(w, x, c):
    for n in range(w.shape[0]):
        row = contiguous(w[n])
        for i in range(x.shape[0]):
            other, total = contiguous(x[i]), c.dtype.type(0)
            for k in range(row.size):
                total += row[k] * other[k]
            c[i, n] = total


@any_layout("c")
@parallel
def gemv_v3(w, x, c):
    for block in prange((w.shape[0] + BLOCK - 1) // BLOCK):
        for n in range(block * BLOCK, min((block + 1) * BLOCK, w.shape[0])):
            row = contiguous(w[n])
            for i in range(x.shape[0]):
                other, total = contiguous(x[i]), c.dtype.type(0)
                for k in range(row.size):
                    total += row[k] * other[k]
                c[i, n] = total


@compiled
def gevm_v1(x, w, c):
    c[:] = 0
    for k in range(w.shape[0]):
        row = w[k]
        for i in range(x.shape[0]):
            sums, number = c[i], x[i, k]
            for n in range(row.size):
                sums[n] += number * row[n]


@any_layout("c")
@compiled
def gevm_v2(x, w, c):
    _add_rows(x, w, c)


@step
def _add_rows(x, w, c):
    """c = x w: eight rows of w at a time, each sum in the order of K."""
    for i in range(x.shape[0]):
        sums = contiguous(c[i])
        for n in range(sums.size):
            sums[n] = 0
    eights = w.shape[0] // 8 * 8
    for k in range(0, eights, 8):
        r0, r1, r2, r3 = contiguous(w[k]), contiguous(w[k + 1]), contiguous(w[k + 2]), contiguous(w[k + 3])
        r4, r5, r6, r7 = contiguous(w[k + 4]), contiguous(w[k + 5]), contiguous(w[k + 6]), contiguous(w[k + 7])
        for i in range(x.shape[0]):
            sums, x8 = contiguous(c[i]), x[i, k : k + 8]
            x0, x1, x2, x3, x4, x5, x6, x7 = x8[0], x8[1], x8[2], x8[3], x8[4], x8[5], x8[6], x8[7]
            for n in range(sums.size):
                total = sums[n] + x0 * r0[n] + x1 * r1[n] + x2 * r2[n] + x3 * r3[n]
                sums[n] = total + x4 * r4[n] + x5 * r5[n] + x6 * r6[n] + x7 * r7[n]
    for k in range(eights, w.shape[0]):
        row = contiguous(w[k])
        for i in range(x.shape[0]):
            sums, number = contiguous(c[i]), x[i, k]
            for n in range(sums.size):
                sums[n] += number * row[n]


@any_layout("c")
@parallel
def gevm_v3(x, w, c):
    blocks = max(4, (w.shape[1] + COLUMNS - 1) // COLUMNS)
    size = (w.shape[1] + blocks - 1) // blocks
    for block in prange(blocks):
        columns = slice(block * size, (block + 1) * size)
        _add_rows(x, w[:, columns], c[:, columns])
