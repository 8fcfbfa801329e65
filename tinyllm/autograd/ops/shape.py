"""The same entries in another arrangement: nothing is computed, so the way back is to arrange them as they were."""

from __future__ import annotations

import operator
from itertools import accumulate

import numpy as np

from ...errors import DTypeError, RangeError, ShapeError
from ..draw import given
from ..op import Op
from .axes import one_axis


def numbers(sizes):
    """Read ``x.reshape(2, 3)`` and ``x.reshape((2, 3))`` alike."""
    if len(sizes) == 1 and isinstance(sizes[0], (tuple, list)):
        sizes = sizes[0]
    return tuple(operator.index(n) for n in sizes)


def cut(x, sizes, axis):
    """Cut x into parts of the given sizes along one axis: views, and a tuple of them."""
    ends = list(accumulate(sizes))
    before = (slice(None),) * axis
    return tuple(x[(*before, slice(end - size, end))] for size, end in zip(sizes, ends, strict=True))


class Reshape(Op):
    r"""Count the same entries off into another shape.

    Forward   y holds the entries of x in the same order, last axis fastest
    Backward  dx = dy in the shape of x
    Shapes    x (...) -> y (shape)

    Example:
        >>> import tinyllm as tl
        >>> tl.Tensor(np.zeros((2, 3, 5))).reshape(2, -1).shape  # one size may be left open
        (2, 15)
    """

    def samples(draw):
        yield given(draw(), shape=(1, 1))
        yield given(draw(1), shape=())
        yield given(draw(0, 3), shape=(3, 0))
        yield given(draw(2, 3, 5), shape=(5, 6))
        yield given(draw(2, 3, 5), shape=(3, -1))
        yield given(draw(5, 5), shape=(25,))

    def bad(draw):
        yield given(draw(3, 7), shape=(2, 5)), ShapeError, r"21 entries of x \(3, 7\).*\(2, 5\)"
        yield given(draw(3, 7), shape=(-1, 5)), ShapeError, r"\(-1, 5\)"
        yield given(draw(3, 7), shape=(-1, -1)), ShapeError, "only one"

    def call(x, *shape):
        return Reshape.apply(x, shape=numbers(shape))

    def forward(ctx, x, *, shape):
        ctx.save(x.shape)
        if shape.count(-1) > 1:
            raise ShapeError(f"reshape: {shape} leaves {shape.count(-1)} sizes open; only one can be worked out")
        try:
            return x.reshape(shape)
        except ValueError:
            raise ShapeError(f"reshape: the {x.size} entries of x {x.shape} do not make up {shape}") from None

    def backward(ctx, dy):
        (shape,) = ctx.saved
        return dy.reshape(shape)


class Transpose(Op):
    r"""Put the axes in another order; without an order, back to front.

    Forward   axis i of y is axis axes[i] of x
    Backward  axis axes[i] of dx is axis i of dy
    Shapes    x (...) -> y (... reordered)

    Example:
        >>> import tinyllm as tl
        >>> x = tl.Tensor(np.zeros((2, 3, 5)))
        >>> x.transpose(0, 2, 1).shape, x.transpose().shape
        ((2, 5, 3), (5, 3, 2))
    """

    def samples(draw):
        yield given(draw(), axes=None)
        yield given(draw(1), axes=(0,))
        yield given(draw(0, 3), axes=None)
        yield given(draw(2, 3, 5, 7), axes=(2, 0, 3, 1))  # its own inverse it is not
        yield given(draw(2, 3, 5), axes=(-1, 0, 1))
        yield given(draw(5, 5), axes=(1, 0))

    def bad(draw):
        yield given(draw(3, 7), axes=(0, 0)), ShapeError, r"\(0, 0\) does not name each of the 2 axes of x"
        yield given(draw(2, 3, 5), axes=(1, 2)), ShapeError, r"Try: x.swapaxes\(1, 2\)"
        yield given(draw(3, 7), axes=(0, 2)), RangeError, "no axis 2"

    def call(x, *axes):
        return Transpose.apply(x, axes=None if axes in ((), (None,)) else numbers(axes))

    def forward(ctx, x, *, axes):
        order = range(x.ndim)[::-1] if axes is None else [one_axis("transpose", x, axis) for axis in axes]
        if sorted(order) != list(range(x.ndim)):
            raise ShapeError(
                f"transpose: {axes} does not name each of the {x.ndim} axes of x {x.shape} once",
                hint=f"x.swapaxes({axes[0]}, {axes[1]})" if len(axes) == 2 and axes[0] != axes[1] else None,
            )
        ctx.save(order)
        return x.transpose(order)

    def backward(ctx, dy):
        (order,) = ctx.saved
        return dy.transpose(sorted(range(dy.ndim), key=order.__getitem__))  # where each axis of x has gone


