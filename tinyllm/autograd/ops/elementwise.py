"""Arithmetic, entry by entry: each result depends on one entry of each input."""

from __future__ import annotations

import numpy as np

from ... import kernels
from ...errors import ShapeError
from ..draw import given
from ..op import Op


def one(draw):
    """Sample an op of one array on every kind of shape: no axes, one entry, none at all, several axes."""
    yield draw()
    yield draw(1)
    yield draw(0, 3)
    yield draw(2, 3, 5)


def two(draw):
    """Sample an op of two arrays on equal shapes and on every way one of them can be broadcast."""
    yield draw(), draw()
    yield draw(3, 7), draw(3, 7)
    yield draw(3, 7), draw(7)
    yield draw(), draw(3, 2)
    yield draw(2, 1, 5), draw(3, 1)
    yield draw(0, 3), draw(3)


def unequal(draw):
    """Shapes that do not broadcast are refused."""
    yield (draw(2, 3), draw(4)), ShapeError, r"\(2, 3\).*\(4,\)"


class Add(Op):
    r"""Add two arrays.

    Forward   y = a + b
    Backward  da = dy;  db = dy
    Shapes    a (...), b (...) -> y (...), broadcast
    """

    symbol = "+"
    samples = two
    bad = unequal

    def forward(ctx, a, b):
        return kernels.add(a, b)

    def backward(ctx, dy):
        return dy, dy


class Sub(Op):
    r"""Subtract one array from another.

    Forward   y = a - b
    Backward  da = dy;  db = -dy
    Shapes    a (...), b (...) -> y (...), broadcast
    """

    symbol = "-"
    samples = two
    bad = unequal

    def forward(ctx, a, b):
        return a - b

    def backward(ctx, dy):
        return dy, -dy


class Mul(Op):
    r"""Multiply two arrays entry by entry.

    Forward   y = a b
    Backward  da = dy b;  db = dy a
    Shapes    a (...), b (...) -> y (...), broadcast
    """

    symbol = "*"
    samples = two
    bad = unequal

    def forward(ctx, a, b):
        ctx.save(a, b)
        return a * b

    def backward(ctx, dy):
        a, b = ctx.saved  # in the forward pass y = a b; so now each gets dy times the other
        return dy * b, dy * a


class Div(Op):
    r"""Divide one array by another.

    Forward   y = a / b
    Backward  da = dy / b;  db = -dy a / b^2
    Shapes    a (...), b (...) -> y (...), broadcast
    """

    symbol = "/"
    bad = unequal

    def samples(draw):
        yield draw(), draw.positive()
        yield draw(3, 7), draw.away(3, 7, gap=0.5)
        yield draw(2, 1, 5), draw.positive(3, 1)
        yield draw(7), draw.positive()
        yield draw(0, 3), draw.positive(3)

    def forward(ctx, a, b):
        ctx.save(a, b)
        return a / b

    def backward(ctx, dy):
        a, b = ctx.saved
        da = dy / b
        return da, -da * a / b


class Neg(Op):
    r"""Change the sign.

    Forward   y = -x
    Backward  dx = -dy
    Shapes    x (...) -> y (...)
    """

    symbol = "neg"
    samples = one

    def forward(ctx, x):
        return -x

    def backward(ctx, dy):
        return -dy


class Pow(Op):
    r"""Raise one array to the power of another.

    Forward   y = a^b
    Backward  da = dy b a^(b-1);  db = dy a^b ln a
    Shapes    a (...), b (...) -> y (...), broadcast

    Where the base is zero or negative the power is a constant as far as its own gradient goes: db is 0 there.
    """

    symbol = "**"
    bad = unequal
    kink = "at a = 0 and below, db = 0; at b = 0, da = 0"

    def samples(draw):
        yield draw.positive(), draw()
        yield draw.positive(3, 7), draw(3, 7)
        yield draw.positive(2, 1, 5), draw(3, 1)
        yield draw.positive(3, 2), np.array(2.0)
        yield draw.positive(0, 3), draw(3)

    def kinks():
        yield (np.array([0.0, -2.0, 0.0]), np.array([2.0, 3.0, 0.0])), (np.array([0.0, 12.0, 0.0]), np.zeros(3))

    def forward(ctx, a, b):
        y = a**b
        ctx.save(a, b, y)
        return y

    def backward(ctx, dy):
        a, b, y = ctx.saved
        da = dy * b * a ** np.where(b == 0, 1, b - 1) if ctx.wants(0) else None
        db = dy * y * np.log(np.where(a.real > 0, a, 1)) if ctx.wants(1) else None
        return da, db


class Exp(Op):
    r"""Raise e to the power of each entry.

    Forward   y = e^x
    Backward  dx = dy y
    Shapes    x (...) -> y (...)
    """

    samples = one

    def forward(ctx, x):
        y = np.exp(x)
        ctx.save(y)  # the output is enough; x can be freed
        return y

    def backward(ctx, dy):
        (y,) = ctx.saved
        return dy * y


class Log(Op):
    r"""Take the natural logarithm.

    Forward   y = ln x
    Backward  dx = dy / x
    Shapes    x (...) -> y (...)
    """

    def samples(draw):
        yield draw.positive()
        yield draw.positive(0, 3)
        yield draw.positive(3, 7)
        yield draw.positive(2, 5, low=1e-3, high=1e3)

    def forward(ctx, x):
        ctx.save(x)
        with np.errstate(divide="ignore", invalid="ignore"):  # -inf and NaN are the answers; anomaly mode names them
            return np.log(x)

    def backward(ctx, dy):
        (x,) = ctx.saved
        return dy / x


