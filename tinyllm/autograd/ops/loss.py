"""The loss: how surprised the model is by what came next; from its logits, or without ever holding them all."""

from __future__ import annotations

import numpy as np

from ... import kernels
from ...errors import ConfigError, DataError, DTypeError, RangeError, ShapeError, nearest
from ..draw import given
from ..op import Op
from .axes import one_axis, some
from .linalg import rows

REDUCTIONS = ("mean", "sum", "none")
CHUNK = 1 << 24  # logits that exist at a time, unless a single row has more: 64 MB in float32


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
        flat = rows(logits)  # (N, V)
        divisor = _divisor("cross_entropy", places, ignore_index, reduction)
        losses, lse = kernels.cross_entropy(flat, places, ignore_index)
        ctx.save(flat, places, lse, ignore_index, divisor, logits.shape)
        return losses.reshape(targets.shape) if reduction == "none" else losses.sum() / divisor

    def backward(ctx, dloss):
        flat, places, lse, ignore_index, divisor, shape = ctx.saved
        # In the forward pass the result was made of all the losses, or was the losses; so now each gets its dloss.
        dlosses = np.broadcast_to(dloss / divisor, shape[:-1]).reshape(-1)  # (N,)
        return kernels.cross_entropy_backward(flat, places, lse, dlosses, ignore_index).reshape(shape), None


class LinearCrossEntropy(Op):
    r"""Measure the surprise straight from the vectors that a linear layer would have turned into logits.

    Forward   logits = x w^T;  loss = cross_entropy(logits, targets), some rows at a time
    Backward  dlogits = dloss (p - 1 where v is the target), p = softmax(logits);  dx = dlogits w;  dw = dlogits^T x
    Shapes    x (..., C), w (V, C), targets (...) -> loss ()
    Source    Hsu et al. 2024, "Liger Kernel" (the gradient in the forward pass)

    Over a large vocabulary the logits are by far the largest array of a model, and their gradient is a second one.
    Here a chunk of rows exists at a time: it becomes losses, then in its own place dlogits for dloss = 1, and then its
    share of dx and dw. All that the backward pass has left to do is to scale those two.

    Example:
        >>> import tinyllm as tl
        >>> x, w, targets = np.eye(3), np.eye(3), np.array([0, 1, 2])
        >>> tl.linear_cross_entropy(x, w, targets).item() == tl.cross_entropy(tl.linear(x, w), targets).item()
        True
    """

    method = False

    def samples(draw):
        yield draw(5), draw(7, 5), np.array(3)
        yield draw(3, 5), draw(7, 5), np.array([6, 0, 2])
        yield draw(2, 3, 5), draw(7, 5), draw.ints(7, 2, 3)
        yield given(draw(3, 5, scale=5.0), draw(7, 5, scale=5.0), np.array([1, 1, 5]), reduction="sum")
        yield given(draw(5, 3), draw(7, 3), np.array([2, -100, 0, -100, 6]))
        yield given(draw(5, 5), draw(5, 5), np.array([2, 4, 0, 1, 4]), ignore_index=4)

    def bad(draw):
        yield (draw(2, 3), draw(7, 5), np.array([0, 1])), ShapeError, r"x \(2, C=3\), w \(V=7, C=5\)"
        yield (draw(2, 5), draw(5), np.array([0, 1])), ShapeError, r"w \(C=5,\)"
        yield (draw(2, 5), draw(7, 5), np.array([0, 7])), RangeError, r"targets\[1\] is 7, not one of V=7 tokens"
        yield (draw(2, 5), draw(7, 5), np.array([[0, 1]])), ShapeError, "one target for each row"
        yield given(draw(2, 5), draw(7, 5), np.array([0, 1]), reduction="none"), ConfigError, "none.*mean, sum"
        yield (draw(2, 5), draw(7, 5), np.array([-100, -100])), DataError, "all 2 targets are ignore_index=-100"
        yield (draw(), draw(7, 5), np.array(0)), ShapeError, "x is a single number"

    def forward(ctx, x, w, targets, *, ignore_index=-100, reduction="mean"):
        _refuse_unfit(x, w, targets, ignore_index, reduction)
        places = targets.reshape(-1).astype(np.int64, copy=False)  # (N,)
        divisor = _divisor("linear_cross_entropy", places, ignore_index, reduction)
        ctx.save(x, w, places, ignore_index, divisor)
        if ctx.wants(0) or ctx.wants(1):
            losses, ctx.made = _losses_and_gradients(rows(x), w, places, ignore_index, 1 / divisor)
        else:
            losses = _losses(rows(x), w, places, ignore_index)
        return losses.sum() / divisor

    def backward(ctx, dloss):
        x, w, places, ignore_index, divisor = ctx.saved
        made, ctx.made = ctx.made, None  # they are handed out, to be written to: a second walk makes them again
        dx, dw = made or _losses_and_gradients(rows(x), w, places, ignore_index, 1 / divisor)[1]
        if dloss != 1:
            dx, dw = dx * dloss, dw * dloss
        return dx.reshape(x.shape), dw, None

    def free(ctx):
        ctx.made = None
        super().free()


