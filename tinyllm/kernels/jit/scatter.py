"""Adding rows to the rows of a table.

scatter_add_v1      naive: row after row, in order
scatter_add_v2      channels shared by the threads: each adds up its own columns of all rows, in the same order
"""
# ruff: noqa: D103 (the head of this file says what each rung adds)

from __future__ import annotations

import numpy as np
from numba import prange

from ..compiler import compiled, parallel
from ..scatter import check_index
from ..table import Array
from .door import SMALL, flat, rows

BLOCK = 64  # rows, or channels, a thread takes at a time


@compiled
def scatter_add_v1(index, src, table):
    for n in range(index.size):
        row, total = src[n], table[index[n]]
        for j in range(total.size):
            total[j] += row[j]


@parallel
def scatter_add_v2(index, src, table):
    for block in prange((table.shape[1] + BLOCK - 1) // BLOCK):
        for n in range(index.size):
            row = src[n, block * BLOCK : (block + 1) * BLOCK]
            total = table[index[n], block * BLOCK : (block + 1) * BLOCK]
            for j in range(total.size):
                total[j] += row[j]


def scatter_add(index: Array, src: Array, rows_of_table: int) -> Array:
    """Return the table whose rows are sums of rows of src (N, C)."""
    if src.ndim != 2 or index.shape != src.shape[:1]:
        return NotImplemented
    check_index("scatter_add", index, rows_of_table)
    table = np.zeros((rows_of_table, src.shape[1]), src.dtype)
    rung = scatter_add_v1 if src.size < SMALL else scatter_add_v2
    rung(_places(index), rows(src), table)
    return table


def _places(index: Array) -> Array:
    return flat(index.astype(np.int64, copy=False))
