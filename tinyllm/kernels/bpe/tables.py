"""A vocabulary in hash tables, made once for each encoder and then only read.

Where a vocabulary is no more than tokens and their ids, any two neighbors may merge that together spell a token, and
the id is the rank. So every way to cut a token into two tokens is a merge.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...errors import ConfigError
from ..table import Array
from . import state as at
from .packed import shift_for, slots_for
from .pairs import BITS, EMPTY, FILTER, all_splits, fill_byte_pairs, fill_pairs
from .split import padded
from .tokens import FILTER_WORDS, fill_tokens


class Tables:
    """Tokens by their bytes, and merges by their two ids.

    Args:
        tokens: their bytes, each single byte among them.
        ids: of each token, int32 (V,).
        merges: pairs of ids in the order of their ranks, int32 (M, 2), or None.
        merged: what each pair becomes, int32 (M,), or None.

    Attributes:
        values: the arrays and numbers of state.py that describe tokens and merges.

    Raises:
        ConfigError: a single byte is missing, ids are too large or not unique, or merges do not add up.
    """

    def __init__(self, tokens: Sequence[bytes], ids: Array, merges: Array | None, merged: Array | None) -> None:
        ids = np.ascontiguousarray(ids, np.int32)
        sizes = np.fromiter(map(len, tokens), np.int64, len(tokens))
        if ids.min(initial=0) < 0 or max(int(ids.max(initial=0)), 0 if merges is None else len(merges)) >= _MOST:
            raise ConfigError(f"Encoder: there is room for ids from 0 to {_MOST - 1:,}, and for as many merges")
        lengths = np.zeros(int(ids.max(initial=0)) + 1, np.int32)
        lengths[ids] = sizes
        if np.count_nonzero(lengths) != len(tokens):
            raise ConfigError("Encoder: a token is empty, or two tokens have the same id")
        ends = np.cumsum(sizes)
        token_bytes = padded(b"".join(tokens))
        byte_ids = np.full(256, -1, np.int32)
        byte_ids[token_bytes[ends[sizes == 1] - 1]] = ids[sizes == 1]
        if (byte_ids < 0).any():
            byte = int(np.argmin(byte_ids))
            raise ConfigError(f"Encoder: no token is the single byte {byte}", hint="a vocabulary needs all 256")

        table = np.zeros((slots_for(len(ids)), 4), np.uint64)
        long_maybe = np.zeros(FILTER_WORDS, np.uint64)
        shift = np.uint64(shift_for(len(table)))
        fill_tokens(token_bytes, ends, ids, table, shift, long_maybe)
        if merges is None or merged is None:
            found = np.empty((int(ends[-1]), 3), np.int32)
            found = found[: all_splits(token_bytes, ends, ids, table, shift, long_maybe, found)]
            ranks, made = found[:, 2].copy(), np.empty(0, np.int32)  # ranks are ids
        else:
            found = np.column_stack([merges, merged]).astype(np.int32)
            ranks, made = np.arange(len(found), dtype=np.int32), found[:, 2].copy()
            _check(found, lengths)

        pairs = np.full(slots_for(len(ranks)), EMPTY)
        maybe = np.zeros(len(pairs) * FILTER // 64, np.uint64)
        byte_ranks = np.empty((256, 256), np.int32)
        pair_shift = np.uint64(shift_for(len(pairs)))
        fill_pairs(found, ranks, pairs, maybe, pair_shift)
        fill_byte_pairs(byte_ids, pairs, maybe, pair_shift, byte_ranks)
        self.values: dict[int, int | Array] = {
            at.TOKENS: table,
            at.TOKEN_SHIFT: int(shift),
            at.LONG_MAYBE: long_maybe,
            at.TOKEN_BYTES: token_bytes,
            at.TOKEN_BYTES_SIZE: len(token_bytes),
            at.LONGEST: int(sizes.max()),
            at.LENGTHS: lengths,
            at.N_VOCAB: len(lengths),
            at.BYTE_IDS: byte_ids,
            at.PAIRS: pairs,
            at.MAYBE: maybe,
            at.PAIR_SHIFT: int(pair_shift),
            at.BYTE_RANKS: byte_ranks,
            at.MERGED: made,
            at.MERGED_SIZE: len(made),
        }


_MOST = (1 << BITS) - 1


def _check(merges: Array, lengths: Array) -> None:
    """Refuse merges (M, 3: left, right, whole) that do not add up: the kernels rely on it."""
    known = np.all((merges >= 0) & (merges < len(lengths)), axis=1)
    left, right, whole = lengths[np.where(known[:, None], merges, 0)].T
    wrong = ~known | (left == 0) | (right == 0) | (left + right != whole)
    if wrong.any():
        place = int(np.argmax(wrong))
        one, other, both = merges[place].tolist()
        raise ConfigError(f"Encoder: merge {place} makes {both} of {one} and {other}, which is not as long as both")
