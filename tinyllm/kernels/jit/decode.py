"""Attention of a few new queries to a long cache of keys and values: what decoding waits for.

There is little to calculate and much to read: every key and value once per step, and nothing of it twice. So the
measure is gigabytes per second, and the queries come to the keys: all that read the same key/value head, H/K heads with
T queries each, meet a key while it is at hand.

    attention_decode_v1     naive: a query at a time reads the whole cache
    attention_decode_v2     chunks of keys, each read once for all queries; the chunks' sums are merged
    attention_decode_v3     heads and chunks shared by the threads; the merge still goes in order

``lengths[b]`` positions of the cache (B, K, S, D) are filled, and the queries are the last T of them; ``back`` and
``ahead`` as in attention.py. A chunk's softmax is that of its own keys: with its maximum and its sum, any number of
them add up to the softmax over all.

Source: Milakov & Gimelshein 2018; Dao et al. 2023 (Flash-Decoding).
"""
# ruff: noqa: D103 (the head of this file says what each rung adds)

from __future__ import annotations

import math

import numpy as np
from numba import prange

from ..compiler import compiled, inner, parallel, step
from ..table import Array
from .exp_below import exp2_below
from .layout import any_layout, line, lined

CHUNK = 256  # keys
SMALL = 1 << 16  # numbers of the cache that are read before a second thread has woken up
LOG2_E, LOG_2 = math.log2(math.e), math.log(2)


@any_layout("out", "lse")
@compiled
def attention_decode_v1(q, k, v, lengths, back, ahead, scale, out, lse):
    (B, H, T, D), K = q.shape, k.shape[1]
    s = np.empty(k.shape[2], q.dtype)
    for b, h, i in np.ndindex((B, H, T)):
        position, m = lengths[b] - T + i, h // (H // K)
        first, last = max(0, position - back), min(lengths[b], position + ahead + 1)
        highest, total = -np.inf, q.dtype.type(0)
        for j in range(first, last):
            s[j] = 0
            for d in range(D):
                s[j] += q[b, h, i, d] * k[b, m, j, d] * scale
            highest = max(highest, s[j])
        out[b, h, i] = 0
        lse[b, h, i] = -np.inf
        if highest == -np.inf:
            continue
        for j in range(first, last):
            total += math.exp(s[j] - highest)
        for j in range(first, last):
            for d in range(D):
                out[b, h, i, d] += math.exp(s[j] - highest) / total * v[b, m, j, d]
        lse[b, h, i] = highest + math.log(total)


@any_layout("out", "lse")
@compiled
def attention_decode_v2(q, k, v, lengths, back, ahead, scale, out, lse):
    B, K = k.shape[:2]
    first, chunks, rows = _extent(q, k, lengths, back)
    outs, tops = np.empty((chunks, rows, q.shape[3]), q.dtype), np.empty((chunks, 2, rows), q.dtype)
    for n in range(B * K):
        b, m = n // K, n % K
        for chunk in range(chunks):
            _attend_chunk(q[b], k[b, m], v[b, m], m, first + chunk * CHUNK, lengths[b], back, ahead, scale, K,
                          outs[chunk], tops[chunk])  # fmt: skip
        _merge(outs, tops, out[b], lse[b], m, K)


