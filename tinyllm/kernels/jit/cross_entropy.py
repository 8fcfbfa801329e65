"""Cross-entropy of rows of logits: the forward pass reads them, the backward pass writes their gradient.

cross_entropy_v1    naive: math.exp, one number at a time
cross_entropy_v2    the maximum and the sum of exp in one reading and in vector registers; nothing of size V is written
cross_entropy_v3    blocks of rows shared by the threads

The gradient takes one exp an entry: cross_entropy_backward calculates it again from the logits, cross_entropy_chunk
leaves it in their place on the way to the sum, and divides afterwards.
"""
# ruff: noqa: D103 (the head of this file says what each rung adds)

from __future__ import annotations

import math

import numpy as np
from numba import prange

from ..compiler import compiled, parallel
from ..cross_entropy import counted_rows
from ..table import Array
from .door import SMALL, flat, rows
from .elementary import exp
from .softmax import PIECE, highest_and_total, highest_of

BLOCK = 4  # rows a thread takes at a time


@compiled
def cross_entropy_v1(logits, targets, ignore_index, losses, lse):
    for i in range(logits.shape[0]):
        highest = logits[i, 0]
        for j in range(logits.shape[1]):
            highest = max(highest, logits[i, j])
        total = logits.dtype.type(0)
        for j in range(logits.shape[1]):
            total += math.exp(logits[i, j] - highest)
        lse[i] = highest + math.log(total)
        losses[i] = lse[i] - logits[i, targets[i]] if targets[i] != ignore_index else 0


@compiled
def cross_entropy_v2(logits, targets, ignore_index, losses, lse):
    for i in range(logits.shape[0]):
        row = logits[i]
        highest, total = highest_and_total(row)
        lse[i] = highest + math.log(total)
        losses[i] = lse[i] - row[targets[i]] if targets[i] != ignore_index else 0


@parallel
def cross_entropy_v3(logits, targets, ignore_index, losses, lse):
    for block in prange((logits.shape[0] + BLOCK - 1) // BLOCK):
        here = slice(block * BLOCK, (block + 1) * BLOCK)
        cross_entropy_v2(logits[here], targets[here], ignore_index, losses[here], lse[here])


@compiled
def cross_entropy_backward_v1(logits, targets, lse, dlosses, ignore_index, dlogits):
    for i in range(logits.shape[0]):
        row, out, dloss, shift = logits[i], dlogits[i], dlosses[i], lse[i]
        if targets[i] == ignore_index:
            for j in range(out.size):
                out[j] = 0
        else:
            for j in range(out.size):
                out[j] = exp(row[j] - shift) * dloss
            out[targets[i]] -= dloss


@parallel
def cross_entropy_backward_v2(logits, targets, lse, dlosses, ignore_index, dlogits):
    for block in prange((logits.shape[0] + BLOCK - 1) // BLOCK):
        here = slice(block * BLOCK, (block + 1) * BLOCK)
        cross_entropy_backward_v1(logits[here], targets[here], lse[here], dlosses[here], ignore_index, dlogits[here])


@compiled
def cross_entropy_chunk_v1(logits, targets, ignore_index, scale, losses):
    number = logits.dtype.type
    highests = np.empty((logits.shape[1] + PIECE - 1) // PIECE, logits.dtype)  # up to and with each piece of the row
    for i in range(logits.shape[0]):
        row = logits[i]
        if targets[i] == ignore_index:
            losses[i] = 0
            row[:] = 0
            continue
        wanted, highest, total = row[targets[i]], number(-np.inf), number(0)
        for p in range(highests.size):  # as in highest_and_total, but leaving exp(row - highest so far) in the row
            piece, before = row[p * PIECE : (p + 1) * PIECE], highest
            peak = highest_of(piece)
            if peak == -np.inf:
                piece[:] = 0
            else:
                highest = peak if peak > highest else highest
                total *= exp(before - highest)
                for j in range(piece.size):
                    piece[j] = exp(piece[j] - highest)
                    total += piece[j]
            highests[p] = highest
        losses[i] = highest + math.log(total) - wanted
        for p in range(highests.size):
            piece, share = row[p * PIECE : (p + 1) * PIECE], number(scale) / total * exp(highests[p] - highest)
            for j in range(piece.size):
                piece[j] *= share
        row[targets[i]] -= number(scale)


@parallel
def cross_entropy_chunk_v2(logits, targets, ignore_index, scale, losses):
    for block in prange((logits.shape[0] + BLOCK - 1) // BLOCK):
        here = slice(block * BLOCK, (block + 1) * BLOCK)
        cross_entropy_chunk_v1(logits[here], targets[here], ignore_index, scale, losses[here])


def cross_entropy(logits: Array, targets: Array, ignore_index: int) -> tuple[Array, Array]:
    """Return (losses, lse) of logits (N, V) and targets (N,)."""
    if logits.ndim != 2 or targets.shape != logits.shape[:1]:
        return NotImplemented
    counted_rows(targets, logits.shape[1], ignore_index)
    losses, lse = np.empty(len(logits), logits.dtype), np.empty(len(logits), logits.dtype)
    rung = cross_entropy_v2 if logits.size < SMALL else cross_entropy_v3
    rung(rows(logits), _indices(targets), int(ignore_index), losses, lse)
    return losses, lse


def cross_entropy_backward(logits: Array, targets: Array, lse: Array, dlosses: Array, ignore_index: int) -> Array:
    """Return dlogits (N, V) of the losses."""
    if logits.ndim != 2 or not targets.shape == lse.shape == dlosses.shape == logits.shape[:1]:
        return NotImplemented
    counted_rows(targets, logits.shape[1], ignore_index)
    dlogits = np.empty(logits.shape, logits.dtype)
    rung = cross_entropy_backward_v1 if logits.size < SMALL else cross_entropy_backward_v2
    rung(rows(logits), _indices(targets), flat(lse), flat(dlosses), int(ignore_index), dlogits)
    return dlogits


def cross_entropy_chunk(logits: Array, targets: Array, ignore_index: int, scale: float) -> Array:
    """Return the losses of logits (N, V) and overwrite these with the gradient of scale times their sum."""
    if logits.ndim != 2 or targets.shape != logits.shape[:1] or not logits.flags.carray:
        return NotImplemented
    counted_rows(targets, logits.shape[1], ignore_index)
    losses = np.empty(len(logits), logits.dtype)
    rung = cross_entropy_chunk_v1 if logits.size < SMALL else cross_entropy_chunk_v2
    rung(logits, _indices(targets), int(ignore_index), float(scale), losses)
    return losses


def _indices(targets: Array) -> Array:
    return flat(targets.astype(np.int64, copy=False))
