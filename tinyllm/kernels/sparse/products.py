"""Products of a sparse matrix in Numba.

sparse_dot_v1   naive: for each entry of a row, its row of x; rows are shared by the threads

Going through x in strips of columns, so narrow that a strip stays in the cache, was tried and gained nothing: the
entries are then read once for each strip.
"""
# mypy: disable-error-code="no-untyped-def"
# ruff: noqa: D103 (the head of this file says what each rung adds)

from __future__ import annotations

from typing import Final

from numba import prange

from ..compiler import parallel

ROWS: Final = 64  # that a thread takes at a time


@parallel
def sparse_dot_v1(starts, columns, values, x, out):
    N = out.shape[0]
    for block in prange((N + ROWS - 1) // ROWS):
        for n in range(block * ROWS, min(N, (block + 1) * ROWS)):
            line = out[n]
            for e in range(starts[n], starts[n + 1]):
                value, source = values[e], x[columns[e]]
                for j in range(line.size):
                    line[j] += value * source[j]


sparse_dot = sparse_dot_v1