class Expand(Op):
    r"""Repeat x along new axes and along axes of size 1, as broadcasting does (a view, not a copy).

    Forward   y_{... i ...} = x_{... 0 ...}
    Backward  dx = dy summed over every axis along which x was repeated
    Shapes    x (...) -> y (shape), where -1 keeps a size
    """

    def samples(draw):
        yield given(draw(), shape=(3,))
        yield given(draw(1), shape=(5, 7))
        yield given(draw(2, 1, 5), shape=(2, 3, 5))
        yield given(draw(3, 1), shape=(2, -1, 7))
        yield given(draw(5, 1), shape=(5, 5))
        yield given(draw(1, 3), shape=(0, 3))

    def bad(draw):
        yield given(draw(3, 7), shape=(3, 5)), ShapeError, r"x \(3, 7\).*\(3, 5\)"
        yield given(draw(3), shape=(-1, 3)), ShapeError, r"\(-1, 3\)"
        yield given(draw(3, 7), shape=(7,)), ShapeError, r"\(7,\)"

    def call(x, *shape):
        return Expand.apply(x, shape=numbers(shape))

    def forward(ctx, x, *, shape):
        extra = len(shape) - x.ndim
        own = (-1,) * extra + x.shape  # a new axis has no size to keep
        sizes = tuple(own[axis] if size == -1 else size for axis, size in enumerate(shape)) if extra >= 0 else shape
        try:
            return np.broadcast_to(x, sizes)
        except ValueError:
            raise ShapeError(
                f"expand: x {x.shape} does not spread out to {shape}",
                hint="only axes of size 1, and new ones in front, can be repeated",
            ) from None

    def backward(ctx, dy):
        return dy  # the engine sums it over the repeated axes, as for every op that broadcasts


class Concat(Op):
    r"""Join arrays end to end along one axis they have.

    Forward   y = [x_1, x_2, ...]
    Backward  dx_k = the part of dy that came from x_k
    Shapes    xs (...), ... -> y (...), equal but for the axis

    Example:
        >>> import tinyllm as tl
        >>> tl.concat([np.zeros((2, 3)), np.zeros((2, 5))], axis=1).shape
        (2, 8)
    """

    method = False

    def samples(draw):
        yield given(draw(1), draw(1), axis=0)
        yield given(draw(2, 3), draw(5, 3), draw(1, 3), axis=0)
        yield given(draw(2, 3, 5), draw(2, 7, 5), axis=-2)
        yield given(draw(3, 3), draw(3, 3), axis=1)
        yield given(draw(0, 3), draw(2, 3), axis=0)
        yield given(draw(7), axis=0)

    def bad(draw):
        yield given(axis=0), ShapeError, "nothing"
        yield given(draw(2, 3), draw(2, 5), axis=0), ShapeError, r"\(2, 3\) and \(2, 5\).*axis=1"
        yield given(draw(2, 3), draw(3), axis=0), ShapeError, r"\(2, 3\) and \(3,\)"
        yield given(draw(2, 3), draw(2, 3), axis=2), RangeError, "no axis 2"
        yield given(draw(), draw(), axis=0), ShapeError, "Try: stack"

    def call(xs, axis=0):
        return Concat.apply(*xs, axis=axis)

    def forward(ctx, *xs, axis=0):
        if not xs:
            raise ShapeError("concat: there is nothing to join")
        if xs[0].ndim == 0:
            raise ShapeError("concat: single numbers have no axis to be joined along", hint="stack")
        axis = one_axis("concat", xs[0], axis)
        for x in xs[1:]:
            unequal = [i for i in range(xs[0].ndim) if x.ndim != xs[0].ndim or x.shape[i] != xs[0].shape[i]]
            if x.ndim != xs[0].ndim or set(unequal) - {axis}:
                raise ShapeError(
                    f"concat: {xs[0].shape} and {x.shape} do not join along axis {axis}",
                    hint=f"axis={unequal[0]}" if x.ndim == xs[0].ndim and len(unequal) == 1 else None,
                )
        ctx.save([x.shape[axis] for x in xs], axis)
        return np.concatenate(xs, axis=axis)

    def backward(ctx, dy):
        sizes, axis = ctx.saved
        return cut(dy, sizes, axis)


