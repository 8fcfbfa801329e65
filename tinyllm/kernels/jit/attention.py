"""Attention, forward and backward, without ever holding the (T, S) weights.

    attention_v1            naive: a query at a time, a row of S scores, math.exp
    attention_v2            only the keys a query sees, exp in vector registers, heads in parallel
    attention_v3            tiles of LANES queries against blocks of keys, with a running maximum and sum

    attention_backward_v1   naive: a query at a time
    attention_backward_v2   tiles; dk and dv of a key/value head are summed by one thread, in one order

Tiles are held transposed: a row belongs to a key (or to a channel) and its LANES entries to the queries. Every step is
then the same arithmetic on whole rows, even the maximum and the sum over keys, and all five products are add_product.

``back`` and ``ahead`` say what is seen: the query at position i sees the keys i - back <= j <= i + ahead. Batch and
heads are one axis: q (B*H, T, D), k and v (B*K, S, D); head n reads key/value head n // (H / K).

Source: Dao et al. 2022 (FlashAttention); Milakov & Gimelshein 2018 (the running maximum and sum).
"""
# ruff: noqa: D103 (the head of this file says what each rung adds)

from __future__ import annotations

import math

import numpy as np
from numba import prange

from ..compiler import compiled, inner, parallel
from ..table import Array
from .door import solid
from .elementary import exp
from .registers import LANES, add_product, lanes

KEYS = 64  # keys in a block
FEW_QUERIES = 8  # below this a tile of LANES queries would be mostly empty: decoding goes query by query


