"""A graph of neighbors in layers (HNSW): how vectors enter it, leave it, and are found in it.

Every vector is a node of layer 0, where it has up to 2M links; one in M of them is on layer 1 too, with up to M links,
and so on. A search goes greedily down the upper layers and then keeps the ``ef`` closest nodes that it has seen on
layer 0, always looking at the links of the closest one it has not yet looked at, until there is none.

Closeness of node n to a query q is q x_n - |x_n|^2 / 2: the higher, the smaller the distance (|q|^2 is the same for all
n). Of equally close nodes the one of lower number comes first, so that same vectors in same order make the same graph.

This file is the reference; nearest/graph.py does the same in machine code.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from .table import Array, backend

ENTRY, TOP, EPOCH = range(3)  # of ``state``: where searches begin, its layer, and the mark of the last search
SPARE = 1 << 30  # marks before they begin again
Pool = list[tuple[float, int]]  # (-closeness, node), closest first


class Graph(NamedTuple):
    """All of a graph, with room for N nodes; nodes without links are not in it, but for a single one."""

    x: Array  # (N, D) float32
    half: Array  # (N,) float32: |x|^2 / 2
    level: Array  # (N,) int8: the highest layer of a node
    base: Array  # (N, 2M) int32: links on layer 0, -1 after the last
    first: Array  # (N,) int32: where a node's rows of ``upper`` begin
    upper: Array  # (rows, M) int32: links on layer 1, 2, ..., one row each
    linked: Array  # (N,) bool: is in the graph
    rows: Array  # (N,) int32: where a node's row of ``base`` is: 0, 1, 2, ...
    seen: Array  # (N,) int32: the mark of the last search that saw a node
    state: Array  # (3,) int64


def insert(g: Graph, nodes: Array, ef: int) -> None:
    """Link nodes (int64) in their order, each with the best of the ``ef`` closest that a search finds."""
    if backend() == "numba":
        from .nearest import graph

        _rewind(g, len(nodes))
        graph.insert(g, nodes, ef)
        return
    for node in nodes.tolist():
        _insert(g, node, ef)


def remove(g: Graph, dead: Array) -> None:
    """Take nodes (N,) of booleans out: who had links to them is given links to their neighbors instead."""
    if backend() == "numba":
        from .nearest import graph

        _rewind(g, 2 * len(dead))
        graph.remove(g, dead)
        return
    for node in np.flatnonzero(g.linked & ~dead).tolist():
        for layer in range(g.level[node] + 1):
            _repair(g, node, layer, dead)
    g.linked[dead] = False
    for node in np.flatnonzero(dead).tolist():
        for layer in range(g.level[node] + 1):
            links(g, node, layer)[:] = -1
    if g.state[ENTRY] >= 0 and dead[g.state[ENTRY]]:
        left = np.flatnonzero(g.linked)
        entry = left[np.argmax(g.level[left])] if left.size else -1
        g.state[ENTRY], g.state[TOP] = entry, g.level[entry] if left.size else -1


def search(g: Graph, q: Array, ef: int, hidden: Array) -> tuple[Array, Array]:
    """Return the nodes (Q, ef) found for queries (Q, D), closest first, -1 after the last, and their closeness.

    Nodes that are ``hidden`` (N,) of booleans are walked through and left out at the end; hidden (0,) is none.
    """
    found, closeness = np.full((len(q), ef), -1, np.int32), np.zeros((len(q), ef), np.float32)
    if g.state[ENTRY] < 0:
        return found, closeness
    if backend() == "numba":
        from .nearest import graph

        _rewind(g, len(q))
        graph.search(g, np.ascontiguousarray(q), hidden, found, closeness)
        return found, closeness
    for i, one in enumerate(q):
        pool = [(far, node) for far, node in _search(g, one, ef) if not (hidden.size and hidden[node])]
        found[i, : len(pool)] = [node for _, node in pool]
        closeness[i, : len(pool)] = [-far for far, _ in pool]
    return found, closeness


def attach(g: Graph, node: int, near: Array) -> None:
    """Link to a node from the first of the nodes ``near`` with room for a link, or else from the first of all.

    That one then loses its last link.
    """
    others = [other for other in near.tolist() if other >= 0 and other != node and node not in g.base[other]]
    for other in others:
        row = g.base[other]
        if row[-1] < 0:
            row[np.argmax(row < 0)] = node
            return
    if others:
        g.base[others[0], -1] = node


def links(g: Graph, node: int, layer: int) -> Array:
    """Return the links of a node on a layer, to read and to write."""
    return g.base[node] if layer == 0 else g.upper[g.first[node] + layer - 1]


def _closeness(g: Graph, q: Array, nodes: list[int]) -> list[float]:
    return (g.x[nodes] @ q - g.half[nodes]).tolist()


def _search_layer(g: Graph, q: Array, layer: int, ef: int, starts: Iterable[int]) -> Pool:
    """Return the ``ef`` closest nodes that are found on a layer."""
    begin = list(dict.fromkeys(starts))
    pool = sorted((-near, node) for near, node in zip(_closeness(g, q, begin), begin, strict=True))[:ef]
    seen, expanded = set(begin), set[int]()
    while ahead := [node for _, node in pool if node not in expanded][:1]:
        (node,) = ahead
        expanded.add(node)
        new = [other for other in links(g, node, layer).tolist() if other >= 0 and other not in seen]
        seen.update(new)
        for near, other in zip(_closeness(g, q, new), new, strict=True):
            insort(pool, (-near, other))
        del pool[ef:]
    return pool


def _search(g: Graph, q: Array, ef: int) -> Pool:
    entry, top = int(g.state[ENTRY]), int(g.state[TOP])
    return _search_layer(g, q, 0, ef, [_descend(g, q, entry, top, 0), entry])


def _descend(g: Graph, q: Array, node: int, layer: int, to: int) -> int:
    """Go greedily down to the layer above ``to``, and return where one gets."""
    for upper in range(layer, to, -1):
        node = _search_layer(g, q, upper, 1, [node])[0][1]
    return node


def _select(g: Graph, node: int, pool: Pool, most: int) -> list[int]:
    """Keep, closest first, the candidates that are no closer to one that was kept than to the node itself.

    So links go in all directions, and not only into the nearest cluster.
    """
    kept: list[int] = []
    for far, candidate in pool:
        here = np.float32(-far) + g.half[candidate] - g.half[node]
        if not kept or max(_closeness(g, g.x[candidate], kept)) <= here:
            kept.append(candidate)
        if len(kept) == most:
            break
    return kept


def _write(g: Graph, node: int, layer: int, kept: list[int]) -> None:
    row = links(g, node, layer)
    row[: len(kept)], row[len(kept) :] = kept, -1


def _pool(g: Graph, node: int, others: list[int]) -> Pool:
    return sorted((-near, other) for near, other in zip(_closeness(g, g.x[node], others), others, strict=True))


def _insert(g: Graph, node: int, ef: int) -> None:
    level, entry, top = int(g.level[node]), int(g.state[ENTRY]), int(g.state[TOP])
    g.linked[node] = True
    if entry >= 0:
        at = _descend(g, g.x[node], entry, top, level)
        for layer in range(min(level, top), -1, -1):
            pool = _search_layer(g, g.x[node], layer, ef, [at])
            at = pool[0][1]
            kept = _select(g, node, pool, g.upper.shape[1])
            _write(g, node, layer, kept)
            for other in kept:
                _connect(g, other, node, layer)
    if level > top:
        g.state[ENTRY], g.state[TOP] = node, level


def _connect(g: Graph, node: int, new: int, layer: int) -> None:
    """Link a node to a new one; where there is no room, the best of all links stay."""
    row = links(g, node, layer)
    held = [other for other in row.tolist() if other >= 0]
    if len(held) < row.size:
        row[len(held)] = new
    else:
        _write(g, node, layer, _select(g, node, _pool(g, node, [*held, new]), row.size))


def _repair(g: Graph, node: int, layer: int, dead: Array) -> None:
    """Replace links to dead nodes by the best of what is left and of what the dead ones linked to."""
    row = links(g, node, layer)
    held = [other for other in row.tolist() if other >= 0]
    gone = [other for other in held if dead[other]]
    if gone:
        beyond = [far for other in gone for far in links(g, other, layer).tolist() if far >= 0 and far != node]
        others = [other for other in dict.fromkeys([*held, *beyond]) if not dead[other]]
        _write(g, node, layer, _select(g, node, _pool(g, node, others), row.size))


def _rewind(g: Graph, searches: int) -> None:
    """Begin to count the marks again, before they run out."""
    if g.state[EPOCH] + 64 * (searches + 1) > SPARE:
        g.seen[:] = 0
        g.state[EPOCH] = 0