def _losses_and_gradients(x, w, places, ignore_index, scale):
    """Return the losses (N,), and (dx, dw) of their sum times ``scale``."""
    dtype = np.result_type(x, w)
    losses, dx, dw = np.empty(len(x), dtype), np.empty(x.shape, dtype), np.zeros(w.shape, dtype)
    for here in chunks(len(x), len(w)):
        logits = kernels.matmul(x[here], w.T)  # (n, V)
        losses[here] = kernels.cross_entropy_chunk(logits, places[here], ignore_index, scale)  # logits are dlogits now
        dx[here] = kernels.matmul(logits, w)  # in the forward pass logits = x w^T; so now dx = dlogits w
        kernels.matmul_into(logits.T, x[here], dw)  # and dw collects dlogits^T x of every chunk
    return losses, (dx, dw)


def _losses(x, w, places, ignore_index):
    """Return the losses (N,) alone."""
    losses = np.empty(len(x), np.result_type(x, w))
    for here in chunks(len(x), len(w)):
        losses[here] = kernels.cross_entropy(kernels.matmul(x[here], w.T), places[here], ignore_index)[0]
    return losses


def chunks(N, V):
    """Cut N rows into equal chunks of at most CHUNK logits each.

    Example:
        >>> chunks(N=768, V=50304)
        [slice(0, 256, None), slice(256, 512, None), slice(512, 768, None)]
    """
    count = max(1, -(-N // max(1, CHUNK // V)))
    size = -(-N // count)
    return [slice(start, min(start + size, N)) for start in range(0, N, max(1, size))]


def _divisor(name, places, ignore_index, reduction):
    """Return by what the sum of all losses is to be divided."""
    if reduction != "mean":
        return 1
    counted = int(np.count_nonzero(places != ignore_index))
    if not counted:
        why = f"all {places.size} targets are ignore_index={ignore_index}" if places.size else "there are no targets"
        raise DataError(f"{name}: {why}, so there is nothing to average", hint='reduction="sum"')
    return counted


def _refuse_unfit(x, w, targets, ignore_index, reduction):
    name = LinearCrossEntropy.name
    if reduction not in ("mean", "sum"):
        raise ConfigError(f"{name}: reduction={reduction!r}", hint="mean, sum")
    if x.ndim == 0:
        raise ShapeError(f"{name} needs at least one axis, and x is a single number")
    if w.ndim != 2 or x.shape[-1] != w.shape[1]:
        raise ShapeError(f"{LinearCrossEntropy.describe([x, w])}: w has one row of C numbers for each of V tokens")
    some(name, w, (0,))
    _refuse_targets(LinearCrossEntropy, [x, w, targets], x.shape[:-1], len(w), ignore_index)


def _check(logits, targets, ignore_index, reduction):
    if reduction not in REDUCTIONS:
        close = nearest(str(reduction), REDUCTIONS)
        raise ConfigError(f"cross_entropy: reduction={reduction!r}", hint=close or ", ".join(REDUCTIONS))
    V = logits.shape[one_axis("cross_entropy", logits, -1)]
    some("cross_entropy", logits, (logits.ndim - 1,))
    _refuse_targets(CrossEntropy, [logits, targets], logits.shape[:-1], V, ignore_index)


def _refuse_targets(op, arrays, shape, V, ignore_index):
    name, targets = op.name, arrays[-1]
    if targets.dtype.kind not in "iu":
        raise DTypeError(f"{name}: targets are {targets.dtype}, not integers", hint="an array of token ids")
    if targets.shape != shape:
        raise ShapeError(f"{op.describe(arrays)}: there must be one target for each row of V={V} logits")
    outside = (targets != ignore_index) & ((targets < 0) | (targets >= V))
    if outside.any():
        place = tuple(int(i) for i in np.argwhere(outside)[0])
        raise RangeError(
            f"{name}: targets{list(place) or ''} is {int(targets[place])}, not one of V={V} tokens",
            hint=f"mark what is not to count with ignore_index={ignore_index}",
        )