@compiled
def attention_v1(q, k, v, back, ahead, scale, out, lse):
    (T, D), S, group = q.shape[1:], k.shape[1], q.shape[0] // k.shape[0]
    s = np.empty(S, q.dtype)
    for n in range(q.shape[0]):
        for i in range(T):
            position = i + S - T
            highest = -np.inf
            for j in range(S):
                s[j] = -np.inf
                if position - back <= j <= position + ahead:
                    total = q.dtype.type(0)
                    for d in range(D):
                        total += q[n, i, d] * k[n // group, j, d]
                    s[j] = total * scale
                highest = max(highest, s[j])
            out[n, i] = 0
            lse[n, i] = -np.inf
            if highest == -np.inf:
                continue
            total = q.dtype.type(0)
            for j in range(S):
                total += math.exp(s[j] - highest)
            for j in range(S):
                for d in range(D):
                    out[n, i, d] += math.exp(s[j] - highest) / total * v[n // group, j, d]
            lse[n, i] = highest + math.log(total)


@inner
def _attend(q, k, v, scale, out):
    """Let one query (D,) attend to the keys k (S, D), S >= 1; fill out (D,) and return the log-sum-exp."""
    s = np.empty(k.shape[0], q.dtype)
    highest = q.dtype.type(-np.inf)
    for j in range(s.size):
        key = k[j]
        total = q.dtype.type(0)
        for d in range(q.size):
            total += q[d] * key[d]
        s[j] = total * scale
        highest = max(highest, s[j])
    total = q.dtype.type(0)
    for j in range(s.size):
        s[j] = exp(s[j] - highest)
        total += s[j]
    share = q.dtype.type(1) / total
    for d in range(out.size):
        out[d] = 0
    for j in range(s.size):
        value, weight = v[j], s[j] * share
        for d in range(out.size):
            out[d] += weight * value[d]
    return highest + math.log(total)


@parallel
def attention_v2(q, k, v, back, ahead, scale, out, lse):
    (T, S), group = (q.shape[1], k.shape[1]), q.shape[0] // k.shape[0]
    for task in prange(q.shape[0] * T):
        n, i = task // T, task % T
        first, last = max(0, i + S - T - back), min(S, i + S - T + ahead + 1)
        if first < last:
            keys, values = k[n // group, first:last], v[n // group, first:last]
            lse[n, i] = _attend(q[n, i], keys, values, q.dtype.type(scale), out[n, i])
        else:
            lse[n, i] = -np.inf
            out[n, i] = 0


@parallel
def attention_v3(q, k, v, back, ahead, scale, out, lse):
    group, tiles = q.shape[0] // k.shape[0], (q.shape[1] + LANES - 1) // LANES
    for task in prange(q.shape[0] * tiles):
        n, tile = task // tiles, task % tiles
        # Under a causal mask late tiles see more keys than early ones: taken in turn, threads get equal shares.
        tile = tile // 2 if tile % 2 == 0 else tiles - 1 - tile // 2
        _attend_tile(q[n], k[n // group], v[n // group], tile * LANES, back, ahead, scale, out[n], lse[n])


@inner
def _attend_tile(q, k, v, first, back, ahead, scale, out, lse):
    """Let the queries first .. first + LANES - 1 of q (T, D) attend to k and v (S, D)."""
    (T, D), S = q.shape, k.shape[0]
    position = first + S - T  # of the first lane
    count = min(LANES, T - first)
    queries = _columns(q[first : first + count], q.dtype.type(scale))  # (D, LANES)
    outputs = np.zeros((D, LANES), q.dtype)
    s = np.empty((KEYS, LANES), q.dtype)
    one, nothing = q.dtype.type(1), q.dtype.type(-np.inf)
    highest, total, before, shift = lanes(one), lanes(one), lanes(one), lanes(one)
    for t in range(LANES):
        highest[t] = nothing
        total[t] = 0

    beyond = min(S, position + count + ahead)
    for j0 in range(max(0, position - back), beyond, KEYS):
        keys = min(KEYS, beyond - j0)
        block, scores = slice(j0, j0 + keys), s[:keys]
        scores[:] = 0
        add_product(k[block], queries, scores)  # (keys, LANES)
        _mask(scores, j0 - position, back, ahead)
        for t in range(LANES):
            before[t] = highest[t]
        for j in range(keys):
            row = s[j]
            for t in range(LANES):
                highest[t] = row[t] if row[t] > highest[t] else highest[t]
        # The maximum may have grown: what was summed up so far is brought to the new one.
        for t in range(LANES):
            shift[t] = highest[t] if highest[t] > nothing else one  # nothing seen yet: exp(-inf - 1) is 0, not NaN
            before[t] = exp(before[t] - shift[t])
            total[t] *= before[t]
        for d in range(D):
            row = outputs[d]
            for t in range(LANES):
                row[t] *= before[t]
        for j in range(keys):
            row = s[j]
            for t in range(LANES):
                row[t] = exp(row[t] - shift[t])
                total[t] += row[t]
        add_product(v[block].T, scores, outputs)  # (D, LANES)

    for t in range(count):
        share = one / total[t] if total[t] != 0 else one
        for d in range(D):
            out[first + t, d] = outputs[d, t] * share
        lse[first + t] = highest[t] + math.log(total[t]) if total[t] != 0 else nothing


@inner
def _columns(x, scale):
    """Return scale x (count, D) transposed and filled up with zeros, (D, LANES)."""
    columns = np.zeros((x.shape[1], LANES), x.dtype)
    for t in range(x.shape[0]):
        for d in range(x.shape[1]):
            columns[d, t] = x[t, d] * scale
    return columns


@inner
def _mask(s, offset, back, ahead):
    """Put -inf where key offset + j may not be seen by lane t; most rows are seen by all lanes, and untouched."""
    nothing = s.dtype.type(-np.inf)
    for j in range(s.shape[0]):
        first, last = np.int32(max(offset + j - ahead, 0)), np.int32(min(offset + j + back, LANES))
        if first > 0 or last < LANES - 1:
            row = s[j]
            for t in range(LANES):
                lane = np.int32(t)
                row[t] = row[t] if first <= lane <= last else nothing


@compiled
def attention_backward_v1(q, k, v, out, lse, dout, back, ahead, scale, dq, dk, dv):
    (T, D), S, group = q.shape[1:], k.shape[1], q.shape[0] // k.shape[0]
    dk[:] = 0
    dv[:] = 0
    for n in range(q.shape[0]):
        m = n // group
        for i in range(T):
            position = i + S - T
            dq[n, i] = 0
            shared = q.dtype.type(0)  # sum_j dw_j w_j, which is sum_d dout_d out_d
            for d in range(D):
                shared += dout[n, i, d] * out[n, i, d]
            for j in range(max(0, position - back), min(S, position + ahead + 1)):
                s, dw = q.dtype.type(0), q.dtype.type(0)
                for d in range(D):
                    s += q[n, i, d] * k[m, j, d]
                    dw += dout[n, i, d] * v[m, j, d]
                w = math.exp(s * scale - lse[n, i])
                ds = w * (dw - shared) * scale
                for d in range(D):
                    dq[n, i, d] += ds * k[m, j, d]
                    dk[m, j, d] += ds * q[n, i, d]
                    dv[m, j, d] += w * dout[n, i, d]


@parallel
def attention_backward_v2(q, k, v, out, lse, dout, back, ahead, scale, dq, dk, dv):
    group = q.shape[0] // k.shape[0]
    for m in prange(k.shape[0]):
        heads = slice(m * group, (m + 1) * group)
        _backward_of_head(
            q[heads], k[m], v[m], out[heads], lse[heads], dout[heads], back, ahead, scale, dq[heads], dk[m], dv[m]
        )


@inner
def _backward_of_head(q, k, v, out, lse, dout, back, ahead, scale, dq, dk, dv):
    """Go back through one key/value head and the query heads that read it: q (H/K, T, D), k (S, D)."""
    (group, T, D), S = q.shape, k.shape[0]
    one, zero = q.dtype.type(1), q.dtype.type(0)
    scale = q.dtype.type(scale)
    panels = (D + LANES - 1) // LANES
    dk_sums = np.zeros((panels, S, LANES), q.dtype)
    dv_sums = np.zeros((panels, S, LANES), q.dtype)
    w = np.empty((KEYS, LANES), q.dtype)
    ds = np.empty((KEYS, LANES), q.dtype)
    shift, shared = lanes(one), lanes(one)
    for n in range(group):
        for first in range(0, T, LANES):
            position = first + S - T
            count = min(LANES, T - first)
            here = slice(first, first + count)
            queries, query_rows = _columns(q[n, here], scale), _panels(q[n, here], scale)
            douts, dout_rows = _columns(dout[n, here], one), _panels(dout[n, here], one)
            dqueries = np.zeros((D, LANES), q.dtype)
            for t in range(LANES):
                shift[t] = zero
                shared[t] = zero
            for t in range(count):
                row, drow = out[n, first + t], dout[n, first + t]
                total = zero
                for d in range(D):
                    total += row[d] * drow[d]
                shared[t] = total  # sum_j dw_j w_j, which is sum_d dout_d out_d
                if lse[n, first + t] > -np.inf:
                    shift[t] = lse[n, first + t]

            beyond = min(S, position + count + ahead)
            for j0 in range(max(0, position - back), beyond, KEYS):
                keys = min(KEYS, beyond - j0)
                block = slice(j0, j0 + keys)
                w_block, ds_block = w[:keys], ds[:keys]
                w_block[:] = 0
                ds_block[:] = 0
                add_product(k[block], queries, w_block)  # scores, (keys, LANES)
                add_product(v[block], douts, ds_block)  # dw, (keys, LANES)
                _mask(w_block, j0 - position, back, ahead)
                for j in range(keys):
                    w_row, ds_row = w[j], ds[j]
                    for t in range(LANES):
                        w_row[t] = exp(w_row[t] - shift[t])
                        ds_row[t] = w_row[t] * (ds_row[t] - shared[t])
                add_product(k[block].T, ds_block, dqueries)  # (D, LANES)
                for panel in range(panels):
                    add_product(w_block, dout_rows[panel], dv_sums[panel, block])
                    add_product(ds_block, query_rows[panel], dk_sums[panel, block])

            for t in range(count):
                for d in range(D):
                    dq[n, first + t, d] = dqueries[d, t] * scale
    for j in range(S):
        for d in range(D):
            dk[j, d] = dk_sums[d // LANES, j, d % LANES]
            dv[j, d] = dv_sums[d // LANES, j, d % LANES]


@inner
def _panels(x, scale):
    """Return scale x (count, D) in panels of LANES channels filled up with zeros, (panels, LANES, LANES)."""
    panels = np.zeros(((x.shape[1] + LANES - 1) // LANES, LANES, LANES), x.dtype)
    for t in range(x.shape[0]):
        for d in range(x.shape[1]):
            panels[d // LANES, t, d % LANES] = x[t, d] * scale
    return panels


def attention(q: Array, k: Array, v: Array, causal: bool, window: int | None, scale: float) -> tuple[Array, Array]:
    """Return (out, lse) of q (B, H, T, D) over k and v (B, K, S, D)."""
    if _misfit(q, k, v):
        return NotImplemented
    out, lse = np.empty(q.shape, q.dtype), np.empty(q.shape[:3], q.dtype)
    rung = attention_v2 if q.shape[2] < FEW_QUERIES else attention_v3
    seen, lse_rows = _seen(q, k, causal, window), lse.reshape(-1, q.shape[2])
    rung(_heads(q), _heads(k), _heads(v), *seen, float(scale), _open(out), lse_rows)
    return out, lse


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
) -> tuple[Array, Array, Array]:
    """Return (dq, dk, dv) of attention."""
    if _misfit(q, k, v) or not q.shape == out.shape == dout.shape or lse.shape != q.shape[:3]:
        return NotImplemented
    dq, dk, dv = np.empty(q.shape, q.dtype), np.empty(k.shape, q.dtype), np.empty(k.shape, q.dtype)
    attention_backward_v2(
        *(_heads(x) for x in (q, k, v, out)),
        solid(lse).reshape(-1, q.shape[2]),
        _heads(dout),
        *_seen(q, k, causal, window),
        float(scale),
        *(_open(x) for x in (dq, dk, dv)),
    )
    return dq, dk, dv


def _misfit(q: Array, k: Array, v: Array) -> bool:
    if q.ndim != 4 or k.ndim != 4 or k.shape != v.shape:
        return True
    return q.shape[0] != k.shape[0] or q.shape[1] % k.shape[1] != 0 or q.shape[3] != k.shape[3]


def _heads(x: Array) -> Array:
    """Return x (B, H, T, D) as (B*H, T, D), contiguous and read-only."""
    return solid(x).reshape(-1, *x.shape[2:])


def _open(x: Array) -> Array:
    return x.reshape(-1, *x.shape[2:])


def _seen(q: Array, k: Array, causal: bool, window: int | None) -> tuple[int, int]:
    """Return (back, ahead); what reaches further than all positions is no limit at all."""
    everything = q.shape[2] + k.shape[2]
    back = everything if window is None else min(int(window) - 1, everything)
    return back, 0 if causal or window is not None else everything
