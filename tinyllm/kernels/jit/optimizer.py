"""AdamW's step and the sum of squares.

adamw_v1            the reference's seven passes over memory fused into one
adamw_v2            blocks of entries shared by the threads
adamw_flat_v1       all parameters, whose gradients are where a table of addresses says
adamw_flat_v2       blocks of all of them shared by the threads: one launch instead of one for each

sum_of_squares_v1   one sum
sum_of_squares_v2   a sum for each block of entries, shared by the threads, and added up in order
sum_of_squares_of   the same two rungs over many arrays
"""
# ruff: noqa: D103 (the head of this file says what each rung adds)

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numba import prange

from ..compiler import compiled, parallel
from ..table import Array
from .addresses import array_at, blocks_of, solid_arrays
from .door import SMALL, flat

BLOCK = 4096  # entries a thread takes at a time, and entries in a partial sum
LARGE = 1 << 20  # entries: a sum of fewer is done before a second thread would have woken up


@compiled
def adamw_v1(p, g, m, v, decay, beta1, beta2, rate, root, eps, scale):
    number = p.dtype.type
    decay, rate, root, eps, scale = number(decay), number(rate), number(root), number(eps), number(scale)
    keep1, keep2, new1, new2 = number(beta1), number(beta2), number(1 - beta1), number(1 - beta2)
    for i in range(p.size):
        slope = scale * g[i]
        m[i] = keep1 * m[i] + new1 * slope
        v[i] = keep2 * v[i] + new2 * slope * slope
        p[i] = p[i] * decay - rate * m[i] / (math.sqrt(v[i]) * root + eps)


@parallel
def adamw_v2(p, g, m, v, decay, beta1, beta2, rate, root, eps, scale):
    for block in prange((p.size + BLOCK - 1) // BLOCK):
        here = slice(block * BLOCK, (block + 1) * BLOCK)
        adamw_v1(p[here], g[here], m[here], v[here], decay, beta1, beta2, rate, root, eps, scale)


@compiled
def adamw_flat_v1(p, gs, m, v, offsets, decays, beta1, beta2, rate, root, eps, scale):
    for k in range(gs.shape[0]):
        g, here = array_at(gs[k, 0], 0, gs[k, 1], p[0]), slice(offsets[k], offsets[k] + gs[k, 1])
        adamw_v1(p[here], g, m[here], v[here], decays[k], beta1, beta2, rate, root, eps, scale)


@parallel
def adamw_flat_v2(p, gs, m, v, offsets, decays, beta1, beta2, rate, root, eps, scale, blocks):
    for block in prange(blocks.shape[0]):
        k, first, size = blocks[block]
        g, start = array_at(gs[k, 0], first, size, p[0]), offsets[k] + first
        here = slice(start, start + size)
        adamw_v1(p[here], g, m[here], v[here], decays[k], beta1, beta2, rate, root, eps, scale)


@compiled
def sum_of_squares_v1(x):
    total = 0.0
    for i in range(x.size):
        wide = np.float64(x[i])
        total += wide * wide
    return total


@parallel
def sum_of_squares_v2(x):
    totals = np.empty((x.size + BLOCK - 1) // BLOCK, np.float64)
    for block in prange(totals.size):
        totals[block] = sum_of_squares_v1(x[block * BLOCK : (block + 1) * BLOCK])
    total = 0.0
    for block in range(totals.size):
        total += totals[block]
    return total


@compiled
def sum_of_squares_of_v1(xs, like):
    total = 0.0
    for k in range(xs.shape[0]):
        total += sum_of_squares_v1(array_at(xs[k, 0], 0, xs[k, 1], like))
    return total


@parallel
def sum_of_squares_of_v2(xs, like, blocks):
    totals = np.empty(blocks.shape[0], np.float64)
    for block in prange(totals.size):
        k, first, size = blocks[block]
        totals[block] = sum_of_squares_v1(array_at(xs[k, 0], first, size, like))
    total = 0.0
    for block in range(totals.size):
        total += totals[block]
    return total


def adamw(
    p: Array,
    g: Array,
    m: Array,
    v: Array,
    lr: float,
    beta1: float,
    beta2: float,
    eps: float,
    weight_decay: float,
    step: int,
    grad_scale: float = 1.0,
) -> Any:
    """Move p, m and v one step along g, in place."""
    if not p.shape == g.shape == m.shape == v.shape:
        return NotImplemented
    if not (p.flags.carray and m.flags.carray and v.flags.carray):  # no flat view to write through
        return NotImplemented
    rung = adamw_v1 if p.size < SMALL else adamw_v2
    settings = _settings(lr, beta1, beta2, eps, step, grad_scale)
    rung(p.reshape(-1), flat(g), m.reshape(-1), v.reshape(-1), float(1 - lr * weight_decay), *settings)
    return None


def adamw_flat(
    p: Array,
    gs: Sequence[Array],
    m: Array,
    v: Array,
    offsets: Sequence[int],
    decays: Sequence[float],
    lr: float,
    beta1: float,
    beta2: float,
    eps: float,
    step: int,
    grad_scale: float = 1.0,
) -> Any:
    """Move flat p, m and v one step along the gradients of their parts, in place."""
    if not len(gs) == len(offsets) == len(decays) or not gs or any(g.dtype != p.dtype for g in gs):
        return NotImplemented
    if p.ndim != 1 or not all(x.flags.carray and x.shape == p.shape for x in (p, m, v)):
        return NotImplemented
    alive, table = solid_arrays(gs)
    starts, keeps = np.asarray(offsets, np.int64), 1 - lr * np.asarray(decays, np.float64)
    if starts.min() < 0 or (starts + table[:, 1]).max() > p.size:  # the reference says what is wrong
        return NotImplemented
    settings = _settings(lr, beta1, beta2, eps, step, grad_scale)
    if p.size < SMALL:
        adamw_flat_v1(p, table, m, v, starts, keeps, *settings)
    else:
        adamw_flat_v2(p, table, m, v, starts, keeps, *settings, blocks_of(table[:, 1], BLOCK))
    del alive
    return None


def sum_of_squares(x: Array) -> float:
    """Return the sum of the squares of all entries, added up in float64."""
    return float((sum_of_squares_v1 if x.size < SMALL else sum_of_squares_v2)(flat(x)))


def sum_of_squares_of(*xs: Array) -> float:
    """Return the sum of the squares of all entries of all arrays, added up in float64."""
    alive, table = solid_arrays(xs)
    like = xs[0].dtype.type(0)
    if table[:, 1].sum() < LARGE:
        total = sum_of_squares_of_v1(table, like)
    else:
        total = sum_of_squares_of_v2(table, like, blocks_of(table[:, 1], BLOCK))
    del alive
    return float(total)


def _settings(lr: float, beta1: float, beta2: float, eps: float, step: int, grad_scale: float) -> tuple[float, ...]:
    """Return what every entry needs, in the order of the rungs: beta1, beta2, rate, root, eps, scale."""
    rate, root = lr / (1 - beta1**step), 1 / math.sqrt(1 - beta2**step)
    return float(beta1), float(beta2), float(rate), float(root), float(eps), float(grad_scale)
