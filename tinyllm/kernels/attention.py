r"""Attention: every query takes a weighted mean of the values, weighted by how well it matches their keys.

This is the reference: it holds all of the (T, S) scores at once. The Numba kernel beside it never does. Both keep only
the log-sum-exp of each row, and the backward pass makes the weights again from it.

Conventions, the same in every attention kernel of the house:

- Grouped heads: query head h reads key/value head h // (H / K). K = H is plain multi-head attention, K = 1 multi-query.
- Causal, with T != S: the queries are the last T of the S positions, so query i stands at position i + S - T.
- A window w lets the query at position i see the keys i - w < j <= i (it is causal by its definition).
- A query that sees nothing (T > S) has an output of zero, lse = -inf, and no gradient.

Source: Vaswani et al. 2017; Ainslie et al. 2023 (grouped heads); Dao et al. 2022 (the backward pass from lse).
"""

from __future__ import annotations

import numpy as np

from .dropout import dropout
from .table import Array, kernel


@kernel
def attention(
    q: Array, k: Array, v: Array, causal: bool, window: int | None, scale: float, p: float = 0.0, seed: int = 0
) -> tuple[Array, Array]:
    r"""Return softmax(scale q k^T) v for every head, and the log-sum-exp of each row of scores.

    With p > 0 the weights go through dropout: which are kept is decided by the seed and by their places in the whole
    (B, H, T, S) array of weights, as in dropout.py.

    Shapes: q (B, H, T, D), k and v (B, K, S, D) with H a multiple of K -> out (B, H, T, D), lse (B, H, T).

    Example:
        >>> q = np.zeros((1, 1, 2, 1)); v = np.array([[[[1.0], [3.0]]]])
        >>> out, lse = attention(q, q, v, True, None, 1.0)
        >>> out.ravel()
        array([1., 2.])
    """
    B, H, T, D = q.shape
    s = _scores(q, k, causal, window, scale)  # (B, K, H/K, T, S)
    highest = s.real.max(axis=-1, keepdims=True, initial=-np.inf)
    highest = np.where(highest == -np.inf, 0, highest)  # a row that sees nothing: exp(-inf - 0) is zero, not NaN
    e = np.exp(s - highest)
    total = e.sum(axis=-1, keepdims=True)
    blind = total == 0
    total = np.where(blind, 1, total)
    w = e / total
    if p > 0:
        w = _dropout(w, p, seed)
    out = w @ v[:, :, None]  # (B, K, H/K, T, D)
    lse = np.where(blind, -np.inf, highest + np.log(total))
    return out.reshape(B, H, T, D), lse.reshape(B, H, T)


@kernel
def attention_decode(q: Array, k: Array, v: Array, lengths: Array, window: int | None, scale: float) -> Array:
    r"""Return out of a few new queries over a cache, of which each sequence has filled lengths (B,) positions.

    The queries are the last T of the positions filled (their own keys and values are in the cache already), and causal.

    Shapes: q (B, H, T, D), k and v (B, K, S, D) with H a multiple of K, lengths (B,) -> out (B, H, T, D).

    Example:
        >>> cache = np.zeros((1, 1, 8, 1)); cache[0, 0, :3, 0] = 1.0, 3.0, 5.0
        >>> attention_decode(np.zeros((1, 1, 1, 1)), cache, cache, np.array([3]), None, 1.0).ravel()
        array([3.])
    """
    out = np.zeros(q.shape, np.result_type(q, k, v))
    for b in range(q.shape[0]):
        here, filled = slice(b, b + 1), slice(0, int(lengths[b]))
        out[here] = _attention(q[here], k[here, :, filled], v[here, :, filled], True, window, scale)[0]
    return out


@kernel
def attention_backward(
    q: Array,
    k: Array,
    v: Array,
    out: Array,
    lse: Array,
    dout: Array,
    causal: bool,
    window: int | None,
    scale: float,
    p: float = 0.0,
    seed: int = 0,
) -> tuple[Array, Array, Array]:
    r"""Return (dq, dk, dv): in the forward pass s = scale q k^T, w = softmax(s), out = w v.

    So now dv = w^T dout and dw = dout v^T. Softmax's backward needs sum_j dw_j w_j; since out = w v, that is
    sum_d dout_d out_d, one number a row. Then ds = w (dw - it), dq = scale ds k, dk = scale ds^T q.
    What is shared by a group of query heads (k, v) collects the gradients of the group.

    With dropout out = (mask w) v; so now dv = (mask w)^T dout and dw = mask (dout v^T), and the rest stays.

    Shapes: q, out, dout and dq (B, H, T, D); k, v, dk and dv (B, K, S, D); lse (B, H, T).

    Example:
        >>> q = np.zeros((1, 1, 2, 1)); v = np.array([[[[1.0], [3.0]]]])
        >>> out, lse = attention(q, q, v, True, None, 1.0)
        >>> attention_backward(q, q, v, out, lse, np.ones_like(q), True, None, 1.0)[2].ravel()
        array([1.5, 0.5])
    """
    B, H, T, D = q.shape
    K = k.shape[1]
    groups = (B, K, H // K, T, D)
    qg, outg, doutg, lseg = q.reshape(groups), out.reshape(groups), dout.reshape(groups), lse.reshape(groups[:4])
    s = _scores(q, k, causal, window, scale)  # (B, K, H/K, T, S)
    w = np.exp(s - np.where(lseg.real == -np.inf, 0, lseg)[..., None])
    dw = doutg @ v[:, :, None].swapaxes(-1, -2)  # (B, K, H/K, T, S)
    kept = w
    if p > 0:
        kept, dw = _dropout(w, p, seed), _dropout(dw, p, seed)
    dv = (kept.swapaxes(-1, -2) @ doutg).sum(axis=2)  # (B, K, S, D)
    ds = w * (dw - (doutg * outg).sum(axis=-1, keepdims=True)) * scale
    dq = ds @ k[:, :, None]  # (B, K, H/K, T, D)
    dk = (ds.swapaxes(-1, -2) @ qg).sum(axis=2)  # (B, K, S, D)
    return dq.reshape(q.shape), dk, dv


def _scores(q: Array, k: Array, causal: bool, window: int | None, scale: float) -> Array:
    """Return scale q k^T by groups of heads, (B, K, H/K, T, S), -inf where a query may not look."""
    B, H, T, D = q.shape
    K, S = k.shape[1:3]
    s = scale * (q.reshape(B, K, H // K, T, D) @ k[:, :, None].swapaxes(-1, -2))
    query = np.arange(T)[:, None] + (S - T)  # (T, 1), positions
    key = np.arange(S)  # (S,)
    if causal or window is not None:
        s = np.where(key <= query, s, -np.inf)
    if window is not None:
        s = np.where(key > query - window, s, -np.inf)
    return s


_attention = attention.__wrapped__  # type: ignore[attr-defined]
_dropout = dropout.__wrapped__  # type: ignore[attr-defined]
