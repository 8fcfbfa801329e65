"""The curves between two linear layers; each is applied entry by entry."""

from __future__ import annotations

import numpy as np

from ... import kernels
from ...errors import ShapeError
from ..draw import given
from ..op import Op


def curve(draw):
    """Sample a smooth curve: every kind of shape, and entries far out on both sides, where exp could overflow."""
    yield draw()
    yield draw(1)
    yield draw(0, 3)
    yield draw(2, 3, 5)
    yield draw(5, 5)
    yield np.concatenate([draw(5), draw(6, scale=300.0)])


class Tanh(Op):
    r"""Squeeze each entry into (-1, 1).

    Forward   y = tanh x
    Backward  dx = dy (1 - y^2)
    Shapes    x (...) -> y (...)
    """

    samples = curve

    def forward(ctx, x):
        y = np.tanh(x)
        ctx.save(y)  # the output is enough; x can be freed
        return y

    def backward(ctx, dy):
        (y,) = ctx.saved
        return dy * (1 - y * y)


class Sigmoid(Op):
    r"""Squeeze each entry into (0, 1).

    Forward   y = 1 / (1 + e^-x)
    Backward  dx = dy y (1 - y)
    Shapes    x (...) -> y (...)
    """

    samples = curve

    def forward(ctx, x):
        y = kernels.sigmoid(x)
        ctx.save(y)
        return y

    def backward(ctx, dy):
        (y,) = ctx.saved
        return dy * y * (1 - y)


class Relu(Op):
    r"""Put zero in the place of negative entries.

    Forward   y = max(x, 0)
    Backward  dx = dy where x > 0, else 0
    Shapes    x (...) -> y (...)
    """

    kink = "at x = 0, dx = 0"

    def samples(draw):
        yield draw.positive()
        yield draw.positive(1)
        yield draw.away(0, 3)
        yield draw.away(2, 3, 5)
        yield draw.away(5, 5)

    def kinks():
        yield np.array([-1.0, 0.0, 2.0]), np.array([0.0, 0.0, 1.0])

    def forward(ctx, x):
        ctx.save(x.real > 0)
        return np.where(x.real <= 0, 0, x)  # written so that a NaN stays one

    def backward(ctx, dy):
        (positive,) = ctx.saved
        return np.where(positive, dy, 0)


class Gelu(Op):
    r"""Weigh each entry by the share of a normal distribution that lies below it.

    Forward   y = x Phi(x),  Phi(x) = (1 + erf(x / sqrt 2)) / 2
    Backward  dx = dy (Phi(x) + x phi(x)),  phi(x) = e^(-x^2 / 2) / sqrt(2 pi)
    Shapes    x (...) -> y (...)
    Source    Hendrycks and Gimpel 2016, "Gaussian Error Linear Units"
    """

    cheap = True
    samples = curve

    def forward(ctx, x):
        ctx.save(x)
        return kernels.gelu(x)

    def backward(ctx, dy):
        (x,) = ctx.saved
        return kernels.gelu_backward(x, dy)


class GeluTanh(Op):
    r"""Weigh each entry nearly as ``gelu`` does, by a tanh: what GPT-2 was trained with.

    Forward   y = x (1 + tanh u) / 2,  u = sqrt(2 / pi) (x + 0.044715 x^3)
    Backward  dx = dy (1 + tanh u + x (1 - tanh^2 u) u') / 2,  u' = sqrt(2 / pi) (1 + 3 * 0.044715 x^2)
    Shapes    x (...) -> y (...)
    Source    Hendrycks and Gimpel 2016, "Gaussian Error Linear Units"
    """

    cheap = True
    samples = curve

    def forward(ctx, x):
        ctx.save(x)
        return kernels.gelu_tanh(x)

    def backward(ctx, dy):
        (x,) = ctx.saved
        return kernels.gelu_tanh_backward(x, dy)


class Silu(Op):
    r"""Weigh each entry by its own sigmoid; also known as swish.

    Forward   y = x s,  s = sigmoid(x)
    Backward  dx = dy s (1 + x (1 - s))
    Shapes    x (...) -> y (...)
    Source    Elfwing, Uchibe and Doya 2017, "Sigmoid-Weighted Linear Units"
    """

    cheap = True
    samples = curve

    def forward(ctx, x):
        ctx.save(x)
        return kernels.silu(x)

    def backward(ctx, dy):
        (x,) = ctx.saved
        return kernels.silu_backward(x, dy)


class Swiglu(Op):
    r"""Let one array decide how much of another one passes: the gate of the LLaMA family.

    Forward   y = silu(gate) up = gate s up,  s = sigmoid(gate)
    Backward  dgate = dy up s (1 + gate (1 - s));  dup = dy gate s
    Shapes    gate (..., C), up (..., C) -> y (..., C)
    Source    Shazeer 2020, "GLU Variants Improve Transformer"
    """

    cheap = True

    def samples(draw):
        yield draw(), draw()
        yield draw(1), draw(1)
        yield draw(0, 3), draw(0, 3)
        yield draw(2, 3, 5), draw(2, 3, 5)
        yield draw(5, 5), draw(5, 5)
        yield given(np.concatenate([draw(5), draw(6, scale=300.0)]), draw(11))

    def bad(draw):
        yield (draw(2, 3), draw(2, 5)), ShapeError, r"gate \(2, C=3\), up \(2, C=5\)"

    def forward(ctx, gate, up):
        if gate.shape != up.shape:
            raise ShapeError(f"{Swiglu.describe([gate, up])}: the two must have one shape")
        ctx.save(gate, up)
        return kernels.swiglu(gate, up)

    def backward(ctx, dy):
        gate, up = ctx.saved
        return kernels.swiglu_backward(gate, up, dy)
