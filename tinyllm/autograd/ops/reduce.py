"""Many entries into one: sums, means, maxima and what is made of them, over any axes."""

from __future__ import annotations

import numpy as np

from ... import kernels
from ...errors import RangeError, ShapeError
from ..draw import given
from ..op import Op
from .axes import one_axis, several_axes, some, spread


def reductions(draw):
    """Sample a reduction over all axes, over one from either end, over several, and with the axes kept."""
    yield draw()
    yield draw(1)
    yield draw(3, 7)
    yield given(draw(0, 3), axis=1)
    yield given(draw(2, 3, 5), axis=1)
    yield given(draw(2, 3, 5), axis=-1, keepdims=True)
    yield given(draw(2, 3, 5), axis=(0, -1))
    yield given(draw(5, 5), axis=0, keepdims=True)


def no_such_axis(draw):
    """An axis that is not there, or is named twice, is refused."""
    yield given(draw(3, 7), axis=2), RangeError, r"\(3, 7\) has no axis 2"
    yield given(draw(3, 7), axis=(0, -2)), ShapeError, "twice"
    yield given(draw(), axis=0), ShapeError, "needs at least one axis"


def nothing_to_reduce(draw):
    """Neither a missing axis nor an empty one gives an answer."""
    yield from no_such_axis(draw)
    yield given(draw(0, 3), axis=0), ShapeError, r"no entries in x \(0, 3\) along axis 0"
    yield draw(2, 0), ShapeError, "no entries"


class Sum(Op):
    r"""Add up the entries along some axes, or all of them.

    Forward   y = sum_i x_i
    Backward  dx_i = dy
    Shapes    x (...) -> y (... without the axes)
    """

    bad = no_such_axis

    def samples(draw):
        yield from reductions(draw)
        yield given(draw(0, 3), axis=0)  # a sum of nothing is zero

    def forward(ctx, x, *, axis=None, keepdims=False):
        axes = several_axes("sum", x, axis)
        ctx.save(x.shape, axes)
        return x.sum(axis=axes, keepdims=keepdims)

    def backward(ctx, dy):
        shape, axes = ctx.saved
        kept = tuple(1 if axis in axes else size for axis, size in enumerate(shape))
        return np.broadcast_to(dy.reshape(kept), shape)  # every entry went into its sum once


class Mean(Op):
    r"""Average the entries along some axes, or all of them.

    Forward   y = sum_i x_i / n
    Backward  dx_i = dy / n
    Shapes    x (...) -> y (... without the axes)
    """

    samples = reductions
    bad = nothing_to_reduce

    def forward(ctx, x, *, axis=None, keepdims=False):
        axes = several_axes("mean", x, axis)
        ctx.save(x.shape, axes, some("mean", x, axes))
        return x.mean(axis=axes, keepdims=keepdims)

    def backward(ctx, dy):
        shape, axes, n = ctx.saved
        return spread(dy / n, shape, axes)


class Max(Op):
    r"""Take the largest entry along some axes, or of all.

    Forward   y = max_i x_i
    Backward  dx_i = dy where x_i = y, else 0;  entries that tie share dy equally
    Shapes    x (...) -> y (... without the axes)
    """

    bad = nothing_to_reduce
    kink = "where n entries are largest, each gets dy / n"

    def samples(draw):
        yield draw.apart()
        yield draw.apart(1)
        yield draw.apart(3, 7)
        yield given(draw.apart(0, 3), axis=1)
        yield given(draw.apart(2, 3, 5), axis=1)
        yield given(draw.apart(2, 3, 5), axis=-1, keepdims=True)
        yield given(draw.apart(2, 3, 5), axis=(0, -1))
        yield given(draw.apart(5, 5), axis=0)

    def kinks():
        x = np.array([[1.0, 4.0, 4.0], [2.0, 2.0, 2.0]])
        yield given(x, axis=1), np.array([[0.0, 0.5, 0.5], [1 / 3, 1 / 3, 1 / 3]])
        yield x, np.array([[0.0, 0.5, 0.5], [0.0, 0.0, 0.0]])

    def forward(ctx, x, *, axis=None, keepdims=False):
        axes = several_axes("max", x, axis)
        some("max", x, axes)
        y = x.max(axis=axes, keepdims=True)  # of complex numbers NumPy compares the real parts first
        ctx.save(x.real == y.real, axes)
        return y if keepdims else y.squeeze(axes)

    def backward(ctx, dy):
        largest, axes = ctx.saved
        ties = largest.sum(axis=axes, keepdims=True, dtype=dy.real.dtype)
        dy = dy.reshape(ties.shape)  # its axes are back, with size 1
        share = dy / np.maximum(ties, 1)  # among NaNs nothing is largest
        return np.where(largest, share, 0)


