"""Short ways to say what ops can already do; each is one or two ops, and they bring the gradient.

Like ops they are functions and methods: ``tl.swapaxes(x, 1, 2)``, ``x.swapaxes(1, 2)``, and ``x.T``.
"""

from __future__ import annotations

from ..errors import ShapeError
from .ops.axes import one_axis, several_axes
from .tensor import Tensor


def swapaxes(x: Tensor, one: int, other: int) -> Tensor:
    """Exchange two axes and leave the others where they are.

    Example:
        >>> Tensor([[[1.0, 2.0, 3.0]]]).swapaxes(-1, 0).shape
        (3, 1, 1)
    """
    order = list(range(x.ndim))
    one, other = one_axis("swapaxes", x.data, one), one_axis("swapaxes", x.data, other)
    order[one], order[other] = other, one
    return x.transpose(order)


def squeeze(x: Tensor, axis: int | tuple[int, ...] | None = None) -> Tensor:
    """Drop axes of size 1: the given ones, or all there are.

    Raises:
        ShapeError: a given axis has another size.

    Example:
        >>> Tensor([[[1.0], [2.0]]]).squeeze().shape, Tensor([[[1.0], [2.0]]]).squeeze(0).shape
        ((2,), (2, 1))
    """
    ones = tuple(i for i, size in enumerate(x.shape) if size == 1)
    dropped = ones if axis is None else several_axes("squeeze", x.data, axis)
    for i in dropped:
        if i not in ones:
            raise ShapeError(f"squeeze: axis {i} of x {x.shape} has size {x.shape[i]}, not 1")
    return x.reshape(tuple(size for i, size in enumerate(x.shape) if i not in dropped))


def unsqueeze(x: Tensor, axis: int) -> Tensor:
    """Put in a new axis of size 1; ``axis`` is where it will be.

    Example:
        >>> Tensor([1.0, 2.0]).unsqueeze(0).shape, Tensor([1.0, 2.0]).unsqueeze(-1).shape
        ((1, 2), (2, 1))
    """
    shape = list(x.shape)
    shape.insert(one_axis("unsqueeze", x.data[None], axis), 1)
    return x.reshape(shape)


def flatten(x: Tensor, first: int = 0, last: int = -1) -> Tensor:
    """Lay the axes from ``first`` to ``last``, both included, end to end.

    Example:
        >>> Tensor([[[1.0, 2.0]], [[3.0, 4.0]]]).flatten(1).shape
        (2, 2)
    """
    if not x.ndim:
        return x.reshape(1)
    first, last = one_axis("flatten", x.data, first), one_axis("flatten", x.data, last)
    if first > last:
        raise ShapeError(f"flatten: of x {x.shape}, axis {first} does not come before axis {last}")
    size = 1
    for n in x.shape[first : last + 1]:
        size *= n
    return x.reshape((*x.shape[:first], size, *x.shape[last + 1 :]))


def min(x: Tensor, axis: int | tuple[int, ...] | None = None, keepdims: bool = False) -> Tensor:
    """Take the smallest entry along some axes, or of all: what is largest when the signs are turned.

    Example:
        >>> Tensor([[3.0, 1.0], [2.0, 5.0]]).min(axis=1).data
        array([1., 2.], dtype=float32)
    """
    return -(-x).max(axis=axis, keepdims=keepdims)


def transposed(x: Tensor) -> Tensor:
    """Turn rows into columns: ``x.T``, for at most two axes, where nobody can mean anything else.

    Raises:
        ShapeError: there are more axes.

    Example:
        >>> Tensor([[1.0, 2.0, 3.0]]).T.shape
        (3, 1)
    """
    if x.ndim > 2:
        raise ShapeError(
            f"T: x {x.shape} has {x.ndim} axes", hint="x.swapaxes(-1, -2), or x.transpose(...) with all axes"
        )
    return x.transpose()


SUGAR = {"swapaxes": swapaxes, "squeeze": squeeze, "unsqueeze": unsqueeze, "flatten": flatten, "min": min}
for _method in SUGAR.values():
    setattr(Tensor, _method.__name__, _method)
setattr(Tensor, "T", property(transposed))  # noqa: B010 - Tensor declares what it is in tensor.py, not what it is short for
