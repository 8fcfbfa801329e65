"""Picking entries out: by position, by rows of a table, along an axis. What is picked twice collects twice."""

from __future__ import annotations

import math

import numpy as np

from ... import kernels
from ...errors import DTypeError, RangeError, ShapeError
from ..draw import given
from ..op import Op
from ..tensor import Tensor
from .axes import one_axis


def integers(op, index):
    """Take the integers to look up with out of a Tensor, an array, a list or a number."""
    index = index.data if isinstance(index, Tensor) else np.asarray(index)
    if index.dtype.kind not in "iu" and index.size:
        raise DTypeError(
            f"{op}: index is {index.dtype}, and only integers can be looked up", hint="a NumPy array of integers"
        )
    return index.astype(np.intp, copy=False)


def refuse_outside(op, index, size, what):
    """Raise for the first index that is not in 0 .. size - 1; a negative one would silently count from the end."""
    outside = (index < 0) | (index >= size)
    if outside.any():
        place = tuple(int(i) for i in np.argwhere(outside)[0])
        raise RangeError(f"{op}: index{list(place) or ''} is {int(index[place])}, and {what}")


class Index(Op):
    r"""Pick out entries as NumPy does: ``x[1]``, ``x[:, ::2]``, ``x[..., None]``, ``x[rows]``, ``x[mask]``.

    Forward   y = x[key]
    Backward  dx[key] += dy, zero elsewhere
    Shapes    x (...) -> y (x[key])

    Example:
        >>> import tinyllm as tl
        >>> x = tl.Tensor([1.0, 2.0, 3.0], requires_grad=True)
        >>> x[[0, 2, 2]].sum().backward()
        >>> x.grad
        array([1., 0., 2.], dtype=float32)
    """

    symbol = "[]"

    def samples(draw):
        yield given(draw(), key=())
        yield given(draw(), key=(None, Ellipsis))
        yield given(draw(1), key=0)
        yield given(draw(3, 7), key=2)
        yield given(draw(3, 7), key=(slice(None), slice(5, 0, -2)))
        yield given(draw(2, 3, 5), key=(Ellipsis, None, -1))
        yield given(draw(5, 3), key=np.array([0, 2, 2, -1, 2]))
        yield given(draw(2, 3, 5), key=(np.array([[0], [1]]), slice(1, None), np.array([4, 0, 4])))
        yield given(draw(5, 5), key=(np.array([1, 1, 3]), np.array([2, 2, 0])))
        yield given(draw(3, 2), key=np.array([[True, False], [False, False], [True, True]]))
        yield given(draw(3, 2), key=(np.array([True, False, True]), 1))
        yield given(draw(3, 7), key=slice(2, 2))
        yield given(draw(0, 3), key=(slice(None), 1))

    def bad(draw):
        yield given(draw(3, 7), key=(0, 9)), RangeError, "index 9 is out of bounds for axis 1 with size 7"
        yield given(draw(3, 7), key=(0, 0, 0)), ShapeError, "too many indices"
        yield given(draw(3, 7), key=np.array([0.0, 1.0])), DTypeError, "float64"
        yield given(draw(3), key="first"), DTypeError, "str"

    def call(x, key):
        return Index.apply(x, key=_plain(key))

    def forward(ctx, x, *, key):
        _check_key(key)
        ctx.save(x.shape, key)
        try:
            return x[key]
        except IndexError as error:
            kind = RangeError if "out of bounds" in str(error) else ShapeError
            raise kind(f"index: x {x.shape}: {error}") from None

    def backward(ctx, dy):
        shape, key = ctx.saved
        dx = np.zeros(shape, dtype=dy.dtype)
        if may_repeat(key):
            np.add.at(dx, key, dy)  # in the forward pass an entry may have been picked twice; so now it collects twice
        else:
            dx[key] = dy  # nothing was picked twice, and this is faster
        return dx


def _plain(key):
    """Replace the Tensors and lists in a key by arrays."""
    if isinstance(key, tuple):
        return tuple(_plain(part) for part in key)
    if isinstance(key, Tensor):
        return key.data
    return np.asarray(key, dtype=None if key else np.intp) if isinstance(key, list) else key


def may_repeat(key):
    """Can this key pick an entry twice? Arrays of integers can; numbers, slices and masks cannot.

    Example:
        >>> may_repeat(np.array([0, 2, 2])), may_repeat((slice(None), 1))
        (True, False)
    """
    return any(isinstance(part, np.ndarray) and part.dtype.kind in "iu" for part in _parts(key))


def _parts(key):
    return key if isinstance(key, tuple) else (key,)


def _check_key(key):
    for part in _parts(key):
        if part is None or part is Ellipsis or isinstance(part, (slice, int, np.integer, np.bool_)):
            continue
        dtype = getattr(part, "dtype", type(part).__name__)
        if getattr(dtype, "kind", "") not in "iub" or not isinstance(part, np.ndarray):
            raise DTypeError(
                f"index: a key cannot be {dtype}", hint="integers, slices, None, ..., or arrays of int or bool"
            )


