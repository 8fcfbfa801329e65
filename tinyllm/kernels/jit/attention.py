"""Attention, forward, without ever holding the (T, S) weights.

    attention_v1    naive: a query at a time, a row of S scores, math.exp
    attention_v2    only the keys a query sees, exp in vector registers, heads in parallel
    attention_v3    tiles of LANES queries against blocks of keys, with a running maximum and sum; products in registers
    attention_v4    bands of tiles: a block of keys is copied together once and stays in the cache for all of them

tiles.py says what a tile, a block and a band are. ``back`` and ``ahead`` say what is seen: the query at position i sees
the keys i - back <= j <= i + ahead. q and out are (B, H, T, D), k and v (B, K, S, D) and of any layout, as long as the
last axis is contiguous; query head h reads key/value head h // (H / K). Scores carry a factor log2(e): their softmax
is one of powers of two. ``start``, ``threshold`` and ``factor`` say which weights are dropped (kernels/dropout.py).

Source: Dao et al. 2022 (FlashAttention); Milakov & Gimelshein 2018 (the running maximum and sum).
"""
# ruff: noqa: D103 (the head of this file says what each rung adds)

from __future__ import annotations

import math

import numpy as np
from numba import prange

from ..compiler import compiled, inner, parallel, step
from ..dropout import scale_of, start_of, threshold_of
from ..table import Array
from .decode import few_queries, misfit
from .elementary import exp
from .exp_below import exp2_below
from .layout import any_layout, line, lined
from .registers import LANES, lanes
from .registers import tiles as product
from .tiles import BAND, BLOCK, TILES, fill_kept, hide, pack_columns, pack_rows, unpack_columns

FEW_QUERIES = 8  # below this a tile would be mostly empty
LOG2_E, LOG_2 = math.log2(math.e), math.log(2)


@any_layout("out", "lse")
@compiled
def attention_v1(q, k, v, back, ahead, scale, start, threshold, factor, out, lse):
    (B, H, T, D), (K, S) = q.shape, k.shape[1:3]
    s = np.empty(S, q.dtype)
    kept = np.empty((1, LANES), q.dtype)
    for b, h, i in np.ndindex((B, H, T)):
        position, group = i + S - T, h // (H // K)
        highest = -np.inf
        for j in range(S):
            s[j] = -np.inf
            if position - back <= j <= position + ahead:
                score = q.dtype.type(0)
                for d in range(D):
                    score += q[b, h, i, d] * k[b, group, j, d]
                s[j] = score * scale
            highest = max(highest, s[j])
        total = q.dtype.type(0)
        out[b, h, i] = 0
        lse[b, h, i] = -np.inf
        if highest == -np.inf:
            continue
        for j in range(S):
            total += math.exp(s[j] - highest)
        for j in range(S):
            fill_kept(kept, ((b * H + h) * T + i) * S + j, 1, start, threshold, factor)
            for d in range(D):
                out[b, h, i, d] += math.exp(s[j] - highest) / total * kept[0, 0] * v[b, group, j, d]
        lse[b, h, i] = highest + math.log(total)


