"""Products of a sparse matrix: rows of which almost every entry is zero, such as the words of a text.

Only what is not zero is kept, row by row (CSR). Row n has its entries at ``starts[n] : starts[n + 1]``: in which
columns, ascending (int32), and their values (float32 or float64). Three arrays are the whole matrix:

    starts (N + 1,)    columns (E,)    values (E,)

The transpose is a matrix of the same kind, made once by ``transposed``, so one kernel is all that products from the
left and from the right need. The reference in NumPy is in reference.py, the Numba kernel in products.py; importing
this package loads neither Numba nor them.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ...errors import ShapeError
from ..table import Array, backend
from ..threads import prepare

prepare()  # before any module of this package imports numba: its thread pool reads the environment once

Sparse = tuple[Array, Array, Array]  # starts, columns, values


def sparse_dot(rows: Sparse, x: Array) -> Array:
    """Return the product of a sparse matrix (N, V) with x (V, R): (N, R), in x's dtype.

    Each row is added up by itself, in the order of its entries, so it does not depend on which rows are around it.

    Raises:
        ShapeError: x is no matrix, or has too few rows.

    Example:
        >>> rows = np.array([0, 2, 2]), np.array([0, 2], np.int32), np.array([1.0, 2.0])
        >>> sparse_dot(rows, np.array([[1.0], [10.0], [100.0]])).tolist()
        [[201.0], [0.0]]
    """
    starts, columns, values = rows
    if x.ndim != 2 or int(columns.max(initial=-1)) >= len(x):
        raise ShapeError(f"sparse_dot: x {x.shape} has no row for column {columns.max(initial=-1)}", hint="x (V, R)")
    out = np.zeros((starts.size - 1, x.shape[1]), x.dtype)
    _kernels().sparse_dot(starts, columns, values.astype(x.dtype, copy=False), np.ascontiguousarray(x), out)
    return out


def transposed(rows: Sparse, V: int) -> Sparse:
    """Return the transpose (V, N) of a sparse matrix (N, V).

    Raises:
        ShapeError: there is a column beyond V.

    Example:
        >>> rows = np.array([0, 2, 3]), np.array([0, 2, 2], np.int32), np.array([1.0, 2.0, 3.0])
        >>> [part.tolist() for part in transposed(rows, 3)]
        [[0, 1, 1, 3], [0, 0, 1], [1.0, 2.0, 3.0]]
    """
    starts, columns, values = rows
    if int(columns.max(initial=-1)) >= V:
        raise ShapeError(f"transposed: column {columns.max()} of a matrix with V={V}")
    order = np.argsort(columns, kind="stable")
    owner = np.repeat(np.arange(starts.size - 1, dtype=np.int32), np.diff(starts))
    ends = np.cumsum(np.bincount(columns, minlength=V))
    return np.concatenate([[0], ends]), owner[order], values[order]


def _kernels() -> Any:
    """Return the module that the back end in force asks for."""
    if backend() == "numba":
        from . import products

        return products
    from . import reference

    return reference
