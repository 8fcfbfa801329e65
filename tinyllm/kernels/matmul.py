r"""Matrix products, where nearly all of a model's arithmetic is: alone, added to a sum, and as a linear layer."""

from __future__ import annotations

import math

import numpy as np

from ..errors import KernelError
from .activation import gelu, gelu_tanh, silu
from .table import Array, kernel

_ACTIVATIONS = {"gelu_tanh": gelu_tanh, "gelu": gelu, "silu": silu}


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


@kernel
def matmul_into(a: Array, b: Array, c: Array) -> Array:
    r"""Add a @ b to c, in place, and return c: a gradient that is summed up over pieces of a batch.

    Shapes: a (M, K), b (K, N), c (M, N), which must not overlap with a or b.

    Example:
        >>> c = np.ones((2, 2))
        >>> matmul_into(np.eye(2), np.full((2, 2), 3.0), c) is c
        True
        >>> c
        array([[4., 4.],
               [4., 4.]])
    """
    c += np.matmul(a, b)
    return c


@kernel
def linear(
    x: Array, w: Array, b: Array | None = None, residual: Array | None = None, activation: str | None = None
) -> Array:
    r"""Return y = act(x w^T + b) + residual: a linear layer with what follows it.

    Shapes: x (..., C), w (N, C), b (N,) or None, residual as y or None -> y (..., N).

    Args:
        x: rows that go through the layer.
        w: weights.
        b: is added to every row; None for no bias.
        residual: is added at the end; None for nothing.
        activation: "gelu_tanh", "gelu" or "silu"; None for none.

    Raises:
        KernelError: there is no such activation.

    Example:
        >>> linear(np.array([1.0, 2.0]), np.array([[3.0, 4.0]]), np.array([5.0]), np.array([0.5]))
        array([16.5])
    """
    if activation is not None and activation not in _ACTIVATIONS:
        raise KernelError(
            f"linear: there is no activation {activation!r}", hint="None, or one of " + ", ".join(_ACTIVATIONS)
        )
    y = matmul(x, w.T)
    if b is not None:
        y = y + b
    if activation is not None:
        y = _ACTIVATIONS[activation](y)
    return y if residual is None else y + residual
