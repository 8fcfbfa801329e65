"""What a store of chunks and their vectors must be able to do, and the door that all of ours share.

    with SqliteStore("notes.db", embedder.id, embedder.dim) as store:
        store.upsert(chunks, embedder.embed([chunk.full for chunk in chunks]), meta={"language": "en"})
        hits = store.query(embedder.embed(["what swims?"], "query")[0], k=10, where={"language": "en"})

``VectorStore`` is the protocol; anything that has its methods is a store. ``Store`` is a convenience for writing one:
it checks what comes in, once for all stores, and leaves seven small methods to be written (see template.py). One thread
at a time is in those.

Scores are cosines: vectors are brought to length 1 at the door, a vector of zeros scores 0 with all. Equal scores go by
the order of insertion; a chunk that is replaced keeps its place.
"""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from importlib import import_module
from typing import Any, Protocol, Self, runtime_checkable

import numpy as np

from ...errors import ConfigError, DataError, ShapeError
from ..index.rows import checked, checked_query
from ..types import Array, Chunk, Hit, checked_id
from .where import Conditions, checked_meta, checked_where, storable

STAGE = "vector"  # the name of a store's score in Hit.parts


@runtime_checkable
class VectorStore(Protocol):
    """Holds chunks with their vectors and finds the nearest; all vectors are of one embedder."""

    @property
    def embedder_id(self) -> str:
        """The ``id`` of the embedder whose vectors these are."""

    @property
    def dim(self) -> int:
        """How wide they are."""

    def upsert(self, chunks: Sequence[Chunk], vectors: Any, meta: Any = None) -> None:
        """Add chunks with their vectors (N, dim), all of them or none; one whose id is there is replaced.

        ``meta`` is what else is known, as JSON: one dict for all chunks, or one for each.
        """

    def delete(self, ids: Iterable[str]) -> None:
        """Forget chunks; ids that are not there are no error."""

    def query(self, vector: Any, k: int, where: Mapping[str, Any] | None = None) -> list[Hit]:
        """Return the k nearest chunks, or all if there are fewer; ``where`` is a filter, see where.py."""

    def get(self, ids: Sequence[str]) -> list[Chunk]:
        """Return the chunks of these ids, in their order; an id that is not there is a DataError."""

    def meta(self, ids: Sequence[str]) -> list[dict[str, Any]]:
        """Return the meta of these ids."""

    def vectors(self, ids: Sequence[str]) -> Array:
        """Return the vectors of these ids, float32 (N, dim), of length 1."""

    def ids(self, doc_id: str | None = None) -> list[str]:
        """Return all ids, or those of one document, in the order of insertion."""

    def count(self) -> int:
        """Return how many chunks there are."""

    def close(self) -> None:
        """Let go of files and connections; what was stored stays."""


Record = tuple[Chunk, dict[str, Any], Array]  # a chunk, its meta, its vector (dim,)


