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
    added = dy.ndim - len(shape)
    before = (1,) * added + shape  # broadcasting puts axes of size 1 in front, until there are as many
    refuse_misfit(dy.shape, before, shape)
    repeated = tuple(axis for axis, size in enumerate(before) if size == 1)
    return dy.sum(axis=repeated, keepdims=True).reshape(shape)


def refuse_misfit(spread: tuple[int, ...], before: tuple[int, ...], shape: tuple[int, ...]) -> None:
    """Raise unless every axis is as long as it was, or had size 1 and was repeated.

    Example:
        >>> refuse_misfit((4, 3), (1, 2), (2,))
        Traceback (most recent call last):
            ...
        ValueError: a gradient of shape (4, 3) cannot belong to a value of shape (2,)
    """
    if len(before) != len(spread) or any(n not in (1, m) for n, m in zip(before, spread, strict=True)):
        raise ValueError(f"a gradient of shape {spread} cannot belong to a value of shape {shape}")
