"""A store that searches along usearch's graph, which can be kept in half the memory."""

from __future__ import annotations

from os import PathLike
from typing import Any

import numpy as np

from ...errors import ConfigError
from ..types import Array
from .base import needs
from .indexed import IndexedStore
from .labels import Labelled

STORAGES = ("f32", "f16")


class UsearchIndex(Labelled):
    """An Index over usearch."""

    def __init__(self, dim: int, storage: str = "f32", M: int = 16, ef_construction: int = 128, ef: int = 64) -> None:
        if storage not in STORAGES:
            raise ConfigError(f"UsearchStore: storage {storage!r}", hint="one of " + ", ".join(STORAGES))
        self.storage, self.M, self.ef_construction, self.ef = storage, M, ef_construction, ef
        self._module = needs("usearch.index", "usearch", "UsearchStore")
        super().__init__(dim)

    def _how(self) -> dict[str, Any]:
        return {"storage": self.storage, "M": self.M, "ef_construction": self.ef_construction}

    def _make(self) -> None:
        self._index = self._module.Index(
            ndim=self.dim, metric="ip", dtype=self.storage, connectivity=self.M,
            expansion_add=self.ef_construction, expansion_search=self.ef,
        )  # fmt: skip

    def _put(self, labels: Array, vectors: Array) -> None:
        self._index.add(labels, vectors, threads=1)

    def _drop(self, labels: Array) -> None:
        self._index.remove(labels)

    def _near(self, query: Array, k: int) -> tuple[Array, Array]:
        self._index.expansion_search = max(self.ef, k)
        found = self._index.search(query, k, threads=1)
        return found.keys.astype(np.int64), np.asarray(1 - found.distances, np.float32)

    def _get(self, labels: Array) -> Array:
        return np.asarray(self._index.get(labels.astype(np.uint64), dtype="f32"), np.float32)

    def _dump(self) -> Array:
        return np.frombuffer(self._index.save(), np.uint8)

    def _load(self, content: Array) -> None:
        self._make()
        self._index.load(content.tobytes())


class UsearchStore(IndexedStore):
    """A SqliteStore that searches with usearch.

    Args:
        path: the database; ":memory:" for none.
        embedder_id: the ``id`` of the embedder whose vectors these are; may be left out if the file exists.
        dim: how wide they are; may be left out if the file exists.
        storage: "f32", or "f16" for half the memory, rounded.
        M: neighbors of a vector in the graph.
        ef_construction: candidates when it is built.
        ef: candidates when it is searched; more find more and take longer.

    Raises:
        CheckpointError: the database is damaged.
        ConfigError: it holds vectors of another embedder; usearch is not installed; there is no such storage.
    """

    def __init__(
        self,
        path: str | PathLike[str],
        embedder_id: str | None = None,
        dim: int | None = None,
        *,
        storage: str = "f32",
        M: int = 16,
        ef_construction: int = 128,
        ef: int = 64,
    ) -> None:
        super().__init__(
            path, embedder_id, dim, lambda width: UsearchIndex(width, storage, M, ef_construction, ef), ".usearch"
        )
