"""Norms: entries brought to one scale, over the channels of each row or over the rows of each channel."""

from __future__ import annotations

import numpy as np

from ... import kernels
from ...errors import ShapeError
from ..draw import given
from ..op import Op
from .linalg import rows


class LayerNorm(Op):
    r"""Give each row mean 0 and variance 1, then a gain and a bias per channel.

    Forward   n = (x - mean(x)) / sqrt(var(x) + eps);  y = n g + b
    Backward  dn = dy g;  dx = (dn - mean(dn) - n mean(dn n)) / sqrt(var(x) + eps);  dg = sum dy n;  db = sum dy
    Shapes    x (..., C), g (C), b (C) -> y (..., C)
    Source    Ba, Kiros and Hinton 2016, "Layer Normalization"
    """

    cheap = True

    def samples(draw):
        yield draw(7), draw(7), draw(7)
        yield draw(3, 7), draw(7), draw(7)
        yield draw(2, 3, 5), None, None
        yield draw(2, 3, 5), draw(5), None
        yield draw(5, 5), draw(5), draw(5)
        yield given(draw(3, 7, scale=30.0), draw(7), draw(7), eps=0.5)
        yield draw(0, 3), draw(3), draw(3)

    def bad(draw):
        yield (draw(2, 5), draw(7), None), ShapeError, r"x \(2, C=5\), g \(C=7,\): g is not \(C=5,\)"
        yield (draw(2, 5), draw(5), draw(2, 5)), ShapeError, r"b is not \(C=5,\)"
        yield (draw(), None, None), ShapeError, "layer_norm needs at least one axis"
        yield (draw(2, 0), None, None), ShapeError, "C=0"

    def forward(ctx, x, g=None, b=None, *, eps=1e-5):
        C = channels(LayerNorm, x, g=g, b=b)
        gain = np.ones(C, dtype=x.dtype) if g is None else g
        bias = np.zeros(C, dtype=x.dtype) if b is None else b
        y, mean, rstd = kernels.layer_norm(x, gain, bias, eps)
        ctx.save(x, gain, mean, rstd, g is not None, b is not None)
        return y

    def backward(ctx, dy):
        x, gain, mean, rstd, has_g, has_b = ctx.saved
        dx, dg, db = kernels.layer_norm_backward(x, gain, mean, rstd, dy)
        return dx, dg if has_g else None, db if has_b else None


class RmsNorm(Op):
    r"""Divide each row by its root mean square, then a gain per channel: a LayerNorm without the mean.

    Forward   n = x / sqrt(mean(x^2) + eps);  y = n g
    Backward  dn = dy g;  dx = (dn - n mean(dn n)) / sqrt(mean(x^2) + eps);  dg = sum dy n
    Shapes    x (..., C), g (C) -> y (..., C)
    Source    Zhang and Sennrich 2019, "Root Mean Square Layer Normalization"
    """

    cheap = True

    def samples(draw):
        yield draw(7), draw(7)
        yield draw(3, 7), draw(7)
        yield draw(2, 3, 5), None
        yield draw(5, 5), draw(5)
        yield given(draw(3, 7, scale=30.0), draw(7), eps=0.5)
        yield draw(0, 3), draw(3)

    def bad(draw):
        yield (draw(2, 5), draw(7)), ShapeError, r"x \(2, C=5\), g \(C=7,\): g is not \(C=5,\)"
        yield (draw(), None), ShapeError, "rms_norm needs at least one axis"
        yield (draw(2, 0), None), ShapeError, "C=0"

    def forward(ctx, x, g=None, *, eps=1e-6):
        C = channels(RmsNorm, x, g=g)
        gain = np.ones(C, dtype=x.dtype) if g is None else g
        y, rstd = kernels.rms_norm(x, gain, eps)
        ctx.save(x, gain, rstd, g is not None)
        return y

    def backward(ctx, dy):
        x, gain, rstd, has_g = ctx.saved
        dx, dg = kernels.rms_norm_backward(x, gain, rstd, dy)
        return dx, dg if has_g else None


class BatchNorm(Op):
    r"""Give each channel mean 0 and variance 1 over all rows, then a gain and a bias per channel.

    Forward   n = (x - mean(x)) / sqrt(var(x) + eps), over all axes but the last;  y = n g + b
    Backward  dn = dy g;  dx = (dn - mean(dn) - n mean(dn n)) / sqrt(var(x) + eps);  dg = sum dy n;  db = sum dy
    Shapes    x (..., C), g (C), b (C) -> y (..., C)
    Source    Ioffe and Szegedy 2015, "Batch Normalization"
    """

    def samples(draw):
        yield draw(7, 3), draw(3), draw(3)
        yield draw(2, 3, 5), None, None
        yield draw(2, 3, 5), draw(5), None
        yield draw(5, 5), draw(5), draw(5)
        yield given(draw(7, 3, scale=30.0), draw(3), draw(3), eps=0.5)
        yield draw(11, 1), draw(1), draw(1)

    def bad(draw):
        yield (draw(2, 5), draw(7), None), ShapeError, r"x \(2, C=5\), g \(C=7,\): g is not \(C=5,\)"
        yield (draw(1, 5), None, None), ShapeError, "1 row.*at least 2"
        yield (draw(5), None, None), ShapeError, "1 row.*at least 2"
        yield (draw(), None, None), ShapeError, "batch_norm needs at least one axis"

    def forward(ctx, x, g=None, b=None, *, eps=1e-5):
        C = channels(BatchNorm, x, g=g, b=b)
        gain = np.ones(C, dtype=x.dtype) if g is None else g
        flat = rows(x)  # (N, C)
        if len(flat) < 2:
            raise ShapeError(f"{BatchNorm.describe([x])}: {len(flat)} row has no spread; it takes at least 2")
        centered = flat - flat.mean(axis=0)
        rstd = 1 / np.sqrt((centered * centered).mean(axis=0) + eps)  # (C,)
        n = centered * rstd
        ctx.save(n, gain, rstd, g is not None, b is not None)
        y = n * gain
        return (y if b is None else y + b).reshape(x.shape)

    def backward(ctx, dy):
        n, gain, rstd, has_g, has_b = ctx.saved
        flat = rows(dy)  # (N, C)
        dn = flat * gain
        # In the forward pass the mean and the scale were taken off; so now what would only move them is taken off dn.
        dx = rstd * (dn - dn.mean(axis=0) - n * (dn * n).mean(axis=0))
        dg = (flat * n).sum(axis=0) if has_g else None
        db = flat.sum(axis=0) if has_b else None
        return dx.reshape(dy.shape), dg, db


def channels(op, x, **per_channel):
    """Return the number of channels C; refuse a gain or a bias that does not have one number for each."""
    if x.ndim == 0:
        raise ShapeError(f"{op.name} needs at least one axis, and x is a single number")
    C = x.shape[-1]
    if C == 0:
        raise ShapeError(f"{op.describe([x])}: there are no channels, C=0")
    for name, array in per_channel.items():
        if array is not None and array.shape != (C,):
            raise ShapeError(f"{op.describe([x, *per_channel.values()])}: {name} is not (C={C},)")
    return C
