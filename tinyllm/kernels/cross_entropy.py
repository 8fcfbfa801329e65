r"""Cross-entropy from logits: how surprised the model is by what came next.

Only the log-sum-exp of each row is kept for the backward pass; the probabilities, V times as large, are made again.
"""

from __future__ import annotations

import numpy as np

from ..errors import RangeError
from .softmax import logsumexp
from .table import Array, kernel, reference


@kernel
def cross_entropy(logits: Array, targets: Array, ignore_index: int) -> tuple[Array, Array]:
    r"""Return each row's loss and log-sum-exp: loss_n = lse_n - logits[n, targets[n]], lse_n = log sum exp(logits[n]).

    Shapes: logits (N, V), targets (N,) of integers -> losses (N,), lse (N,). A row whose target is ``ignore_index``
    has loss 0.

    Raises:
        RangeError: a target is neither in 0 .. V-1 nor ``ignore_index``.

    Example:
        >>> losses, lse = cross_entropy(np.zeros((2, 4)), np.array([3, -100]), -100)
        >>> bool(np.isclose(losses[0], np.log(4))), float(losses[1])
        (True, 0.0)
    """
    kept = counted_rows(targets, logits.shape[1], ignore_index)
    lse = reference(logsumexp)(logits)  # (N,)
    rows = np.arange(len(targets))
    losses = lse - logits[rows, np.where(kept, targets, 0)] if logits.shape[1] else lse
    return np.where(kept, losses, 0), lse


@kernel
def cross_entropy_backward(logits: Array, targets: Array, lse: Array, dlosses: Array, ignore_index: int) -> Array:
    r"""Return dlogits (N, V), the gradient of ``cross_entropy``: in the forward pass loss = lse - logits[target].

    Backward: so now dlogits = dloss (p - onehot), with p = exp(logits - lse) made again from the kept lse.

    Shapes: logits (N, V), targets (N,), lse (N,) and dlosses (N,) -> dlogits (N, V). An ignored row has no gradient.

    Raises:
        RangeError: a target is neither in 0 .. V-1 nor ``ignore_index``.

    Example:
        >>> logits, targets = np.zeros((1, 2)), np.array([0])
        >>> losses, lse = cross_entropy(logits, targets, -100)
        >>> cross_entropy_backward(logits, targets, lse, np.ones(1), -100)
        array([[-0.5,  0.5]])
    """
    kept = counted_rows(targets, logits.shape[1], ignore_index)
    rows = np.flatnonzero(kept)
    dlogits = np.exp(logits - lse[:, None])  # (N, V), the probabilities
    dlogits[rows, targets[rows]] -= 1
    return np.where(kept, dlosses, 0)[:, None] * dlogits


@kernel
def cross_entropy_chunk(logits: Array, targets: Array, ignore_index: int, scale: float) -> Array:
    r"""Return each row's loss, and put scale (p - onehot), the gradient of scale times their sum, in the logits' place.

    For a loss that is the end of everything: its cotangent is known beforehand, so the logits need not be kept, and a
    few rows of them at a time are enough.

    Shapes: logits (N, V), overwritten by dlogits (N, V), targets (N,) of integers -> losses (N,). An ignored row has
    loss 0 and no gradient.

    Raises:
        RangeError: a target is neither in 0 .. V-1 nor ``ignore_index``; the logits are as they were.

    Example:
        >>> logits = np.zeros((1, 2))
        >>> losses = cross_entropy_chunk(logits, np.array([0]), -100, 1.0)
        >>> logits
        array([[-0.5,  0.5]])
    """
    losses, lse = reference(cross_entropy)(logits, targets, ignore_index)
    dlosses = np.full(len(logits), scale, logits.real.dtype)
    logits[...] = reference(cross_entropy_backward)(logits, targets, lse, dlosses, ignore_index)
    return losses


def counted_rows(targets: Array, V: int, ignore_index: int) -> Array:
    """Return which rows count (N,): those whose target is not ``ignore_index``; refuse targets outside of 0 .. V-1."""
    kept = targets != ignore_index
    wrong = kept & ((targets < 0) | (targets >= V))
    if wrong.any():
        row = int(np.argmax(wrong))
        raise RangeError(
            f"cross_entropy: targets[{row}] is {int(targets[row])}, outside of 0 .. {V - 1}",
            hint=f"targets are indices into V={V} logits; mark what is not to count with ignore_index={ignore_index}",
        )
    return kept
