"""Adding arrays of one shape.

add_v1, add_to_v1       entry after entry
add_v2, add_to_v2       blocks of entries shared by the threads

NumPy adds as fast as one core can. So the doors leave small arrays to the reference, and call the second rung only.
"""
# ruff: noqa: D103 (the head of this file says what each rung adds)

from __future__ import annotations

from typing import Any

import numpy as np
from numba import prange

from ..compiler import compiled, parallel
from ..table import Array
from .door import flat

BLOCK = 8192  # entries a thread takes at a time
LARGE = 1 << 16  # entries: below, one core is done before the second has begun


@compiled
def add_v1(x, y, s):
    for i in range(s.size):
        s[i] = x[i] + y[i]


@parallel
def add_v2(x, y, s):
    for block in prange((s.size + BLOCK - 1) // BLOCK):
        here = slice(block * BLOCK, (block + 1) * BLOCK)
        add_v1(x[here], y[here], s[here])


@compiled
def add_to_v1(x, y):
    for i in range(x.size):
        x[i] += y[i]


@parallel
def add_to_v2(x, y):
    for block in prange((x.size + BLOCK - 1) // BLOCK):
        here = slice(block * BLOCK, (block + 1) * BLOCK)
        add_to_v1(x[here], y[here])


def add(x: Array, y: Array) -> Array:
    """Return x + y."""
    if x.shape != y.shape or x.size < LARGE:
        return NotImplemented
    s = np.empty(x.shape, x.dtype)
    add_v2(flat(x), flat(y), s.reshape(-1))
    return s


def add_to(x: Array, y: Array) -> Any:
    """Add y to x in place."""
    if x.shape != y.shape or x.size < LARGE or not x.flags.carray or np.may_share_memory(x, y):
        return NotImplemented
    add_to_v2(x.reshape(-1), flat(y))
    return None
