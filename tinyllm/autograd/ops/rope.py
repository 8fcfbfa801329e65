"""Rotary positions in their two conventions, each under its own name: neither is a default."""

from __future__ import annotations

import numpy as np

from ... import kernels
from ...errors import ShapeError
from ..op import Op


def turns(draw):
    """Sample a rotation: angles of any size, as cosines and sines."""
    for B, H, T, D in (1, 1, 1, 2), (2, 3, 5, 14), (1, 2, 6, 6), (0, 2, 3, 10):
        angles = draw(T, D // 2, scale=3.0)
        yield draw(B, H, T, D), np.cos(angles), np.sin(angles)


def misfits(draw):
    """Angles for other positions or another head size, and an odd head size, are refused."""
    yield (draw(2, 3, 5, 6), draw(7, 3), draw(7, 3)), ShapeError, r"cos and sin must be \(T=5, D/2=3\)"
    yield (draw(2, 3, 5, 6), draw(5, 3), draw(5, 6)), ShapeError, r"cos and sin must be \(T=5, D/2=3\)"
    yield (draw(2, 3, 5, 7), draw(5, 3), draw(5, 3)), ShapeError, "D=7 is odd"
    yield (draw(5, 6), draw(5, 3), draw(5, 3)), ShapeError, "four axes"


class RopeHalf(Op):
    r"""Turn channels i and i + D/2 by an angle that grows with the position: the convention of transformers.

    Forward   y_i = x_i cos_i - x_{i+D/2} sin_i;  y_{i+D/2} = x_{i+D/2} cos_i + x_i sin_i
    Backward  dx is dy turned back: the same with -sin
    Shapes    x (B, H, T, D), cos (T, D/2), sin (T, D/2) -> y (B, H, T, D)
    Source    Su et al. 2021, "RoFormer: Enhanced Transformer with Rotary Position Embedding"

    ``cos`` and ``sin`` are constants, as ``kernels.rope_angles`` makes them; no gradient flows to them.
    """

    constants = ("cos", "sin")
    samples = turns
    bad = misfits

    def forward(ctx, x, cos, sin):
        _refuse_misfit(RopeHalf, x, cos, sin)
        ctx.save(cos, sin)
        return kernels.rope_half(x, cos, sin)

    def backward(ctx, dy):
        cos, sin = ctx.saved
        return kernels.rope_half(dy, cos, -sin), None, None


class RopePairs(Op):
    r"""Turn channels 2i and 2i + 1 by an angle that grows with the position: the convention of llama2.c and GGUF.

    Forward   y_{2i} = x_{2i} cos_i - x_{2i+1} sin_i;  y_{2i+1} = x_{2i+1} cos_i + x_{2i} sin_i
    Backward  dx is dy turned back: the same with -sin
    Shapes    x (B, H, T, D), cos (T, D/2), sin (T, D/2) -> y (B, H, T, D)
    Source    Su et al. 2021, "RoFormer: Enhanced Transformer with Rotary Position Embedding"

    ``cos`` and ``sin`` are constants, as ``kernels.rope_angles`` makes them; no gradient flows to them.
    """

    constants = ("cos", "sin")
    samples = turns
    bad = misfits

    def forward(ctx, x, cos, sin):
        _refuse_misfit(RopePairs, x, cos, sin)
        ctx.save(cos, sin)
        return kernels.rope_pairs(x, cos, sin)

    def backward(ctx, dy):
        cos, sin = ctx.saved
        return kernels.rope_pairs(dy, cos, -sin), None, None


def _refuse_misfit(op, x, cos, sin):
    wrong = None
    if x.ndim != 4:
        wrong = f"x has {x.ndim} axes, not four axes (batch, heads, time, head size)"
    elif x.shape[3] % 2:
        wrong = f"D={x.shape[3]} is odd, and channels are turned in pairs"
    elif not cos.shape == sin.shape == (x.shape[2], x.shape[3] // 2):
        wrong = f"cos and sin must be (T={x.shape[2]}, D/2={x.shape[3] // 2})"
    if wrong:
        raise ShapeError(f"{op.describe([x, cos, sin])}: {wrong}")
