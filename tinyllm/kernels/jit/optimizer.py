"""AdamW's step and the sum of squares.

adamw_v1            the reference's seven passes over memory fused into one
adamw_v2            blocks of entries shared by the threads

sum_of_squares_v1   one sum
sum_of_squares_v2   a sum for each block of entries, shared by the threads, and added up in order
"""
# ruff: noqa: D103 (the head of this file says what each rung adds)

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import prange

from ..compiler import compiled, parallel
from ..table import Array
from .door import SMALL, flat

BLOCK = 4096  # entries a thread takes at a time, and entries in a partial sum


@compiled
def adamw_v1(p, g, m, v, decay, beta1, beta2, rate, root, eps):
    number = p.dtype.type
    decay, rate, root, eps = number(decay), number(rate), number(root), number(eps)
    keep1, keep2, new1, new2 = number(beta1), number(beta2), number(1 - beta1), number(1 - beta2)
    for i in range(p.size):
        m[i] = keep1 * m[i] + new1 * g[i]
        v[i] = keep2 * v[i] + new2 * g[i] * g[i]
        p[i] = p[i] * decay - rate * m[i] / (math.sqrt(v[i]) * root + eps)


@parallel
def adamw_v2(p, g, m, v, decay, beta1, beta2, rate, root, eps):
    for block in prange((p.size + BLOCK - 1) // BLOCK):
        here = slice(block * BLOCK, (block + 1) * BLOCK)
        adamw_v1(p[here], g[here], m[here], v[here], decay, beta1, beta2, rate, root, eps)


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
) -> Any:
    """Move p, m and v one step along g, in place."""
    if not p.shape == g.shape == m.shape == v.shape:
        return NotImplemented
    if not (p.flags.carray and m.flags.carray and v.flags.carray):  # no flat view to write through
        return NotImplemented
    (adamw_v1 if p.size < SMALL else adamw_v2)(
        p.reshape(-1),
        flat(g),
        m.reshape(-1),
        v.reshape(-1),
        float(1 - lr * weight_decay),
        float(beta1),
        float(beta2),
        float(lr / (1 - beta1**step)),
        float(1 / math.sqrt(1 - beta2**step)),
        float(eps),
    )
    return None


def sum_of_squares(x: Array) -> float:
    """Return the sum of the squares of all entries, added up in float64."""
    return float((sum_of_squares_v1 if x.size < SMALL else sum_of_squares_v2)(flat(x)))
