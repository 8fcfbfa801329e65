"""A weight matrix times a few rows at once, y = x w^T, which is what decoding a token does with every weight it has.

    gemv_v1     naive: a sum for each entry of y
    gemv_v2     a row of w is read once for all rows of x, and each sum is a vector of sums (Numba reassociates)
    gemv_v3     blocks of rows of w shared by the threads

Every number of w is used a handful of times only, so the memory sets the pace: one core alone cannot ask for as much as
it delivers. w is (N, K) with contiguous rows, x (M, K) and y (M, N) with M up to FEW.
"""
# ruff: noqa: D103 (the head of this file says what each rung adds)

from __future__ import annotations

from numba import prange

from ..compiler import compiled, parallel
from .layout import any_layout
from .packing import contiguous

FEW = 8  # rows; beyond that matmul.py is faster
BLOCK = 64  # rows of w a thread takes at a time


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