class Stack(Op):
    r"""Put arrays of one shape beside each other along a new axis.

    Forward   y_k = x_k, where k counts along the new axis
    Backward  dx_k = dy_k
    Shapes    xs (...), ... -> y (... with the axis)
    """

    method = False

    def samples(draw):
        yield given(draw(), draw(), draw(), axis=0)
        yield given(draw(2, 3), draw(2, 3), axis=0)
        yield given(draw(2, 3), draw(2, 3), draw(2, 3), draw(2, 3), draw(2, 3), axis=1)
        yield given(draw(3, 3), draw(3, 3), draw(3, 3), axis=-1)
        yield given(draw(0, 3), draw(0, 3), axis=-2)
        yield given(draw(7), axis=0)

    def bad(draw):
        yield given(axis=0), ShapeError, "nothing"
        yield given(draw(2, 3), draw(3, 2), axis=0), ShapeError, r"\(2, 3\) and \(3, 2\)"
        yield given(draw(2, 3), draw(2, 3), axis=3), RangeError, "no axis 3"

    def call(xs, axis=0):
        return Stack.apply(*xs, axis=axis)

    def forward(ctx, *xs, axis=0):
        if not xs:
            raise ShapeError("stack: there is nothing to put together")
        for x in xs[1:]:
            if x.shape != xs[0].shape:
                raise ShapeError(f"stack: {xs[0].shape} and {x.shape} differ", hint="concat, along an axis they have")
        axis = one_axis("stack", xs[0][None], axis)  # with the new axis there is one more to choose from
        ctx.save(axis)
        return np.stack(xs, axis=axis)

    def backward(ctx, dy):
        (axis,) = ctx.saved
        return tuple(np.moveaxis(dy, axis, 0))


