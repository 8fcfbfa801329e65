"""Search along a graph of neighbors: nearly exact, and the work grows with the logarithm of the number of vectors.

What holds after any history of adding, replacing and removing:

- A search returns as many hits as there are, up to k.
- A removed vector is gone, and whoever had a link to it has been given others.
- Every new vector, and every one that a link was taken from, has been searched for with ``CHECKED`` candidates, and all
  can be walked to from the entry. One that was not found was given another link, and one that even so was not found
  is a *stray*, which every search looks at. ``check()`` does so for all; it also runs by itself whenever a quarter of
  the vectors has changed since.
- The same vectors, in the same calls, make the same graph.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ...errors import ConfigError
from ...kernels import Array
from ...kernels.dot_topk import dot_topk
from ...kernels.graph import ENTRY, TOP, Graph, attach, insert, reached, remove, search
from .base import VectorIndex

CHECKED = 64  # candidates with which every vector finds itself
ROUNDS = 8  # of searching for the lost and linking to them, before they become strays
FEW = 1000  # vectors, or a tenth of all: so few are multiplied one by one
HIGHEST = 16  # layer
HALF = 0.5  # of a vector's squared length, which is 1; of a vector of zeros, too: it ranks by its cosine, 0
_SAME = 1e-5  # cosines that differ by no more are those of equal vectors


class HNSW(VectorIndex):
    """A hierarchical navigable small world: see kernels/graph.py for how it works.

    Args:
        M: links of a vector on the upper layers; twice as many on the lowest.
        ef_construction: candidates that are looked at for the links of a new vector.
        ef: candidates of a search: more find more of the true neighbors, and take longer. May be set later.
        seed: of the layers.

    Scores are cosines, as ``Flat``'s.

    Raises:
        ConfigError: a setting is out of range.

    Example:
        >>> index = HNSW()
        >>> index.add(["east", "north"], [[2.0, 0.0], [0.0, 1.0]])
        >>> index.search([3.0, 1.0], k=1)[0]
        ['east']
    """

    def __init__(self, M: int = 16, ef_construction: int = 100, ef: int = 64, seed: int = 0) -> None:
        limits = {"M": (2, 128), "ef_construction": (2, 10_000), "ef": (1, 10_000), "seed": (0, 2**63)}
        for name, value in (("M", M), ("ef_construction", ef_construction), ("ef", ef), ("seed", seed)):
            low, high = limits[name]
            if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or not low <= value <= high:
                raise ConfigError(f"HNSW: {name} is {value!r}", hint=f"a whole number from {low} to {high}")
        super().__init__()
        self.M, self.ef_construction, self.ef, self.seed = int(M), int(ef_construction), int(ef), int(seed)
        self._g = _empty(self.M, 0, 0)
        self._used = 0  # rows of upper
        self._drawn = 0  # layers drawn so far
        self._changes = 0  # vectors added or removed since all were checked
        self._strays = np.zeros(0, np.int32)

    def check(self) -> list[str]:
        """Search for every vector, link to those that are not found, and return the ids of the strays that are left.

        Example:
            >>> index = HNSW()
            >>> index.add(["a", "b"], [[1.0, 0.0], [0.0, 1.0]])
            >>> index.check()
            []
        """
        self._g.touched[:] = self._g.linked
        self._changes = 0
        self._settle()
        return [self._rows.ids[row] for row in self._strays.tolist()]

    def _found(self, q: Array, k: int, allowed: Array | None) -> tuple[Array, Array]:
        count, live = len(self._rows.ids), len(self)
        free = live if allowed is None else int(np.count_nonzero(allowed))
        ef = max(self.ef, k) * max(1, live // max(1, free))
        if ef >= live or (free < live and free <= max(FEW, live // 10)):
            return dot_topk(self._g.x[:count], q, k, allowed)
        queries = np.atleast_2d(q)
        nodes, near = search(self._g, queries, ef, self._strays)
        if allowed is None or free == live:
            rows, best = nodes[:, :k].astype(np.int64), near[:, :k] + np.float32(HALF)
            return self._completed(queries, rows, best, rows[:, -1] < 0, allowed, q.ndim)
        good = nodes >= 0
        if allowed is not None and free < live:
            good &= allowed[nodes]
        scores = np.where(good, near + self._g.half[nodes], -np.inf).astype(np.float32)
        order = np.lexsort((nodes, -scores), axis=1)[:, :k]
        rows, best = np.take_along_axis(nodes, order, 1).astype(np.int64), np.take_along_axis(scores, order, 1)
        return self._completed(queries, rows, best, np.isneginf(best[:, -1]), allowed, q.ndim)

    def _completed(
        self, q: Array, rows: Array, best: Array, short: Array, allowed: Array | None, ndim: int
    ) -> tuple[Array, Array]:
        """Answer the queries for which too few were found exactly."""
        if short.any():
            for i in np.flatnonzero(short):
                rows[i], best[i] = dot_topk(self._g.x[: len(self._rows.ids)], q[i], rows.shape[1], allowed)
        return (rows[0], best[0]) if ndim == 1 else (rows, best)

    def _added(self, rows: Array, known: Array) -> None:
        if not rows.size:
            return
        self._make_room(rows[~known])
        old = np.zeros(len(self._g.linked), np.bool_)
        old[rows[known]] = True
        self._g = self._g._replace(x=self._rows.data)
        if known.any():
            remove(self._g, old)
        self._g.half[rows] = HALF
        insert(self._g, rows, self.ef_construction)
        self._changed(len(rows))

    def _removed(self, rows: Array) -> None:
        if rows.size:
            dead = np.zeros(len(self._g.linked), np.bool_)
            dead[rows] = True
            remove(self._g, dead)
            self._changed(len(rows))

    def _changed(self, count: int) -> None:
        self._changes += count
        if 4 * self._changes > len(self):
            self._g.touched[:] = self._g.linked
            self._changes = 0
        self._settle()

    def _settle(self) -> None:
        """Link to vectors that searches do not find, until they do."""
        g, linked = self._g, self._g.linked
        self._strays = self._strays[linked[self._strays]]
        for _ in range(ROUNDS):
            hidden = linked & ~reached(g)
            asked = np.flatnonzero((g.touched | hidden) & linked)
            g.touched[:] = False
            if not asked.size:
                return
            nodes, lost = self._search_for(asked)
            lost |= hidden[asked]
            for node, near in zip(asked[lost].tolist(), nodes[lost], strict=True):
                attach(g, node, near)
                g.touched[node] = True
        asked = np.flatnonzero((g.touched | ~reached(g)) & linked)
        g.touched[:] = False
        lost = self._search_for(asked)[1] if asked.size else np.zeros(0, np.bool_)
        self._strays = np.union1d(self._strays, asked[lost]).astype(np.int32)

    def _search_for(self, rows: Array) -> tuple[Array, Array]:
        """Return what searches for the vectors of these rows find, (rows, CHECKED), and which find no vector equal."""
        g = self._g
        nodes, near = search(g, g.x[rows], CHECKED, self._strays)
        own = (g.x[rows] ** 2).sum(axis=1, keepdims=True) - HALF  # a vector of zeros is as close to itself as to others
        equal = (nodes >= 0) & (near >= own - _SAME)
        return nodes, ~((nodes == rows[:, None]) | equal).any(axis=1)

    def _make_room(self, new: Array) -> None:
        """Draw the layers of new rows, and make the graph as large as the rows have become."""
        levels = [_layer(self.seed, self._drawn + n, self.M) for n in range(len(new))]
        self._drawn += len(new)
        room, upper = len(self._rows.alive), self._used + sum(levels)
        g = self._g
        if room > len(g.linked) or upper > len(g.upper):
            more = max(upper, 2 * len(g.upper)) if upper > len(g.upper) else len(g.upper)
            larger = _empty(self.M, room, more)
            for name, array in g._asdict().items():
                if name not in ("x", "rows"):
                    getattr(larger, name)[: len(array)] = array
            self._g = g = larger
        for row, level in zip(new.tolist(), levels, strict=True):
            g.level[row], g.first[row] = level, self._used
            self._used += level

    def _squeezed(self, kept: Array) -> None:
        g = self._g
        now = np.full(len(g.linked) + 1, -1, np.int32)
        now[kept] = np.arange(len(kept))  # and now[-1] is -1
        levels = g.level[kept].astype(np.int64)
        lines = np.concatenate(
            [g.first[row] + np.arange(level) for row, level in zip(kept, levels, strict=True)] or [[]]
        )
        small = _empty(self.M, len(kept), int(levels.sum()))
        small.base[:], small.upper[:] = now[g.base[kept]], now[g.upper[lines.astype(np.int64)]]
        small.level[:], small.half[:], small.touched[:] = levels, g.half[kept], g.touched[kept]
        small.first[:] = np.cumsum(levels) - levels
        small.linked[:] = g.linked[kept]
        small.state[:] = g.state
        small.state[ENTRY] = now[g.state[ENTRY]]
        self._g = small._replace(x=self._rows.data)
        self._used = int(levels.sum())
        self._strays = now[self._strays]

    def _settings(self) -> dict[str, Any]:
        return {
            "M": self.M,
            "ef_construction": self.ef_construction,
            "ef": self.ef,
            "seed": self.seed,
            "drawn": self._drawn,
            "changes": self._changes,
        }

    @classmethod
    def _made(cls, settings: dict[str, Any]) -> HNSW:
        return cls(**{name: settings[name] for name in ("M", "ef_construction", "ef", "seed")})

    def _arrays(self) -> dict[str, Array]:
        g, count = self._g, len(self._rows.ids)
        return {
            "half": g.half[:count],
            "level": g.level[:count],
            "base": g.base[:count],
            "first": g.first[:count],
            "upper": g.upper[: self._used],
            "entry": g.state[[ENTRY, TOP]],
            "strays": self._strays,
        }

    def _restore(self, settings: dict[str, Any], arrays: dict[str, Array]) -> None:
        self._drawn, self._changes = settings["drawn"], settings["changes"]
        self._strays = arrays["strays"]
        self._used = len(arrays["upper"])
        g = self._g = _empty(self.M, len(arrays["half"]), self._used)._replace(x=self._rows.data)
        for name in ("half", "level", "base", "first", "upper"):
            getattr(g, name)[:] = arrays[name]
        g.linked[:] = True
        g.state[[ENTRY, TOP]] = arrays["entry"]


def _empty(M: int, room: int, upper: int) -> Graph:
    """Return a graph without nodes."""
    return Graph(
        x=np.zeros((room, 0), np.float32),
        half=np.zeros(room, np.float32),
        level=np.zeros(room, np.int8),
        base=np.full((room, 2 * M), -1, np.int32),
        first=np.zeros(room, np.int32),
        upper=np.full((upper, M), -1, np.int32),
        linked=np.zeros(room, np.bool_),
        touched=np.zeros(room, np.bool_),
        rows=np.arange(room, dtype=np.int32),
        seen=np.zeros(room, np.int32),
        state=np.array([-1, -1, 0], np.int64),
    )


def _layer(seed: int, ordinal: int, M: int) -> int:
    """Draw the highest layer of a vector: one in M of those on a layer is on the next one, too.

    What is drawn depends on the seed and on how many vectors came before, and on nothing else (splitmix64).
    """
    z = (seed + (ordinal + 1) * 0x9E3779B97F4A7C15) % 2**64
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB % 2**64
    uniform = ((z ^ (z >> 31)) + 1) / 2**64  # never 0
    return min(HIGHEST, int(-math.log(uniform) / math.log(M)))
