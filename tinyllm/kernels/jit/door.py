"""What every door of a compiled kernel does first: bring arrays into the one layout the kernels are compiled for.

Contiguous, read-only when it is an input, with two axes (rows, C) or a flat one. A contiguous array is passed on as a
view; anything else is copied once. And one decision: below ``SMALL`` entries the work is done before a second thread
would have begun (4 microseconds, if it is awake), so a door calls the serial rung.
"""

from __future__ import annotations

import numpy as np

from ..table import Array

SMALL = 1 << 15


def solid(x: Array) -> Array:
    """Return x with its own shape, contiguous and read-only."""
    same = np.ascontiguousarray(x).view()
    same.setflags(write=False)
    return same


def flat(x: Array) -> Array:
    """Return x as a read-only line of numbers, (x.size,)."""
    line = x.ravel()
    line.setflags(write=False)
    return line


def rows(x: Array) -> Array:
    """Return x (..., C) as a read-only matrix of rows, (N, C)."""
    matrix = np.ascontiguousarray(x).reshape(-1, x.shape[-1])
    matrix.setflags(write=False)
    return matrix


def out_rows(x: Array) -> Array:
    """Return a fresh output x (..., C) as a matrix of rows to write into, (N, C)."""
    return x.reshape(-1, x.shape[-1])
