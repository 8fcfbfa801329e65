"""The graph of neighbors in machine code; ``tinyllm/kernels/graph.py`` is the reference, and says what all of it means.

The pool of a search is one list, closest first, with a flag for nodes whose links are still to be looked at. For the
few dozen nodes that it holds, moving entries along takes less time than keeping two heaps would. What a search has seen
carries its number, so that nothing has to be wiped before the next one.
"""
# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

from typing import Final

import numpy as np
from numba import prange

from ..compiler import bare, compiled, parallel
from .select import dot, worse

ENTRY: Final = 0
TOP: Final = 1
EPOCH: Final = 2
X, HALF, LEVEL, BASE, FIRST, UPPER, LINKED, ROWS = range(8)  # fields of a Graph
QUERIES: Final = 16  # that share one row of marks


@bare
def closeness(x, half, q, node):
    """How close a node is to q (D,): higher is closer."""
    return dot(x[node], q) - half[node]


@bare
def offer(best, nodes, waits, size, near, node):
    """Put a node into a pool where it belongs; return where that is, or the pool's room if it is not among the best."""
    room = best.size
    if size == room and not worse(best[room - 1], nodes[room - 1], near, node):
        return room
    i = min(size, room - 1)
    while i > 0 and worse(best[i - 1], nodes[i - 1], near, node):
        best[i], nodes[i], waits[i] = best[i - 1], nodes[i - 1], waits[i - 1]
        i -= 1
    best[i], nodes[i], waits[i] = near, node, True
    return i


@bare
def search_layer(x, half, table, first, shift, q, seen, epoch, best, nodes, waits, size):
    """Go on from a pool whose nodes are marked as seen; return its size. A node's links are table[first + shift]."""
    room, at = best.size, 0
    while at < size:
        if not waits[at]:
            at += 1
            continue
        waits[at] = False
        row, after = table[first[nodes[at]] + shift], at + 1
        for j in range(row.size):
            other = row[j]
            if other < 0:
                break
            if seen[other] == epoch:
                continue
            seen[other] = epoch
            i = offer(best, nodes, waits, size, closeness(x, half, q, other), other)
            if i < room:
                size = min(size + 1, room)
                after = min(after, i)
        at = after
    return size


@bare
def descend(g, q, seen, epoch, node, top, to, best, nodes, waits):
    """Go greedily down to the layer above ``to``; return where one gets, and the last mark."""
    for layer in range(top, to, -1):
        epoch += 1
        best[0], nodes[0], waits[0] = closeness(g[X], g[HALF], q, node), node, True
        seen[node] = epoch
        search_layer(g[X], g[HALF], g[UPPER], g[FIRST], layer - 1, q, seen, epoch, best[:1], nodes[:1], waits[:1], 1)
        node = nodes[0]
    return node, epoch


@bare
def select(g, node, best, nodes, size, kept):
    """Fill kept with the candidates of a sorted pool that point in directions of their own; return how many."""
    x, half, count = g[X], g[HALF], 0
    for c in range(size):
        candidate, fine = nodes[c], True
        here = best[c] + half[candidate] - half[node]
        for j in range(count):
            if closeness(x, half, x[candidate], kept[j]) > here:
                fine = False
                break
        if fine:
            kept[count] = candidate
            count += 1
            if count == kept.size:
                break
    return count


@bare
def write(row, kept, count):
    """Replace links."""
    for j in range(row.size):
        row[j] = kept[j] if j < count else -1


@bare
def connect(g, row, node, new, best, nodes, waits, kept):
    """Link a node to a new one; where there is no room, the best of all links stay."""
    last = row.size - 1
    if row[last] < 0:
        while last > 0 and row[last - 1] < 0:
            last -= 1
        row[last] = new
        return
    size = 0
    for j in range(row.size):
        offer(best[: row.size + 1], nodes, waits, size, closeness(g[X], g[HALF], g[X][node], row[j]), row[j])
        size += 1
    offer(best[: row.size + 1], nodes, waits, size, closeness(g[X], g[HALF], g[X][node], new), new)
    count = select(g, node, best, nodes, size + 1, kept[: row.size])
    write(row, kept, count)


@bare
def insert_one(g, seen, state, node, best, nodes, waits, best_2, nodes_2, waits_2, kept, kept_2):
    """Link one node."""
    x, half, level, base, first, upper = g[X], g[HALF], g[LEVEL][node], g[BASE], g[FIRST], g[UPPER]
    entry, top, M = state[ENTRY], state[TOP], upper.shape[1]
    g[LINKED][node] = True
    if entry >= 0:
        q = x[node]
        at, epoch = descend(g, q, seen, state[EPOCH], entry, top, level, best, nodes, waits)
        for layer in range(min(level, top), -1, -1):
            epoch += 1
            best[0], nodes[0], waits[0] = closeness(x, half, q, at), at, True
            seen[at] = epoch
            if layer == 0:
                size = search_layer(x, half, base, g[ROWS], 0, q, seen, epoch, best, nodes, waits, 1)
            else:
                size = search_layer(x, half, upper, first, layer - 1, q, seen, epoch, best, nodes, waits, 1)
            at = nodes[0]
            count = select(g, node, best, nodes, size, kept[:M])
            row = base[node] if layer == 0 else upper[first[node] + layer - 1]
            write(row, kept, count)
            for j in range(count):
                other = kept[j]
                theirs = base[other] if layer == 0 else upper[first[other] + layer - 1]
                connect(g, theirs, other, node, best_2, nodes_2, waits_2, kept_2)
        state[EPOCH] = epoch
    if level > top:
        state[ENTRY], state[TOP] = node, level


