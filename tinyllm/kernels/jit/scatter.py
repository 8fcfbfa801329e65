"""Looking up rows of tables, and adding rows to the rows of a table.

embed_v1            a row for the token and one for its position, in one pass
embed_v2            blocks of tokens shared by the threads

scatter_add_v1      naive: row after row, in order
scatter_add_v2      channels shared by the threads: each adds up its own columns of all rows, in the same order
"""
# ruff: noqa: D103 (the head of this file says what each rung adds)

from __future__ import annotations

from typing import Any

import numpy as np
from numba import prange

from ..compiler import compiled, parallel
from ..scatter import check_index
from ..table import Array
from .door import SMALL, flat, out_rows, rows

BLOCK = 64  # rows, or channels, a thread takes at a time


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


def scatter_add_to(table: Array, index: Array, src: Array) -> Any:
    """Add rows of src (N, C) to rows of the table, in place."""
    if src.ndim != 2 or index.shape != src.shape[:1] or table.shape[1:] != src.shape[1:] or not table.flags.carray:
        return NotImplemented
    check_index("scatter_add_to", index, len(table))
    if np.may_share_memory(table, src):
        return NotImplemented
    (scatter_add_v1 if src.size < SMALL else scatter_add_v2)(_places(index), rows(src), table)
    return None


def _places(index: Array) -> Array:
    return flat(index.astype(np.int64, copy=False))
