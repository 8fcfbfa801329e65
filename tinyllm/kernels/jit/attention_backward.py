"""Attention, backward: the weights are made again, tile by tile, from the scores and their log-sum-exp.

    attention_backward_v1   naive: a query at a time
    attention_backward_v2   tiles; dk and dv of a key/value head are summed by one thread, in one order
    attention_backward_v3   bands of tiles share a copy of a block of keys; where heads are few, a head's bands are
                            dealt out in parts, each with sums of its own, which are added up in order

Tiles, blocks, bands and all arguments are those of attention.py. Of a tile and a block five products are made, scores,
dw, dq, dk and dv; the channels of dk and dv are cut into panels of LANES.

Source: Dao et al. 2022 (FlashAttention).
"""
# ruff: noqa: D103 (the head of this file says what each rung adds)

from __future__ import annotations

import math

import numpy as np
from numba import prange

from ..compiler import compiled, inner, parallel, step
from ..table import Array
from .attention import LOG2_E, dropped, seen
from .decode import misfit
from .exp_below import exp2_below
from .layout import any_layout, line, lined
from .registers import LANES, lanes
from .registers import tiles as product
from .tiles import BAND, BLOCK, TILES, fill_kept, hide, pack_columns, pack_rows, unpack_columns

TASKS = 8  # parallel tasks there should be at least


@any_layout("dq", "dk", "dv")
@compiled
def attention_backward_v1(q, k, v, out, lse, dout, back, ahead, scale, start, threshold, factor, dq, dk, dv):
    (B, H, T, D), (K, S) = q.shape, k.shape[1:3]
    kept = np.empty((1, LANES), q.dtype)
    dk[:] = 0
    dv[:] = 0
    for b, h, i in np.ndindex((B, H, T)):
        position, m = i + S - T, h // (H // K)
        dq[b, h, i] = 0
        shared = q.dtype.type(0)  # sum_j dw_j w_j, which is sum_d dout_d out_d
        for d in range(D):
            shared += dout[b, h, i, d] * out[b, h, i, d]
        for j in range(max(0, position - back), min(S, position + ahead + 1)):
            s, dw = q.dtype.type(0), q.dtype.type(0)
            for d in range(D):
                s += q[b, h, i, d] * k[b, m, j, d]
                dw += dout[b, h, i, d] * v[b, m, j, d]
            fill_kept(kept, ((b * H + h) * T + i) * S + j, 1, start, threshold, factor)
            w = math.exp(s * scale - lse[b, h, i])
            ds = w * (dw * kept[0, 0] - shared) * scale
            for d in range(D):
                dq[b, h, i, d] += ds * k[b, m, j, d]
                dk[b, m, j, d] += ds * q[b, h, i, d]
                dv[b, m, j, d] += w * kept[0, 0] * dout[b, h, i, d]