class Split(Op):
    r"""Cut an array into parts along one axis; the result is a tuple.

    Forward   y_1, y_2, ... = the parts of x, in order
    Backward  dx = [dy_1, dy_2, ...]
    Shapes    x (...) -> ys (...), ...

    ``sections`` is the number of equal parts, or a list with the size of each.

    Example:
        >>> import tinyllm as tl
        >>> q, kv = tl.Tensor(np.zeros((2, 12))).split([8, 4], axis=-1)
        >>> q.shape, kv.shape
        ((2, 8), (2, 4))
    """

    def samples(draw):
        yield given(draw(6), sections=3, axis=0)
        yield given(draw(2, 3, 10), sections=[5, 2, 3], axis=-1)
        yield given(draw(2, 6, 5), sections=2, axis=1)
        yield given(draw(3, 7), sections=[0, 2, 1], axis=0)
        yield given(draw(5, 5), sections=5, axis=-2)
        yield given(draw(0, 3), sections=1, axis=1)

    def bad(draw):
        yield given(draw(2, 7), sections=3, axis=1), ShapeError, r"7 entries.*3 equal parts"
        yield given(draw(2, 7), sections=[3, 5], axis=1), ShapeError, r"\[3, 5\] add up to 8, not 7"
        yield given(draw(2, 7), sections=0, axis=1), ShapeError, "0 equal parts"
        yield given(draw(2, 7), sections=[8, -1], axis=1), ShapeError, "below zero"
        yield given(draw(2, 7), sections=1, axis=2), RangeError, "no axis 2"

    def forward(ctx, x, *, sections, axis=0):
        axis = one_axis("split", x, axis)
        size = x.shape[axis]
        if isinstance(sections, (tuple, list)):
            sizes = [operator.index(n) for n in sections]
            if any(n < 0 for n in sizes):
                raise ShapeError(f"split: {sizes} has a size below zero")
            if sum(sizes) != size:
                raise ShapeError(f"split: the sizes {sizes} add up to {sum(sizes)}, not {size}, which axis {axis} has")
        elif sections < 1 or size % sections:
            raise ShapeError(f"split: the {size} entries along axis {axis} do not make {sections} equal parts")
        else:
            sizes = [size // sections] * sections
        ctx.save(axis)
        return cut(x, sizes, axis)

    def backward(ctx, *dys):
        (axis,) = ctx.saved
        whole = side_by_side(dys, axis)
        return np.concatenate(dys, axis=axis) if whole is None else whole


def side_by_side(parts, axis):
    """Return the array that the parts make up if they lie in one piece of memory as if cut from it, else None.

    A kernel that knows what it is for (attention) writes the gradients of parts where the gradient of the whole is.
    """
    first = parts[0]
    memory, strides = first.base, first.strides
    if not isinstance(memory, np.ndarray) or not memory.flags.c_contiguous:
        return None
    if any(part.base is not memory or part.strides != strides for part in parts):
        return None
    place = start = _address(first)
    for part in parts:
        if _address(part) != place:
            return None
        place += part.shape[axis] * strides[axis]
    shape = list(first.shape)
    shape[axis] = sum(part.shape[axis] for part in parts)
    return np.ndarray(shape, first.dtype, memory, start - _address(memory), strides)


def _address(x):
    return x.__array_interface__["data"][0]


class Astype(Op):
    r"""Cast to another dtype: float64 for a check, float32 for speed.

    Forward   y = x, rounded to dtype
    Backward  dx = dy, cast back to the dtype of x
    Shapes    x (...) -> y (...)

    Complex numbers stay complex in the precision of ``dtype``, so that the complex step goes through.
    """

    def samples(draw):
        yield given(draw(), dtype=np.float64)
        yield given(draw(1), dtype="float64")
        yield given(draw(0, 3), dtype=np.float64)
        yield given(draw(2, 3, 5), dtype=np.float64)

    def bad(draw):
        yield given(draw(3), dtype="words"), DTypeError, "words"
        yield given(draw(3), dtype=object), DTypeError, "object"

    def forward(ctx, x, *, dtype):
        try:
            target = np.dtype(dtype)
        except TypeError:
            raise DTypeError(f"astype: {dtype!r} is not a dtype", hint="np.float32 or np.float64") from None
        if target.kind not in "fciub":
            raise DTypeError(f"astype: a Tensor cannot hold {target}", hint="np.float32 or np.float64")
        if any(ctx.needs) and target.kind not in "fc":
            raise DTypeError(f"astype: no gradient passes through {target}", hint=f"x.detach().astype(np.{target})")
        if x.dtype.kind == "c" and target.kind == "f":
            target = np.result_type(target, np.complex64)
        ctx.save(x.dtype)
        return x.astype(target)

    def backward(ctx, dy):
        (dtype,) = ctx.saved
        return dy.astype(dtype)
