"""Dropout by counting: the mask of the reference, bit for bit.

dropout_v1      entry after entry, from the one numbered ``first``
dropout_v2      blocks of entries shared by the threads, each starting from its own number
"""
# ruff: noqa: D103 (the head of this file says what each rung adds)

from __future__ import annotations

import numpy as np
from numba import prange

from ..compiler import compiled, parallel
from ..dropout import GOLDEN, MIX_ONE, MIX_TWO, scale_of, start_of, threshold_of
from ..table import Array
from .door import SMALL, flat

BLOCK = 4096  # entries a thread takes at a time
U = np.uint64  # an unsigned and a signed integer together would become a float64


@compiled
def dropout_v1(x, start, first, threshold, scale, y):
    scale, nothing = x.dtype.type(scale), x.dtype.type(0)
    for i in range(y.size):
        z = start + U(first + i + 1) * U(GOLDEN)
        z = (z ^ (z >> U(30))) * U(MIX_ONE)
        z = (z ^ (z >> U(27))) * U(MIX_TWO)
        z = z ^ (z >> U(31))
        y[i] = x[i] * scale if (z >> U(11)) >= threshold else nothing


@parallel
def dropout_v2(x, start, first, threshold, scale, y):
    for block in prange((x.size + BLOCK - 1) // BLOCK):
        here = slice(block * BLOCK, (block + 1) * BLOCK)
        dropout_v1(x[here], start, first + block * BLOCK, threshold, scale, y[here])


def dropout(x: Array, p: float, seed: int) -> Array:
    """Return x with entries dropped with probability p."""
    y = np.empty(x.shape, x.dtype)
    rung = dropout_v1 if x.size < SMALL else dropout_v2
    rung(flat(x), start_of(seed), 0, threshold_of(p), float(scale_of(p)), y.reshape(-1))
    return y
