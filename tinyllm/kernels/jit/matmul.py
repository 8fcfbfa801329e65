"""The matrix product of two matrices: from three loops to the speed of the machine.

    matmul_v1       naive: three loops, each entry of c the sum over a row of a and a column of b
    matmul_v2       the same sums in another order: the inner loop runs along rows of b and c, and vectorizes
    matmul_v3       blocks of b small enough for the cache, through which all of a passes before the next one comes
    matmul_v4       the block copied to where it is contiguous (packing.py), so that turned matrices cost no more
    matmul_v5       its product by the micro-kernel (registers.py): sums stay in registers for a whole block
    matmul_v6       blocks of c shared by the threads
    matmul_v7       stacks of matrices, c += a b, and bias, activation and residual while a block of c is in the cache

Bits. A sum over K is added up in blocks of K_BLOCK, each in order, whatever the shape, the layout and the number of
threads: from v5 on, an entry of c depends on its row of a and its column of b alone.
"""
# ruff: noqa: D103 (the head of this file says what each rung adds)

from __future__ import annotations

import numpy as np
from numba import prange

from ..compiler import compiled, inner, parallel
from .epilogue import finish
from .layout import any_layout
from .packing import contiguous, pack_panel
from .registers import LANES, SUMS, WIDTH, tiles

# What fits where, in a core with 32 KB of L1 and 1 MB of L2, both for float32 (half as well for float64):
K_BLOCK = 512  # a panel of b (K_BLOCK, LANES) is 64 KB, and comes from L2 while 12 rows of a, 24 KB, stay in L1
M_BLOCK = 384  # a block of a (M_BLOCK, K_BLOCK) is 768 KB: L2; and packing a panel of b pays off over so many rows
N_BLOCK = 128  # a block of c (M_BLOCK, N_BLOCK) is 192 KB
TALL, BROAD = 128, 1024  # a block of b for v3 and v4: 512 KB, in L2 while all rows of a pass
PAGES = 8192  # bytes: rows of b nearer to one another than that are read as they lie
CROWDED = 4096  # bytes: rows of a at multiples of it have the same few places in L1, and drive one another out
ENOUGH = 12  # blocks for all threads to have some
LEAST = 192  # rows; with fewer, packing would take too much of the time


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
    c[:] = 0
    for i in range(a.shape[0]):
        sums = c[i]
        for k in range(b.shape[0]):
            row, x = b[k], a[i, k]
            for j in range(sums.size):
                sums[j] += x * row[j]


@compiled
def matmul_v3(a, b, c):
    c[:] = 0
    for k0 in range(0, b.shape[0], TALL):
        for j0 in range(0, b.shape[1], BROAD):
            for i in range(a.shape[0]):
                sums = c[i, j0 : j0 + BROAD]
                for k in range(k0, min(k0 + TALL, b.shape[0])):
                    row, x = b[k, j0 : j0 + BROAD], a[i, k]
                    for j in range(sums.size):
                        sums[j] += x * row[j]


@any_layout("c")
@compiled
def matmul_v4(a, b, c):
    c[:] = 0
    packed = np.empty((TALL, BROAD), c.dtype)
    for k0 in range(0, b.shape[0], TALL):
        for j0 in range(0, b.shape[1], BROAD):
            block = b[k0 : k0 + TALL, j0 : j0 + BROAD]
            for k in range(block.shape[0]):
                for j in range(block.shape[1]):
                    packed[k, j] = block[k, j]
            for i in range(a.shape[0]):
                sums = contiguous(c[i, j0 : j0 + BROAD])
                for k in range(block.shape[0]):
                    row, x = packed[k], a[i, k0 + k]
                    for j in range(sums.size):
                        sums[j] += x * row[j]


@any_layout("c")
@compiled
def matmul_v5(a, b, c):
    block_product(a, b, c, False)


