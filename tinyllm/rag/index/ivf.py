"""Search in the nearest of many lists (IVF): vectors are put into clusters, and a query looks into a few of them.

The clusters are made anew whenever there are twice as many vectors as when they were made last; what comes in between
goes to the list of the nearest center. Every vector is in one list, so with as many probes as lists nothing is missed.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ...errors import ConfigError
from ...kernels import Array
from ...kernels.dot_topk import dot_topk
from ...kernels.kmeans import kmeans, nearest_center
from .base import VectorIndex


class IVF(VectorIndex):
    """Lists of vectors around centers; scores are cosines, as ``Flat``'s.

    Args:
        lists: how many; by default the square root of the number of vectors.
        probes: lists that a search looks into: at least so many, and more where they hold fewer than k vectors.
        seed: of the clusters.

    Raises:
        ConfigError: a setting is out of range.

    Example:
        >>> index = IVF(lists=2, probes=1)
        >>> index.add(["east", "north"], [[2.0, 0.0], [0.0, 1.0]])
        >>> index.search([3.0, 1.0], k=1)[0]
        ['east']
    """

    def __init__(self, lists: int | None = None, probes: int = 8, seed: int = 0) -> None:
        for name, value, low in (("lists", 1 if lists is None else lists, 1), ("probes", probes, 1), ("seed", seed, 0)):
            if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < low:
                raise ConfigError(f"IVF: {name} is {value!r}", hint=f"a whole number, {low} or more")
        super().__init__()
        self.lists, self.probes, self.seed = None if lists is None else int(lists), int(probes), int(seed)
        self._centers = np.zeros((0, 0), np.float32)
        self._trained = 0  # vectors there were when the centers were made
        self._list_of = np.zeros(0, np.int64)  # of every row
        self._members: tuple[Array, Array] | None = None  # rows, list by list, and where each list ends

    def _found(self, q: Array, k: int, allowed: Array | None) -> tuple[Array, Array]:
        x, lists = self._rows.data[: len(self._rows.ids)], self._list_of
        if self.probes >= len(self._centers):
            return dot_topk(x, q, k, allowed)
        if self._members is None:
            sizes = np.bincount(lists, minlength=len(self._centers))
            self._members = np.argsort(lists, kind="stable"), np.cumsum(sizes)
        rows, ends = self._members
        begins = np.concatenate([[0], ends[:-1]])
        free = ends - begins if allowed is None else np.bincount(lists[allowed], minlength=len(ends))
        queries = np.atleast_2d(q)
        closeness = queries @ self._centers.T - (self._centers * self._centers).sum(axis=1) / 2
        order = np.argsort(-closeness, axis=1, kind="stable")
        places, best = np.empty((len(queries), k), np.int64), np.empty((len(queries), k), np.float32)
        for i, one in enumerate(queries):
            held = np.cumsum(free[order[i]])
            probes = max(self.probes, int(np.searchsorted(held, k)) + 1)
            some = np.sort(np.concatenate([rows[begins[n] : ends[n]] for n in order[i, :probes]]))
            if allowed is not None:
                some = some[allowed[some]]
            found, best[i] = dot_topk(x[some], one, k)
            places[i] = some[found]
        return (places[0], best[0]) if q.ndim == 1 else (places, best)

    def _added(self, rows: Array, known: Array) -> None:
        if not rows.size:
            return
        self._members = None
        self._list_of = np.concatenate([self._list_of, np.zeros(int((~known).sum()), np.int64)])
        if len(self) >= 2 * self._trained:
            live = np.flatnonzero(self._rows.alive[: len(self._rows.ids)])
            x = self._rows.data[live]
            count = min(self.lists or math.isqrt(len(live)), len(live))
            self._centers, self._trained = kmeans(x, count, self.seed), len(live)
            self._list_of[live] = nearest_center(x, self._centers)
        else:
            self._list_of[rows] = nearest_center(self._rows.data[rows], self._centers)

    def _squeezed(self, kept: Array) -> None:
        self._list_of, self._members = self._list_of[kept], None

    def _settings(self) -> dict[str, Any]:
        return {"lists": self.lists, "probes": self.probes, "seed": self.seed, "trained": self._trained}

    @classmethod
    def _made(cls, settings: dict[str, Any]) -> IVF:
        return cls(settings["lists"], settings["probes"], settings["seed"])

    def _arrays(self) -> dict[str, Array]:
        return {"centers": self._centers, "list_of": self._list_of}

    def _restore(self, settings: dict[str, Any], arrays: dict[str, Array]) -> None:
        self._trained = settings["trained"]
        self._centers, self._list_of = arrays["centers"], arrays["list_of"]