class Var(Op):
    r"""Take the variance along some axes, or of all entries: the mean squared distance from the mean.

    Forward   y = sum_i (x_i - m)^2 / (n - correction), where m is the mean of the n entries
    Backward  dx_i = dy 2 (x_i - m) / (n - correction)
    Shapes    x (...) -> y (... without the axes)

    ``correction=0`` is the variance of the entries themselves (what the norms use), ``correction=1`` the unbiased
    estimate of the variance they were drawn with.
    """

    def samples(draw):
        yield draw(3, 7)
        yield given(draw(0, 3), axis=1)
        yield given(draw(2, 3, 5), axis=1, correction=1)
        yield given(draw(2, 3, 5), axis=-1, keepdims=True)
        yield given(draw(2, 3, 5, scale=30.0), axis=(0, -1))
        yield given(draw(5, 5), axis=0)

    def bad(draw):
        yield from nothing_to_reduce(draw)
        yield given(draw(3, 1), axis=1, correction=1), ShapeError, "1 entries.*correction=1"

    def forward(ctx, x, *, axis=None, keepdims=False, correction=0):
        axes = several_axes("var", x, axis)
        n = some("var", x, axes)
        if n <= correction:
            raise ShapeError(f"var: {n} entries are too few for correction={correction}", hint="correction=0")
        m = x.mean(axis=axes, keepdims=True)
        ctx.save(x, m, axes, n - correction)
        return ((x - m) ** 2).sum(axis=axes, keepdims=keepdims) / (n - correction)

    def backward(ctx, dy):
        x, m, axes, divisor = ctx.saved
        # In the forward pass m depends on every x_i, too; but it moves by the sum of the distances from it, which is 0.
        return spread(dy, x.shape, axes) * (2 / divisor) * (x - m)


class Logsumexp(Op):
    r"""Take the logarithm of a sum of exponentials along one axis: a maximum with rounded corners.

    Forward   y = log sum_i exp(x_i)
    Backward  dx_i = dy exp(x_i - y), the softmax times dy
    Shapes    x (...) -> y (... without the axis)
    Stable    the largest entry is taken out first, so nothing overflows
    """

    def samples(draw):
        yield draw(1)
        yield draw(7)
        yield draw(0, 3)
        yield draw(2, 3, 5, scale=30.0)
        yield given(draw(2, 3, 5), axis=1)
        yield given(draw(2, 3, 5), axis=0, keepdims=True)
        yield given(draw(5, 5), axis=-2)

    def bad(draw):
        yield draw(), ShapeError, "logsumexp needs at least one axis"
        yield given(draw(3, 7), axis=-3), RangeError, "no axis -3"
        yield draw(3, 0), ShapeError, "no entries"

    def forward(ctx, x, *, axis=-1, keepdims=False):
        axis = one_axis("logsumexp", x, axis)
        some("logsumexp", x, (axis,))
        y = kernels.logsumexp(np.moveaxis(x, axis, -1))
        kept = np.expand_dims(y, axis)
        ctx.save(x, kept)
        return kept if keepdims else y

    def backward(ctx, dy):
        x, y = ctx.saved
        return dy.reshape(y.shape) * np.exp(x - y)


class Cumsum(Op):
    r"""Add up along one axis and keep every partial sum.

    Forward   y_i = sum_{j <= i} x_j
    Backward  dx_j = sum_{i >= j} dy_i
    Shapes    x (...) -> y (...)
    """

    def samples(draw):
        yield given(draw(1), axis=0)
        yield given(draw(0, 3), axis=0)
        yield given(draw(7), axis=-1)
        yield given(draw(2, 3, 5), axis=1)
        yield given(draw(5, 5), axis=-2)

    def bad(draw):
        yield given(draw(), axis=0), ShapeError, "cumsum needs at least one axis"
        yield given(draw(3, 7), axis=2), RangeError, "no axis 2"

    def forward(ctx, x, *, axis):
        axis = one_axis("cumsum", x, axis)
        ctx.save(axis)
        return x.cumsum(axis=axis)

    def backward(ctx, dy):
        (axis,) = ctx.saved  # in the forward pass x_j went into every sum from y_j on; so now it collects from those
        return np.flip(np.flip(dy, axis).cumsum(axis=axis), axis)
