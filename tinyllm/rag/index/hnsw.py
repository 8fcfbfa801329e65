"""Search along a graph of neighbors: nearly exact, and the work grows with the logarithm of the number of vectors.

What holds after any history of adding, replacing and removing:

- Every vector finds itself, or one exactly like it, when it is searched for with ``CHECKED`` candidates or as ``ef``.
- A search returns as many hits as there are, up to k; removed and replaced vectors are not among them.
- The same vectors, in the same calls, make the same graph.

A link more or less anywhere can change the way of any search, so no repair of what is close by can promise the first.
Here the graph does not change at all between two checks: a vector that is added, or given in place of another, waits
beside the graph, where every search looks at it; one that is removed stays as a stepping stone and is left out of the
answers. When too many wait, or too many are stepping stones, all of them are linked and unlinked, and then every vector
is searched for. Those that are not found are linked to once more, and all are searched for again; the few that are even
so not found are from then on looked at by every search, too. Up to ``FEW`` vectors there is no graph: multiplying with
all of them takes no longer.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from os import PathLike
from typing import Any

import numpy as np

from ...errors import ConfigError
from ...kernels import Array
from ...kernels.dot_topk import dot_topk
from ...kernels.graph import ENTRY, TOP, Graph, attach, insert, remove, search
from .base import VectorIndex

CHECKED = 64  # candidates with which every vector finds itself
AT_ONCE = 4096  # vectors searched for at a time
ROUNDS = 3  # of linking to those that are not found
FEW = 1000  # vectors are multiplied one by one
WAITING = 16  # times the root of how many there are: so many wait beside the graph, if that is more than FEW
STONES = 8  # one in so many nodes of the graph may be a mere stepping stone
HIGHEST = 16  # layer
HALF = 0.5  # of a vector's squared length, which is 1; of a vector of zeros, too: it ranks by its cosine, 0
_NONE = np.zeros(0, np.bool_)


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
        self._g = _empty(self.M, 0, 0)  # but for x, which is self._rows.data
        self._used = 0  # rows of upper
        self._drawn = 0  # layers drawn so far
        self._nodes = 0  # of the graph
        self._gone = 0  # of them, how many were removed since
        self._replaced: dict[int, Array] = {}  # rows of nodes and the vectors they were given since
        self._lost = np.zeros(0, np.int64)  # rows that searches of the graph do not find
        self._beside: tuple[Array, Array, Array] | None = None  # see _waiting

    def check(self) -> list[str]:
        """Link what waits, search for every vector, and return the ids of those that only exact search finds.

        Example:
            >>> index = HNSW()
            >>> index.add(["a", "b"], [[1.0, 0.0], [0.0, 1.0]])
            >>> index.check()
            []
        """
        self._merge()
        self._settle()
        return [self._rows.ids[row] for row in self._lost.tolist()]

    def save(self, path: str | PathLike[str]) -> None:
        """Link what waits, and write the index to one file, with a checksum.

        Raises:
            CheckpointError: the file system refuses.
        """
        self._merge()
        super().save(path)

    def _found(self, q: Array, k: int, allowed: Array | None) -> tuple[Array, Array]:
        count, live = len(self._rows.ids), len(self)
        if not self._nodes:
            return dot_topk(self._rows.data[:count], q, k, allowed)
        if self._beside is None:
            self._beside = self._waiting()
        rows, vectors, hidden = self._beside
        free = live if allowed is None else int(np.count_nonzero(allowed))
        if allowed is not None and free < live:
            hidden = hidden | ~allowed if hidden.size else ~allowed
        ef = max(self.ef, k) * max(1, live // max(1, free))
        most = min(k, count - int(np.count_nonzero(hidden)))
        if not most or ef >= live or (free < live and free <= max(FEW, live // 10)):
            found, best = self._exactly(q, most, hidden)
        else:
            found, best = self._along(np.atleast_2d(q), most, ef, hidden)
            if q.ndim == 1:
                found, best = found[0], best[0]
        if rows.size:
            places, scores = dot_topk(vectors, q, k, None if allowed is None or free == live else allowed[rows])
            found, best = np.concatenate([found, rows[places]], -1), np.concatenate([best, scores], -1)
            order = np.lexsort((found, -best), axis=-1)[..., :k]
            found, best = np.take_along_axis(found, order, -1), np.take_along_axis(best, order, -1)
        return found, best

    def _exactly(self, q: Array, k: int, hidden: Array) -> tuple[Array, Array]:
        """Return the best k of the graph's nodes that are not hidden, one multiplied after the other."""
        return dot_topk(self._rows.data[: len(self._rows.ids)], q, k, ~hidden if hidden.size else None)

    def _along(self, q: Array, k: int, ef: int, hidden: Array) -> tuple[Array, Array]:
        """Return the k nodes that searches along the graph find best, of at least k that are not hidden."""
        nodes, near = search(self._graph(), q, ef, hidden)
        rows, best = nodes[:, :k].astype(np.int64), near[:, :k] + np.float32(HALF)
        for i in np.flatnonzero(rows[:, -1] < 0):
            rows[i], best[i] = self._exactly(q[i], k, hidden)
        return rows, best

    def _waiting(self) -> tuple[Array, Array, Array]:
        """Return which rows are not answered by the graph, their vectors, and which of all rows (N,) it must not name.

        The last is empty where there is none.
        """
        alive = self._rows.alive[: len(self._rows.ids)]
        linked = np.zeros(len(alive), np.bool_)
        linked[: len(self._g.linked)] = self._g.linked[: len(alive)]
        linked[list(self._replaced)] = linked[self._lost] = False
        rows = np.flatnonzero(alive & ~linked)
        vectors = self._rows.data[rows]
        if self._replaced:
            vectors[np.searchsorted(rows, list(self._replaced))] = list(self._replaced.values())
        hidden = ~(alive & linked)
        return rows, vectors, hidden if hidden.any() else _NONE

    def _put(self, ids: Sequence[str], x: Array) -> None:
        before = np.array([self._rows.row_of.get(name, -1) for name in ids], np.int64)
        node = (before >= 0) & (before < len(self._g.linked))
        node[node] = self._g.linked[before[node]]
        old = self._rows.data[before[node]]
        rows = self._rows.put(ids, x)
        if node.any():
            self._rows.data[rows[node]] = old  # the graph's way to others leads by where the node was
            self._replaced.update(zip(rows[node].tolist(), x[node], strict=True))
        self._changed()

    def _removed(self, rows: Array) -> None:
        for row in rows.tolist():
            self._replaced.pop(row, None)
        self._gone += int(np.count_nonzero(self._g.linked[rows[rows < len(self._g.linked)]]))
        self._changed()

    def _changed(self) -> None:
        self._beside = None
        stones = self._gone + len(self._replaced)
        waiting = len(self) - (self._nodes - stones)
        if waiting > max(FEW, WAITING * math.sqrt(len(self))) or STONES * stones > self._nodes:
            self._merge()

    def _merge(self) -> None:
        """Make the graph one of what there is now, and see to it that everything is found."""
        if not self._gone and not self._replaced and self._nodes == len(self):
            return
        rows, moved = self._rows, list(self._replaced)
        if len(self) > FEW:
            dead = self._g.linked & ~rows.alive[: len(self._g.linked)]
            dead[moved] = True
            if dead.any():
                remove(self._graph(), dead)
        else:
            self._g, self._used = _empty(self.M, 0, 0), 0
        if moved:
            rows.data[moved] = list(self._replaced.values())
        self._replaced, self._gone, self._beside = {}, 0, None
        if len(self) > FEW:
            self._make_room()
            new = np.flatnonzero(rows.alive & ~self._g.linked)
            self._g.half[new] = HALF
            insert(self._graph(), new, self.ef_construction)
        self._nodes = int(np.count_nonzero(self._g.linked))
        self._settle()

    def _settle(self) -> None:
        """Search for every node, and link to those that are not found."""
        self._beside = None
        for _ in range(ROUNDS):
            self._lost, near = self._not_found()
            if not self._lost.size:
                return
            for node, nodes in zip(self._lost.tolist(), near, strict=True):
                attach(self._g, node, nodes)
        self._lost, _ = self._not_found()

    def _not_found(self) -> tuple[Array, Array]:
        """Return the nodes that do not find themselves, nor a vector exactly like theirs, and what they do find."""
        g, nodes = self._graph(), np.flatnonzero(self._g.linked)
        lost, near = [np.zeros(0, np.int64)], [np.zeros((0, CHECKED), np.int32)]
        for start in range(0, nodes.size, AT_ONCE):
            some = nodes[start : start + AT_ONCE]
            found, _ = search(g, g.x[some], CHECKED, _NONE)
            here = (found == some[:, None]).any(axis=1)
            for i in np.flatnonzero(~here):
                here[i] = (g.x[found[i, found[i] >= 0]] == g.x[some[i]]).all(axis=1).any()
            lost.append(some[~here])
            near.append(found[~here])
        return np.concatenate(lost), np.concatenate(near)

    def _graph(self) -> Graph:
        return self._g._replace(x=self._rows.data)

    def _make_room(self) -> None:
        """Make the graph as large as the rows have become, and draw the layers of those that have none yet."""
        g, room = self._g, len(self._rows.alive)
        drawn = np.zeros(room, np.bool_)
        drawn[: len(g.first)] = g.first >= 0
        new = np.flatnonzero(self._rows.alive & ~drawn)
        levels = [_layer(self.seed, self._drawn + n, self.M) for n in range(len(new))]
        self._drawn += len(new)
        upper = self._used + sum(levels)
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

    def _squeeze(self) -> None:
        self._merge()
        super()._squeeze()

    def _squeezed(self, kept: Array) -> None:
        self._beside = None
        if not self._nodes:
            self._g, self._used = _empty(self.M, 0, 0), 0
            return
        g = self._g
        now = np.full(len(g.linked) + 1, -1, np.int32)
        now[kept] = np.arange(len(kept))  # and now[-1] is -1
        levels = g.level[kept].astype(np.int64)
        lines = np.concatenate([g.first[row] + np.arange(level) for row, level in zip(kept, levels, strict=True)])
        small = _empty(self.M, len(kept), int(levels.sum()))
        small.base[:], small.upper[:] = now[g.base[kept]], now[g.upper[lines.astype(np.int64)]]
        small.level[:], small.half[:], small.linked[:] = levels, g.half[kept], g.linked[kept]
        small.first[:] = np.cumsum(levels) - levels
        small.state[:] = g.state
        small.state[ENTRY] = now[g.state[ENTRY]]
        self._g, self._used = small, int(levels.sum())
        self._lost = now[self._lost].astype(np.int64)

    def _settings(self) -> dict[str, Any]:
        return {
            "M": self.M,
            "ef_construction": self.ef_construction,
            "ef": self.ef,
            "seed": self.seed,
            "drawn": self._drawn,
        }

    @classmethod
    def _made(cls, settings: dict[str, Any]) -> HNSW:
        return cls(**{name: settings[name] for name in ("M", "ef_construction", "ef", "seed")})

    def _arrays(self) -> dict[str, Array]:
        g, count = self._g, self._nodes
        return {
            "half": g.half[:count],
            "level": g.level[:count],
            "base": g.base[:count],
            "first": g.first[:count],
            "upper": g.upper[: self._used],
            "entry": g.state[[ENTRY, TOP]],
            "lost": self._lost,
        }

    def _restore(self, settings: dict[str, Any], arrays: dict[str, Array]) -> None:
        self._drawn, self._lost = settings["drawn"], arrays["lost"]
        self._nodes, self._used = len(arrays["level"]), len(arrays["upper"])
        g = self._g = _empty(self.M, self._nodes, self._used)
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
        first=np.full(room, -1, np.int32),  # no layer drawn yet
        upper=np.full((upper, M), -1, np.int32),
        linked=np.zeros(room, np.bool_),
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
