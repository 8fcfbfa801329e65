"""Which axes are meant: an axis given by a user, checked and counted from the front."""

from __future__ import annotations

import math
import operator
from typing import Any

import numpy as np

from ...errors import RangeError, ShapeError

Array = np.ndarray[Any, Any]


def one_axis(op: str, x: Array, axis: int) -> int:
    """Return ``axis`` counted from the front; ``op`` is the name that an error gives.

    Raises:
        ShapeError: ``x`` has no axes.
        RangeError: it has some, but not this one.

    Example:
        >>> one_axis("softmax", np.zeros((3, 7)), -1)
        1
    """
    axis = operator.index(axis)
    if x.ndim == 0:
        raise ShapeError(f"{op} needs at least one axis, and x is a single number", hint="x.reshape(1)")
    if not -x.ndim <= axis < x.ndim:
        raise RangeError(f"{op}: x {x.shape} has no axis {axis}", hint=f"axis={-x.ndim} to axis={x.ndim - 1}")
    return axis % x.ndim


def several_axes(op: str, x: Array, axis: int | tuple[int, ...] | list[int] | None) -> tuple[int, ...]:
    """Return the axes a reduction runs over, each counted from the front; None means all of them.

    Raises:
        ShapeError: ``x`` has no axes, or one of them is named twice.
        RangeError: an axis is not there.

    Example:
        >>> several_axes("sum", np.zeros((2, 3, 5)), (0, -1))
        (0, 2)
    """
    if axis is None:
        return tuple(range(x.ndim))
    axes = tuple(one_axis(op, x, a) for a in (axis if isinstance(axis, (tuple, list)) else (axis,)))
    if len(set(axes)) < len(axes):
        raise ShapeError(f"{op}: axis={axis} names an axis of x {x.shape} twice")
    return axes


def count(x: Array, axes: tuple[int, ...]) -> int:
    """Return how many entries of ``x`` go into one entry of its reduction over ``axes``.

    Example:
        >>> count(np.zeros((2, 3, 5)), (0, 2))
        10
    """
    return math.prod(x.shape[axis] for axis in axes)


def some(op: str, x: Array, axes: tuple[int, ...]) -> int:
    """Return ``count(x, axes)``, and refuse to reduce no entries at all to one.

    Raises:
        ShapeError: the count is zero.
    """
    n = count(x, axes)
    if n == 0:
        raise ShapeError(f"{op}: there are no entries in x {x.shape} along {_named(axes)}")
    return n


def spread(dy: Array, shape: tuple[int, ...], axes: tuple[int, ...]) -> Array:
    """Undo the shape of a reduction: give ``dy`` its axes back and repeat it along them (a view, not a copy).

    Example:
        >>> spread(np.array([1.0, 2.0]), (2, 3), (1,))
        array([[1., 1., 1.],
               [2., 2., 2.]])
    """
    kept = tuple(1 if axis in axes else size for axis, size in enumerate(shape))
    return np.broadcast_to(dy.reshape(kept), shape)


def _named(axes: tuple[int, ...]) -> str:
    return f"axis {axes[0]}" if len(axes) == 1 else f"axes {axes}"