@any_layout("out", "lse")
@parallel
def attention_v2(q, k, v, back, ahead, scale, start, threshold, factor, out, lse):
    (B, H, T, _), (K, S) = q.shape, k.shape[1:3]
    for n in prange(B * H):
        b, h = n // H, n % H
        for i in range(T):
            first, last = max(0, i + S - T - back), min(S, i + S - T + ahead + 1)
            lse[b, h, i] = -np.inf
            out[b, h, i] = 0
            if first < last:
                keys, values = k[b, h // (H // K), first:last], v[b, h // (H // K), first:last]
                place = (n * T + i) * S + first
                query, result = line(q[b, h], i), line(out[b, h], i)
                lse[b, h, i] = _attend(
                    query, keys, values, q.dtype.type(scale), place, start, threshold, factor, result
                )


@inner
def _attend(q, k, v, scale, place, start, threshold, factor, out):
    """Let one query (D,) attend to the keys k (S, D), S >= 1; add to out (D,) and return the log-sum-exp."""
    s = np.empty(k.shape[0], q.dtype)
    kept = np.empty((1, LANES), q.dtype)
    highest = q.dtype.type(-np.inf)
    for j in range(s.size):
        key = line(k, j)
        score = q.dtype.type(0)
        for d in range(q.size):
            score += q[d] * key[d]
        s[j] = score * scale
        highest = max(highest, s[j])
    total = q.dtype.type(0)
    for j in range(s.size):
        s[j] = exp(s[j] - highest)
        total += s[j]
    share = q.dtype.type(1) / total
    for j in range(s.size):
        value, weight = line(v, j), s[j] * share
        if threshold > 0:
            fill_kept(kept, place + j, 1, start, threshold, factor)
            weight *= kept[0, 0]
        for d in range(out.size):
            out[d] += weight * value[d]
    return highest + math.log(total)


@any_layout("out", "lse")
@parallel
def attention_v3(q, k, v, back, ahead, scale, start, threshold, factor, out, lse):
    (B, H, T, _), (K, S) = q.shape, k.shape[1:3]
    tiles = (T + LANES - 1) // LANES
    for task in prange(B * H * tiles):
        n, first = task // tiles, task % tiles * LANES
        b, h = n // H, n % H
        queries, outputs, highest, total = _open_tile(q[b, h], first, scale)
        s, kept = np.empty((BLOCK, LANES), q.dtype), np.empty((BLOCK, LANES), q.dtype)
        position, count = first + S - T, min(LANES, T - first)
        beyond = min(S, position + count + ahead)
        for j0 in range(max(0, position - back), beyond, BLOCK):
            block, keys = slice(j0, min(j0 + BLOCK, beyond)), min(BLOCK, beyond - j0)
            _attend_block(
                k[b, h // (H // K), block], v[b, h // (H // K), block], queries, j0 - position, back, ahead,
                (n * T + first) * S + j0, S, start, threshold, factor,
                s[:keys], kept[:keys], highest, total, outputs,
            )  # fmt: skip
        _close_tile(outputs, highest, total, out[b, h], lse[b, h], first)


@any_layout("out", "lse")
@parallel
def attention_v4(q, k, v, back, ahead, scale, start, threshold, factor, out, lse):
    (B, H, T, _), K = q.shape, k.shape[1]
    bands = (T + BAND - 1) // BAND
    for task in prange(B * H * bands):
        n, band = task // bands, task % bands
        # Under a causal mask late bands see more keys than early ones: taken in turn, threads get equal shares.
        band = band // 2 if band % 2 == 0 else bands - 1 - band // 2
        b, h, m = n // H, n % H, n % H // (H // K)
        _attend_band(
            q[b, h], k[b, m], v[b, m], band * BAND, back, ahead, scale, n, start, threshold, factor,
            out[b, h], lse[b, h],
        )  # fmt: skip


@inner
def _attend_band(q, k, v, first, back, ahead, scale, n, start, threshold, factor, out, lse):
    """Let the queries first .. first + BAND - 1 of q (T, D), head n of all, attend to k and v (S, D)."""
    (T, D), S = q.shape, k.shape[0]
    one = q.dtype.type(1)
    tiles = min(TILES, (T - first + LANES - 1) // LANES)
    queries = np.empty((tiles, D, LANES), q.dtype)
    outputs = np.zeros((tiles, D, LANES), q.dtype)
    highest, total = np.empty((tiles, LANES), q.dtype), np.zeros((tiles, LANES), q.dtype)
    highest[:] = -np.inf
    for tile in range(tiles):
        begin = first + tile * LANES
        pack_columns(q, begin, min(LANES, T - begin), q.dtype.type(scale * LOG2_E), queries[tile])
    keys, values = np.empty((BLOCK, D), q.dtype), np.empty((BLOCK, D), q.dtype)
    s = np.empty((BLOCK, LANES), q.dtype)
    kept = np.empty((BLOCK, LANES), q.dtype)

    end = min(first + BAND, T) + S - T  # the position after the last query's
    for j0 in range(max(0, first + S - T - back), min(S, end + ahead), BLOCK):
        count = min(BLOCK, min(S, end + ahead) - j0)
        pack_rows(k, j0, count, one, keys)
        pack_rows(v, j0, count, one, values)
        for tile in range(tiles):
            begin = first + tile * LANES
            position = begin + S - T
            # Of the block, what some query of this tile sees.
            low = max(0, position - back - j0)
            high = min(count, position + min(LANES, T - begin) + ahead - j0)
            if low < high:
                here, rows = slice(low, high), high - low
                _attend_block(
                    keys[here], values[here], queries[tile], j0 + low - position, back, ahead,
                    (n * T + begin) * S + j0 + low, S, start, threshold, factor,
                    s[:rows], kept[:rows], highest[tile], total[tile], outputs[tile],
                )  # fmt: skip
    for tile in range(tiles):
        _close_tile(outputs[tile], highest[tile], total[tile], out, lse, first + tile * LANES)


@inner
def _open_tile(q, first, scale):
    """Return queries transposed and scaled, outputs of zero (D, LANES), and for each lane no maximum and no sum yet."""
    (T, D), zero = q.shape, q.dtype.type(0)
    queries, outputs = np.empty((D, LANES), q.dtype), np.zeros((D, LANES), q.dtype)
    pack_columns(q, first, min(LANES, T - first), q.dtype.type(scale * LOG2_E), queries)
    return queries, outputs, np.full(LANES, zero - np.inf, q.dtype), np.zeros(LANES, q.dtype)


@step
def _attend_block(
    k, v, queries, offset, back, ahead, place, S, start, threshold, factor, s, kept, highest, total, outputs
):
    """Let a tile see the keys k and values v (keys, D): outputs, highest and total become those of all seen so far."""
    one, nothing = k.dtype.type(1), k.dtype.type(-np.inf)
    top, sums, before = lanes(one), lanes(one), lanes(one)
    product(k, queries, s, True)  # (keys, LANES)
    if offset + s.shape[0] - 1 > ahead or offset < LANES - 1 - back:
        hide(s, offset, back, ahead)
    for t in range(LANES):
        top[t] = highest[t]
    rows = s.shape[0]
    for j in range(0, rows, 2):  # two rows at a time, of which the last may be met again
        row, row2 = s[j], s[min(j + 1, rows - 1)]
        for t in range(row.size):  # not LANES: so short a loop LLVM would write out, and never vectorize
            larger = row[t] if row[t] > row2[t] else row2[t]
            top[t] = larger if larger > top[t] else top[t]
    # The maximum may have grown: what was summed up so far is brought to the new one.
    for t in range(LANES):
        before[t] = highest[t]
        highest[t] = top[t]
        top[t] = top[t] if top[t] > nothing else one  # nothing seen yet: 2^(-inf - 1) is 0, not NaN
        before[t] = exp2_below(before[t] - top[t])
        sums[t] = total[t] * before[t]
    for d in range(outputs.shape[0]):
        row = outputs[d]
        for t in range(row.size):
            row[t] *= before[t]
    for j in range(s.shape[0]):
        row = s[j]
        for t in range(LANES):
            row[t] = exp2_below(row[t] - top[t])
            sums[t] += row[t]
    for t in range(LANES):
        total[t] = sums[t]
    if threshold > 0:
        fill_kept(kept, place, S, start, threshold, factor)
        for j in range(s.shape[0]):
            row, factors = s[j], kept[j]
            for t in range(LANES):
                row[t] *= factors[t]
    product(v.T, s, outputs, False)  # (D, LANES)


@step
def _close_tile(outputs, highest, total, out, lse, first):
    """Divide by the sums and write out (T, D) and lse (T,)."""
    one, count = outputs.dtype.type(1), min(LANES, lse.size - first)
    for t in range(count):
        lse[first + t] = highest[t] * LOG_2 + math.log(total[t]) if total[t] != 0 else -np.inf
    for t in range(LANES):
        total[t] = one / total[t] if total[t] != 0 else one
    for d in range(outputs.shape[0]):
        row = outputs[d]
        for t in range(row.size):
            row[t] *= total[t]
    unpack_columns(outputs, first, count, out)


def attention(
    q: Array, k: Array, v: Array, causal: bool, window: int | None, scale: float, p: float = 0.0, seed: int = 0
) -> tuple[Array, Array]:
    """Return (out, lse) of q (B, H, T, D) over k and v (B, K, S, D); out is in memory as (B, T, H, D)."""
    if misfit(q, k, v):
        return NotImplemented
    B, H, T, D = q.shape
    if T < FEW_QUERIES and p == 0:
        return few_queries(q, k, v, np.full(B, k.shape[2]), *seen(q, k, causal, window), scale)
    out, lse = np.empty((B, T, H, D), q.dtype).transpose(0, 2, 1, 3), np.empty(q.shape[:3], q.dtype)
    attention_v4(lined(q), lined(k), lined(v), *seen(q, k, causal, window), float(scale), *dropped(p, seed), out, lse)
    return out, lse


def seen(q: Array, k: Array, causal: bool, window: int | None) -> tuple[int, int]:
    """Return (back, ahead); what reaches further than all positions is no limit at all."""
    everything = q.shape[2] + k.shape[2]
    back = everything if window is None else min(int(window) - 1, everything)
    return back, 0 if causal or window is not None else everything


def dropped(p: float, seed: int) -> tuple[np.uint64, np.uint64, float]:
    """Return (start, threshold, factor) of dropout; a threshold of zero drops nothing."""
    return start_of(seed), threshold_of(p), float(scale_of(p))
