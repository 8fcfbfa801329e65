"""How to write a store for a service that somebody else runs: copy this file and put the service's client for ``call``.

Here the service is one function, ``call(operation, data) -> answer``, JSON in and JSON out, as most of them are behind
their clients. What to look at in the service's own pages is said where it matters. When it stands, add it to
the makers of tests/rag/store/test_conformance.py: that suite, and not this file, says whether it is a store.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from ..types import Array, Chunk
from .base import Record, Store, same_embedder
from .where import Conditions

Call = Callable[[str, dict[str, Any]], Mapping[str, Any]]


class ServiceStore(Store):
    """Chunks, metas and vectors in a service.

    Args:
        call: sends an operation with its data and returns the answer; it retries what is worth it, and raises.
        embedder_id: the ``id`` of the embedder whose vectors these are.
        dim: how wide they are.
        batch: how many records the service takes at a time. An upsert of more is several then: if one fails, those
            before it stay, and the whole upsert is simply sent again.

    Raises:
        ConfigError: the service holds vectors of another embedder.
    """

    def __init__(self, call: Call, embedder_id: str, dim: int, batch: int = 100) -> None:
        super().__init__(embedder_id, dim)
        self._call, self._batch = call, batch
        held = call("open", {"embedder_id": embedder_id, "dim": dim})  # make it, or say what is there
        same_embedder("of the service", held["embedder_id"], held["dim"], embedder_id, dim)

    def _upsert(self, records: list[Record]) -> None:
        for some in self._batches(records):  # ask: is what was written found at once? If not, wait here until it is
            rows = [{"chunk": asdict(c), "meta": meta, "vector": v.tolist()} for c, meta, v in some]
            self._call("upsert", {"rows": rows})

    def _delete(self, ids: list[str]) -> None:
        for some in self._batches(ids):
            self._call("delete", {"ids": some})

    def _query(self, q: Array, k: int, conditions: Conditions) -> list[tuple[Chunk, float]]:
        # ask: is the number a similarity or a distance, is k limited, is a filter applied before the search or after,
        # and does it tell 1 from true? Where it does not, ask for more rows and keep those that where.matches
        found = self._call("query", {"vector": q.tolist(), "k": k, "where": conditions})["rows"]
        best = sorted(found, key=lambda row: (-row["score"], row["place"]))
        return [(Chunk(**row["chunk"]), float(row["score"])) for row in best]

    def _held(self, ids: list[str]) -> dict[str, Record]:
        rows = [row for some in self._batches(ids) for row in self._call("fetch", {"ids": some})["rows"]]
        return {
            row["chunk"]["id"]: (Chunk(**row["chunk"]), row["meta"], np.array(row["vector"], np.float32))
            for row in rows
        }

    def _ids(self, doc_id: str | None) -> list[str]:
        ids: list[str] = self._call("list", {"doc_id": doc_id})["ids"]  # ask: in which order, and how many at a time
        return ids

    def _count(self) -> int:
        return int(self._call("count", {})["count"])

    def _close(self) -> None:
        """There is nothing to let go of here; a client with connections is closed in this place."""

    def _batches(self, values: Sequence[Any]) -> Iterator[Sequence[Any]]:
        for start in range(0, len(values), self._batch):
            yield values[start : start + self._batch]
