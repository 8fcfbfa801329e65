r"""Attention: every query takes a weighted mean of the values, weighted by how well it matches their keys.

``attend`` and ``attend_backward`` are the mathematics. The two kernels put around them what a model needs: groups of
heads, windows, dropout, and queries that see nothing. This is the reference: it holds all of the (T, S) scores at once.
The Numba kernel beside it never does. Both keep only the log-sum-exp of each row, and the backward pass makes the
weights again from it.

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
from .softmax import softmax
from .table import Array, kernel, reference


def causal_mask(T: int, S: int) -> Array:
    """Return which keys each query may see, (T, S) of bool: those up to its own position, never the future.

    The T queries are the last of the S positions.

    Example:
        >>> causal_mask(2, 3)
        array([[ True,  True, False],
               [ True,  True,  True]])
    """
    query = np.arange(T) + (S - T)  # (T,), positions
    key = np.arange(S)  # (S,)
    return key <= query[:, None]


def attend(q: Array, k: Array, v: Array, visible: Array, scale: float) -> tuple[Array, Array]:
    r"""Return what each query gathers, and how much it takes from each key: out = w v, w = softmax(scale q k^T).

    A key that a query may not see gets a weight of exactly zero; each query must see at least one.

    Shapes: q (..., T, D), k and v (..., S, D), visible (T, S) of bool -> out (..., T, D), w (..., T, S).

    Example:
        >>> q = np.zeros((2, 1)); v = np.array([[1.0], [3.0]])
        >>> out, w = attend(q, q, v, causal_mask(2, 2), 1.0)
        >>> out.ravel()
        array([1., 2.])
    """
    s = scale * (q @ flip(k))  # (..., T, S)
    w = reference(softmax)(np.where(visible, s, -np.inf))
    return w @ v, w


def attend_backward(q: Array, k: Array, v: Array, w: Array, dout: Array, scale: float) -> tuple[Array, Array, Array]:
    r"""Return (dq, dk, dv), the gradients of ``attend``: what it was given, and the weights w that it found.

    Backward: dw = dout v^T;  ds = scale w (dw - sum_s dw w);  dq = ds k;  dk = ds^T q;  dv = w^T dout.

    Shapes: q, dout and dq (..., T, D); k, v, dk and dv (..., S, D); w (..., T, S).

    Example:
        >>> q = np.zeros((2, 1)); v = np.array([[1.0], [3.0]])
        >>> out, w = attend(q, q, v, causal_mask(2, 2), 1.0)
        >>> attend_backward(q, q, v, w, np.ones((2, 1)), 1.0)[2].ravel()
        array([1.5, 0.5])
    """
    dw = dout @ flip(v)  # (..., T, S); in the forward pass out = w v
    ds = w * (dw - (dw * w).sum(axis=-1, keepdims=True))  # w was softmax(s)
    ds = ds * scale  # s was scaled; so is its gradient
    return ds @ k, flip(ds) @ q, flip(w) @ dout


def flip(a: Array) -> Array:
    """Swap the last two axes."""
    return a.swapaxes(-1, -2)


def visible_keys(T: int, S: int, causal: bool, window: int | None) -> Array:
    """Return which keys each query may see, (T, S) of bool.

    Example:
        >>> visible_keys(3, 3, True, 2)
        array([[ True, False, False],
               [ True,  True, False],
               [False,  True,  True]])
    """
    if not causal and window is None:
        return np.ones((T, S), np.bool_)
    visible = causal_mask(T, S)
    if window is None:
        return visible
    return np.triu(visible, S - T - window + 1)  # from the key just inside the window on


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
    visible = visible_keys(T, k.shape[2], causal, window)
    blind = ~np.asarray(visible.any(axis=-1))  # (T,)
    q, k, v = _grouped(q, k.shape[1]), k[:, :, None], v[:, :, None]
    out, w = attend(q, k, v, visible | blind[:, None], scale)  # (B, K, H/K, T, D), (B, K, H/K, T, S)
    lse = _logsumexp(q, k, w, scale)  # (B, K, H/K, T)
    if p > 0:
        out = reference(dropout)(w, p, seed) @ v
    if blind.any():  # such a query was shown everything, and may keep nothing of it
        out, lse = np.where(blind[:, None], 0, out), np.where(blind, -np.inf, lse)
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
        out[here] = reference(attention)(q[here], k[here, :, filled], v[here, :, filled], True, window, scale)[0]
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

    So now w = exp(s - lse) is made again, and ``attend_backward`` goes back through the three of them.
    What is shared by a group of query heads (k, v) collects the gradients of the group.

    With dropout out = (mask w) v; so now dv = (mask w)^T dout and dw = mask (dout v^T). From dw on, w is what attention
    gathers from values that are the identity matrix.

    Shapes: q, out, dout and dq (B, H, T, D); k, v, dk and dv (B, K, S, D); lse (B, H, T).

    Example:
        >>> q = np.zeros((1, 1, 2, 1)); v = np.array([[[[1.0], [3.0]]]])
        >>> out, lse = attention(q, q, v, True, None, 1.0)
        >>> attention_backward(q, q, v, out, lse, np.ones_like(q), True, None, 1.0)[2].ravel()
        array([1.5, 0.5])
    """
    B, H, T = q.shape[:3]
    K, S = k.shape[1:3]
    visible = visible_keys(T, S, causal, window)
    qg, doutg, lse, kg, vg = (
        _grouped(q, K),
        _grouped(dout, K),
        lse.reshape(B, K, H // K, T, 1),
        k[:, :, None],
        v[:, :, None],
    )
    s = np.where(visible, scale * (qg @ flip(kg)), -np.inf)  # (B, K, H/K, T, S)
    w = np.exp(s - np.where(lse.real == -np.inf, 0, lse))
    if p > 0:
        dw = reference(dropout)(doutg @ flip(vg), p, seed)
        dv = flip(reference(dropout)(w, p, seed)) @ doutg
        dq, dk, _ = attend_backward(qg, kg, np.eye(S, dtype=v.dtype), w, dw, scale)
    else:
        dq, dk, dv = attend_backward(qg, kg, vg, w, doutg, scale)  # dk and dv (B, K, H/K, S, D)
    return dq.reshape(q.shape), dk.sum(axis=2), dv.sum(axis=2)


def _grouped(q: Array, K: int) -> Array:
    """Put the query heads (B, H, T, D) that share a key/value head together: (B, K, H/K, T, D)."""
    B, H, T, D = q.shape
    return q.reshape(B, K, H // K, T, D)


def _logsumexp(q: Array, k: Array, w: Array, scale: float) -> Array:
    """Return lse (..., T), read off the largest weight of each row: w = exp(s - lse), so lse = s - log w."""
    if not w.shape[-1]:
        return np.full(w.shape[:-1], -np.inf, w.dtype)
    largest = w.real.argmax(axis=-1)[..., None]  # (..., T, 1)
    s = scale * (q * np.take_along_axis(k, largest, axis=-2)).sum(axis=-1)  # (..., T)
    return s - np.log(np.take_along_axis(w, largest, axis=-1)[..., 0])
