r"""The matrix product, where nearly all of a model's arithmetic is."""

from __future__ import annotations

import math

import numpy as np

from .table import Array, kernel


@kernel
def matmul(a: Array, b: Array) -> Array:
    r"""Return a @ b with NumPy's rules: the last two axes are matrices, those before them broadcast.

    Shapes: a (..., M, K), b (..., K, N) -> (..., M, N). A stack of matrices times one matrix is one large product:
    (..., M, K) @ (K, N) becomes (rows, K) @ (K, N), which runs faster than many small ones.

    Example:
        >>> matmul(np.ones((2, 3, 4)), np.ones((4, 5))).shape
        (2, 3, 5)
    """
    if a.ndim > 2 and b.ndim == 2 and a.flags.c_contiguous:
        rows = math.prod(a.shape[:-1])
        return np.matmul(a.reshape(rows, a.shape[-1]), b).reshape(*a.shape[:-1], b.shape[1])
    return np.matmul(a, b)
