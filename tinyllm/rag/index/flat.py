"""Exact search: the query is multiplied with every vector.

Nothing is approximated and nothing has to be built, so this is what the other indexes are held against, and the
default until there are some 100,000 vectors. What is stored in float16 or int8 is rounded once, when it is added;
scores are always float32 products with what is stored.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ...errors import ConfigError
from ...kernels import Array
from ...kernels.dot_topk import dot_topk
from ...kernels.topk import top_k
from .base import VectorIndex

BLOCK = 1024  # rows made float32 at a time
METRICS = ("cosine", "dot")


class Flat(VectorIndex):
    """Exact search in vectors.

    Args:
        metric: "cosine" brings vectors and queries to length 1 (a vector of zeros scores 0 with all); "dot" takes them
            as they are.
        storage: "float32"; "float16" and "int8" keep a half and a quarter of it.

    Raises:
        ConfigError: there is no such metric or storage.

    Example:
        >>> index = Flat()
        >>> index.add(["east", "north"], [[2.0, 0.0], [0.0, 1.0]])
        >>> index.search([3.0, 1.0], k=1)[0]
        ['east']
    """

    def __init__(self, metric: str = "cosine", storage: str = "float32") -> None:
        if metric not in METRICS:
            raise ConfigError(f"Flat: metric {metric!r}", hint="one of " + ", ".join(METRICS))
        super().__init__(storage, unit=metric == "cosine")
        self.metric = metric

    def _found(self, q: Array, k: int, allowed: Array | None) -> tuple[Array, Array]:
        rows = self._rows
        count = len(rows.ids)
        if rows.storage == "float32":
            return dot_topk(rows.data[:count], q, k, allowed)
        queries = np.atleast_2d(q)
        places, best = (np.concatenate(parts) for parts in zip(*self._batches(queries, count, k, allowed), strict=True))
        return (places[0], best[0]) if q.ndim == 1 else (places, best)

    def _batches(self, queries: Array, count: int, k: int, allowed: Array | None) -> Any:
        """Yield places and scores of some queries at a time: the rows are made float32 once for each batch."""
        for start in range(0, len(queries), 256):
            some = queries[start : start + 256]
            scores = np.empty((len(some), count), np.float32)
            for first in range(0, count, BLOCK):
                here = slice(first, min(first + BLOCK, count))
                scores[:, here] = some @ self._rows.floats(here).T
            yield top_k(scores, k, allowed)

    def _settings(self) -> dict[str, Any]:
        return {"metric": self.metric}
