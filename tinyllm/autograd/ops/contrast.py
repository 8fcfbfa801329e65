"""The contrastive loss: of many documents, the one that belongs to a query should lie in its direction."""

from __future__ import annotations

import numpy as np

from ... import kernels
from ...errors import ConfigError, DataError, DTypeError, RangeError, ShapeError
from ..draw import given
from ..op import Op

MASKS = np.array([[0, 1, 0, 0, 1], [0, 0, 0, 0, 0], [1, 1, 1, 0, 1]], dtype=bool)


class InfoNce(Op):
    r"""Measure how surprising it is which document belongs to each query, when their directions are all that is known.

    Forward   u = q / |q|;  v = d / |d|;  s_nm = u_n . v_m / temperature
              loss = mean over n of (log sum_m exp(s_nm) - s_n,target_n), m running over what is not masked
    Backward  ds_nm = dloss (p_nm - 1 where m is the target) / B, p = softmax(s);  du = ds v / temperature
              dv = ds^T u / temperature;  dq = (du - u (u . du)) / |q|;  dd = (dv - v (v . dv)) / |d|
    Shapes    q (B, C), d (M, C), targets (B), masked (B, M) -> loss ()
    Source    van den Oord et al. 2018 (InfoNCE); Chen et al. 2020 (normalized, with a temperature)

    Every document is the positive of one query and a negative of all others. Where it is a positive of another, too,
    that one must not push it away: ``masked`` says so, and takes it out of the sum. None masks nothing.

    Example:
        >>> import tinyllm as tl
        >>> q, d = np.eye(2), np.array([[5.0, 0.0], [0.0, 0.1]])  # lengths do not count
        >>> round(tl.info_nce(q, d, np.array([0, 1]), temperature=1.0).item(), 4)  # log(e + 1) - 1
        0.3133
    """

    method = False

    def samples(draw):
        yield given(draw(3, 7), draw(5, 7), np.array([2, 0, 4]), None, temperature=1.0)
        yield given(draw(3, 7), draw(5, 7), np.array([2, 0, 3]), MASKS, temperature=0.5)
        yield given(draw(2, 3, scale=10.0), draw(2, 3, scale=0.1), np.array([0, 1]), None, temperature=0.7)
        yield given(draw(5, 5), draw(5, 5), np.array([0, 1, 2, 3, 4]), np.zeros((5, 5), dtype=bool), temperature=0.3)
        yield draw(3, 11), draw(2, 11), np.array([1, 0, 1]), None

    def bad(draw):
        yield (draw(3, 7), draw(5, 3), np.array([2, 0, 4]), None), ShapeError, r"q \(B=3, C=7\), d \(M=5, C=3\)"
        yield (draw(7), draw(5, 7), np.array([2]), None), ShapeError, r"q \(C=7,\)"
        yield (draw(3, 7), draw(5, 7), np.array([2, 0]), None), ShapeError, "one target for each of 3 queries"
        yield (
            (draw(3, 7), draw(5, 7), np.array([2, 0, 5]), None),
            RangeError,
            r"targets\[2\] is 5, not one of 5 documents",
        )
        yield (draw(3, 7), draw(5, 7), np.array([2.0, 0, 4]), None), DTypeError, "targets are float64"
        yield (draw(3, 7), draw(5, 7), np.array([2, 0, 4]), MASKS.T), ShapeError, r"masked is \(5, 3\), not \(3, 5\)"
        yield (draw(3, 7), draw(5, 7), np.array([2, 0, 4]), MASKS), DataError, r"query 2's own document 4 is masked"
        yield (draw(3, 7), draw(5, 7), np.array([2, 0, 4]), MASKS * 1), DTypeError, "masked is int64"
        yield given(draw(3, 7), draw(5, 7), np.array([2, 0, 4]), None, temperature=0.0), ConfigError, "temperature=0.0"
        yield (0 * draw(3, 7), draw(5, 7), np.array([2, 0, 4]), None), DataError, "q's row 0 is zero"
        yield (draw(0, 7), draw(5, 7), np.zeros(0, dtype=np.int64), None), DataError, "no queries"

    def forward(ctx, q, d, targets, masked=None, *, temperature=0.05):
        _check(q, d, targets, masked, temperature)
        u, q_length = _direction("q", q)  # (B, C), (B, 1)
        v, d_length = _direction("d", d)  # (M, C), (M, 1)
        s = kernels.matmul(u, v.T) / temperature  # (B, M)
        seen = np.ones(s.shape, dtype=bool) if masked is None else ~masked
        top = np.where(seen, s.real, -np.inf).max(axis=1, keepdims=True)  # (B, 1), so that no exp overflows
        p = np.where(seen, np.exp(np.where(seen, s - top, 0)), 0)  # (B, M)
        total = p.sum(axis=1, keepdims=True)  # (B, 1)
        own = np.arange(len(q)), targets
        losses = np.log(total[:, 0]) + top[:, 0] - s[own]  # (B,)
        ctx.save(u, q_length, v, d_length, p / total, own, temperature)
        return losses.sum() / len(q)

    def backward(ctx, dloss):
        u, q_length, v, d_length, p, own, temperature = ctx.saved
        ds = p.copy()  # (B, M)
        ds[own] -= 1  # in the forward pass the own score lowered the loss; so now it alone is pushed up
        ds *= dloss / len(u)
        du = kernels.matmul(ds, v) / temperature  # in the forward pass s = u v^T / temperature; so now du = ds v / it
        dv = kernels.matmul(ds.T, u) / temperature
        return _undo(du, u, q_length), _undo(dv, v, d_length), None, None


