"""The graph index beyond the contract of all: nobody gets lost, one seed one graph, settings are kept."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tinyllm import kernels
from tinyllm.errors import ConfigError
from tinyllm.rag.index import HNSW, Flat, hnsw


def names(*numbers):
    return [str(n) for n in numbers]


def unit(x):
    x = np.asarray(x, np.float64)
    return x / np.maximum(np.linalg.norm(x, axis=-1, keepdims=True), 1e-300)


def all_found(index, now):
    """Every vector is the first hit of its own search with 64 candidates, or one as close, up to rounding, is."""
    index.ef = hnsw.CHECKED
    x = unit(list(now.values()))
    found, scores = index.search(list(now.values()), 1)
    first = unit([now[line[0]] for line in found])
    assert sorted(now) == sorted(index.ids)
    np.testing.assert_allclose(scores[:, 0], (first * x).sum(1), atol=1e-6)
    return bool(((first * x).sum(1) >= (x * x).sum(1) - 1e-6).all())


@pytest.fixture
def few(monkeypatch):
    """A graph of few vectors, and few that wait beside it."""
    monkeypatch.setattr(hnsw, "FEW", 4)
    monkeypatch.setattr(hnsw, "WAITING", 1)


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@example(seed=1140, history=[("both", 60), ("add", 1), ("add", 1), ("add", 52), ("add", 46)], dim=8, whole=False)
@given(
    seed=st.integers(0, 2**32 - 1),
    history=st.lists(st.tuples(st.sampled_from(["add", "remove", "both"]), st.integers(1, 60)), min_size=1, max_size=6),
    dim=st.sampled_from([1, 2, 8]),
    whole=st.booleans(),
)
def test_after_any_history_every_vector_finds_itself(few, seed, history, dim, whole):
    rng = np.random.default_rng(seed)
    now: dict[str, np.ndarray] = {}
    with kernels.use("numpy"):
        index = HNSW(M=2, ef_construction=4)
        for what, count in history:
            if what != "remove":
                chosen = names(*rng.permutation(150)[:count])
                x = rng.integers(-1, 2, (count, dim)) if whole else rng.standard_normal((count, dim))
                index.add(chosen, x)
                now |= dict(zip(chosen, x, strict=True))
            if what != "add":
                gone = [index.ids[n] for n in rng.permutation(len(index.ids))[:count]]
                index.remove(gone)
                now = {name: x for name, x in now.items() if name not in gone}
            assert len(index) == len(now)
            assert not now or all_found(index, now)


def test_half_of_ten_thousand_removed_and_a_third_replaced(rng):
    """With machine code, in calls of many and of one, and every vector is searched for after each of them."""
    x = rng.standard_normal((10_000, 12)).astype(np.float32)
    index, now = HNSW(M=6, ef_construction=24), dict(zip(names(*range(10_000)), x, strict=True))
    index.add(list(now), x)
    assert index._nodes == 10_000 and all_found(index, now)
    order = names(*rng.permutation(10_000))
    for some in (order[:1], order[1:500], order[500:5000]):
        index.remove(some)
        now = {name: v for name, v in now.items() if name not in set(some)}
        assert all_found(index, now)
    again = order[3500:6500]  # half of them removed before
    new = rng.standard_normal((3000, 12)).astype(np.float32)
    for some in (slice(0, 1), slice(1, 700), slice(700, 3000)):
        index.add(again[some], new[some])
        now |= dict(zip(again[some], new[some], strict=True))
        assert all_found(index, now)
    assert len(index) == 6500 and len(index.check()) < 10 and all_found(index, now)
    exact, q = Flat(), rng.standard_normal((100, 12))
    exact.add(index.ids, [now[name] for name in index.ids])
    found, best = index.search(q, 10)[0], exact.search(q, 10)[0]
    assert np.mean([len(set(a) & set(b)) / 10 for a, b in zip(found, best, strict=True)]) > 0.95


@pytest.mark.parametrize("ef", [12, 400])
def test_what_waits_is_found_and_what_went_is_not(rng, few, ef):
    """Between two makings of the graph: new ones, replaced ones and removed ones, in searches of every kind."""
    with kernels.use("numpy"):
        index, exact, x = HNSW(M=6, ef_construction=16, ef=ef), Flat(), rng.standard_normal((400, 4))
        for one in (index, exact):
            one.add(names(*range(390)), x[:390])
        graph = index._g
        for one in (index, exact):
            one.add(names(*range(390, 396)), x[390:396])
            one.add(names(5, 6, 7), x[396:399])
            one.remove(names(7, 8, 9, 391))
            one.add(names(8), x[399:])
        assert index._g is graph and index._nodes == 390 and set(index._replaced) == {5, 6}
        np.testing.assert_allclose(index._rows.data[5], unit(x[5]), atol=1e-6)  # the graph's node stays where it was
        for q in (x[:50], x[390:], x[5:9]):
            for allow in (None, names(*range(3, 11), 393), names(*range(2, 400, 2))):
                ids, scores = index.search(q, 9, allow=allow)
                wanted, best = exact.search(q, 9, allow=allow)
                assert np.mean([len(set(a) & set(b)) / len(b) for a, b in zip(ids, wanted, strict=True)]) > 0.97
                np.testing.assert_allclose(scores[:, 0], best[:, 0], atol=1e-5)
                assert index.search(q[0], 9, allow=allow)[0] == ids[0]
        assert index.ids == exact.ids
        index.check()
        assert index._nodes == len(index) and not index._replaced
        assert index.search(x[396:], 1)[0] == exact.search(x[396:], 1)[0]


def test_one_seed_one_graph(rng, few):
    x = rng.standard_normal((300, 6))
    graphs = []
    for seed in (1, 1, 2):
        index = HNSW(M=3, ef_construction=8, seed=seed)
        index.add(names(*range(200)), x[:200])
        index.remove(names(*range(0, 90, 2)))
        index.add(names(*range(150, 300)), x[150:])
        graphs.append(index._g)
    assert (graphs[0].base == graphs[1].base).all() and (graphs[0].upper == graphs[1].upper).all()
    assert graphs[0].level.tolist() != graphs[2].level.tolist()


def test_settings_survive_a_file(rng, tmp_path, few):
    index = HNSW(M=5, ef_construction=9, ef=77, seed=4)
    index.add(names(*range(200)), rng.standard_normal((200, 4)))
    index.save(tmp_path / "index")
    again = HNSW.load(tmp_path / "index")
    assert (again.M, again.ef_construction, again.ef, again.seed) == (5, 9, 77, 4)
    x = rng.standard_normal((30, 4))
    for one in (index, again):
        one.add(names(*range(190, 220)), x)
    assert (index._g.base == again._g.base).all()


def test_a_filter_that_leaves_few_is_exact_and_one_that_leaves_many_is_full(rng, monkeypatch):
    monkeypatch.setattr(hnsw, "FEW", 20)
    index, exact, x = HNSW(M=4, ef_construction=20, ef=16), Flat(), rng.standard_normal((400, 8))
    for one in (index, exact):
        one.add(names(*range(400)), x)
    for allowed in (range(15), range(0, 400, 2), range(200, 390)):
        ids, scores = index.search(x[:10], 12, allow=names(*allowed))
        best = exact.search(x[:10], 12, allow=names(*allowed))[0]
        assert all(len(line) == 12 and set(map(int, line)) <= set(allowed) for line in ids)
        assert (np.diff(scores, axis=1) <= 0).all()
        share = np.mean([len(set(a) & set(b)) / 12 for a, b in zip(ids, best, strict=True)])
        assert share == 1 if len(allowed) == 15 else share > 0.8


def test_who_is_lost_is_looked_at_by_every_search(monkeypatch, few):
    """With no round of linking at all."""
    monkeypatch.setattr(hnsw, "ROUNDS", 0)
    x = np.random.default_rng(3).standard_normal((120, 8))
    with kernels.use("numpy"):
        index = HNSW(M=2, ef_construction=2)
        index.add(names(*range(120)), x)
        index._g.base[index._g.base == 50] = -1  # nobody links to 50 any more
        assert "50" in index.check() and all_found(index, dict(zip(names(*range(120)), x, strict=True)))
        assert index.search(x[50], 1)[0] == ["50"] and index.search(x[50:51], 3)[0][0].count("50") == 1
        index.remove(["50"])
        assert "50" not in index.search(x[50], 200)[0]


def test_few_vectors_have_no_graph(monkeypatch, rng):
    monkeypatch.setattr(hnsw, "FEW", 20)
    monkeypatch.setattr(hnsw, "WAITING", 1)
    with kernels.use("numpy"):
        index, exact, x = HNSW(M=2, ef_construction=2, ef=1), Flat(), rng.standard_normal((60, 8))
        for one in (index, exact):
            one.add(names(*range(20)), x[:20])
        assert index._nodes == 0 and index.search(x, 5)[0] == exact.search(x, 5)[0]
        index.add(names(*range(20, 60)), x[20:])
        assert index._nodes == 60
        index.remove(names(*range(20, 60)))
        assert index._nodes == 0 and index.search(x, 5)[0] == exact.search(x, 5)[0]


def test_settings_are_checked():
    for wrong in ({"M": 1}, {"ef_construction": 0}, {"ef": 2.5}, {"seed": -1}, {"M": True}):
        with pytest.raises(ConfigError, match=next(iter(wrong))):
            HNSW(**wrong)