@any_layout("out", "lse")
@parallel
def attention_decode_v3(q, k, v, lengths, back, ahead, scale, out, lse):
    B, K = k.shape[:2]
    first, chunks, rows = _extent(q, k, lengths, back)
    outs, tops = np.empty((B * K, chunks, rows, q.shape[3]), q.dtype), np.empty((B * K, chunks, 2, rows), q.dtype)
    for task in prange(B * K * chunks):
        n, chunk = task // chunks, task % chunks
        b, m = n // K, n % K
        _attend_chunk(q[b], k[b, m], v[b, m], m, first + chunk * CHUNK, lengths[b], back, ahead, scale, K,
                      outs[n, chunk], tops[n, chunk])  # fmt: skip
    for n in range(B * K):
        _merge(outs[n], tops[n], out[n // K], lse[n // K], n % K, K)


@step
def _extent(q, k, lengths, back):
    """Return the first key that any query sees, the number of chunks from there, and the rows of a chunk's sums."""
    (H, T), K = q.shape[1:3], k.shape[1]
    first, last = k.shape[2], 1
    for b in range(lengths.size):
        first, last = min(first, lengths[b] - T - back), max(last, lengths[b])
    first = max(0, first)
    return first, max(1, (last - first + CHUNK - 1) // CHUNK), (H // K * T + 3) // 4 * 4


@inner
def _attend_chunk(q, k, v, m, first, length, back, ahead, scale, K, outs, tops):
    """Let the queries of q (H, T, D) that read head m attend to a chunk of k and v (S, D).

    Fills outs (rows, D), sums of values, and tops (2, rows), the maximum and the sum of the weights.
    """
    (H, T, D), rows = q.shape, outs.shape[0]
    group, zero, nothing = H // K, q.dtype.type(0), q.dtype.type(-np.inf)
    factor = q.dtype.type(scale * LOG2_E)
    last = min(first + CHUNK, length)
    outs[:] = zero
    tops[0] = nothing
    tops[1] = zero
    if first >= last:
        return
    queries, s = np.zeros((rows, D), q.dtype), np.empty((rows, CHUNK), q.dtype)
    for r in range(group * T):
        source, query = line(q[m * group + r // T], r % T), queries[r]
        for d in range(D):
            query[d] = source[d] * factor

    for j in range(first, last):
        key = line(k, j)
        for r in range(0, rows, 4):
            q0, q1, q2, q3 = queries[r], queries[r + 1], queries[r + 2], queries[r + 3]
            s0, s1, s2, s3 = zero, zero, zero, zero
            for d in range(D):
                s0 += q0[d] * key[d]
                s1 += q1[d] * key[d]
                s2 += q2[d] * key[d]
                s3 += q3[d] * key[d]
            s[r, j - first], s[r + 1, j - first], s[r + 2, j - first], s[r + 3, j - first] = s0, s1, s2, s3

    for r in range(group * T):
        position = length - T + r % T
        weights = s[r, : last - first]
        for j in range(weights.size):
            if not position - back <= first + j <= position + ahead:
                weights[j] = nothing
        top = nothing
        for j in range(weights.size):
            top = weights[j] if weights[j] > top else top
        shift = top if top > nothing else zero  # nothing seen here: 2^(-inf - 0) is 0, not NaN
        total = zero
        for j in range(weights.size):
            weights[j] = exp2_below(weights[j] - shift)
            total += weights[j]
        tops[0, r], tops[1, r] = top, total

    for j in range(first, last - 3, 4):
        v0, v1, v2, v3 = line(v, j), line(v, j + 1), line(v, j + 2), line(v, j + 3)
        for r in range(group * T):
            w0, w1, w2, w3 = s[r, j - first], s[r, j - first + 1], s[r, j - first + 2], s[r, j - first + 3]
            sums = outs[r]
            for d in range(D):
                sums[d] += w0 * v0[d] + w1 * v1[d] + w2 * v2[d] + w3 * v3[d]
    for j in range(last - (last - first) % 4, last):
        value = line(v, j)
        for r in range(group * T):
            weight, sums = s[r, j - first], outs[r]
            for d in range(D):
                sums[d] += weight * value[d]


@step
def _merge(outs, tops, out, lse, m, K):
    """Add up the chunks' sums outs (chunks, rows, D) in order and write them out as the rows of head m."""
    (H, T, D), one = out.shape, outs.dtype.type(1)
    for r in range(H // K * T):
        h, i = m * (H // K) + r // T, r % T
        top, total, result = tops[0, 0, r], outs.dtype.type(0), line(out[h], i)
        for chunk in range(1, outs.shape[0]):
            top = max(top, tops[chunk, 0, r])
        for d in range(D):
            result[d] = 0
        for chunk in range(outs.shape[0]):
            if tops[chunk, 1, r] != 0:
                share, sums = exp2_below(tops[chunk, 0, r] - top), outs[chunk, r]
                total += share * tops[chunk, 1, r]
                for d in range(D):
                    result[d] += share * sums[d]
        share = one / total if total != 0 else one
        for d in range(D):
            result[d] *= share
        lse[h, i] = top * LOG_2 + math.log(total) if total != 0 else -np.inf


def attention_decode(q: Array, k: Array, v: Array, lengths: Array, window: int | None, scale: float) -> Array:
    """Return out (B, H, T, D) of the queries q over the first lengths (B,) positions of k and v (B, K, S, D)."""
    if misfit(q, k, v) or lengths.shape != q.shape[:1] or lengths.dtype.kind not in "iu":
        return NotImplemented
    everything = q.shape[2] + k.shape[2]
    back = everything if window is None else min(int(window) - 1, everything)
    return few_queries(q, k, v, lengths, back, 0, scale)[0]


def few_queries(
    q: Array, k: Array, v: Array, lengths: Array, back: int, ahead: int, scale: float
) -> tuple[Array, Array]:
    """Return (out, lse) of a few queries a head."""
    out, lse = np.empty(q.shape, q.dtype), np.empty(q.shape[:3], q.dtype)
    rung = attention_decode_v2 if 2 * k.size < SMALL else attention_decode_v3
    rung(lined(q), lined(k), lined(v), lengths.astype(np.int64), back, ahead, float(scale), out, lse)
    return out, lse


def misfit(q: Array, k: Array, v: Array) -> bool:
    """Tell whether the shapes are not those of attention."""
    if q.ndim != 4 or k.ndim != 4 or k.shape != v.shape:
        return True
    return q.shape[0] != k.shape[0] or q.shape[1] % k.shape[1] != 0 or q.shape[3] != k.shape[3]
