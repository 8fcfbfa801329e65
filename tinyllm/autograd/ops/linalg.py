"""Matrix products: where nearly all of a model's arithmetic is, and how to keep each of them one large product."""

from __future__ import annotations

import math

import numpy as np

from ... import kernels
from ...errors import ShapeError, shape_in_letters
from ..op import Op


def flip(x):
    """Swap the last two axes: the transpose of each matrix in a stack."""
    return x.swapaxes(-1, -2)


def rows(x):
    """Lay all axes but the last end to end: (..., C) becomes (rows, C)."""
    return x.reshape(math.prod(x.shape[:-1]), x.shape[-1])


class Matmul(Op):
    r"""Multiply matrices, or stacks of them; an array of one axis is a row on the left and a column on the right.

    Forward   y = a b, that is y_mn = sum_k a_mk b_kn
    Backward  da = dy b^T;  db = a^T dy
    Shapes    a (..., M, K), b (..., K, N) -> y (..., M, N), the axes in front broadcast

    Example:
        >>> import tinyllm as tl
        >>> tl.Tensor(np.ones((6, 8))) @ tl.Tensor(np.ones((6, 8)))
        Traceback (most recent call last):
            ...
        tinyllm.errors.ShapeError: E-SHAPE matmul: a (M=6, K=8), b (K=6, N=8): inner sizes ... Try: b.swapaxes(-1, -2)
    """

    symbol = "@"

    def samples(draw):
        yield draw(3, 5), draw(5, 7)
        yield draw(1, 1), draw(1, 1)
        yield draw(5, 5), draw(5, 5)
        yield draw(2, 3, 5), draw(5, 7)  # one product of 6 rows
        yield draw(2, 3, 5), draw(2, 5, 7)
        yield draw(2, 1, 3, 5), draw(11, 5, 7)
        yield draw(3, 5), draw(2, 5, 7)
        yield draw(5), draw(5)
        yield draw(5), draw(5, 7)
        yield draw(5), draw(2, 5, 7)
        yield draw(3, 5), draw(5)
        yield draw(2, 3, 5), draw(5)
        yield draw(0, 3), draw(3, 2)
        yield draw(2, 0), draw(0, 3)
        yield draw(2, 0, 3), draw(3, 5)

    def bad(draw):
        yield (draw(6, 8), draw(6, 8)), ShapeError, r"K=8 and K=6 differ. Try: b.swapaxes\(-1, -2\)"
        yield (draw(5, 3), draw(5, 7)), ShapeError, r"K=3 and K=5 differ. Try: a.swapaxes\(-1, -2\)"
        yield (draw(3, 5), draw(7, 11)), ShapeError, r"a \(M=3, K=5\), b \(K=7, N=11\): inner sizes K=5 and K=7 differ$"
        yield (draw(3, 5), draw(7)), ShapeError, r"b \(K=7,\)"
        yield (draw(2, 3, 5), draw(7, 5, 3)), ShapeError, r"\(2,\) and \(7,\) in front do not broadcast"
        yield (draw(), draw(3)), ShapeError, r"Try: a \* b"

    def forward(ctx, a, b):
        _refuse_misfit(a, b)
        ctx.save(a, b)
        return kernels.matmul(a, b)

    def backward(ctx, dy):
        a, b, dy = as_matrices(*ctx.saved, dy)  # a vector becomes a matrix of one row, or of one column
        da = db = None
        if ctx.wants(0):
            da = kernels.matmul(dy, flip(b))  # (..., M, K)
        if ctx.wants(1):
            if b.ndim == 2:  # in the forward pass one b met all rows of a; so now a^T dy is one product over them all
                a, dy = rows(a), rows(dy)
            db = kernels.matmul(flip(a), dy)  # (..., K, N)
        return as_given(da, db, *ctx.saved)


def as_matrices(a, b, dy):
    """Give a vector on the left its axis M of size 1, one on the right its axis N of size 1, and both to dy.

    Example:
        >>> [x.shape for x in as_matrices(np.ones((3, 5)), np.ones(5), np.ones(3))]
        [(3, 5), (5, 1), (3, 1)]
    """
    if b.ndim == 1:
        b, dy = b[:, None], dy[..., None]  # (K, 1), (..., M, 1)
    if a.ndim == 1:
        a, dy = a[None, :], dy[..., None, :]  # (1, K), (..., 1, N)
    return a, b, dy


