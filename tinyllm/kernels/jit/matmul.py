"""The matrix product of two matrices: from three loops to register tiles.

    matmul_v1       naive: three loops, each entry of c the sum over a row of a and a column of b
    matmul_v2       the same sums in another order: the inner loop runs along rows of b and c, and vectorizes
    matmul_v3       four rows of b at a time: a row of c is loaded and stored a quarter as often
    matmul_v4       panels of LANES columns of b, packed, with their sums in registers (registers.py), in parallel

What the library uses is BLAS (np.matmul): on GPT's shapes, one core with AVX-512, OpenBLAS was measured at 90 to 104
GFLOP/s, the rungs at 1 to 3, 13 to 43, 19 to 49 and 61 to 104; on tiny matrices v4's packing costs more than it saves.
The ladder shows where that speed comes from, and can do what BLAS cannot: be fused with what stands around it.

Bits. OpenBLAS cuts a long sum (K) into pieces, and where the cuts fall depends on whether it uses threads. In float32
they fall alike when K is short or a multiple of 32 (thousands of shapes were compared, 1 thread against 2), so the door
adds up the last K % 32 terms apart. Not covered: float64, and products with a single row or column.
"""
# ruff: noqa: D103 (the head of this file says what each rung adds)

from __future__ import annotations

import numpy as np
from numba import prange

from ..compiler import compiled, inner, parallel
from ..table import Array
from .registers import LANES, add_product

M_BLOCK = 32  # rows of a between two copies of sums to c
SHORT = 256  # a sum of so few terms is not cut into pieces


@compiled
def matmul_v1(a, b, c):
    for i in range(a.shape[0]):
        for j in range(b.shape[1]):
            total = c.dtype.type(0)
            for k in range(b.shape[0]):
                total += a[i, k] * b[k, j]
            c[i, j] = total


@compiled
def matmul_v2(a, b, c):
    for i in range(a.shape[0]):
        sums = c[i]
        for j in range(sums.size):
            sums[j] = 0
        for k in range(b.shape[0]):
            row, x = b[k], a[i, k]
            for j in range(sums.size):
                sums[j] += x * row[j]


@compiled
def matmul_v3(a, b, c):
    K = b.shape[0]
    for i in range(a.shape[0]):
        sums = c[i]
        for j in range(sums.size):
            sums[j] = 0
        for k in range(0, K - 3, 4):
            row0, row1, row2, row3 = b[k], b[k + 1], b[k + 2], b[k + 3]
            x0, x1, x2, x3 = a[i, k], a[i, k + 1], a[i, k + 2], a[i, k + 3]
            for j in range(sums.size):
                sums[j] += x0 * row0[j] + x1 * row1[j] + x2 * row2[j] + x3 * row3[j]
        for k in range(K - K % 4, K):
            row, x = b[k], a[i, k]
            for j in range(sums.size):
                sums[j] += x * row[j]


@parallel
def matmul_v4(a, b, c):
    for panel in prange((c.shape[1] + LANES - 1) // LANES):
        here = slice(panel * LANES, (panel + 1) * LANES)
        _panel_product(a, b[:, here], c[:, here])


@inner
def _panel_product(a, b, c):
    """c = a @ b where b and c are at most LANES columns wide: b is packed, and filled up with zeros."""
    packed = np.zeros((b.shape[0], LANES), c.dtype)
    for k in range(b.shape[0]):
        row, out = b[k], packed[k]
        for j in range(row.size):
            out[j] = row[j]
    tile = np.empty((M_BLOCK, LANES), c.dtype)
    for above in range(0, c.shape[0], M_BLOCK):
        rows = min(M_BLOCK, c.shape[0] - above)
        tile[:] = 0
        add_product(a[above : above + rows], packed, tile[:rows])
        for i in range(rows):
            sums, out = tile[i], c[above + i]
            for j in range(out.size):
                out[j] = sums[j]


def matmul(a: Array, b: Array) -> Array:
    """Return a @ b by BLAS; a stack of matrices times one matrix is one large product."""
    K = a.shape[-1]
    if a.ndim > 2 and b.ndim == 2:
        return matmul(np.ascontiguousarray(a).reshape(-1, K), b).reshape(*a.shape[:-1], b.shape[1])
    rest = K % 32
    if rest and K > SHORT and a.dtype == np.float32 and a.ndim > 1 and b.ndim > 1 and b.shape[-2] == K:
        product: Array = np.matmul(a[..., :-rest], b[..., :-rest, :])
        product += np.matmul(a[..., -rest:], b[..., -rest:, :])
        return product
    return np.matmul(a, b)
