"""Undo broadcasting: what was spread out on the way forward is summed up on the way back."""

from __future__ import annotations

from typing import Any

import numpy as np


def unbroadcast(dy: np.ndarray[Any, Any], shape: tuple[int, ...]) -> np.ndarray[Any, Any]:
    """Sum a gradient over the axes along which its value was broadcast.

    In the forward pass one entry of the value was used in many places; so now it receives the sum of what those
    places send back. The engine calls this once for every gradient, so no op has to.

    Args:
        dy: gradient with respect to the broadcast value.
        shape: the shape the value had before; it must broadcast to ``dy.shape``.

    Raises:
        ValueError: ``shape`` does not broadcast to ``dy.shape``.

    Example:
        >>> unbroadcast(np.ones((4, 3)), (3,))
        array([4., 4., 4.])
    """
    if dy.shape == shape:
        return dy
    extra = dy.ndim - len(shape)
    if extra < 0 or any(size not in (1, dy.shape[extra + axis]) for axis, size in enumerate(shape)):
        raise ValueError(f"a gradient of shape {dy.shape} cannot belong to a value of shape {shape}")
    spread = tuple(range(extra)) + tuple(
        extra + axis for axis, size in enumerate(shape) if size == 1 and dy.shape[extra + axis] != 1
    )
    return np.asarray(dy.sum(axis=spread)).reshape(shape)
