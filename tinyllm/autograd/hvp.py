"""Hessian-vector products, exact: a complex step through the whole backward pass.

The gradient is itself a function, and every backward rule of this house is complex-safe. So the derivative of the
gradient in direction v, which is H v, is the imaginary part of one backward pass taken a tiny imaginary step away.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .. import kernels
from ..errors import DTypeError, ShapeError
from .tensor import Tensor

Array = np.ndarray[Any, Any]


def hvp(f: Callable[..., Tensor], inputs: Any, vectors: Any, h: float = 1e-20) -> list[Array]:
    """Return H v, the product of the Hessian of ``f`` with a vector, one array per input.

    Args:
        f: takes the inputs as Tensors and returns one number; it may also use the ``inputs`` where they live.
        inputs: a Tensor or a list of Tensors, float64, that require a gradient.
        vectors: arrays of the inputs' shapes, one per input.
        h: the length of the imaginary step.

    Raises:
        ShapeError: a vector's shape is not its input's, or ``f`` does not return one number.
        DTypeError: an input is not float64.

    Example:
        >>> x = Tensor(np.array([1.0, 2.0]), requires_grad=True)
        >>> hvp(lambda x: (x**3).sum(), x, np.array([1.0, 1.0]))  # H = diag(6 x)
        [array([ 6., 12.])]
    """
    tensors: list[Tensor] = list(inputs) if isinstance(inputs, (list, tuple)) else [inputs]
    directions = list(vectors) if isinstance(vectors, (list, tuple)) else [vectors]
    if len(tensors) != len(directions):
        raise ShapeError(f"hvp: {len(tensors)} inputs and {len(directions)} vectors")
    for x, v in zip(tensors, directions, strict=True):
        if x.dtype != np.float64:
            raise DTypeError(f"hvp: an input is {x.dtype}, and the complex step needs float64")
        if np.shape(v) != x.shape:
            raise ShapeError(f"hvp: a vector has shape {np.shape(v)}, its input {x.shape}")
    kept = [(x.data, x.grad) for x in tensors]
    try:
        for x, v in zip(tensors, directions, strict=True):
            x.data, x.grad = x.data + 1j * h * np.asarray(v), None
        with kernels.use("numpy"):
            f(*tensors).backward()
        return [np.zeros(x.shape) if x.grad is None else np.imag(x.grad) / h for x in tensors]
    finally:
        for x, (data, grad) in zip(tensors, kept, strict=True):
            x.data, x.grad = data, grad
