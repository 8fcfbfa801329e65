"""All that an encoder works with, as one row of numbers that a kernel is given in place of a dozen arrays.

Handing an array to a kernel takes Numba 60 ns, as long as encoding ten words. So the arrays' addresses are written into
one int64 array once, and a call hands over the address of that. Whoever made the row keeps the arrays alive.
"""
# ruff: noqa: D103 (they return the arrays that their names say)

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np

from ..compiler import bare, inner
from ..table import Array
from .bits import BLOCK, array_at
from .packed import shift_for
from .pairs import FILTER
from .scan import CODE_POINTS
from .tokens import FILTER_WORDS

# how text is cut
FAMILY, DIGITS, ENDS_WHOLE, CLASSES = range(4)
# tokens: the hash table, its filter, the bytes of all, the most bytes one has, and how many each has, by its id
TOKENS, TOKEN_SHIFT, LONG_MAYBE, TOKEN_BYTES, TOKEN_BYTES_SIZE, LONGEST, LENGTHS, N_VOCAB = range(4, 12)
# whether a piece that is a token is taken whole; the id of every single byte
WHOLE_PIECE, BYTE_IDS = range(12, 14)
# merges: the hash table of pairs, its filter, the ranks of pairs of single bytes, the id that each rank makes
PAIRS, MAYBE, PAIR_SHIFT, BYTE_RANKS, MERGED, MERGED_SIZE = range(14, 20)
# words already seen, the short ones and the longer ones
LINES, LINE_SHIFT, ROWS, ROW_SHIFT = range(20, 24)
# working space: ends of pieces, a short text, its ids
ENDS, TEXT, IDS = range(24, 27)
FIELDS: Final = 27

N_LINES: Final = 1 << 16  # 4 MB
N_ROWS: Final = 1 << 14  # 2 MB
BATCH: Final = 512  # pieces that are cut before they are looked up
SHORT_TEXT: Final = 1 << 12  # characters of a text that is encoded without letting other threads run
TEXT_BYTES: Final = 4 * SHORT_TEXT + BLOCK  # in UTF-8, and what follows a slice


@inner
def state_at(address):
    return array_at(address, (FIELDS,), np.int64(0))


@inner
def classes_of(state):
    return array_at(state[CLASSES], (CODE_POINTS,), np.uint8(0))


@inner
def tokens_of(state):
    shift = np.uint64(state[TOKEN_SHIFT])
    return array_at(state[TOKENS], (slots(shift), 4), np.uint64(0)), shift


@inner
def long_maybe_of(state):
    return array_at(state[LONG_MAYBE], (FILTER_WORDS,), np.uint64(0))


@inner
def token_bytes_of(state):
    return array_at(state[TOKEN_BYTES], (state[TOKEN_BYTES_SIZE],), np.uint8(0))


@inner
def lengths_of(state):
    return array_at(state[LENGTHS], (state[N_VOCAB],), np.int32(0))


@inner
def byte_ids_of(state):
    return array_at(state[BYTE_IDS], (256,), np.int32(0))


@inner
def pairs_of(state):
    shift = np.uint64(state[PAIR_SHIFT])
    maybe = array_at(state[MAYBE], (slots(shift) * FILTER // 64,), np.uint64(0))
    return array_at(state[PAIRS], (slots(shift),), np.uint64(0)), maybe, shift


@inner
def byte_ranks_of(state):
    return array_at(state[BYTE_RANKS], (256, 256), np.int32(0))


@inner
def merged_of(state):
    return array_at(state[MERGED], (state[MERGED_SIZE],), np.int32(0))


@inner
def lines_of(state):
    shift = np.uint64(state[LINE_SHIFT])
    return array_at(state[LINES], (N_LINES, 8), np.uint64(0)), shift


@inner
def rows_of(state):
    shift = np.uint64(state[ROW_SHIFT])
    return array_at(state[ROWS], (N_ROWS, 16), np.uint64(0)), shift


@inner
def ends_of(state):
    return array_at(state[ENDS], (BATCH,), np.int64(0))


@inner
def text_of(state):
    return array_at(state[TEXT], (TEXT_BYTES,), np.uint8(0))


@inner
def ids_of(state):
    return array_at(state[IDS], (TEXT_BYTES,), np.int32(0))


@bare
def slots(shift):
    """Return how many slots a table with this shift has."""
    return np.int64(np.uint64(1) << (np.uint64(64) - shift))


def row_of(values: Mapping[int, int | Array], row: Array | None = None) -> Array:
    """Return a row, or a copy of ``row``, with these numbers and the addresses of these arrays in these fields."""
    row = np.zeros(FIELDS, np.int64) if row is None else row.copy()
    for field, value in values.items():
        row[field] = value.ctypes.data if isinstance(value, np.ndarray) else value
    return row


class Workspace:
    """What belongs to one thread at a time: the words seen, room to work in, and the row that leads to all.

    Args:
        state: of the encoder, with what all its threads share.
    """

    def __init__(self, state: Array) -> None:
        self.values: dict[int, int | Array] = {
            LINES: np.zeros((N_LINES, 8), np.uint64),
            LINE_SHIFT: shift_for(N_LINES),
            ROWS: np.zeros((N_ROWS, 16), np.uint64),
            ROW_SHIFT: shift_for(N_ROWS),
            ENDS: np.empty(BATCH, np.int64),
            TEXT: np.empty(TEXT_BYTES, np.uint8),
            IDS: np.empty(TEXT_BYTES, np.int32),
        }
        self.state = row_of(self.values, state)
        self.address = int(self.state.ctypes.data)
