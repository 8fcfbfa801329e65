"""Products of a sparse matrix in NumPy: what the Numba kernel is held to, and what runs without it."""

from __future__ import annotations

from itertools import pairwise

from ..table import Array


def sparse_dot(starts: Array, columns: Array, values: Array, x: Array, out: Array) -> None:
    """Fill out (N, R): of each row, its values times the rows of x that its columns name."""
    for n, (first, last) in enumerate(pairwise(starts.tolist())):
        out[n] = values[first:last] @ x[columns[first:last]]
