"""A store that searches along hnswlib's graph: approximately, and much faster when there are many vectors."""

from __future__ import annotations

import contextlib
import tempfile
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from ..types import Array
from .base import needs
from .indexed import IndexedStore
from .labels import Labelled


class HnswlibIndex(Labelled):
    """An Index over hnswlib, which refuses a search that finds fewer than k: that counts as none found."""

    def __init__(self, dim: int, M: int = 16, ef_construction: int = 100, ef: int = 64) -> None:
        self.M, self.ef_construction, self.ef = M, ef_construction, ef
        self._hnswlib = needs("hnswlib", "hnswlib", "HnswlibStore")
        super().__init__(dim)

    def _how(self) -> dict[str, Any]:
        return {"M": self.M, "ef_construction": self.ef_construction}

    def _make(self) -> None:
        self._index = self._hnswlib.Index("ip", self.dim)
        self._index.init_index(64, M=self.M, ef_construction=self.ef_construction, random_seed=1)

    def _put(self, labels: Array, vectors: Array) -> None:
        room = self._index.get_max_elements()
        if labels[-1] >= room:
            self._index.resize_index(max(int(labels[-1]) + 1, 2 * room))
        self._index.add_items(vectors, labels, num_threads=1)  # with more, every build is another graph

    def _drop(self, labels: Array) -> None:
        for label in labels.tolist():
            self._index.mark_deleted(label)

    def _near(self, query: Array, k: int) -> tuple[Array, Array]:
        self._index.set_ef(max(self.ef, k))  # it comes back from a file with 10
        with contextlib.suppress(RuntimeError):
            labels, distances = self._index.knn_query(query, k, num_threads=1)
            return labels[0].astype(np.int64), 1 - distances[0]
        return np.zeros(0, np.int64), np.zeros(0, np.float32)

    def _get(self, labels: Array) -> Array:
        vectors: Array = self._index.get_items(labels, return_type="numpy")
        return vectors

    def _dump(self) -> Array:
        with tempfile.TemporaryDirectory() as folder:  # it writes to a path and to nothing else
            self._index.save_index(f"{folder}/index")
            return np.fromfile(f"{folder}/index", np.uint8)

    def _load(self, content: Array) -> None:
        with tempfile.TemporaryDirectory() as folder:
            Path(folder, "index").write_bytes(content.tobytes())
            self._index = self._hnswlib.Index("ip", self.dim)
            self._index.load_index(f"{folder}/index", max_elements=max(64, 2 * len(self._ids)))


class HnswlibStore(IndexedStore):
    """A SqliteStore that searches with hnswlib.

    Args:
        path: the database; ":memory:" for none.
        embedder_id: the ``id`` of the embedder whose vectors these are; may be left out if the file exists.
        dim: how wide they are; may be left out if the file exists.
        M: neighbors of a vector in the graph.
        ef_construction: candidates when it is built.
        ef: candidates when it is searched; more find more and take longer.

    Raises:
        CheckpointError: the database is damaged.
        ConfigError: it holds vectors of another embedder; hnswlib is not installed.
    """

    def __init__(
        self,
        path: str | PathLike[str],
        embedder_id: str | None = None,
        dim: int | None = None,
        *,
        M: int = 16,
        ef_construction: int = 100,
        ef: int = 64,
    ) -> None:
        super().__init__(path, embedder_id, dim, lambda width: HnswlibIndex(width, M, ef_construction, ef), ".hnswlib")
