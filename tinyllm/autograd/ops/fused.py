"""What a model does at its end, each in one piece: softmax, its logarithm, the loss; and dropout."""

from __future__ import annotations

import operator

import numpy as np

from ... import kernels
from ...errors import ConfigError, DataError, DTypeError, RangeError, ShapeError, nearest
from ..draw import given
from ..op import Op
from .axes import one_axis, some

REDUCTIONS = ("mean", "sum", "none")


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


class CrossEntropy(Op):
    r"""Measure how surprised the model is by what came next, in nats.

    Forward   loss_n = log sum_v exp(logits_nv) - logits_n,target_n;  then their mean, their sum, or each
    Backward  dlogits_nv = dloss_n (p_nv - 1 where v is the target), p = softmax(logits)
    Shapes    logits (..., V), targets (...) -> loss (), or (...) with reduction="none"

    A place whose target is ``ignore_index`` has loss 0 and no gradient, and the mean does not count it.
    Only one number a row is kept for the backward pass, besides the logits; the probabilities are made again.

    Example:
        >>> import tinyllm as tl
        >>> loss = tl.cross_entropy(np.zeros((3, 4)), np.array([0, 3, -100]))
        >>> round(loss.item(), 6) == round(float(np.log(4)), 6)  # four equal chances
        True
    """

    def samples(draw):
        yield draw(7), np.array(3)
        yield draw(3, 7), np.array([6, 0, 2])
        yield draw(2, 3, 5), draw.ints(5, 2, 3)
        yield given(draw(3, 7, scale=30.0), np.array([1, 1, 5]), reduction="sum")
        yield given(draw(2, 3, 5), draw.ints(5, 2, 3), reduction="none")
        yield given(draw(5, 7), np.array([2, -100, 0, -100, 6]))
        yield given(draw(5, 5), np.array([2, 4, 0, 1, 4]), ignore_index=4)
        yield given(draw(3, 2), np.array([0, -1, 1]), ignore_index=-1, reduction="none")
        yield given(draw(0, 3), np.zeros(0, dtype=np.int64), reduction="sum")

    def bad(draw):
        yield (draw(2, 5), np.array([0, 5])), RangeError, r"targets\[1\] is 5, not one of V=5 tokens"
        yield (draw(2, 3, 5), np.array([[0, 1, 2], [3, -1, 0]])), RangeError, r"targets\[1, 1\] is -1"
        yield (draw(2, 3, 5), draw.ints(5, 3)), ShapeError, r"logits \(2, 3, V=5\), targets \(3,\)"
        yield (draw(2, 5), np.array([0.0, 1.0])), DTypeError, "targets are float64"
        yield given(draw(2, 5), np.array([0, 1]), reduction="avg"), ConfigError, "avg"
        yield (draw(2, 5), np.array([-100, -100])), DataError, "all 2 targets are ignore_index=-100"
        yield (draw(0, 5), np.zeros(0, dtype=np.int64)), DataError, "no targets"
        yield (draw(), np.array(0)), ShapeError, "cross_entropy needs at least one axis"
        yield (draw(2, 0), np.array([0, 0])), ShapeError, "no entries"

    def forward(ctx, logits, targets, *, ignore_index=-100, reduction="mean"):
        _check(logits, targets, ignore_index, reduction)
        places = targets.reshape(-1).astype(np.int64, copy=False)  # (N,)
        rows = logits.reshape(places.size, logits.shape[-1])  # (N, V)
        counted = int(np.count_nonzero(places != ignore_index))
        if reduction == "mean" and not counted:
            why = (
                f"all {places.size} targets are ignore_index={ignore_index}" if places.size else "there are no targets"
            )
            raise DataError(f"cross_entropy: {why}, so there is nothing to average", hint='reduction="sum"')
        losses, lse = kernels.cross_entropy(rows, places, ignore_index)
        divisor = counted if reduction == "mean" else 1
        ctx.save(rows, places, lse, ignore_index, divisor, logits.shape)
        return losses.reshape(targets.shape) if reduction == "none" else losses.sum() / divisor

    def backward(ctx, dloss):
        rows, places, lse, ignore_index, divisor, shape = ctx.saved
        # In the forward pass the result was made of all the losses, or was the losses; so now each gets its dloss.
        dlosses = np.broadcast_to(dloss / divisor, shape[:-1]).reshape(-1)  # (N,)
        return kernels.cross_entropy_backward(rows, places, lse, dlosses, ignore_index).reshape(shape), None


def _check(logits, targets, ignore_index, reduction):
    if reduction not in REDUCTIONS:
        close = nearest(str(reduction), REDUCTIONS)
        raise ConfigError(f"cross_entropy: reduction={reduction!r}", hint=close or ", ".join(REDUCTIONS))
    V = logits.shape[one_axis("cross_entropy", logits, -1)]
    some("cross_entropy", logits, (logits.ndim - 1,))
    if targets.dtype.kind not in "iu":
        raise DTypeError(f"cross_entropy: targets are {targets.dtype}, not integers", hint="an array of token ids")
    if targets.shape != logits.shape[:-1]:
        raise ShapeError(
            f"{CrossEntropy.describe([logits, targets])}: there must be one target for each row of V={V} logits"
        )
    outside = (targets != ignore_index) & ((targets < 0) | (targets >= V))
    if outside.any():
        place = tuple(int(i) for i in np.argwhere(outside)[0])
        raise RangeError(
            f"cross_entropy: targets{list(place) or ''} is {int(targets[place])}, not one of V={V} tokens",
            hint=f"mark what is not to count with ignore_index={ignore_index}",
        )


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
        if not 0 <= p < 1:
            raise ConfigError(f"dropout: p={p} is the share that is set to zero, 0 <= p < 1")
        try:
            seed = operator.index(seed)
        except TypeError:
            raise ConfigError(f"dropout: seed={seed!r} is not an integer", hint="int(rng.integers(2**63))") from None
        ctx.save(p, seed)
        return kernels.dropout(x, p, seed)

    def backward(ctx, dy):
        p, seed = ctx.saved
        return kernels.dropout(dy, p, seed)  # in the forward pass y = mask x; so now dx = mask dy
