"""Each in one piece: softmax, its logarithm, and dropout."""

from __future__ import annotations

import operator

import numpy as np

from ... import kernels
from ...errors import ConfigError, RangeError, ShapeError
from ..draw import given
from ..op import Op
from .axes import one_axis, some


def scores(draw):
    """Sample an op over rows of scores: both ends of the axes, a square, rows far apart."""
    yield draw(7)
    yield draw(3, 7)
    yield draw(0, 3)
    yield draw(2, 3, 5, scale=30.0)  # near one-hot
    yield given(draw(2, 3, 5), axis=1)
    yield given(draw(2, 3, 5), axis=-3)
    yield given(draw(5, 5), axis=0)


class Softmax(Op):
    r"""Turn a row of scores into a row of probabilities.

    Forward   p_i = exp(x_i) / sum_j exp(x_j)
    Backward  dx  = p * (dp - sum_j dp_j p_j)
    Shapes    x (..., V) -> p (..., V), or along another axis
    Stable    shifting a row by its maximum leaves p unchanged
    """

    samples = scores

    def bad(draw):
        yield draw(), ShapeError, "softmax needs at least one axis"
        yield given(draw(3, 7), axis=2), RangeError, r"softmax: x \(3, 7\) has no axis 2"
        yield draw(3, 0), ShapeError, "no entries"

    def forward(ctx, x, *, axis=-1):
        axis = one_axis("softmax", x, axis)
        some("softmax", x, (axis,))
        p = np.moveaxis(kernels.softmax(np.moveaxis(x, axis, -1)), -1, axis)
        ctx.save(p, axis)  # the output is enough; x can be freed
        return p

    def backward(ctx, dp):
        p, axis = ctx.saved
        # In the forward pass raising one score took from all the others in its row; so now the row's mean is taken off.
        return p * (dp - (dp * p).sum(axis, keepdims=True))


class LogSoftmax(Op):
    r"""Turn a row of scores into the logarithms of a row of probabilities.

    Forward   logp_i = x_i - log sum_j exp(x_j)
    Backward  dx = dlogp - exp(logp) sum_j dlogp_j
    Shapes    x (..., V) -> logp (..., V), or along another axis
    Stable    the logarithm is never taken of a probability that was rounded to zero
    """

    samples = scores

    def bad(draw):
        yield draw(), ShapeError, "log_softmax needs at least one axis"
        yield given(draw(3, 7), axis=-3), RangeError, r"log_softmax: x \(3, 7\) has no axis -3"
        yield draw(3, 0), ShapeError, "no entries"

    def forward(ctx, x, *, axis=-1):
        axis = one_axis("log_softmax", x, axis)
        some("log_softmax", x, (axis,))
        logp = np.moveaxis(kernels.log_softmax(np.moveaxis(x, axis, -1)), -1, axis)
        ctx.save(logp, axis)
        return logp

    def backward(ctx, dlogp):
        logp, axis = ctx.saved
        return dlogp - np.exp(logp) * dlogp.sum(axis, keepdims=True)


class Dropout(Op):
    r"""Set entries to zero at random, and scale up the others so that the mean stays.

    Forward   y = x keep / (1 - p), where keep is 1 with probability 1 - p, else 0
    Backward  dx = dy keep / (1 - p), with the same keep
    Shapes    x (...) -> y (...)
    Source    Srivastava et al. 2014, "Dropout"

    The seed and an entry's place decide whether it is kept; no mask is stored, and the backward pass makes it again.
    """

    def samples(draw):
        yield given(draw(), p=0.5, seed=1)
        yield given(draw(11), p=0.0, seed=0)
        yield given(draw(3, 7), p=0.5, seed=3)
        yield given(draw(2, 3, 5), p=0.1, seed=2**63)
        yield given(draw(5, 5), p=0.3, seed=-7)
        yield given(draw(0, 3), p=0.5, seed=1)

    def bad(draw):
        yield given(draw(3), p=1.0, seed=0), ConfigError, r"p=1.0.*0 <= p < 1"
        yield given(draw(3), p=-0.1, seed=0), ConfigError, r"p=-0.1"
        yield given(draw(3), p=0.5, seed=0.5), ConfigError, "seed=0.5"

    def forward(ctx, x, *, p, seed):
        seed = checked_seed("dropout", p, seed)
        ctx.save(p, seed)
        return kernels.dropout(x, p, seed)

    def backward(ctx, dy):
        p, seed = ctx.saved
        return kernels.dropout(dy, p, seed)  # in the forward pass y = mask x; so now dx = mask dy


def checked_seed(op, p, seed):
    """Return the seed of a mask as an integer; refuse one that is none, and a p that is no share."""
    if not 0 <= p < 1:
        raise ConfigError(f"{op}: p={p} is the share that is set to zero, 0 <= p < 1")
    try:
        return operator.index(seed)
    except TypeError:
        raise ConfigError(f"{op}: seed={seed!r} is not an integer", hint="int(rng.integers(2**63))") from None
