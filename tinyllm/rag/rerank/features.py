"""What is known about a query and a chunk before anybody was trained: a row of numbers for each pair.

    bm25        over header and text                    lsa50 ... lsa300   cosine of the first 50 ... 300 coordinates
    title       BM25 over the header alone              coverage           share of the query's idf that it holds
    tfidf       cosine of words                         length             ln(1 + its words)
    feedback    cosine to the mean LSA vector of BM25's first five: what else those speak of
    dense       cosine by an embedder, where one is given
    closest     the best cosine of the header or of any sentence, where that is asked for

One decomposition serves all of LSA's sizes: the best 50 directions are the first 50 of the best 300. None of this has
seen a judgment, so folds may share it; LSA has seen every chunk, though, and is fitted anew after a change.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from ...errors import ConfigError, DataError, ShapeError
from ..embed.lsa import LSA
from ..lexical.bm25 import BM25
from ..lexical.postings import Postings
from ..lexical.tfidf import TfIdf
from ..lexical.words import chosen
from ..types import Chunk, Embedder
from .closest import Closest

Array = np.ndarray[Any, np.dtype[Any]]
LSA_DIMS = (50, 100, 200, 300)
FEEDBACK, FEEDBACK_DIM = 5, 200
REMEMBERED = 4096  # queries whose candidates are kept: a fold asks for them again


@dataclass(frozen=True, slots=True)
class _Asked:
    """A query, and the columns that were calculated already: the later ones build on the earlier."""

    words: list[str]
    lsa: Array  # (dim,), not of length 1
    dense: Array
    columns: dict[str, Array] = field(default_factory=dict)


class Features:
    """The features of queries and chunks of one corpus.

    Args:
        embedder: whose cosine becomes the feature "dense"; none unless told.
        sentences: it reads each sentence by itself as well, for the feature "closest": a second time the work.
        words: the preset that makes words of a text.
        depth: how many of BM25, of LSA and of the embedder are candidates.
        seed: of LSA.

    Attributes:
        names: of the columns.

    Raises:
        ConfigError: a depth below 1, no such preset, or sentences without an embedder.

    Example:
        >>> features = Features()
        >>> features.add([Chunk("a:0-4", "a", "Duck", 0, 4), Chunk("b:0-8", "b", "Cats nap", 0, 8)])
        >>> [chunk.id for chunk in features.candidates("a duck")]
        ['a:0-4', 'b:0-8']
        >>> features.of("a duck", features.candidates("a duck"))[:, 0].round(2)
        array([0.33, 0.  ])
    """

    def __init__(
        self,
        embedder: Embedder | None = None,
        *,
        sentences: bool = False,
        words: str = "default",
        depth: int = 50,
        seed: int = 0,
    ) -> None:
        if depth < 1:
            raise ConfigError(f"Features: depth={depth}", hint="depth=50")
        if sentences and embedder is None:
            raise ConfigError("Features: sentences without an embedder", hint="Features(embedder, sentences=True)")
        self.embedder, self.depth, self.seed = embedder, depth, seed
        self._closest = Closest(embedder) if sentences and embedder is not None else None
        self._words, self._split = words, chosen(words)
        self._bm25, self._title, self._tfidf = (kind(words=self._split) for kind in (BM25, BM25, TfIdf))
        self._lists = Postings()
        self._chunks: dict[str, Chunk] = {}
        self._dense: dict[str, Array] = {}
        self._table: dict[str, Callable[[_Asked], Array]] = {
            "bm25": lambda asked: self._found(self._bm25, asked),
            "title": lambda asked: self._found(self._title, asked),
            "tfidf": lambda asked: self._found(self._tfidf, asked),
            **{f"lsa{dim}": partial(self._near, dim) for dim in LSA_DIMS},
            "coverage": self._coverage,
            "length": lambda asked: self._lengths,
            "feedback": self._feedback,
        }
        if embedder is not None:
            self._table["dense"] = lambda asked: self._vectors @ asked.dense
        if self._closest is not None:
            closest = self._closest
            self._table["closest"] = lambda asked: closest.cosines(asked.dense)
        self.names = tuple(self._table)
        self._forget()

    def __len__(self) -> int:
        return len(self._chunks)

    def add(self, chunks: Sequence[Chunk], vectors: Array | None = None) -> None:
        """Add chunks.

        Args:
            chunks: with ids that are not there yet.
            vectors: the embedder's, (N, dim), if somebody has them already.

        Raises:
            DataError: an id comes twice or is there already; nothing was added then.
            ShapeError: not one vector for each chunk.
        """
        ids = [chunk.id for chunk in chunks]
        if self.embedder is not None:
            texts = [chunk.full for chunk in chunks]
            vectors = self.embedder.embed(texts, "document") if vectors is None else np.asarray(vectors, np.float32)
            if vectors.shape != (len(ids), self.embedder.dim):
                hint = f"({len(ids)}, {self.embedder.dim})"
                raise ShapeError(f"Features: vectors {vectors.shape} for {len(ids)} chunks", hint=hint)
        split = [self._split(chunk.full) for chunk in chunks]
        self._lists.add(ids, split)
        self._bm25.add(ids, split)
        self._tfidf.add(ids, split)
        self._title.add(ids, [self._split(chunk.header) for chunk in chunks])
        self._chunks.update(zip(ids, chunks, strict=True))
        if self.embedder is not None and vectors is not None:
            self._dense.update(zip(ids, _units(vectors), strict=True))
        if self._closest is not None and chunks:
            self._closest.add(chunks)
        self._forget()

    def remove(self, ids: Iterable[str]) -> None:
        """Remove chunks.

        Raises:
            DataError: an id is not there, or comes twice; nothing was removed then.
        """
        names = list(ids)
        for index in (self._lists, self._bm25, self._tfidf, self._title):
            index.remove(names)
        for name in names:
            del self._chunks[name]
            self._dense.pop(name, None)
        if self._closest is not None:
            self._closest.remove(names)
        self._forget()

    def candidates(self, query: str) -> list[Chunk]:
        """Return the best of BM25, best first, then those that only LSA or the embedder has among its best.

        Without an embedder there are none for unknown words.
        """
        pool = self._pool(query)
        chunks = list(self._chunks.values())
        return [chunks[place] for place in pool]

    def of(self, query: str, chunks: Sequence[Chunk]) -> Array:
        """Return the features of a query with each of the chunks, float64 (N, F); columns as ``names`` says.

        Raises:
            DataError: a chunk that was not added.
        """
        if not chunks:
            return np.zeros((0, len(self.names)))
        unknown = next((chunk.id for chunk in chunks if chunk.id not in self._chunks), None)
        if unknown is not None:
            raise DataError(f"Features: the chunk {unknown!r} was not added", hint="add(chunks) before")
        pool = self._pool(query)
        wanted = [self._place[chunk.id] for chunk in chunks]
        if all(place in pool for place in wanted):
            return np.stack([pool[place] for place in wanted])
        return self._whole(query)[wanted]

    def _pool(self, query: str) -> dict[int, Array]:
        """Return the features of a query's candidates, by their places; remembered, since folds ask again."""
        if not self._chunks:
            return {}
        if query not in self._pools:
            self._prepare()
            whole = self._whole(query)
            bm25, lsa = (whole[:, self.names.index(name)] for name in ("bm25", f"lsa{FEEDBACK_DIM}"))
            best = np.argsort(-bm25, kind="stable")[: self.depth]
            found = [best[bm25[best] > 0], np.argsort(-lsa, kind="stable")[: self.depth if lsa.any() else 0]]
            if self.embedder is not None:
                found.append(np.argsort(-whole[:, self.names.index("dense")], kind="stable")[: self.depth])
            if len(self._pools) >= REMEMBERED:
                self._pools.clear()
            self._pools[query] = {place: whole[place] for place in np.concatenate(found).tolist()}
        return self._pools[query]

    def _whole(self, query: str) -> Array:
        """Return the features of a query with every chunk, (all, F)."""
        lsa = np.zeros(0, np.float32) if self._lsa is None else self._lsa.embed([query], "query")[0]
        dense = np.zeros(0) if self.embedder is None else _unit(self.embedder.embed([query], "query")[0])
        asked = _Asked(self._split(query), lsa, dense)
        for name, make in self._table.items():
            asked.columns[name] = make(asked)
        return np.stack(list(asked.columns.values()), axis=1).astype(np.float64)

    def _found(self, index: BM25 | TfIdf, asked: _Asked) -> Array:
        """Return a lexical index's score of every chunk, 0 for those that it does not find."""
        scores = np.zeros(len(self._chunks))
        ids, found = index.search(asked.words, len(self._chunks))
        scores[[self._place[name] for name in ids]] = found
        return scores

    def _near(self, dim: int, asked: _Asked) -> Array:
        return self._rows[dim] @ _unit(asked.lsa[:dim])

    def _feedback(self, asked: _Asked) -> Array:
        bm25, near = asked.columns["bm25"], self._rows[FEEDBACK_DIM]
        first = np.argsort(-bm25, kind="stable")[:FEEDBACK]
        return near @ _unit(near[first[bm25[first] > 0]].sum(axis=0))

    def _coverage(self, asked: _Asked) -> Array:
        """Return the share of the idf of the query's known words that each chunk holds."""
        lists, held = self._lists, np.zeros(len(self._chunks))
        known = {term for word in asked.words if (term := lists.vocabulary.get(word)) is not None}
        weight = 0.0
        for term in sorted(known):
            start, df = int(lists.starts[term]), int(lists.lengths[term])
            idf = float(np.log(1 + (len(lists) - df + 0.5) / (df + 0.5)))
            held[self._numbered[lists.docs[start : start + df]]] += idf
            weight += idf
        return held / (weight or 1.0)

    def _forget(self) -> None:
        self._fresh = False
        self._pools: dict[str, dict[int, Array]] = {}

    def _prepare(self) -> None:
        """Fit LSA and number the chunks, if anything came or went."""
        if self._fresh:
            return
        names = list(self._chunks)
        texts = [chunk.full for chunk in self._chunks.values()]
        self._place = {name: place for place, name in enumerate(names)}
        self._numbered = np.full(len(self._lists.ids), -1)  # the lists keep gaps where something was removed
        numbers = [self._lists.number[name] for name in names]
        self._numbered[numbers] = np.arange(len(names))
        self._lengths = np.log1p(self._lists.sizes[numbers])
        try:
            self._lsa: LSA | None = LSA(max(LSA_DIMS), self.seed, self._words).fit(texts)
            vectors = self._lsa.embed(texts, "document")
        except DataError:  # a single text, or none with a word: there is no direction to speak of
            self._lsa, vectors = None, np.zeros((len(texts), 0), np.float32)
        self._rows = {dim: _units(vectors[:, :dim]) for dim in LSA_DIMS}
        if self.embedder is not None:
            self._vectors = np.stack([self._dense[name] for name in names])
        self._fresh = True


def standardized(matrix: Array) -> Array:
    """Bring each column to mean 0 and deviation 1; one that is the same everywhere becomes 0.

    Example:
        >>> standardized(np.array([[1.0, 0.1], [3.0, 0.1]])).tolist()
        [[-1.0, 0.0], [1.0, 0.0]]
    """
    if not len(matrix):
        return matrix
    moved = matrix - matrix.mean(axis=0)
    deviation = moved.std(axis=0)
    flat = deviation <= 1e-9 * np.abs(matrix).max(axis=0)  # equal but for the rounding of the mean
    return np.where(flat, 0.0, moved / np.where(flat, 1.0, deviation))


def _units(rows: Array) -> Array:
    """Bring rows to length 1, except those of length 0."""
    lengths = np.sqrt((rows * rows).sum(axis=1, keepdims=True))
    return rows / np.where(lengths > 0, lengths, 1)


def _unit(row: Array) -> Array:
    return _units(row[None])[0]
