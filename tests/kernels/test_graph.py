"""The graph of neighbors: machine code makes the same graph as the reference, and finds the same in it."""

from __future__ import annotations

import numpy as np
import pytest

from tinyllm.kernels import BACKENDS, use
from tinyllm.kernels.graph import ENTRY, SPARE, Graph, attach, insert, links, remove, search

NONE = np.zeros(0, bool)


def empty(x, M=2):
    """A graph for these vectors, every third node on layer 1, every ninth on layer 2."""
    N = len(x)
    level = np.array([(n % 3 == 0) + (n % 9 == 0) for n in range(N)], np.int8)
    return Graph(
        x=x,
        half=(x * x).sum(1) / 2,
        level=level,
        base=np.full((N, 2 * M), -1, np.int32),
        first=(np.cumsum(level) - level).astype(np.int32),
        upper=np.full((level.sum(), M), -1, np.int32),
        linked=np.zeros(N, bool),
        rows=np.arange(N, dtype=np.int32),
        seen=np.zeros(N, np.int32),
        state=np.array([-1, -1, 0]),
    )


def some(rng, N=80, D=5):
    """Vectors of whole numbers: their products are exact, in any order of adding up."""
    return rng.integers(-4, 5, (N, D)).astype(np.float32)


def played(x, backend, dead):
    g = empty(x)
    with use(backend):
        insert(g, np.arange(60), 8)
        remove(g, dead)
        insert(g, np.arange(60, 80), 8)
        return g, search(g, x[:20], 6, np.arange(80) % 7 == 3)


def test_both_back_ends_make_one_graph(rng):
    x, dead = some(rng), rng.permutation(80) < 25
    dead[[3, *range(60, 80)]] = False
    dead[0] = True  # the entry
    (g, found), (h, again) = (played(x, backend, dead) for backend in BACKENDS)
    for name in ("base", "upper", "linked"):
        assert (getattr(g, name) == getattr(h, name)).all(), name
    assert (g.state[:2] == h.state[:2]).all()
    assert (found[0] == again[0]).all() and (found[1] == again[1]).all()


@pytest.mark.parametrize("backend", BACKENDS)
def test_what_a_graph_must_be(rng, backend):
    x, dead = some(rng), np.arange(80) % 2 == 0
    dead[60:] = False
    g, (nodes, near) = played(x, backend, dead)
    assert (g.linked == ~dead).all()
    for node in range(80):
        for layer in range(g.level[node] + 1):
            row = links(g, node, layer)
            held = row[row >= 0]
            assert (row[held.size :] == -1).all() and len(set(held.tolist())) == held.size and node not in held
            assert not dead[held].any() and (g.level[held] >= layer).all()
            assert not dead[node] or not held.size
    assert g.linked[g.state[ENTRY]]
    for q, line, close in zip(x, nodes, near, strict=False):
        line, close = line[line >= 0], close[line >= 0]
        assert line.size and not (line % 7 == 3).any() and len(set(line.tolist())) == line.size
        assert close.tolist() == (x[line] @ q - g.half[line]).tolist() == sorted(close, reverse=True)


@pytest.mark.parametrize("backend", BACKENDS)
def test_an_empty_graph_and_one_emptied(rng, backend):
    x = some(rng, 10)
    g = empty(x)
    with use(backend):
        assert (search(g, x, 3, NONE)[0] == -1).all()
        insert(g, np.arange(10), 4)
        remove(g, np.ones(10, bool))
        assert (search(g, x, 3, NONE)[0] == -1).all()
        insert(g, np.array([4]), 4)
        assert search(g, x[:1], 3, NONE)[0].tolist() == [[4, -1, -1]]


def test_marks_begin_again_before_they_run_out(rng):
    x = some(rng)
    g, h = empty(x), empty(x)
    h.state[2] = SPARE
    h.seen[:] = SPARE + 1
    with use("numba"):
        for graph in (g, h):
            insert(graph, np.arange(80), 8)
    assert h.state[2] < SPARE and (g.base == h.base).all()


def test_attach(rng):
    g = empty(some(rng, 10))
    g.base[2] = [3, -1, -1, -1]
    attach(g, 5, np.array([5, 2, -1], np.int32))
    assert g.base[2].tolist() == [3, 5, -1, -1]
    g.base[2] = [3, 5, 6, 7]
    attach(g, 9, np.array([2, 4], np.int32))  # the first one with room
    assert g.base[4].tolist() == [9, -1, -1, -1] and g.base[2].tolist() == [3, 5, 6, 7]
    attach(g, 9, np.array([4, 2], np.int32))  # 4 has that link, 2 no room: its last one gives way
    assert g.base[2].tolist() == [3, 5, 6, 9]
    attach(g, 9, np.array([2], np.int32))
    assert g.base[2].tolist() == [3, 5, 6, 9] and (g.base[4:, 1:] == -1).all()


def test_one_query_finds_what_many_do_at_once(rng):
    """Few queries share the marks of the graph, many have marks of their own; both find the same to the last bit."""
    x = rng.standard_normal((80, 37)).astype(np.float32)
    g, hidden = empty(x, M=4), np.arange(80) % 7 == 3
    with use("numba"):
        insert(g, np.arange(80), 8)
        for some_hidden in (NONE, hidden):
            nodes, near = search(g, x, 6, some_hidden)
            for q, line, close in zip(x, nodes, near, strict=True):
                alone = search(g, q[None], 6, some_hidden)
                assert (alone[0] == line).all() and (alone[1] == close).all()
            few = search(g, x[:5], 6, some_hidden)
            assert (few[0] == nodes[:5]).all() and (few[1] == near[:5]).all()


def test_marks_of_searches_begin_again(rng):
    x = some(rng)
    g = empty(x)
    with use("numba"):
        insert(g, np.arange(80), 8)
        found = search(g, x[:3], 6, NONE)
        g.state[2] = SPARE - 3
        g.seen[:] = SPARE - 2  # a mark that the next search would take for its own
        again = search(g, x[:3], 6, NONE)
    assert g.state[2] < SPARE - 3 and (found[0] == again[0]).all()
