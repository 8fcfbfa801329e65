"""A vocabulary in hash tables, made once for each encoder and then only read.

Where a vocabulary is no more than tokens and their ids, any two neighbors may merge that together spell a token, and
the id is the rank. So every way to cut a token into two tokens is a merge.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...errors import ConfigError
from ..table import Array
from .packed import shift_for, slots_for
from .pairs import BITS, EMPTY, FILTER, all_splits, fill_byte_pairs, fill_pairs
from .split import padded
from .tokens import FILTER_WORDS, fill_tokens


class Tables:
    """Tokens by their bytes, and merges by their two ids.

    Attributes:
        token_bytes: the bytes of all tokens, one after another.
        tokens, long_maybe: hash table (slots, 4) of tokens.py, and its filter.
        pairs, maybe: hash table (slots,) of pairs.py, and its filter.
        byte_ranks: the ranks of pairs of single bytes, int32 (256, 256).
        merged: the id that each rank makes, int32 (ranks,); empty where ranks are ids.
        byte_ids: the id of every single byte, int32 (256,).
        lengths: how many bytes each id has, int32 (largest id + 1,).
        longest: the most bytes a token has.
    """

    def __init__(self, tokens: Sequence[bytes], ids: Array, merges: Array | None, merged: Array | None) -> None:
        ids = np.ascontiguousarray(ids, np.int32)
        if max(len(merges) if merges is not None else 0, int(ids.max())) >= (1 << BITS) - 1:
            raise ConfigError(f"Encoder: ids and merges may be numbered up to {(1 << BITS) - 2}")
        sizes = np.fromiter(map(len, tokens), np.int64, len(tokens))
        ends = np.cumsum(sizes)
        self.longest = int(sizes.max())
        self.token_bytes = padded(b"".join(tokens))
        self.tokens = np.zeros((slots_for(len(ids)), 4), np.uint64)
        shift = np.uint64(shift_for(len(self.tokens)))
        self.long_maybe = np.zeros(FILTER_WORDS, np.uint64)
        fill_tokens(self.token_bytes, ends, ids, self.tokens, shift, self.long_maybe)

        single = sizes == 1
        self.byte_ids = np.full(256, -1, np.int32)
        self.byte_ids[self.token_bytes[ends[single] - 1]] = ids[single]
        if (self.byte_ids < 0).any():
            byte = int(np.argmin(self.byte_ids))
            raise ConfigError(f"Encoder: no token is the single byte {byte}", hint="a vocabulary needs all 256")
        self.lengths = np.zeros(int(ids.max()) + 1, np.int32)
        self.lengths[ids] = sizes

        if merges is None or merged is None:
            found = np.empty((int(ends[-1]), 3), np.int32)
            found = found[: all_splits(self.token_bytes, ends, ids, self.tokens, shift, self.long_maybe, found)]
            ranks = found[:, 2].copy()
            self.merged = np.empty(0, np.int32)
        else:
            found = np.column_stack([merges, merged]).astype(np.int32)
            ranks = np.arange(len(found), dtype=np.int32)
            self._check(found)
            self.merged = found[:, 2].copy()
        self.pairs = np.full(slots_for(len(ranks)), EMPTY)
        self.maybe = np.zeros(len(self.pairs) * FILTER // 64, np.uint64)
        self.byte_ranks = np.empty((256, 256), np.int32)
        shift = np.uint64(shift_for(len(self.pairs)))
        fill_pairs(found, ranks, self.pairs, self.maybe, shift)
        fill_byte_pairs(self.byte_ids, self.pairs, self.maybe, shift, self.byte_ranks)

    def _check(self, merges: Array) -> None:
        """Refuse merges (M, 3) that do not add up: the kernels rely on it."""
        known = ((merges >= 0) & (merges < len(self.lengths))).all(axis=1)
        left, right, whole = self.lengths[np.where(known[:, None], merges, 0)].T
        wrong = ~known | (left == 0) | (right == 0) | (left + right != whole)
        if wrong.any():
            place = int(np.argmax(wrong))
            raise ConfigError(
                f"Encoder: merge {place} joins {merges[place, 0]} and {merges[place, 1]} into {merges[place, 2]}, which "
                "is not as long as both together"
            )