class Sqrt(Op):
    r"""Take the square root.

    Forward   y = x^(1/2)
    Backward  dx = dy / (2 y)
    Shapes    x (...) -> y (...)
    """

    def samples(draw):
        yield draw.positive()
        yield draw.positive(0, 3)
        yield draw.positive(3, 7)

    def forward(ctx, x):
        with np.errstate(invalid="ignore"):
            y = np.sqrt(x)
        ctx.save(y)
        return y

    def backward(ctx, dy):
        (y,) = ctx.saved
        return dy / (2 * y)


class Abs(Op):
    r"""Drop the sign.

    Forward   y = |x|
    Backward  dx = dy sign(x)
    Shapes    x (...) -> y (...)
    """

    symbol = "abs"
    kink = "at x = 0, dx = 0"

    def samples(draw):
        yield draw.away()
        yield draw.away(0, 3)
        yield draw.away(3, 7)

    def kinks():
        yield np.array([0.0, -1.0, 2.0]), np.array([0.0, -1.0, 1.0])

    def forward(ctx, x):
        sign = np.sign(x.real)  # of the real part: the complex step must see a straight line on each side
        ctx.save(sign)
        return x * sign

    def backward(ctx, dy):
        (sign,) = ctx.saved
        return dy * sign


class Clip(Op):
    r"""Cut off what lies below ``low`` or above ``high``.

    Forward   y = min(max(x, low), high)
    Backward  dx = dy where low <= x <= high, else 0
    Shapes    x (...) -> y (...)
    """

    kink = "at x = low and x = high, dx = dy"

    def samples(draw):
        yield given(draw.apart(3, 7), low=-0.5, high=0.8)
        yield given(draw.apart(11), low=None, high=0.2)
        yield given(draw.apart(2, 5), low=0.0, high=None)
        yield given(np.array(0.3), low=0.0, high=1.0)
        yield given(draw(0, 3), low=0.0, high=1.0)

    def bad(draw):
        yield given(draw(3), low=1.0, high=0.0), ShapeError, "low.*high"

    def kinks():
        yield given(np.array([0.0, 1.0, 0.5, 2.0]), low=0.0, high=1.0), np.array([1.0, 1.0, 1.0, 0.0])

    def forward(ctx, x, *, low=None, high=None):
        if low is not None and high is not None and low > high:
            raise ShapeError(f"clip: low {low} is above high {high}")
        inside = np.ones(x.shape, dtype=bool)
        y = x
        if low is not None:
            y = np.where(x.real < low, x.dtype.type(low), y)
            inside &= x.real >= low
        if high is not None:
            y = np.where(x.real > high, x.dtype.type(high), y)
            inside &= x.real <= high
        ctx.save(inside)
        return y

    def backward(ctx, dy):
        (inside,) = ctx.saved
        return dy * inside


class Maximum(Op):
    r"""Take the larger of two arrays, entry by entry.

    Forward   y = max(a, b)
    Backward  da = dy where a > b;  db = dy where b > a;  where they tie, half of dy to each
    Shapes    a (...), b (...) -> y (...), broadcast
    """

    bad = unequal
    kink = "where a = b, da = db = dy / 2"

    def samples(draw):
        yield np.array(0.0), draw.away(7)
        yield draw.away(3, 7), draw(3, 7, scale=0.01)
        yield draw.away(2, 1, 5), draw(3, 1, scale=0.01)
        yield draw(0, 3), draw(3)

    def kinks():
        yield (np.array([1.0, 2.0, 3.0]), np.array([1.0, 0.0, 5.0])), (np.array([0.5, 1, 0]), np.array([0.5, 0, 1]))

    def forward(ctx, a, b):
        share = (np.sign(a.real - b.real) + 1) / 2  # how much of y is a: 1, 1/2 on a tie, 0
        ctx.save(share)
        return np.where(share > 0, a, b)

    def backward(ctx, dy):
        (share,) = ctx.saved
        return dy * share, dy * (1 - share)


class Where(Op):
    r"""Take an entry from ``a`` where the condition holds, from ``b`` where it does not.

    Forward   y = a if condition else b
    Backward  da = dy where condition;  db = dy where not
    Shapes    condition (...), a (...), b (...) -> y (...), broadcast
    """

    method = False

    def samples(draw):
        yield np.array([True, False]), draw(), draw()
        yield draw.mask(3, 7), draw(3, 7), draw(3, 7)
        yield draw.mask(5, 1), draw(2), draw(5, 1)
        yield draw.mask(0, 3), draw(3), draw(0, 3)

    def bad(draw):
        yield (draw.mask(2, 3), draw(4), draw(3)), ShapeError, r"condition \(2, 3\), a \(4,\)"

    def forward(ctx, condition, a, b):
        ctx.save(condition)
        return np.where(condition, a, b)

    def backward(ctx, dy):
        (condition,) = ctx.saved
        return None, np.where(condition, dy, 0), np.where(condition, 0, dy)


class MaskedFill(Op):
    r"""Put one number wherever the mask is true.

    Forward   y = value if mask else x
    Backward  dx = 0 if mask else dy
    Shapes    x (...), mask (...) -> y (...), broadcast
    """

    infinite = True  # -inf is what attention fills with

    def samples(draw):
        yield given(draw(3, 7), draw.mask(3, 7), value=0.5)
        yield given(draw(2, 3, 5), np.array([[True], [False], [False]]), value=-2.0)
        yield given(draw(), np.array(False), value=1.0)
        yield given(draw(0, 3), draw.mask(3), value=0.0)

    def bad(draw):
        yield given(draw(2, 3), draw.mask(4), value=0.0), ShapeError, r"x \(2, 3\), mask \(4,\)"

    def forward(ctx, x, mask, *, value):
        ctx.save(mask)
        return np.where(mask, x.dtype.type(value), x)

    def backward(ctx, dy):
        (mask,) = ctx.saved
        return np.where(mask, 0, dy), None
