"""A store in the memory of this process: for tests, for lessons, and for what is indexed anew each time."""

from __future__ import annotations

from typing import Any

from ..index import Flat
from ..types import Array, Chunk, Index
from .base import Record, Store
from .where import Conditions, matches


class MemoryStore(Store):
    """Chunks in a dict, vectors in an index and, for ``vectors``, beside the chunks: it takes them twice.

    Args:
        embedder_id: the ``id`` of the embedder whose vectors these will be.
        dim: how wide they are.
        index: an empty index; Flat, which is exact, if not given.

    Example:
        >>> store = MemoryStore("two numbers", dim=2)
        >>> store.upsert([Chunk("1:0-4", "1", "Duck", 0, 4)], [[3.0, 4.0]], meta={"language": "en"})
        >>> hit = store.query([0.0, 1.0], k=5, where={"language": "en"})[0]
        >>> hit.chunk.text, round(hit.score, 2)
        ('Duck', 0.8)
    """

    def __init__(self, embedder_id: str, dim: int, index: Index | None = None) -> None:
        super().__init__(embedder_id, dim)
        self._index: Any = Flat() if index is None else index
        self._kept: dict[str, Record] = {}

    def _upsert(self, records: list[Record]) -> None:
        self._index.add([chunk.id for chunk, _, _ in records], [vector for _, _, vector in records])
        self._kept.update((record[0].id, record) for record in records)

    def _delete(self, ids: list[str]) -> None:
        there = [name for name in ids if name in self._kept]
        self._index.remove(there)
        for name in there:
            del self._kept[name]

    def _query(self, q: Array, k: int, conditions: Conditions) -> list[tuple[Chunk, float]]:
        allow = None
        if conditions:
            allow = [c.id for c, meta, _ in self._kept.values() if matches(c.doc_id, meta, conditions)]
        ids, scores = self._index.search(q, k, allow)
        return [(self._kept[name][0], score) for name, score in zip(ids, scores.tolist(), strict=True)]

    def _held(self, ids: list[str]) -> dict[str, Record]:
        return {name: self._kept[name] for name in ids if name in self._kept}

    def _ids(self, doc_id: str | None) -> list[str]:
        return [name for name, (chunk, _, _) in self._kept.items() if doc_id is None or chunk.doc_id == doc_id]

    def _count(self) -> int:
        return len(self._kept)

    def _close(self) -> None:
        self._kept = {}
