"""Retrievers: a query in, the best chunks out, found by their words or by their vectors.

    words = Lexical(BM25())                        # or Naive(), TfIdf(): anything that adds, removes and searches texts
    meaning = Dense(embedder, Flat())              # or IVF(), HNSW(): anything that adds, removes and searches vectors
    for retriever in (words, meaning):
        retriever.add(chunks)
        retriever.search("who swims", k=10)        # hits: at most 10, best first, ranks from 1
        retriever.rank("who swims", k=10)          # documents: each scores as its best chunk

An index that holds less than k gives a short list, a query without any words an empty one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol

import numpy as np

from ..errors import ConfigError, DataError, DTypeError, ShapeError
from .index import Flat
from .lexical.bm25 import BM25
from .types import Array, Chunk, Embedder, Hit, Index, Kind


class TextIndex(Protocol):
    """What finds texts by their words, as Naive, TfIdf and BM25 do."""

    def add(self, ids: Sequence[str], texts: Sequence[str]) -> None:
        """Add texts under ids."""

    def remove(self, ids: Sequence[str]) -> None:
        """Forget texts."""

    def search(self, query: str, k: int) -> tuple[list[str], Array]:
        """Return the ids of the k best, best first, and their scores."""


class _OfChunks:
    """Chunks by their ids, over an index that knows the ids alone: what both retrievers share."""

    index: Any

    def __init__(self, name: str) -> None:
        if not name or not isinstance(name, str):
            raise ConfigError(f"a retriever named {name!r}", hint="a name that its scores are shown under")
        self.name = name
        self._chunks: dict[str, Chunk] = {}

    def __len__(self) -> int:
        return len(self._chunks)

    def __contains__(self, chunk_id: object) -> bool:
        return chunk_id in self._chunks

    def rank(self, query: str, k: int) -> list[tuple[str, float]]:
        """Return the k best documents, best first, and the score of the best chunk of each."""
        return best_documents(lambda count: self.search(query, count), k)

    def search(self, query: str, k: int) -> list[Hit]:
        """Return at most k hits, best first; none for a query without any words.

        Raises:
            ConfigError: k is no whole number from 1 on.
            DTypeError: the query is no str.
        """
        if not checked_query(query, k) or not self._chunks:
            return []
        ids, scores = self._found(query, min(k, len(self)))
        found = zip(ids, scores.tolist(), strict=True)
        return [
            Hit(self._chunks[name], score, rank, {self.name: score})
            for rank, (name, score) in enumerate(found, start=1)
        ]

    def remove(self, chunk_ids: Iterable[str]) -> None:
        """Forget chunks.

        Raises:
            DataError: a chunk that is not there; nothing is removed then.
        """
        gone = self._leaving(chunk_ids)
        self.index.remove(gone)
        for name in gone:
            del self._chunks[name]

    def _found(self, query: str, k: int) -> tuple[list[str], Array]:
        raise NotImplementedError

    def _checked(self, chunks: Sequence[Chunk]) -> dict[str, Chunk]:
        """Return new chunks by their ids.

        Raises:
            DataError: an id that comes twice, or is there already.
        """
        fresh: dict[str, Chunk] = {}
        for chunk in chunks:
            if chunk.id in fresh or chunk.id in self._chunks:
                raise DataError(f"{self.name}: chunk {chunk.id!r} is there already", hint="remove it first")
            fresh[chunk.id] = chunk
        return fresh

    def _leaving(self, chunk_ids: Iterable[str]) -> list[str]:
        """Return ids that are there.

        Raises:
            DataError: an id that is not.
        """
        gone = list(dict.fromkeys([chunk_ids] if isinstance(chunk_ids, str) else chunk_ids))
        lost = next((name for name in gone if name not in self._chunks), None)
        if lost is not None:
            raise DataError(f"{self.name}: there is no chunk {lost!r}", hint="`id in retriever` tells")
        return gone


class Lexical(_OfChunks):
    """Finds chunks by their words.

    Args:
        index: an empty index of texts; BM25 unless told.
        name: what its scores are called in ``Hit.parts``; the index's class in small letters unless told.

    Raises:
        ConfigError: the index is not empty, or the name is.

    Example:
        >>> words = Lexical()
        >>> words.add([Chunk("1:0-11", "1", "Ducks swim.", 0, 11), Chunk("2:0-9", "2", "Cats run.", 0, 9)])
        >>> [(hit.chunk.id, hit.rank, list(hit.parts)) for hit in words.search("a swimming duck", k=5)]
        [('1:0-11', 1, ['bm25'])]
    """

    def __init__(self, index: TextIndex | None = None, name: str | None = None) -> None:
        self.index = _empty(BM25() if index is None else index)
        super().__init__(type(self.index).__name__.lower() if name is None else name)

    @classmethod
    def over(cls, chunks: Sequence[Chunk], index: BM25, name: str | None = None) -> Lexical:
        """Return a retriever over an index that holds these chunks already, such as one that was loaded from a file.

        Raises:
            DataError: the index holds other chunks.
        """
        made = cls(BM25(), type(index).__name__.lower() if name is None else name)
        made._chunks = made._checked(chunks)
        if len(index) != len(made._chunks) or not all(chunk_id in index for chunk_id in made._chunks):
            raise DataError(f"{made.name}: the index holds other chunks than these", hint="add them to an empty one")
        made.index = index
        return made

    def add(self, chunks: Sequence[Chunk]) -> None:
        """Add chunks, header and text; a BM25 index weighs the header as a title.

        Raises:
            DataError: a chunk twice, or one that is there already; nothing is added then.
        """
        fresh = self._checked(chunks)
        if fresh:
            if hasattr(self.index, "title_weight"):  # headers then count as titles do
                headers = [chunk.header for chunk in chunks]
                self.index.add(list(fresh), [chunk.text for chunk in chunks], headers)
            else:
                self.index.add(list(fresh), [chunk.full for chunk in chunks])
            self._chunks |= fresh

    def _found(self, query: str, k: int) -> tuple[list[str], Array]:
        return self.index.search(query, k)


class Dense(_OfChunks):
    """Finds chunks by their vectors.

    All vectors in it are of one embedder, by its id: one that was trained on, or fitted to another corpus, since the
    first chunk came is refused, because its vectors mean something else.

    Args:
        embedder: makes vectors of chunks and queries.
        index: an empty index of vectors; Flat unless told.
        name: what its scores are called in ``Hit.parts``.

    Raises:
        ConfigError: the index is not empty, or the name is.
    """

    def __init__(self, embedder: Embedder, index: Index | None = None, name: str = "dense") -> None:
        super().__init__(name)
        self.embedder = embedder
        self.index = _empty(Flat() if index is None else index)
        self._made_by: str | None = None  # the embedder's id when the first chunk came

    @property
    def embedder_id(self) -> str:
        """Whose vectors are in the index; of the embedder at hand while there are none."""
        return self.embedder.id if self._made_by is None else self._made_by

    def add(self, chunks: Sequence[Chunk], vectors: Any = None, embedder_id: str | None = None) -> None:
        """Add chunks.

        Args:
            chunks: what is to be found.
            vectors: of the chunks, (N, dim), if they are known already; embedded here unless given.
            embedder_id: who made the vectors; this retriever's embedder, as it is now, unless told.

        Raises:
            ConfigError: vectors of another embedder than those in the index.
            DataError: a chunk twice, or one that is there already; a vector with NaN or inf. Nothing is added then.
            ShapeError: not one vector of the embedder's width for each chunk.
        """
        self._checked_embedder(embedder_id)
        fresh = self._checked(chunks)
        if not fresh:
            return
        made = self._embedded([chunk.full for chunk in chunks], "document") if vectors is None else vectors
        self.index.add(list(fresh), self._of_width(made, len(fresh)))
        self._chunks |= fresh
        self._made_by = self.embedder.id

    def vectors(self, chunk_ids: Sequence[str]) -> Array:
        """Return the vectors of chunks as the index holds them, (N, dim).

        An index that cannot hand them out has them embedded once more.

        Raises:
            DataError: a chunk that is not there.
        """
        for name in chunk_ids:
            self._leaving([name])
        held = getattr(self.index, "vectors", None)
        if held is not None:
            return held(chunk_ids)
        return self._embedded([self._chunks[name].full for name in chunk_ids], "document")

    def _found(self, query: str, k: int) -> tuple[list[str], Array]:
        self._checked_embedder(None)
        return self.index.search(self._embedded([query], "query")[0], k)

    def _embedded(self, texts: list[str], kind: Kind) -> Array:
        return self._of_width(self.embedder.embed(texts, kind), len(texts))

    def _of_width(self, vectors: Any, count: int) -> Array:
        found = np.asarray(vectors, np.float32)
        if found.shape != (count, self.embedder.dim):
            raise ShapeError(
                f"{self.name}: vectors {found.shape} of {count} texts by {self.embedder.id}",
                hint=f"({count}, {self.embedder.dim})",
            )
        if not np.isfinite(found).all():
            raise DataError(f"{self.name}: a vector by {self.embedder.id} holds NaN or inf", hint="look at its text")
        return found

    def _checked_embedder(self, embedder_id: str | None) -> None:
        now, held = self.embedder.id, self.embedder_id
        if now != held and len(self):
            raise ConfigError(f"{self.name}: the index holds vectors of {held}, the embedder is now {now}",
                              hint="index the documents anew")  # fmt: skip
        if embedder_id is not None and embedder_id != now:
            raise ConfigError(f"{self.name}: vectors of {embedder_id} where those of {now} belong",
                              hint="vectors of two embedders do not compare")  # fmt: skip


def best_documents(search: Callable[[int], list[Hit]], k: int) -> list[tuple[str, float]]:
    """Return the k best documents of a search for chunks: each scores as its best chunk.

    While the chunks found belong to fewer than k documents, twice as many are asked for.

    Args:
        search: how many hits -> hits, best first.
        k: how many documents.

    Raises:
        ConfigError: k is no whole number from 1 on.

    Example:
        >>> spans = [("1", 0), ("1", 5), ("2", 0)]
        >>> chunks = [Chunk(f"{name}:{start}-{start + 4}", name, "duck", start, start + 4) for name, start in spans]
        >>> hits = [Hit(chunk, 1.0 / rank, rank) for rank, chunk in enumerate(chunks, start=1)]
        >>> best_documents(lambda count: hits[:count], k=2)
        [('1', 1.0), ('2', 0.333...)]
    """
    count = checked_k(k)
    while True:
        hits = search(count)
        found: dict[str, float] = {}
        for hit in hits:
            found.setdefault(hit.chunk.doc_id, hit.score)
        if len(found) >= k or len(hits) < count:
            return list(found.items())[:k]
        count *= 2


def checked_k(k: int) -> int:
    """Return how many hits are asked for, as it is.

    Raises:
        ConfigError: it is no whole number from 1 on.

    Example:
        >>> checked_k(0)
        Traceback (most recent call last):
            ...
        tinyllm.errors.ConfigError: E-CONFIG search: k is 0. Try: a whole number, 1 or more
    """
    if isinstance(k, bool) or not isinstance(k, (int, np.integer)) or k < 1:
        raise ConfigError(f"search: k is {k!r}", hint="a whole number, 1 or more")
    return int(k)


def checked_query(query: str, k: int) -> bool:
    """Return whether there is anything in a query to search for.

    Raises:
        ConfigError: k is no whole number from 1 on.
        DTypeError: the query is no str.

    Example:
        >>> checked_query("who swims", 10), checked_query(" ", 10)
        (True, False)
    """
    checked_k(k)
    if not isinstance(query, str):
        raise DTypeError(f"search: the query is a {type(query).__name__}", hint="a str")
    return bool(query.strip())


def _empty(index: Any) -> Any:
    if isinstance(index, type) or not hasattr(index, "search"):
        raise ConfigError(f"a retriever over {index!r}", hint="an index, such as BM25() or Flat()")
    if hasattr(index, "__len__") and len(index):
        raise ConfigError(f"a retriever over an index that holds {len(index)} already", hint="an empty one, then add")
    return index
