"""A store that searches with faiss: exactly, by its own matrix product, or rounded to half the memory."""

from __future__ import annotations

from os import PathLike
from typing import Any

import numpy as np

from ...errors import ConfigError
from ..types import Array
from .base import needs
from .indexed import IndexedStore
from .labels import Labelled

KINDS = {"Flat": "IDMap2,Flat", "SQfp16": "IDMap2,SQfp16"}  # those that need no training and can forget


class FaissIndex(Labelled):
    """An Index over faiss; its IDMap2 keeps the labels, which a flat index would shift at every removal."""

    def __init__(self, dim: int, kind: str = "Flat") -> None:
        if kind not in KINDS:
            raise ConfigError(f"FaissStore: kind {kind!r}", hint="one of " + ", ".join(KINDS))
        self.kind = kind
        self._faiss = needs("faiss", "faiss", "FaissStore")
        super().__init__(dim)

    def _how(self) -> dict[str, Any]:
        return {"kind": self.kind}

    def _make(self) -> None:
        self._index = self._faiss.index_factory(self.dim, KINDS[self.kind], self._faiss.METRIC_INNER_PRODUCT)

    def _put(self, labels: Array, vectors: Array) -> None:
        self._index.add_with_ids(vectors, labels)

    def _drop(self, labels: Array) -> None:
        self._index.remove_ids(labels)

    def _near(self, query: Array, k: int) -> tuple[Array, Array]:
        scores, labels = self._index.search(query[None], k)
        found = labels[0] >= 0  # short answers are filled up with -1
        return labels[0][found], scores[0][found]

    def _get(self, labels: Array) -> Array:
        vectors: Array = self._index.reconstruct_batch(labels)
        return vectors

    def _dump(self) -> Array:
        content: Array = self._faiss.serialize_index(self._index)
        return content

    def _load(self, content: Array) -> None:
        self._index = self._faiss.deserialize_index(np.ascontiguousarray(content))


class FaissStore(IndexedStore):
    """A SqliteStore that searches with faiss.

    Args:
        path: the database; ":memory:" for none.
        embedder_id: the ``id`` of the embedder whose vectors these are; may be left out if the file exists.
        dim: how wide they are; may be left out if the file exists.
        kind: "Flat", which is exact, or "SQfp16", half the memory and rounded.

    Raises:
        CheckpointError: the database is damaged.
        ConfigError: it holds vectors of another embedder; faiss is not installed; there is no such kind.
    """

    def __init__(
        self, path: str | PathLike[str], embedder_id: str | None = None, dim: int | None = None, kind: str = "Flat"
    ) -> None:
        super().__init__(path, embedder_id, dim, lambda width: FaissIndex(width, kind), ".faiss")
