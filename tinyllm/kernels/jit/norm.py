"""LayerNorm and RMSNorm over rows.

    layer_norm_v1   naive: each sum in its own loop over numbers of the whole array
    layer_norm_v2   a row at a time, by slices: every loop vectorizes and the row stays in the cache
    layer_norm_v3   blocks of rows shared by the threads

The backward passes also sum over all rows (dg, db). Their parallel rung lets each block of rows write sums of its own
and adds these up in order, so that no bit depends on the number of threads.
"""
# ruff: noqa: D103 (the head of this file says what each rung adds)

from __future__ import annotations

import math

import numpy as np
from numba import prange

from ..compiler import compiled, inner, parallel
from ..table import Array
from .door import SMALL, flat, out_rows, rows

BLOCK = 32  # rows a thread takes at a time, and rows in a partial sum


@compiled
def layer_norm_v1(x, g, b, eps, y, mean, rstd):
    N, C = x.shape
    for i in range(N):
        mean[i] = 0
        for j in range(C):
            mean[i] += x[i, j]
        mean[i] /= C
        var = x.dtype.type(0)
        for j in range(C):
            var += (x[i, j] - mean[i]) ** 2
        rstd[i] = 1 / math.sqrt(var / C + eps)
        for j in range(C):
            y[i, j] = (x[i, j] - mean[i]) * rstd[i] * g[j] + b[j]


@inner
def _layer_norm_row(row, g, b, eps, out):
    number = row.dtype.type
    total, C = number(0), number(row.size)
    for j in range(row.size):
        total += row[j]
    middle = total / C
    total = number(0)
    for j in range(row.size):
        total += (row[j] - middle) * (row[j] - middle)
    scale = number(1 / math.sqrt(total / C + eps))
    for j in range(row.size):
        out[j] = (row[j] - middle) * scale * g[j] + b[j]
    return middle, scale


@inner
def _rms_norm_row(row, g, eps, out):
    number = row.dtype.type
    total = number(0)
    for j in range(row.size):
        total += row[j] * row[j]
    scale = number(1 / math.sqrt(total / number(row.size) + eps))
    for j in range(row.size):
        out[j] = row[j] * scale * g[j]
    return scale


@inner
def _add(x, r, s):
    for j in range(s.size):
        s[j] = x[j] + r[j]


@inner
def _add_to(x, r):  # _add(x, r, x) would not vectorize: what is written might be read next
    for j in range(x.size):
        x[j] += r[j]


@compiled
def layer_norm_v2(x, g, b, eps, y, mean, rstd):
    for i in range(x.shape[0]):
        mean[i], rstd[i] = _layer_norm_row(x[i], g, b, eps, y[i])


