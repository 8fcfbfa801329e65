"""Hard negatives: documents that look like an answer and are none; they teach more than those that a batch brings.

    bm25_negatives(pairs)              those that share the query's words
    own_negatives(pairs, encoder)      those that the encoder itself takes for answers, now

Not every document that nobody judged is wrong. With titles as queries, a paper's sequel is a hard negative, too: what
mining brings has to be seen on dev.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..lexical.bm25 import BM25
from .encoder import Encoder
from .pairs import Pairs

Array = np.ndarray[Any, np.dtype[Any]]


def bm25_negatives(pairs: Pairs, depth: int = 20, words: str = "default") -> list[Array]:
    """Return for each query the places of the best documents by BM25 that do not answer it, at most ``depth``.

    Example:
        >>> pairs = Pairs(["who swims"], ["Ducks swim.", "Swimming is for ducks.", "Cats sleep."], [(0,)])
        >>> [each.tolist() for each in bm25_negatives(pairs)]
        [[1]]
    """
    index = BM25(words=words)
    index.add([str(n) for n in range(len(pairs.documents))], pairs.documents)
    most = depth + max(map(len, pairs.relevant))
    found = index.search_many(pairs.queries, most)
    return [
        _wrong([int(name) for name in names], right, depth)
        for (names, _), right in zip(found, pairs.relevant, strict=True)
    ]


def own_negatives(pairs: Pairs, encoder: Encoder, depth: int = 20) -> list[Array]:
    """Return for each query the places of the nearest documents that do not answer it, at most ``depth``.

    Raises:
        ConfigError: the encoder knows no words yet.
    """
    q, d = encoder.embed(pairs.queries, "query"), encoder.embed(pairs.documents)
    return nearest_wrong(q, d, pairs.relevant, depth)


def nearest_wrong(q: Array, d: Array, relevant: Any, depth: int) -> list[Array]:
    """Return for each of q (N, C) the places of the nearest of d (M, C) that do not answer it, nearest first."""
    most = min(len(d), depth + max(map(len, relevant)))
    found = []
    for start in range(0, len(q), 256):
        scores = q[start : start + 256] @ d.T
        best = np.argsort(-scores, axis=1, kind="stable")[:, :most]
        found += [_wrong(row, right, depth) for row, right in zip(best.tolist(), relevant[start:], strict=False)]
    return found


def _wrong(ranking: list[int], right: tuple[int, ...], depth: int) -> Array:
    return np.array([n for n in ranking if n not in right][:depth], np.int64)