def as_given(da, db, a, b):
    """Take those axes away again from the gradients of what was a vector.

    Example:
        >>> [x.shape for x in as_given(np.ones((3, 5)), np.ones((5, 1)), np.ones((3, 5)), np.ones(5))]
        [(3, 5), (5,)]
    """
    if da is not None and a.ndim == 1:
        da = da[..., 0, :]
    if db is not None and b.ndim == 1:
        db = db[..., 0]
    return da, db


def _refuse_misfit(a, b):
    """Say which sizes do not fit, with their letters, and what would make them fit."""
    if a.ndim == 0 or b.ndim == 0:
        raise ShapeError("matmul: a single number is no matrix", hint="a * b")
    inner = b.shape[-2] if b.ndim > 1 else b.shape[0]
    if a.shape[-1] != inner:
        hint = None
        if b.ndim > 1 and b.shape[-1] == a.shape[-1]:
            hint = "b.swapaxes(-1, -2)"
        elif a.ndim > 1 and a.shape[-2] == inner:
            hint = "a.swapaxes(-1, -2)"
        raise ShapeError(f"{_operands(a, b)}: inner sizes K={a.shape[-1]} and K={inner} differ", hint=hint)
    if a.ndim > 2 and b.ndim > 2:
        try:
            np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
        except ValueError:
            clash = f"{a.shape[:-2]} and {b.shape[:-2]} in front do not broadcast"
            raise ShapeError(f"{_operands(a, b)}: {clash}") from None


def _operands(a, b):
    letters = ("K", "N") if b.ndim > 1 else ("K",)
    return f"matmul: a {shape_in_letters(a.shape, ('M', 'K'))}, b {shape_in_letters(b.shape, letters)}"


class Linear(Op):
    r"""Send every row through one linear layer: the weights times it, plus the bias.

    Forward   y = x w^T + b
    Backward  dx = dy w;  dw = dy^T x, summed over all rows;  db = sum of dy over all rows
    Shapes    x (..., C), w (N, C), b (N) -> y (..., N)
    """

    def samples(draw):
        yield draw(5), draw(7, 5), draw(7)
        yield draw(3, 5), draw(7, 5), draw(7)
        yield draw(2, 3, 5), draw(7, 5), None
        yield draw(2, 3, 5), draw(7, 5), draw(7)
        yield draw(5, 5), draw(5, 5), draw(5)
        yield draw(1, 1), draw(1, 1), draw(1)
        yield draw(0, 3), draw(5, 3), draw(5)

    def bad(draw):
        yield (draw(2, 3), draw(7, 5), None), ShapeError, r"x \(2, C=3\), w \(N=7, C=5\): C=3 and C=5 differ"
        yield (draw(2, 7), draw(7, 5), None), ShapeError, r"Try: w.swapaxes"
        yield (draw(2, 5), draw(7, 5), draw(5)), ShapeError, r"b \(N=5,\): N=7 and N=5 differ"
        yield (draw(2, 5), draw(5), None), ShapeError, r"w has 1 axes, not 2"
        yield (draw(), draw(7, 5), None), ShapeError, "linear needs at least one axis"

    def forward(ctx, x, w, b=None):
        _refuse_unfit(x, w, b)
        ctx.save(x, w, b is not None)
        return kernels.linear(x, w, b)  # (..., N)

    def backward(ctx, dy):
        x, w, biased = ctx.saved
        dx = kernels.matmul(dy, w) if ctx.wants(0) else None  # (..., C)
        dw = kernels.matmul(rows(dy).T, rows(x)) if ctx.wants(1) else None  # (N, C): one product, whatever the axes
        db = rows(dy).sum(axis=0) if biased and ctx.wants(2) else None  # b went into every row
        return dx, dw, db


def _refuse_unfit(x, w, b):
    if x.ndim == 0:
        raise ShapeError("linear needs at least one axis, and x is a single number")
    wrong = hint = None
    if w.ndim != 2:
        wrong = f"w has {w.ndim} axes, not 2"
    elif x.shape[-1] != w.shape[1]:
        wrong = f"C={x.shape[-1]} and C={w.shape[1]} differ"
        hint = "w.swapaxes(0, 1): a weight is (outputs, inputs)" if x.shape[-1] == w.shape[0] else None
    elif b is not None and b.ndim != 1:
        wrong = f"b has {b.ndim} axes, not 1"
    elif b is not None and b.shape[0] != w.shape[0]:
        wrong = f"N={w.shape[0]} and N={b.shape[0]} differ"
    if wrong:
        raise ShapeError(f"{Linear.describe([x, w, b])}: {wrong}", hint=hint)
