"""The stages of retrieval in a row: cut, find, fuse, rerank, diversify.

    rag = Pipeline(SentencePack(200), [Lexical(BM25()), Dense(embedder)], fuse=RRF(), diversify=MMR(0.7), k=10)
    rag.add(documents)
    for hit in rag.search("who swims"):
        hit.chunk.text, hit.score, hit.parts        # {"bm25": 7.1, "dense": 0.62, "rrf": 0.033, "mmr": 0.7}

Each retriever finds ``depth`` chunks, fusion keeps as many, the reranker scores all of these, and of its order k are
taken. ``Hit.parts`` keeps what every stage said, so that a bad answer can be traced to the stage that spoiled it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol

import numpy as np

from ..errors import ConfigError, DataError, ShapeError
from .fuse import Fuse
from .retrieve import best_documents, checked_k, checked_query
from .types import Array, Chunk, Chunker, Document, Hit, Reranker


class ChunkRetriever(Protocol):
    """A retriever that chunks can be added to, as Lexical and Dense."""

    name: str

    def add(self, chunks: Sequence[Chunk]) -> None:
        """Add chunks."""

    def remove(self, chunk_ids: Iterable[str]) -> None:
        """Forget chunks."""

    def search(self, query: str, k: int) -> list[Hit]:
        """Return at most k hits."""


class Diversify(Protocol):
    """Orders hits so that they differ, as MMR does."""

    def __call__(self, hits: Sequence[Hit], vectors: Any, k: int) -> list[Hit]:
        """Return k of the hits."""


class Pipeline:
    """Searches documents through all stages; a Retriever itself.

    Args:
        chunker: cuts documents; ``Whole()`` leaves them whole.
        retrievers: empty ones, each with a name of its own.
        fuse: makes one list of several; needed for more than one retriever.
        rerank: looks again at what was found. One that has ``add`` is shown all chunks, one that has ``remove`` those
            that go. Its ``name``, or its class in small letters, is what its scores are called.
        diversify: orders what is left; needs a retriever that knows vectors, such as Dense.
        depth: how many chunks each retriever finds, and how many are reranked.
        k: how many hits a search returns unless told.
        name: of the pipeline in a report; the names of its stages unless told.

    Raises:
        ConfigError: no retriever, two of one name, several without fusion, a diversifier without vectors, or a depth or
            k below 1.

    Example:
        >>> from tinyllm.rag import Document, Whole
        >>> from tinyllm.rag.retrieve import Lexical
        >>> rag = Pipeline(Whole(), [Lexical()])
        >>> rag.add([Document("1", "Ducks swim."), Document("2", "Cats run.")])
        >>> rag.rank("swimming", k=5)
        [('1', 0.277...)]
    """

    def __init__(
        self,
        chunker: Chunker,
        retrievers: Sequence[ChunkRetriever],
        fuse: Fuse | None = None,
        rerank: Reranker | None = None,
        diversify: Diversify | None = None,
        depth: int = 100,
        k: int = 10,
        name: str | None = None,
    ) -> None:
        names = [retriever.name for retriever in retrievers]
        if not names or len(set(names)) < len(names):
            raise ConfigError(f"Pipeline: retrievers {names}", hint="at least one, each with a name of its own")
        if len(names) > 1 and fuse is None:
            raise ConfigError(f"Pipeline: {len(names)} retrievers and no fusion", hint="fuse=RRF()")
        self._vectors = next((r.vectors for r in retrievers if hasattr(r, "vectors")), None)
        if diversify is not None and self._vectors is None:
            raise ConfigError("Pipeline: nobody knows vectors to diversify by", hint="a Dense retriever")
        self.depth, self.k = checked_k(depth), checked_k(k)
        self.chunker, self.retrievers = chunker, tuple(retrievers)
        self.fuse, self.rerank, self.diversify = fuse, rerank, diversify
        stages = [*names, *(_name_of(stage) for stage in (fuse, rerank, diversify) if stage is not None)]
        self.name = " + ".join(stages) if name is None else name
        self._documents: dict[str, tuple[str, ...]] = {}  # id -> its chunks' ids

    def __len__(self) -> int:
        return len(self._documents)

    def __contains__(self, doc_id: object) -> bool:
        return doc_id in self._documents

    @property
    def documents(self) -> Mapping[str, tuple[str, ...]]:
        """The documents in it: id -> the ids of its chunks."""
        return dict(self._documents)

    def add(self, documents: Iterable[Document]) -> None:
        """Cut documents and add their chunks to every retriever; all of them, or after an error none.

        Raises:
            DataError: a document twice, or one that is there already; what a retriever refuses.
        """
        fresh: dict[str, tuple[str, ...]] = {}
        chunks: list[Chunk] = []
        for document in documents:
            if document.id in fresh or document.id in self._documents:
                raise DataError(f"Pipeline: document {document.id!r} is there already", hint="remove it first")
            cut = self.chunker.split(document)
            fresh[document.id] = tuple(chunk.id for chunk in cut)
            chunks += cut
        filled: list[Any] = []
        try:
            for stage in self._filled() if chunks else ():
                stage.add(chunks)
                filled.append(stage)
        except BaseException:
            for stage in filled:
                if hasattr(stage, "remove"):
                    stage.remove([chunk.id for chunk in chunks])
            raise
        self._documents |= fresh

    def remove(self, doc_ids: Iterable[str]) -> None:
        """Forget documents.

        Raises:
            DataError: one that is not there; nothing is removed then.
        """
        gone = list(dict.fromkeys([doc_ids] if isinstance(doc_ids, str) else doc_ids))
        lost = next((name for name in gone if name not in self._documents), None)
        if lost is not None:
            raise DataError(f"Pipeline: there is no document {lost!r}", hint="`id in pipeline` tells")
        chunk_ids = [chunk_id for name in gone for chunk_id in self._documents.pop(name)]
        for stage in self._filled() if chunk_ids else ():
            if hasattr(stage, "remove"):
                stage.remove(chunk_ids)

    def search(self, query: str, k: int | None = None) -> list[Hit]:
        """Return at most k hits, best first; none for an empty query or from an empty pipeline.

        Args:
            query: what is asked.
            k: how many; what the pipeline was made with unless told. Above ``depth``, so many chunks are looked at.

        Raises:
            ConfigError: k is no whole number from 1 on.
            DTypeError: the query is no str.
        """
        count = self.k if k is None else k
        if not checked_query(query, count):
            return []
        depth = max(self.depth, count)
        lists = [retriever.search(query, depth) for retriever in self.retrievers]
        hits = lists[0][:depth] if self.fuse is None else self.fuse(lists, depth)
        if self.rerank is not None and hits:
            hits = self._reranked(query, hits)
        if self.diversify is not None and self._vectors is not None and hits:
            return self.diversify(hits, self._vectors([hit.chunk.id for hit in hits]), count)
        return hits[:count]

    def rank(self, query: str, k: int) -> list[tuple[str, float]]:
        """Return the k best documents, best first, each with the score of its best chunk.

        While fewer than k documents are among the hits, twice as many chunks are looked at.
        """
        return best_documents(lambda count: self.search(query, count), k)

    def _filled(self) -> list[Any]:
        """Return the stages that keep chunks."""
        return [*self.retrievers, *([self.rerank] if hasattr(self.rerank, "add") else [])]

    def _reranked(self, query: str, hits: Sequence[Hit]) -> list[Hit]:
        """Return the hits in the reranker's order; of equal scores in the order they had."""
        name = _name_of(self.rerank)
        scores = _checked(self.rerank.score(query, [hit.chunk for hit in hits]), len(hits), name)  # type: ignore[union-attr]
        return [
            replace(hits[place], score=score, rank=rank, parts={**hits[place].parts, name: score})
            for rank, (place, score) in enumerate(
                ((int(place), float(scores[place])) for place in np.argsort(-scores, kind="stable")), start=1
            )
        ]


def _checked(scores: Any, count: int, name: str) -> Array:
    found = np.asarray(scores, np.float64)
    if found.shape != (count,):
        raise ShapeError(f"Pipeline: {name} gave scores {found.shape} of {count} chunks", hint=f"({count},)")
    if not np.isfinite(found).all():
        raise DataError(f"Pipeline: {name} gave a score that is not finite", hint="look at the reranker")
    return found


def _name_of(stage: Any) -> str:
    return getattr(stage, "name", None) or type(stage).__name__.lower()