class Store(ABC):
    """The door: checks what comes in, then asks the seven methods below it.

    Args:
        embedder_id: the ``id`` of the embedder whose vectors these will be.
        dim: how wide they are.

    Raises:
        ConfigError: the width is no whole number above 0.
        DataError: the id is empty or holds a NUL.
    """

    def __init__(self, embedder_id: str, dim: int) -> None:
        if isinstance(dim, bool) or not isinstance(dim, (int, np.integer)) or dim < 1:
            raise ConfigError(f"{type(self).__name__}: dim is {dim!r}", hint="how wide the embedder's vectors are")
        self.embedder_id = checked_id(embedder_id, f"{type(self).__name__}: embedder_id")
        self.dim = int(dim)
        self._closed = False
        self._turn = threading.RLock()  # threads that share a store take turns

    def upsert(
        self,
        chunks: Sequence[Chunk],
        vectors: Any,
        meta: Mapping[str, Any] | Sequence[Mapping[str, Any] | None] | None = None,
    ) -> None:
        """Add chunks with their vectors, all of them or none; one whose id is there is replaced.

        Args:
            chunks: what is found later; their ids are not empty, hold no NUL and come once.
            vectors: (N, dim), one of each chunk.
            meta: what else is known, as JSON: one dict for all chunks, or one for each.

        Raises:
            DataError: a bad id, a text that not every database can hold, NaN in a vector, a meta that is no JSON.
            ShapeError: vectors of another width, or not one for each chunk.
        """
        self._check_open()
        chunks = list(chunks)
        x = checked([chunk.id for chunk in chunks], vectors, self.dim, True)
        for chunk in chunks:
            _checked_fields(chunk)
        metas = checked_meta(meta, len(chunks))
        if chunks:
            with self._turn:
                self._upsert(list(zip(chunks, metas, x, strict=True)))

    def delete(self, ids: Iterable[str]) -> None:
        """Forget chunks; ids that are not there are no error.

        Raises:
            DataError: a text instead of a list of ids.
        """
        self._check_open()
        names = self._listed("delete", ids)
        if names:
            with self._turn:
                self._delete(names)

    def query(self, vector: Any, k: int, where: Mapping[str, Any] | None = None) -> list[Hit]:
        """Return the k nearest chunks, best first, or all if there are fewer.

        Args:
            vector: of the query, (dim,).
            k: how many.
            where: a filter, for example ``{"doc_id": "a", "language": ["en", "de"]}``.

        Raises:
            ConfigError: k is negative or no whole number, or the filter is none.
            DataError: NaN in the query.
            ShapeError: a query of another width, or several.
        """
        self._check_open()
        q = checked_query(vector, k, self.dim, True)
        if q.ndim != 1:
            raise ShapeError(f"query: vectors {q.shape}", hint=f"one at a time, ({self.dim},)")
        conditions = checked_where(where)
        if k == 0 or not all(conditions.values()):
            return []
        with self._turn:
            found = self._query(q, int(k), conditions)
        return [Hit(chunk, score, rank, {STAGE: score}) for rank, (chunk, score) in enumerate(found, start=1)]

    def get(self, ids: Sequence[str]) -> list[Chunk]:
        """Return the chunks of these ids, in their order.

        Raises:
            DataError: an id is not there.
        """
        return [chunk for chunk, _, _ in self._records("get", ids)]

    def meta(self, ids: Sequence[str]) -> list[dict[str, Any]]:
        """Return the meta of these ids, in their order.

        Raises:
            DataError: an id is not there.
        """
        return [dict(meta) for _, meta, _ in self._records("meta", ids)]

    def vectors(self, ids: Sequence[str]) -> Array:
        """Return the vectors of these ids, float32 (N, dim), of length 1.

        Raises:
            DataError: an id is not there.
        """
        rows = [vector for _, _, vector in self._records("vectors", ids)]
        return np.array(rows, np.float32).reshape(len(rows), self.dim)

    def ids(self, doc_id: str | None = None) -> list[str]:
        """Return all ids, or those of one document, in the order of insertion."""
        self._check_open()
        with self._turn:
            return self._ids(doc_id)

    def count(self) -> int:
        """Return how many chunks there are."""
        self._check_open()
        with self._turn:
            return self._count()

    def close(self) -> None:
        """Let go of files and connections; what was stored stays. A second time does nothing."""
        with self._turn:
            if not self._closed:
                self._closed = True
                self._close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _check_open(self) -> None:
        if self._closed:
            raise ConfigError(f"{type(self).__name__}: it is closed", hint="open it again")

    def _listed(self, what: str, ids: Iterable[str]) -> list[str]:
        if isinstance(ids, str):
            raise DataError(f"{what}: ids is the text {ids!r}", hint="a list of ids")
        names = [name for name in ids if isinstance(name, str) and storable(name)]  # no other can be there
        return list(dict.fromkeys(names))

    def _records(self, what: str, ids: Sequence[str]) -> list[Record]:
        self._check_open()
        wanted = list(ids) if not isinstance(ids, str) else ids
        with self._turn:
            held = self._held(self._listed(what, wanted))
        missing = next((name for name in wanted if name not in held), None)
        if missing is not None:
            raise DataError(f"{what}: there is no chunk {missing!r} in this store", hint="store.ids() lists all")
        return [held[name] for name in wanted]

    @abstractmethod
    def _upsert(self, records: list[Record]) -> None:
        """Store checked records, all or none; at least one, no id twice."""

    @abstractmethod
    def _delete(self, ids: list[str]) -> None:
        """Forget the records of these ids, as far as they are there; at least one, none twice."""

    @abstractmethod
    def _query(self, q: Array, k: int, conditions: Conditions) -> list[tuple[Chunk, float]]:
        """Return the nearest and their cosines, best first; q has length 1, k is at least 1."""

    @abstractmethod
    def _held(self, ids: list[str]) -> dict[str, Record]:
        """Return the records of those of these ids that are there."""

    @abstractmethod
    def _ids(self, doc_id: str | None) -> list[str]:
        """Return ids in the order of insertion."""

    @abstractmethod
    def _count(self) -> int:
        """Return how many there are."""

    @abstractmethod
    def _close(self) -> None:
        """Let go of everything."""


def _checked_fields(chunk: Chunk) -> None:
    checked_id(chunk.doc_id, f"upsert: the doc_id of chunk {chunk.id!r}")
    if not (storable(chunk.id) and storable(chunk.doc_id) and storable(chunk.full)):
        raise DataError(
            f"upsert: chunk {chunk.id!r} holds a NUL or half a character (a lone surrogate)",
            hint='replace it when the document is read, for example by "\\ufffd": offsets stay',
        )
    for name in ("start", "end", "ordinal", "n_tokens"):
        value = getattr(chunk, name)
        if not isinstance(value, int) or not 0 <= value < 2**63:
            raise DataError(f"upsert: chunk {chunk.id!r}: {name} is {value!r}", hint="a whole number from 0")


def same_embedder(where: object, held: str, held_dim: int, asked: str, asked_dim: int) -> None:
    """Refuse to open a store for vectors of another embedder than the one whose vectors it holds.

    Raises:
        ConfigError: it is another one.
    """
    if held != asked or held_dim != asked_dim:
        raise ConfigError(
            f"the store {where} holds vectors of {held!r} ({held_dim} wide), not of {asked!r} ({asked_dim} wide)",
            hint="open it with that embedder, or index into a new store",
        )


def copy(source: VectorStore, target: VectorStore, batch: int = 1000) -> int:
    """Copy all chunks, vectors and metas into another store, and return how many; what is there already is replaced.

    Raises:
        ConfigError: the two are for different embedders.
    """
    same_embedder("to copy into", target.embedder_id, target.dim, source.embedder_id, source.dim)
    ids = source.ids()
    for start in range(0, len(ids), batch):
        some = ids[start : start + batch]
        target.upsert(source.get(some), source.vectors(some), source.meta(some))
    return len(ids)


def needs(module: str, extra: str, who: str) -> Any:
    """Import an optional package.

    Raises:
        ConfigError: it is not installed.
    """
    try:
        return import_module(module)
    except ImportError as error:
        raise ConfigError(f"{who} needs the package {module}", hint=f'pip install "tinyllm[{extra}]"') from error
