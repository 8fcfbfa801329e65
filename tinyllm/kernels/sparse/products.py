"""Products of a sparse matrix in Numba.

sparse_dot_v1   naive: for each entry of a row, its row of x, as long as it is
sparse_dot_v2   a strip of x's columns at a time, so narrow that it stays in the cache, whichever rows are asked for
"""
# mypy: disable-error-code="no-untyped-def"
# ruff: noqa: D103 (the head of this file says what each rung adds)

from __future__ import annotations

from typing import Final

from numba import prange

from ..compiler import inner, parallel

ROWS: Final = 64  # that a thread takes at a time
STRIP: Final = 32  # columns of x


@inner
def _add_rows(starts, columns, values, x, out, first, last, left, right):
    for n in range(first, last):
        line = out[n, left:right]
        for e in range(starts[n], starts[n + 1]):
            value, source = values[e], x[columns[e], left:right]
            for j in range(line.size):
                line[j] += value * source[j]


@parallel
def sparse_dot_v1(starts, columns, values, x, out):
    N = out.shape[0]
    for block in prange((N + ROWS - 1) // ROWS):
        last = min(N, (block + 1) * ROWS)
        _add_rows(starts, columns, values, x, out, block * ROWS, last, 0, out.shape[1])


@parallel
def sparse_dot_v2(starts, columns, values, x, out):
    N, R = out.shape
    for left in range(0, R, STRIP):
        right = min(R, left + STRIP)
        for block in prange((N + ROWS - 1) // ROWS):
            last = min(N, (block + 1) * ROWS)
            _add_rows(starts, columns, values, x, out, block * ROWS, last, left, right)


sparse_dot = sparse_dot_v2
