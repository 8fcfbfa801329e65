"""Tiles of queries and blocks of keys: how attention, forward and backward, brings arrays into the shape it works on.

A tile is LANES queries, held transposed: a row belongs to a channel, or a key, and its LANES entries to the queries.
Every step of a softmax is then the same arithmetic on whole rows, even the maximum and the sum over keys, and all
products are add_product. A block is BLOCK keys, copied to where nothing else lies in between.

    queries (D, LANES)      scores (keys, LANES) = keys (keys, D) @ queries
"""


from __future__ import annotations

import numpy as np

from ..compiler import step
from ..dropout import GOLDEN, MIX_ONE, MIX_TWO
from .layout import line
from .registers import LANES
from .transpose import transpose

BLOCK = 64  # keys in a block
TILES = 4  # tiles that work on one copy of a block
BAND = TILES * LANES  # queries in a band
U = np.uint64


@step
def pack_rows(x, first, count, scale, rows):
    """rows[:count] = scale x[first : first + count], x (N, D)."""
    for i in range(count):
        source, out = line(x, first + i), rows[i]
        for d in range(out.size):
            out[d] = source[d] * scale


@step
def pack_columns(x, first, count, scale, columns):
    """columns (D, LANES) = scale x[first : first + count] transposed, zeros in the lanes that are left."""
    if count < LANES:
        columns[:] = 0
    transpose(x, count, first, columns, 0)
    for d in range(columns.shape[0]):
        row = columns[d]
        for t in range(row.size):
            row[t] *= scale


@step
def unpack_columns(columns, first, count, x):
    """x[first : first + count] = columns (D, LANES) transposed."""
    transpose(columns[:, :count], columns.shape[0], 0, x, first)


@step
def hide(s, offset, back, ahead):
    """Put -inf where key offset + j may not be seen by lane t; most rows are seen by all lanes, and untouched."""
    nothing = s.dtype.type(-np.inf)
    for j in range(s.shape[0]):
        first, last = np.int32(max(offset + j - ahead, 0)), np.int32(min(offset + j + back, LANES))
        if first > 0 or last < LANES - 1:
            row = s[j]
            for t in range(LANES):
                lane = np.int32(t)
                row[t] = row[t] if first <= lane <= last else nothing


@step
def fill_kept(kept, place, S, start, threshold, factor):
    """kept[j, t] = factor, or 0 for a weight that is dropped: the mask of kernels/dropout.py over weights (..., T, S).

    ``place`` is the flat index of the weight of key 0 and lane 0.
    """
    factor, nothing = kept.dtype.type(factor), kept.dtype.type(0)
    for j in range(kept.shape[0]):
        row = kept[j]
        for t in range(LANES):
            z = start + (U(place + j + 1) + U(t) * U(S)) * U(GOLDEN)
            z = (z ^ (z >> U(30))) * U(MIX_ONE)
            z = (z ^ (z >> U(27))) * U(MIX_TWO)
            z = z ^ (z >> U(31))
            row[t] = factor if (z >> U(11)) >= threshold else nothing