@parallel
def layer_norm_v3(x, g, b, eps, y, mean, rstd):
    for block in prange((x.shape[0] + BLOCK - 1) // BLOCK):
        here = slice(block * BLOCK, (block + 1) * BLOCK)
        layer_norm_v2(x[here], g, b, eps, y[here], mean[here], rstd[here])


@compiled
def add_layer_norm_v1(x, r, g, b, eps, s, y, mean, rstd):
    for i in range(x.shape[0]):
        _add(x[i], r[i], s[i])
        mean[i], rstd[i] = _layer_norm_row(s[i], g, b, eps, y[i])


@parallel
def add_layer_norm_v2(x, r, g, b, eps, s, y, mean, rstd):
    for block in prange((x.shape[0] + BLOCK - 1) // BLOCK):
        here = slice(block * BLOCK, (block + 1) * BLOCK)
        add_layer_norm_v1(x[here], r[here], g, b, eps, s[here], y[here], mean[here], rstd[here])


@compiled
def layer_norm_backward_v1(x, g, mean, rstd, dy, ds, dx, dg, db):
    zero, one, C = x.dtype.type(0), x.dtype.type(1), x.dtype.type(x.shape[1])
    dg[:] = 0
    db[:] = 0
    for i in range(x.shape[0]):
        row, drow, out, middle, scale = x[i], dy[i], dx[i], mean[i], rstd[i]
        sum_dn, sum_dn_n = zero, zero
        for j in range(row.size):
            dn = drow[j] * g[j]
            sum_dn += dn
            sum_dn_n += dn * (row[j] - middle)
        through_mean, through_rstd = sum_dn * (one / C), sum_dn_n * scale * (one / C)
        for j in range(row.size):
            n = (row[j] - middle) * scale
            dg[j] += drow[j] * n
            db[j] += drow[j]
            out[j] = scale * (drow[j] * g[j] - through_mean - n * through_rstd)
        if ds.size:
            _add_to(out, ds[i])


@parallel
def layer_norm_backward_v2(x, g, mean, rstd, dy, ds, dx, dg, db):
    blocks = (x.shape[0] + BLOCK - 1) // BLOCK
    dgs, dbs = np.empty((blocks, x.shape[1]), x.dtype), np.empty((blocks, x.shape[1]), x.dtype)
    for block in prange(blocks):
        here = slice(block * BLOCK, (block + 1) * BLOCK)
        layer_norm_backward_v1(x[here], g, mean[here], rstd[here], dy[here], ds[here], dx[here], dgs[block], dbs[block])
    add_rows(dgs, dg)
    add_rows(dbs, db)


@inner
def add_rows(parts, total):
    """total = the sum of the rows of parts, from the first to the last."""
    total[:] = 0
    for i in range(parts.shape[0]):
        row = parts[i]
        for j in range(total.size):
            total[j] += row[j]


@compiled
def rms_norm_v1(x, g, eps, y, rstd):
    for i in range(x.shape[0]):
        rstd[i] = _rms_norm_row(x[i], g, eps, y[i])


@parallel
def rms_norm_v2(x, g, eps, y, rstd):
    for block in prange((x.shape[0] + BLOCK - 1) // BLOCK):
        here = slice(block * BLOCK, (block + 1) * BLOCK)
        rms_norm_v1(x[here], g, eps, y[here], rstd[here])


@compiled
def add_rms_norm_v1(x, r, g, eps, s, y, rstd):
    for i in range(x.shape[0]):
        _add(x[i], r[i], s[i])
        rstd[i] = _rms_norm_row(s[i], g, eps, y[i])


@parallel
def add_rms_norm_v2(x, r, g, eps, s, y, rstd):
    for block in prange((x.shape[0] + BLOCK - 1) // BLOCK):
        here = slice(block * BLOCK, (block + 1) * BLOCK)
        add_rms_norm_v1(x[here], r[here], g, eps, s[here], y[here], rstd[here])


@compiled
def rms_norm_backward_v1(x, g, rstd, dy, ds, dx, dg):
    zero, one, C = x.dtype.type(0), x.dtype.type(1), x.dtype.type(x.shape[1])
    dg[:] = 0
    for i in range(x.shape[0]):
        row, drow, out, scale = x[i], dy[i], dx[i], rstd[i]
        sum_dn_n = zero
        for j in range(row.size):
            sum_dn_n += drow[j] * g[j] * row[j]
        through_rstd = sum_dn_n * scale * (one / C)
        for j in range(row.size):
            n = row[j] * scale
            dg[j] += drow[j] * n
            out[j] = scale * (drow[j] * g[j] - n * through_rstd)
        if ds.size:
            _add_to(out, ds[i])


@parallel
def rms_norm_backward_v2(x, g, rstd, dy, ds, dx, dg):
    blocks = (x.shape[0] + BLOCK - 1) // BLOCK
    dgs = np.empty((blocks, x.shape[1]), x.dtype)
    for block in prange(blocks):
        here = slice(block * BLOCK, (block + 1) * BLOCK)
        rms_norm_backward_v1(x[here], g, rstd[here], dy[here], ds[here], dx[here], dgs[block])
    add_rows(dgs, dg)


def layer_norm(x: Array, g: Array, b: Array, eps: float) -> tuple[Array, Array, Array]:
    """Return (y, mean, rstd) of x (..., C)."""
    if not g.shape == b.shape == x.shape[-1:]:
        return NotImplemented
    y, mean, rstd = _outputs(x, 1, 2)
    rung = layer_norm_v2 if x.size < SMALL else layer_norm_v3
    rung(rows(x), flat(g), flat(b), float(eps), out_rows(y), mean.reshape(-1), rstd.reshape(-1))
    return y, mean, rstd


def add_layer_norm(x: Array, r: Array, g: Array, b: Array, eps: float) -> tuple[Array, Array, Array, Array]:
    """Return (s, y, mean, rstd) of s = x + r (..., C)."""
    if x.shape != r.shape or not g.shape == b.shape == x.shape[-1:]:
        return NotImplemented
    s, y, mean, rstd = _outputs(x, 2, 2)
    rung = add_layer_norm_v1 if x.size < SMALL else add_layer_norm_v2
    stats = mean.reshape(-1), rstd.reshape(-1)
    rung(rows(x), rows(r), flat(g), flat(b), float(eps), out_rows(s), out_rows(y), *stats)
    return s, y, mean, rstd


def layer_norm_backward(
    x: Array, g: Array, mean: Array, rstd: Array, dy: Array, ds: Array | None = None
) -> tuple[Array, Array, Array]:
    """Return (dx, dg, db) of x (..., C)."""
    if g.shape != x.shape[-1:] or not np.shape(mean) == np.shape(rstd) == x.shape[:-1] or _differ(x, dy, ds):
        return NotImplemented
    dx, dg, db = np.empty(x.shape, x.dtype), np.empty(g.shape, x.dtype), np.empty(g.shape, x.dtype)
    rung = layer_norm_backward_v1 if x.size < SMALL else layer_norm_backward_v2
    rung(rows(x), flat(g), flat(mean), flat(rstd), rows(dy), _rows_or_none(ds, x), out_rows(dx), dg, db)
    return dx, dg, db


def rms_norm(x: Array, g: Array, eps: float) -> tuple[Array, Array]:
    """Return (y, rstd) of x (..., C)."""
    if g.shape != x.shape[-1:]:
        return NotImplemented
    y, rstd = _outputs(x, 1, 1)
    rung = rms_norm_v1 if x.size < SMALL else rms_norm_v2
    rung(rows(x), flat(g), float(eps), out_rows(y), rstd.reshape(-1))
    return y, rstd


def add_rms_norm(x: Array, r: Array, g: Array, eps: float) -> tuple[Array, Array, Array]:
    """Return (s, y, rstd) of s = x + r (..., C)."""
    if x.shape != r.shape or g.shape != x.shape[-1:]:
        return NotImplemented
    s, y, rstd = _outputs(x, 2, 1)
    rung = add_rms_norm_v1 if x.size < SMALL else add_rms_norm_v2
    rung(rows(x), rows(r), flat(g), float(eps), out_rows(s), out_rows(y), rstd.reshape(-1))
    return s, y, rstd


def rms_norm_backward(x: Array, g: Array, rstd: Array, dy: Array, ds: Array | None = None) -> tuple[Array, Array]:
    """Return (dx, dg) of x (..., C)."""
    if g.shape != x.shape[-1:] or np.shape(rstd) != x.shape[:-1] or _differ(x, dy, ds):
        return NotImplemented
    dx, dg = np.empty(x.shape, x.dtype), np.empty(g.shape, x.dtype)
    rung = rms_norm_backward_v1 if x.size < SMALL else rms_norm_backward_v2
    rung(rows(x), flat(g), flat(rstd), rows(dy), _rows_or_none(ds, x), out_rows(dx), dg)
    return dx, dg


def _outputs(x: Array, of_entries: int, of_rows: int) -> list[Array]:
    """Return so many fresh arrays of the shape of x (..., C), and so many with a number a row (...)."""
    return [np.empty(shape, x.dtype) for shape in [x.shape] * of_entries + [x.shape[:-1]] * of_rows]


def _differ(x: Array, dy: Array, ds: Array | None) -> bool:
    return dy.shape != x.shape or (ds is not None and (ds.shape != x.shape or ds.dtype != x.dtype))


def _rows_or_none(ds: Array | None, x: Array) -> Array:
    """Return ds as rows; no rows at all where there is no ds: the kernels then add nothing."""
    return rows(np.empty((0, x.shape[-1]), x.dtype) if ds is None else ds)
