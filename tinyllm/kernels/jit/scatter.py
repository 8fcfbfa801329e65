"""Looking up rows of a table, and adding rows to the rows of a table.

gather_rows_v1      row after row
gather_rows_v2      blocks of rows shared by the threads
embed_v1, embed_v2  the same, adding the row of the position on the way

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
from .door import SMALL, flat, out_rows, rows

BLOCK = 64  # rows, or channels, a thread takes at a time


@compiled
def gather_rows_v1(table, index, y):
    for n in range(index.size):
        row, out = table[index[n]], y[n]
        for j in range(out.size):
            out[j] = row[j]


@parallel
def gather_rows_v2(table, index, y):
    for block in prange((index.size + BLOCK - 1) // BLOCK):
        here = slice(block * BLOCK, (block + 1) * BLOCK)
        gather_rows_v1(table, index[here], y[here])


@compiled
def embed_v1(wte, wpe, first, idx, y):
    for n in range(idx.size):
        token, position, out = wte[idx[n]], wpe[(first + n) % wpe.shape[0]], y[n]
        for j in range(out.size):
            out[j] = token[j] + position[j]


@parallel
def embed_v2(wte, wpe, first, idx, y):
    for block in prange((idx.size + BLOCK - 1) // BLOCK):
        here = slice(block * BLOCK, (block + 1) * BLOCK)
        embed_v1(wte, wpe, first + block * BLOCK, idx[here], y[here])


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


def gather_rows(table: Array, index: Array) -> Array:
    """Return the rows of table (V, C) that index (...) names."""
    if table.ndim != 2:
        return NotImplemented
    check_index("gather_rows", index, len(table))
    y = np.empty((*index.shape, table.shape[1]), table.dtype)
    rung = gather_rows_v1 if y.size < SMALL else gather_rows_v2
    rung(rows(table), _places(index), out_rows(y))
    return y


def embed(wte: Array, wpe: Array, idx: Array) -> Array:
    """Return wte[idx[..., t]] + wpe[t]."""
    if not wte.ndim == wpe.ndim == 2 or wte.shape[1] != wpe.shape[1] or idx.shape[-1:] != wpe.shape[:1]:
        return NotImplemented
    check_index("embed", idx, len(wte))
    y = np.empty((*idx.shape, wte.shape[1]), wte.dtype)
    rung = embed_v1 if y.size < SMALL else embed_v2
    rung(rows(wte), rows(wpe), 0, _places(idx), out_rows(y))
    return y


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
