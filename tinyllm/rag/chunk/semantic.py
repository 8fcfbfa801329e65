"""Chunks of sentences that mean alike: the best cuts of all, found exactly.

Every sentence becomes a vector e of length 1. A chunk is worth ``|sum of its e|^2 / its number of sentences``, which is
most when they all point the same way: n for n equal ones, about 1 for n unrelated ones. The cuts are chosen so that the
sum of all chunks, less a penalty for each cut, is greatest, under the limit of tokens. Every cut is considered:

    best[j] = max over i of best[i] + |P[j] - P[i]|^2 / (j - i) - penalty        P the running sums of the vectors

The usual way instead cuts wherever two neighbors are further apart than 95 % of all neighbors; it stands beside it as
``greedy_cuts``, to be compared.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from ...errors import ConfigError, DataError
from ...tokenizer.sentences import sentence_spans
from ...tokenizer.truncate import Span
from ..types import Chunk, Document, Embedder
from .header import Header
from .limit import Limit
from .packing import Packing

Array = np.ndarray[Any, np.dtype[Any]]


def exact_cuts(
    vectors: Array, penalty: float = 1.0, reach: Sequence[int] | None = None, refused: Collection[Span] = ()
) -> list[int]:
    """Return where to cut a row of sentences: the ends of its chunks.

    Args:
        vectors: a vector of each, (N, dim); only their directions matter.
        penalty: what a chunk more must gain. At 1, sentences that are all equally alike are never cut apart.
        reach: of each sentence i, the last end j that a chunk from i may have, more than i; N where none is given.
        refused: chunks (i, j) that must not be; never one of a single sentence.

    Returns:
        Increasing ends, the last of which is N. Of equally good cuts, the ones with the longest last chunks.

    Example:
        >>> exact_cuts(np.array([[1.0, 0.0], [1.0, 0.1], [0.0, 1.0], [0.0, 2.0]]), penalty=0.5)
        [2, 4]
    """
    n = len(vectors)
    sums = np.vstack([np.zeros((1, vectors.shape[1])), np.cumsum(_directions(vectors), axis=0)])  # (N + 1, dim)
    best = np.full(n + 1, -np.inf)
    best[0] = 0.0
    origin = np.zeros(n + 1, np.int64)
    for i in range(n):
        end = n if reach is None else reach[i]
        step = sums[i + 1 : end + 1] - sums[i]
        worth = best[i] + np.einsum("jd,jd->j", step, step) / np.arange(1, end - i + 1) - penalty
        for begin, j in refused:
            if begin == i and j <= end:
                worth[j - i - 1] = -np.inf
        better = worth > best[i + 1 : end + 1] + 1e-12
        best[i + 1 : end + 1][better] = worth[better]
        origin[i + 1 : end + 1][better] = i
    ends = []
    at = n
    while at > 0:
        ends.append(at)
        at = int(origin[at])
    return ends[::-1]


def greedy_cuts(vectors: Array, percentile: float = 95.0) -> list[int]:
    """Return where neighbors are further apart than so many percent of all neighbors: the usual way.

    Example:
        >>> greedy_cuts(np.array([[1.0, 0.0], [1.0, 0.1], [0.0, 1.0], [0.0, 2.0]]))
        [2, 4]
    """
    n = len(vectors)
    directions = _directions(vectors)
    apart = 1.0 - np.einsum("nd,nd->n", directions[:-1], directions[1:])
    if not len(apart):
        return [n] if n else []
    return [*(int(i) + 1 for i in np.flatnonzero(apart > np.percentile(apart, percentile))), n]


def _directions(vectors: Array) -> Array:
    wide = np.asarray(vectors, np.float64)
    return wide / np.maximum(np.linalg.norm(wide, axis=1, keepdims=True), 1e-12)


@dataclass(frozen=True, slots=True)
class Semantic:
    """Cuts between sentences where the meaning changes.

    Args:
        embedder: gives each sentence its vector, and counts tokens.
        max_tokens: the most tokens of a chunk, header and special tokens included; by default what the embedder reads.
        penalty: what a chunk more must gain; a greater one gives longer chunks.
        cuts: "exact", or "greedy" for the usual way, whose stretches are packed when they are too long.
        header: makes what is said before a chunk, such as ``contextual_header``.

    Raises:
        ConfigError: max_tokens is more than the embedder reads, or leaves no room; the penalty is negative or no
            number; cuts is neither word.
        DataError: the embedder gave something other than a finite vector of each sentence.
    """

    embedder: Embedder
    max_tokens: int | None = None
    penalty: float = 1.0
    cuts: Literal["exact", "greedy"] = "exact"
    header: Header | None = None

    def __post_init__(self) -> None:
        Limit.of(self.embedder, self.max_tokens)
        if not 0 <= self.penalty < float("inf"):
            raise ConfigError(f"Semantic: a penalty of {self.penalty!r} makes no sense", hint="a number of at least 0")
        if self.cuts not in ("exact", "greedy"):
            raise ConfigError(f"Semantic: cuts={self.cuts!r}", hint='"exact" or "greedy"')

    def split(self, document: Document) -> list[Chunk]:
        """Cut a document; the embedder is called once, with all of its sentences."""
        packing = Packing(document, Limit.of(self.embedder, self.max_tokens), self.header)
        units = [piece for unit in sentence_spans(document.text) for piece in packing.rows([unit])]
        rows = self._rows(packing, units) if units else iter(())
        return packing.chunks((span, ()) for span in rows)

    def _rows(self, packing: Packing, units: list[Span]) -> Iterator[Span]:
        vectors = self._vectors([packing.document.text[begin:end] for begin, end in units])
        if self.cuts == "greedy":
            begin = 0
            for end in greedy_cuts(vectors):
                yield from packing.rows(units[begin:end])
                begin = end
            return
        for begin, end in self._exact(packing, units, vectors):
            yield units[begin][0], units[end - 1][1]

    def _exact(self, packing: Packing, units: list[Span], vectors: Array) -> list[tuple[int, int]]:
        reach, guess = [], 1
        for i in range(len(units)):
            guess = max(1, packing.furthest(units, i, guess=guess))
            reach.append(i + guess)
        refused: set[Span] = set()
        while True:  # a shorter chunk may have more tokens than a longer one: what was chosen is counted
            ends = exact_cuts(vectors, self.penalty, reach, refused)
            chosen = list(zip([0, *ends[:-1]], ends, strict=True))
            long = {(i, j) for i, j in chosen if j > i + 1 and not packing.fits(units[i][0], units[j - 1][1])}
            if not long:
                return chosen
            refused |= long

    def _vectors(self, texts: list[str]) -> Array:
        vectors = np.asarray(self.embedder.embed(texts, "document"))
        if vectors.ndim != 2 or len(vectors) != len(texts) or not np.isfinite(vectors).all():
            raise DataError(
                f"{self.embedder.id} gave an array {vectors.shape} for {len(texts)} sentences, or not only numbers",
                hint=f"finite vectors ({len(texts)}, {self.embedder.dim})",
            )
        return vectors