def _direction(name, x):
    """Return each row's direction (N, C), of length 1, and its length (N, 1)."""
    length = np.sqrt((x * x).sum(axis=1, keepdims=True))
    zero = np.flatnonzero(length.real == 0)
    if zero.size:
        raise DataError(f"info_nce: {name}'s row {zero[0]} is zero and has no direction", hint="leave it out")
    return x / length, length


def _undo(du, u, length):
    """Go back from a direction to its vector: what lies along the vector changes its length only, and that is lost."""
    return (du - u * (u * du).sum(axis=1, keepdims=True)) / length


def _check(q, d, targets, masked, temperature):
    if not (np.isfinite(temperature) and temperature > 0):
        raise ConfigError(f"info_nce: temperature={temperature}", hint="a number above 0, such as 0.05")
    if q.ndim != 2 or d.ndim != 2 or q.shape[1] != d.shape[1]:
        raise ShapeError(f"{InfoNce.describe([q, d])}: both have one row of C numbers for each text")
    if not len(q):
        raise DataError("info_nce: no queries, so there is nothing to average", hint="a batch of 1 and more")
    if targets.dtype.kind not in "iu":
        raise DTypeError(f"info_nce: targets are {targets.dtype}, not integers", hint="which row of d is the positive")
    if targets.shape != q.shape[:1]:
        raise ShapeError(f"{InfoNce.describe([q, d, targets])}: there must be one target for each of {len(q)} queries")
    outside = np.flatnonzero((targets < 0) | (targets >= len(d)))
    if outside.size:
        where = int(outside[0])
        raise RangeError(f"info_nce: targets[{where}] is {int(targets[where])}, not one of {len(d)} documents")
    if masked is None:
        return
    if masked.dtype != bool:
        raise DTypeError(f"info_nce: masked is {masked.dtype}, not bool", hint="True for another positive of a query")
    if masked.shape != (len(q), len(d)):
        raise ShapeError(f"info_nce: masked is {masked.shape}, not {(len(q), len(d))}", hint="(queries, documents)")
    own = np.flatnonzero(masked[np.arange(len(q)), targets])
    if own.size:
        raise DataError(f"info_nce: query {own[0]}'s own document {int(targets[own[0]])} is masked", hint="unmask it")