@any_layout("dq", "dk", "dv")
@parallel
def attention_backward_v2(q, k, v, out, lse, dout, back, ahead, scale, start, threshold, factor, dq, dk, dv):
    (B, H, T, D), (K, S) = q.shape, k.shape[1:3]
    panels = (D + LANES - 1) // LANES
    for m in prange(B * K):
        b, group = m // K, m % K
        sums = np.zeros((2, panels, S, LANES), q.dtype)
        columns, rows = np.empty((3, D, LANES), q.dtype), np.zeros((2, panels, LANES, LANES), q.dtype)
        shift_shared, scores = np.empty((2, LANES), q.dtype), np.empty((3, BLOCK, LANES), q.dtype)
        for h in range(group * (H // K), (group + 1) * (H // K)):
            for first in range(0, T, LANES):
                position, count = first + S - T, min(LANES, T - first)
                _open_tile(q[b, h], out[b, h], lse[b, h], dout[b, h], first, scale, columns, rows, shift_shared)
                beyond = min(S, position + count + ahead)
                for j0 in range(max(0, position - back), beyond, BLOCK):
                    block, keys = slice(j0, min(j0 + BLOCK, beyond)), min(BLOCK, beyond - j0)
                    _back_through_block(
                        k[b, group, block], v[b, group, block], columns, rows, shift_shared, j0 - position, back, ahead,
                        ((b * H + h) * T + first) * S + j0, S, start, threshold, factor,
                        scores[:, :keys], sums[:, :, block],
                    )  # fmt: skip
                _close_tile(columns[2], scale, dq[b, h], first)
        _write_sums(sums, dk[b, group], dv[b, group], 0)


@any_layout("dq", "dk", "dv")
@parallel
def attention_backward_v3(q, k, v, out, lse, dout, back, ahead, scale, start, threshold, factor, dq, dk, dv):
    (B, H, T, D), (K, S) = q.shape, k.shape[1:3]
    panels, bands = (D + LANES - 1) // LANES, (T + BAND - 1) // BAND
    parts = max(1, min(TASKS // (B * K), H // K * bands))
    partial = np.empty((B * K, parts if parts > 1 else 0, 2, panels, S, LANES), q.dtype)
    for task in prange(B * K * parts):
        m, part = task // parts, task % parts
        b, group = m // K, m % K
        sums = np.zeros((2, panels, S, LANES), q.dtype)
        for n in range(H // K * bands):
            turn = n % (2 * parts)  # there and back: of early bands, which see few keys, and late ones each gets some
            if part == (turn if turn < parts else 2 * parts - 1 - turn):
                h, first = group * (H // K) + n // bands, n % bands * BAND
                _back_through_band(
                    q[b, h], k[b, group], v[b, group], out[b, h], lse[b, h], dout[b, h], first,
                    back, ahead, scale, b * H + h, start, threshold, factor, dq[b, h], sums,
                )  # fmt: skip
        if parts == 1:
            _write_sums(sums, dk[b, group], dv[b, group], 0)
        else:
            _add_up(sums, partial[m, part], True)
    if parts > 1:
        blocks = (S + BLOCK - 1) // BLOCK
        for task in prange(B * K * blocks):
            m, block = task // blocks, slice(task % blocks * BLOCK, min((task % blocks + 1) * BLOCK, S))
            for part in range(1, parts):
                _add_up(partial[m, part, :, :, block], partial[m, 0, :, :, block], False)
            _write_sums(partial[m, 0, :, :, block], dk[m // K, m % K], dv[m // K, m % K], task % blocks * BLOCK)


@inner
def _back_through_band(q, k, v, out, lse, dout, first, back, ahead, scale, n, start, threshold, factor, dq, sums):
    """Go back through the queries first .. first + BAND - 1 of q (T, D), head n of all: fill dq and add to sums."""
    (T, D), S, panels = q.shape, k.shape[0], sums.shape[1]
    one = q.dtype.type(1)
    tiles = min(TILES, (T - first + LANES - 1) // LANES)
    columns, rows = np.empty((tiles, 3, D, LANES), q.dtype), np.zeros((tiles, 2, panels, LANES, LANES), q.dtype)
    shift_shared = np.empty((tiles, 2, LANES), q.dtype)
    for tile in range(tiles):
        _open_tile(q, out, lse, dout, first + tile * LANES, scale, columns[tile], rows[tile], shift_shared[tile])
    keys, values = np.empty((BLOCK, D), q.dtype), np.empty((BLOCK, D), q.dtype)
    scores = np.empty((3, BLOCK, LANES), q.dtype)

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
                here, there = slice(low, high), slice(j0 + low, j0 + high)
                _back_through_block(
                    keys[here], values[here], columns[tile], rows[tile], shift_shared[tile],
                    j0 + low - position, back, ahead, (n * T + begin) * S + j0 + low, S, start, threshold, factor,
                    scores[:, : high - low], sums[:, :, there],
                )  # fmt: skip
    for tile in range(tiles):
        _close_tile(columns[tile, 2], scale, dq, first + tile * LANES)


@step
def _open_tile(q, out, lse, dout, first, scale, columns, rows, shift_shared):
    """Fill in what a tile needs: q, dout and dq = 0 (3, D, LANES), q and dout (2, panels, LANES, LANES), two lines."""
    (T, D), one = q.shape, q.dtype.type(1)
    count = min(LANES, T - first)
    pack_columns(q, first, count, q.dtype.type(scale * LOG2_E), columns[0])
    pack_columns(dout, first, count, one, columns[1])
    columns[2] = 0
    if count < LANES:
        rows[:, :, count:] = 0
    _pack_panels(q, first, count, q.dtype.type(scale), rows[0])
    _pack_panels(dout, first, count, one, rows[1])
    shift_shared[:] = 0
    for t in range(count):
        row, drow = line(out, first + t), line(dout, first + t)
        shared = q.dtype.type(0)
        for d in range(D):
            shared += row[d] * drow[d]
        if lse[first + t] != -np.inf:  # a query that sees nothing: 2^(-inf - 0) is 0, not NaN
            shift_shared[0, t] = lse[first + t] * LOG2_E
        shift_shared[1, t] = shared  # sum_j dw_j w_j, which is sum_d dout_d out_d


@step
def _pack_panels(x, first, count, scale, panels):
    """panels (panels, LANES, LANES) = scale x[first : first + count], cut into panels of LANES channels."""
    for t in range(count):
        row = line(x, first + t)
        for panel in range(panels.shape[0]):
            source, out = row[panel * LANES : (panel + 1) * LANES], panels[panel, t]
            for d in range(source.size):
                out[d] = source[d] * scale


@step
def _back_through_block(
    k, v, columns, rows, shift_shared, offset, back, ahead, place, S, start, threshold, factor, scores, sums
):
    """Go back through one tile and the keys k and values v (keys, D): add to dq, columns[2], and to dk and dv, sums."""
    one = k.dtype.type(1)
    w, ds, kept = scores[0], scores[1], scores[2]
    shift, shared = lanes(one), lanes(one)
    product(k, columns[0], w, True)  # scores, (keys, LANES)
    product(v, columns[1], ds, True)  # dw, (keys, LANES)
    if offset + w.shape[0] - 1 > ahead or offset < LANES - 1 - back:
        hide(w, offset, back, ahead)
    if threshold > 0:
        fill_kept(kept, place, S, start, threshold, factor)
        _multiply(ds, kept)
    for t in range(LANES):
        shift[t] = shift_shared[0, t]
        shared[t] = shift_shared[1, t]
    for j in range(w.shape[0]):
        w_row, ds_row = w[j], ds[j]
        for t in range(LANES):
            w_row[t] = exp2_below(w_row[t] - shift[t])
            ds_row[t] = w_row[t] * (ds_row[t] - shared[t])
    if threshold > 0:
        _multiply(w, kept)
    product(k.T, ds, columns[2], False)  # (D, LANES)
    for panel in range(rows.shape[1]):
        product(ds, rows[0, panel], sums[0, panel], False)  # (keys, LANES)
        product(w, rows[1, panel], sums[1, panel], False)


@step
def _multiply(x, y):
    """X *= y, (keys, LANES)."""
    for j in range(x.shape[0]):
        row, factors = x[j], y[j]
        for t in range(LANES):
            row[t] *= factors[t]


@step
def _close_tile(dqueries, scale, dq, first):
    """Write scale dqueries (D, LANES) out as rows of dq (T, D)."""
    scale = dq.dtype.type(scale)
    for d in range(dqueries.shape[0]):
        row = dqueries[d]
        for t in range(row.size):
            row[t] *= scale
    unpack_columns(dqueries, first, min(LANES, dq.shape[0] - first), dq)


@step
def _add_up(sums, result, fresh):
    """Add sums (2, panels, keys, LANES) to the result, or copy them where that is ``fresh``."""
    for x in range(2):
        for panel in range(sums.shape[1]):
            for j in range(sums.shape[2]):
                row, out = sums[x, panel, j], result[x, panel, j]
                for t in range(LANES):
                    out[t] = row[t] if fresh else out[t] + row[t]


@step
def _write_sums(sums, dk, dv, first):
    """Write sums (2, panels, keys, LANES) out as rows of dk and dv (S, D), from the row ``first``."""
    for j in range(sums.shape[2]):
        dk_row, dv_row = line(dk, first + j), line(dv, first + j)
        for panel in range(sums.shape[1]):
            here = slice(panel * LANES, (panel + 1) * LANES)
            dk_out, dv_out = dk_row[here], dv_row[here]
            dk_sums, dv_sums = sums[0, panel, j], sums[1, panel, j]
            for d in range(dk_out.size):
                dk_out[d] = dk_sums[d]
                dv_out[d] = dv_sums[d]


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
    """Return (dq, dk, dv) of attention; where T = S they are views of one array (B, T, H + 2K, D)."""
    if misfit(q, k, v) or not q.shape == out.shape == dout.shape or lse.shape != q.shape[:3]:
        return NotImplemented
    dq, dk, dv = _like_one_array(q, k)
    attention_backward_v3(
        *(lined(x) for x in (q, k, v, out)), lse, lined(dout), *seen(q, k, causal, window), float(scale),
        *dropped(p, seed), dq, dk, dv,
    )  # fmt: skip
    return dq, dk, dv


def _like_one_array(q: Array, k: Array) -> tuple[Array, Array, Array]:
    """Return arrays to be filled, like q, k and k, laid out so that the engine can join them without a copy."""
    (B, H, T, D), (K, S) = q.shape, k.shape[1:3]
    if T == S:
        heads = np.empty((B, T, H + 2 * K, D), q.dtype).transpose(0, 2, 1, 3)
        return heads[:, :H], heads[:, H : H + K], heads[:, H + K :]
    shapes = (B, T, H, D), (B, S, K, D), (B, S, K, D)
    dq, dk, dv = (np.empty(shape, q.dtype).transpose(0, 2, 1, 3) for shape in shapes)
    return dq, dk, dv
