"""Softmax and its logarithm over rows.

    softmax_v1      naive: math.exp, one number at a time
    softmax_v2      exp and the maximum in vector registers, and one division a row instead of one an entry
    softmax_v3      blocks of rows shared by the threads

The others of the family begin at the second rung and stay there: where a model has many rows (attention, the loss) the
softmax is part of a larger kernel.
"""
# ruff: noqa: D103 (the head of this file says what each rung adds)

from __future__ import annotations

import math

import numpy as np
from numba import prange

from ..compiler import compiled, inner, parallel
from ..table import Array
from .door import SMALL, out_rows, rows
from .elementary import exp
from .registers import LANES, lanes

BLOCK = 16  # rows a thread takes at a time
PIECE = 2048  # entries of a row at a time: they stay in the first cache


@inner
def highest_of(row):
    # One running maximum is a chain in which each step waits for the one before; LANES of them fill a register.
    highest = row[0]
    best = lanes(highest)
    for t in range(LANES):
        best[t] = highest
    whole = row.size - row.size % LANES
    for j in range(0, whole, LANES):
        part = row[j : j + LANES]
        for t in range(LANES):
            best[t] = part[t] if part[t] > best[t] else best[t]
    for t in range(LANES // 2):  # a tournament: the winners of each round fit half as many lanes
        best[t] = max(best[t], best[t + LANES // 2])
    for t in range(LANES // 4):
        best[t] = max(best[t], best[t + LANES // 4])
    for t in range(LANES // 4):
        highest = max(highest, best[t])
    for j in range(whole, row.size):
        highest = max(highest, row[j])
    return highest


@inner
def highest_and_total(row):
    # The maximum and the sum of exp(row - maximum), a piece at a time: each is read once, and a higher maximum makes
    # what was added up before smaller. A piece of nothing but -inf adds nothing, and a row of them is NaN.
    number = row.dtype.type
    highest, total = number(-np.inf), number(0)
    for start in range(0, row.size, PIECE):
        piece, before = row[start : start + PIECE], highest
        peak = highest_of(piece)
        if peak != -np.inf:
            highest = peak if peak > highest else highest
            total *= exp(before - highest)
            for j in range(piece.size):
                total += exp(piece[j] - highest)
    return highest, total if highest > -np.inf else number(np.nan)


@compiled
def softmax_v1(x, p):
    for i in range(x.shape[0]):
        highest = x[i, 0]
        for j in range(x.shape[1]):
            highest = max(highest, x[i, j])
        total = x.dtype.type(0)
        for j in range(x.shape[1]):
            p[i, j] = math.exp(x[i, j] - highest)
            total += p[i, j]
        for j in range(x.shape[1]):
            p[i, j] = p[i, j] / total


@compiled
def softmax_v2(x, p):
    for i in range(x.shape[0]):
        row, out = x[i], p[i]  # slices first: no negative index can then keep LLVM from vectorizing
        highest, total = highest_of(row), x.dtype.type(0)
        for j in range(out.size):
            out[j] = exp(row[j] - highest)
            total += out[j]
        share = x.dtype.type(1) / total
        for j in range(out.size):
            out[j] *= share


@parallel
def softmax_v3(x, p):
    for block in prange((x.shape[0] + BLOCK - 1) // BLOCK):
        here = slice(block * BLOCK, (block + 1) * BLOCK)
        softmax_v2(x[here], p[here])


@compiled
def softmax_backward_v1(p, dp, dx):
    for i in range(p.shape[0]):
        row, drow, out = p[i], dp[i], dx[i]
        shared = p.dtype.type(0)
        for j in range(row.size):
            shared += row[j] * drow[j]
        for j in range(row.size):
            out[j] = row[j] * (drow[j] - shared)


@compiled
def logsumexp_v1(x, lse):
    for i in range(x.shape[0]):
        highest, total = highest_and_total(x[i])
        lse[i] = highest + math.log(total)


@compiled
def log_softmax_v1(x, logp):
    for i in range(x.shape[0]):
        row, out = x[i], logp[i]
        highest, total = highest_and_total(row)
        log_total = x.dtype.type(math.log(total))
        for j in range(row.size):
            out[j] = (row[j] - highest) - log_total


@compiled
def log_softmax_backward_v1(logp, dlogp, dx):
    for i in range(logp.shape[0]):
        row, drow, out = logp[i], dlogp[i], dx[i]
        total = logp.dtype.type(0)
        for j in range(row.size):
            total += drow[j]
        for j in range(row.size):
            out[j] = drow[j] - exp(row[j]) * total


def softmax(x: Array) -> Array:
    """Return the softmax of each row of x (..., V)."""
    p = np.empty(x.shape, x.dtype)
    (softmax_v2 if x.size < SMALL else softmax_v3)(rows(x), out_rows(p))
    return p


def softmax_backward(p: Array, dp: Array) -> Array:
    """Return dx (..., V) of p = softmax(x)."""
    if p.shape != dp.shape:
        return NotImplemented
    dx = np.empty(p.shape, p.dtype)
    softmax_backward_v1(rows(p), rows(dp), out_rows(dx))
    return dx


def log_softmax(x: Array) -> Array:
    """Return the log-softmax of each row of x (..., V)."""
    logp = np.empty(x.shape, x.dtype)
    log_softmax_v1(rows(x), out_rows(logp))
    return logp


def log_softmax_backward(logp: Array, dlogp: Array) -> Array:
    """Return dx (..., V) of logp = log_softmax(x)."""
    if logp.shape != dlogp.shape:
        return NotImplemented
    dx = np.empty(logp.shape, logp.dtype)
    log_softmax_backward_v1(rows(logp), rows(dlogp), out_rows(dx))
    return dx


def logsumexp(x: Array) -> Array:
    """Return the log-sum-exp of each row of x (..., V), shape (...)."""
    lse = np.empty(x.shape[:-1], x.dtype)
    logsumexp_v1(rows(x), lse.reshape(-1))
    return lse