@inner
def block_product(a, b, c, add):
    """c = a @ b, or += where ``add``: a (M, K) and b (K, N) in any layout, rows of c (M, N) contiguous."""
    (M, K), N = a.shape, b.shape[1]
    packed = np.empty((min(K, K_BLOCK), LANES), c.dtype)
    beside = np.empty((M if N % LANES else 0, LANES), c.dtype)  # where a tile reaches beyond the last column
    as_it_lies = b.strides[1] == b.itemsize and b.strides[0] <= PAGES
    crowded = _crowded(a)
    spread = np.empty((M if crowded else 0, min(K, K_BLOCK) + LANES), c.dtype)
    for k0 in range(0, K, K_BLOCK):
        rows_of_a = a[:, k0 : k0 + K_BLOCK]
        if crowded:
            for i in range(M):
                row, copy = contiguous(rows_of_a[i]), spread[i]
                for k in range(row.size):
                    copy[k] = row[k]
            rows_of_a = spread[:, : rows_of_a.shape[1]]
        fresh = k0 == 0 and not add
        for j0 in range(0, N, LANES):
            panel, out = b[k0 : k0 + K_BLOCK, j0 : j0 + LANES], c[:, j0 : j0 + LANES]
            whole = out.shape[1] == LANES
            if not (whole and as_it_lies):
                pack_panel(panel, packed[: panel.shape[0]])
                panel = packed[: panel.shape[0]]
            tiles(rows_of_a, panel, out if whole else beside, fresh or not whole)
            if not whole:
                for i in range(M):
                    for j in range(out.shape[1]):
                        out[i, j] = beside[i, j] if fresh else out[i, j] + beside[i, j]


@inner
def _crowded(a):
    return a.strides[1] == a.itemsize and a.strides[0] % CROWDED == 0 and a.shape[0] >= LEAST


@inner
def _block_sizes(M, N, K, stack, itemsize, crowded):
    """Return the rows and columns of a block of c: about the same for all blocks, and a whole number of tiles.

    As many rows as fit, so that a panel of b is packed for as many as can be; where that makes few blocks, narrow ones.
    """
    columns = N_BLOCK * 4 if crowded else N_BLOCK  # rows of a that are moved apart are so for more columns
    fit = max(1, M_BLOCK * K_BLOCK // min(K, K_BLOCK))
    down, across = (M + fit - 1) // fit, (N + columns - 1) // columns
    while down * across * stack < ENOUGH and columns > LANES:
        columns //= 2
        across = (N + columns - 1) // columns
    while down * across * stack < ENOUGH and down * LEAST < M:
        down *= 2
    tile = SUMS * WIDTH // (LANES * itemsize)
    return ((M + down - 1) // down + tile - 1) // tile * tile, columns


@any_layout("c")
@parallel
def matmul_v6(a, b, c):
    m, n = _block_sizes(c.shape[0], c.shape[1], a.shape[1], 1, c.itemsize, _crowded(a))
    down, across = (c.shape[0] + m - 1) // m, (c.shape[1] + n - 1) // n
    for task in prange(down * across):
        i, j = task % down * m, task // down * n
        block_product(a[i : i + m], b[:, j : j + n], c[i : i + m, j : j + n], False)


@any_layout("c")
@parallel
def matmul_v7(a, b, c, bias, residual, activation, add):
    m, n = _block_sizes(c.shape[1], c.shape[2], a.shape[2], c.shape[0], c.itemsize, _crowded(a[0]))
    down, across = (c.shape[1] + m - 1) // m, (c.shape[2] + n - 1) // n
    for task in prange(c.shape[0] * down * across):
        matrix, block = task // (down * across), task % (down * across)
        i, j = block % down * m, block // down * n
        rows, columns = slice(i, i + m), slice(j, j + n)
        out = c[matrix, rows, columns]
        block_product(a[matrix, rows], b[matrix, :, columns], out, add)
        finish(out, bias[columns], residual[matrix : matrix + 1, rows, columns], activation)