class Take(Op):
    r"""Look rows up in a table: the embedding.

    Forward   y_n = x[index_n]
    Backward  dx[v] = sum of dy_n over all n with index_n = v
    Shapes    x (V, C), index (...) -> y (..., C)

    Example:
        >>> import tinyllm as tl
        >>> table = tl.Tensor([[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]])
        >>> table.take([2, 0]).data
        array([[4., 5.],
               [0., 1.]], dtype=float32)
    """

    def samples(draw):
        yield draw(3, 7), np.array(1)
        yield draw(5, 3), np.array([0, 2, 2, 4, 2])
        yield draw(7, 5), draw.ints(7, 2, 3)
        yield draw(5, 5), draw.ints(5, 5)
        yield draw(1, 1), np.array([0])
        yield draw(3, 2), np.zeros((0, 2), dtype=np.int64)
        yield draw(11), draw.ints(11, 2, 3)  # rows of a single number
        yield draw(3, 2, 5), draw.ints(3, 7)  # rows with axes of their own

    def bad(draw):
        yield (draw(5, 3), np.array([[0, 1], [5, 2]])), RangeError, r"index\[1, 0\] is 5, and x has 5 rows: 0 to 4"
        yield (draw(5, 3), np.array([0, -1])), RangeError, r"index\[1\] is -1"
        yield (draw(5, 3), np.array([0.0, 1.0])), DTypeError, "float64"
        yield (draw(), np.array(0)), ShapeError, "take needs at least one axis"

    def call(x, index):
        return Take.apply(x, integers("take", index))

    def forward(ctx, x, index):
        one_axis("take", x, 0)
        index = integers("take", index)
        refuse_outside("take", index, len(x), f"x has {len(x)} rows: 0 to {len(x) - 1}")
        ctx.save(x.shape, index)
        return x.take(index, axis=0)  # faster than x[index]

    def backward(ctx, dy):
        shape, index = ctx.saved
        rows = dy.reshape(index.size, math.prod(shape[1:]))  # (N, C)
        return kernels.scatter_add(index.reshape(-1), rows, shape[0]).reshape(shape), None


class Gather(Op):
    r"""Pick one entry per place along an axis: from each row, the one its index names.

    Forward   y_{i n} = x_{i index_{i n}}, where n and the index count along the axis
    Backward  dx_{i v} = sum of dy_{i n} over all n with index_{i n} = v
    Shapes    x (...), index (...) -> y (...), equal but for the axis

    Example:
        >>> import tinyllm as tl
        >>> tl.gather(np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]), [[2, 0], [1, 1]], axis=1).data
        array([[3., 1.],
               [5., 5.]])
    """

    def samples(draw):
        yield given(draw(1), np.array([0]), axis=0)
        yield given(draw(5), np.array([3, 3, 0]), axis=-1)
        yield given(draw(3, 7), draw.ints(7, 3, 2), axis=1)
        yield given(draw(2, 3, 5), draw.ints(3, 2, 7, 5), axis=-2)
        yield given(draw(5, 5), draw.ints(5, 5, 5), axis=0)
        yield given(draw(3, 7), np.zeros((3, 0), dtype=np.int64), axis=1)

    def bad(draw):
        yield given(draw(3, 7), draw.ints(3, 2, 7), axis=1), ShapeError, r"x \(3, 7\), index \(2, 7\)"
        yield given(draw(3, 7), np.array([0, 1]), axis=1), ShapeError, r"index \(2,\)"
        yield given(draw(2, 3), np.array([[0], [3]]), axis=1), RangeError, r"index\[1, 0\] is 3.*axis 1.*0 to 2"
        yield given(draw(2, 3), np.array([[0.0], [1.0]]), axis=1), DTypeError, "float64"
        yield given(draw(2, 3), np.array([[0], [1]]), axis=2), RangeError, "no axis 2"

    def call(x, index, axis):
        return Gather.apply(x, integers("gather", index), axis=axis)

    def forward(ctx, x, index, *, axis):
        axis = one_axis("gather", x, axis)
        index = integers("gather", index)
        if index.ndim != x.ndim or any(i != axis and index.shape[i] != x.shape[i] for i in range(x.ndim)):
            raise ShapeError(f"{Gather.describe([x, index])}: the two may differ in size along axis {axis} only")
        size = x.shape[axis]
        refuse_outside("gather", index, size, f"axis {axis} of x {x.shape} counts from 0 to {size - 1}")
        places = list(np.ix_(*(np.arange(n) for n in index.shape)))  # every entry stays where it is,
        places[axis] = index  # but for the place along the axis
        ctx.save(x.shape, tuple(places))
        return x[tuple(places)]

    def backward(ctx, dy):
        shape, places = ctx.saved
        dx = np.zeros(shape, dtype=dy.dtype)
        np.add.at(dx, places, dy)  # in the forward pass an entry may have been picked twice; so now it collects twice
        return dx, None
