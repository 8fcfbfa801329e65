"""The graph index beyond the contract of all: nobody gets lost, one seed one graph, settings are kept."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tinyllm import kernels
from tinyllm.errors import ConfigError
from tinyllm.rag.index import HNSW, Flat, hnsw


def names(*numbers):
    return [str(n) for n in numbers]


def all_found(index):
    """Every live vector, or an equal one, is found by the graph itself, with 64 candidates."""
    rows = np.flatnonzero(index._g.linked)
    return not index._search_for(rows)[1].any() if rows.size else not len(index)


@settings(max_examples=15)
@example(seed=1140, history=[("both", 60), ("add", 1), ("add", 1), ("add", 52), ("add", 46)], dim=8, whole=False)
@given(
    seed=st.integers(0, 2**32 - 1),
    history=st.lists(st.tuples(st.sampled_from(["add", "remove", "both"]), st.integers(1, 60)), min_size=1, max_size=5),
    dim=st.sampled_from([1, 2, 8]),
    whole=st.booleans(),
)
def test_after_any_history_every_vector_finds_itself(seed, history, dim, whole):
    rng = np.random.default_rng(seed)
    now: dict[str, np.ndarray] = {}
    with kernels.use("numpy"):
        index = HNSW(M=2, ef_construction=4, ef=4)
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
            assert len(index) == index._g.linked.sum() == len(now)
        # every vector finds itself after a check of all, which runs by itself whenever a quarter has changed; in
        # between, one in thousands may have to wait for it, as in the history above
        assert index.check() == [] and all_found(index)


def test_half_removed_and_a_third_replaced(rng):
    """With machine code, and more vectors than the 64 candidates."""
    index, x = HNSW(M=4, ef_construction=16), rng.standard_normal((600, 12)).astype(np.float32)
    index.add(names(*range(600)), x)
    gone = rng.permutation(600)[:300]
    index.remove(names(*gone))
    again = rng.permutation(600)[:180]
    x[again] = rng.standard_normal((180, 12))
    index.add(names(*again), x[again])
    held = sorted(set(range(600)) - set(gone.tolist()) | set(again.tolist()))
    assert sorted(map(int, index.ids)) == held and all_found(index) and index.check() == []
    exact = Flat()
    exact.add(names(*held), x[held])
    q = rng.standard_normal((50, 12))
    found, best = index.search(q, 10)[0], exact.search(q, 10)[0]
    assert np.mean([len(set(a) & set(b)) / 10 for a, b in zip(found, best, strict=True)]) > 0.9


def test_one_seed_one_graph(rng):
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


def test_settings_survive_a_file(rng, tmp_path):
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


def test_strays_are_found(rng, monkeypatch):
    """With no round of linking at all, who is lost is a stray, and every search finds it."""
    monkeypatch.setattr(hnsw, "ROUNDS", 0)
    with kernels.use("numpy"):
        index = HNSW(M=2, ef_construction=2, ef=4)
        index.add(names(*range(120)), np.random.default_rng(3).standard_normal((120, 8)))
        index._g.base[index._g.base == 50] = -1  # nobody links to 50 any more
        assert index.check().count("50") == 1 and all_found(index)
        assert index.search(index._g.x[50], 1)[0] == ["50"]
        index.remove(["50"])
        assert all_found(index)


def test_settings_are_checked():
    for wrong in ({"M": 1}, {"ef_construction": 0}, {"ef": 2.5}, {"seed": -1}, {"M": True}):
        with pytest.raises(ConfigError, match=next(iter(wrong))):
            HNSW(**wrong)