@compiled
def insert_all(g, seen, state, new, ef):
    """Link nodes in their order."""
    width = g[BASE].shape[1]
    best, nodes, waits = np.empty(ef, np.float32), np.empty(ef, np.int32), np.empty(ef, np.bool_)
    best_2, nodes_2, waits_2 = (
        np.empty(width + 1, np.float32),
        np.empty(width + 1, np.int32),
        np.empty(width + 1, np.bool_),
    )
    kept, kept_2 = np.empty(width, np.int32), np.empty(width, np.int32)
    for i in range(new.size):
        insert_one(g, seen, state, new[i], best, nodes, waits, best_2, nodes_2, waits_2, kept, kept_2)


@bare
def repair(g, seen, epoch, node, row, table, first, shift, dead, best, nodes, waits, kept):
    """Replace links to dead nodes by the best of what is left and of what the dead ones linked to."""
    gone = False
    for j in range(row.size):
        gone |= row[j] >= 0 and dead[row[j]]
    if not gone:
        return
    x, half, size = g[X], g[HALF], 0
    seen[node] = epoch
    for j in range(-1, row.size):
        if j >= 0 and (row[j] < 0 or not dead[row[j]]):
            continue
        others = row if j < 0 else table[first[row[j]] + shift]
        for i in range(others.size):
            other = others[i]
            if other >= 0 and not dead[other] and seen[other] != epoch:
                seen[other] = epoch
                offer(best, nodes, waits, size, closeness(x, half, x[node], other), other)
                size += 1
    count = select(g, node, best, nodes, size, kept[: row.size])
    write(row, kept, count)


@compiled
def remove_all(g, seen, state, dead):
    """Take nodes out."""
    level, base, first, upper, linked, width = g[LEVEL], g[BASE], g[FIRST], g[UPPER], g[LINKED], g[BASE].shape[1]
    most = width * (width + 1)
    best, nodes, waits = np.empty(most, np.float32), np.empty(most, np.int32), np.empty(most, np.bool_)
    kept = np.empty(width, np.int32)
    for node in range(dead.size):
        if linked[node] and not dead[node]:
            state[EPOCH] += 1
            repair(g, seen, state[EPOCH], node, base[node], base, g[ROWS], 0, dead, best, nodes, waits, kept)
            for layer in range(1, level[node] + 1):
                state[EPOCH] += 1
                row = upper[first[node] + layer - 1]
                repair(g, seen, state[EPOCH], node, row, upper, first, layer - 1, dead, best, nodes, waits, kept)
    for node in range(dead.size):
        if dead[node]:
            linked[node] = False
            base[node, :] = -1
            for layer in range(level[node]):
                upper[first[node] + layer, :] = -1
    if state[ENTRY] >= 0 and dead[state[ENTRY]]:
        state[ENTRY] = state[TOP] = -1
        for node in range(dead.size):
            if linked[node] and level[node] > state[TOP]:
                state[ENTRY], state[TOP] = node, level[node]


@bare
def search_one(g, state, q, hidden, seen, epoch, best, nodes, waits):
    """Fill best (ef,) and nodes (ef,) for one query (D,); return the last mark."""
    ef, size = nodes.size, 0
    at, epoch = descend(g, q, seen, epoch, state[ENTRY], state[TOP], 0, best, nodes, waits)
    epoch += 1
    for j in range(2):
        node = state[ENTRY] if j else np.int64(at)
        if seen[node] != epoch:
            seen[node] = epoch
            if offer(best, nodes, waits, size, closeness(g[X], g[HALF], q, node), node) < ef:
                size = min(size + 1, ef)
    size = search_layer(g[X], g[HALF], g[BASE], g[ROWS], 0, q, seen, epoch, best, nodes, waits, size)
    if hidden.size:
        shown = 0
        for j in range(size):
            if not hidden[nodes[j]]:
                best[shown], nodes[shown] = best[j], nodes[j]
                shown += 1
        size = shown
    nodes[size:], best[size:] = -1, 0
    return epoch


@parallel
def search_all(g, state, q, hidden, found, near):
    """Fill found (Q, ef) and near (Q, ef) for queries (Q, D), shared by the threads, each with marks of its own."""
    for block in prange((q.shape[0] + QUERIES - 1) // QUERIES):
        seen, waits, epoch = np.zeros(g[X].shape[0], np.int32), np.empty(found.shape[1], np.bool_), 0
        for i in range(block * QUERIES, min((block + 1) * QUERIES, q.shape[0])):
            epoch = search_one(g, state, q[i], hidden, seen, epoch, near[i], found[i], waits)


@compiled
def search_few(g, seen, state, q, hidden, found, near):
    """Do the same for a few queries with the marks of the graph: one query takes less time than waking a thread."""
    waits = np.empty(found.shape[1], np.bool_)
    for i in range(q.shape[0]):
        state[EPOCH] = search_one(g, state, q[i], hidden, seen, state[EPOCH], near[i], found[i], waits)


def insert(g, nodes, ef):
    """See ``tinyllm/kernels/graph.py``."""
    insert_all(g[: ROWS + 1], g.seen, g.state, nodes, ef)


def remove(g, dead):
    """See ``tinyllm/kernels/graph.py``."""
    remove_all(g[: ROWS + 1], g.seen, g.state, dead)


def search(g, q, hidden, found, near):
    """See ``tinyllm/kernels/graph.py``."""
    if len(q) <= QUERIES:  # which one thread would do anyway
        search_few(g[: ROWS + 1], g.seen, g.state, q, hidden, found, near)
    else:
        search_all(g[: ROWS + 1], g.state, q, hidden, found, near)
