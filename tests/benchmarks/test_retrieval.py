"""Search in words and in vectors, and measuring rankings: the cases, what is done in each, and the rows."""

from __future__ import annotations

import argparse

import numpy as np
import pytest

from tinyllm import kernels

ARGS = argparse.Namespace(tiny=True, quick=False, peers="none", only=None)


@pytest.fixture(autouse=True)
def numpy_kernels():
    with kernels.use("numpy"):
        yield


def test_every_case_of_words_gives_the_same_scores(load, tmp_path):
    bm25 = load("retrieval_bm25")
    cases = bm25.cases(ARGS, tmp_path)
    assert len({case["name"] for case in cases}) == len(cases) == 6
    *found, nothing = [bm25.prepare("tinyllm", case)["tinyllm"].run() for case in cases]
    assert nothing is None and found[0].shape == (10,) and (np.diff(found[0]) <= 0).all()
    assert all((scores == found[0]).all() for scores in found)
    with pytest.raises(load("turns").LeftOut):
        bm25.prepare("nobody", cases[0])


def test_exact_search_gives_what_numpys_does_and_metrics_are_means(load):
    index = load("retrieval_index")
    many, one, *_, metrics = index.cases(ARGS)
    for case in (many, one):
        ours, theirs = (index.prepare(name, case)[name].run() for name in ("tinyllm", "numpy"))
        np.testing.assert_allclose(np.atleast_2d(ours), theirs, rtol=1e-5)
    (means,) = index.prepare("tinyllm", metrics)["tinyllm"].run()
    assert len(means) == len(index.METRICS) and all(0 < mean < 1 for mean in means)
    with pytest.raises(load("turns").LeftOut):
        index.prepare("nobody", many)


def test_recall_is_a_share_of_the_best(load, monkeypatch):
    index = load("retrieval_index")
    x, q = index.vectors(40, 8, 5)
    best = (-(q @ x.T)).argsort(axis=1)[:, :10]
    assert index.recall("tinyllm", x, q, best) == 100
    assert index.recall("tinyllm", x, q, (best + 20) % 40) < 90

    def missing(name, x):
        raise ImportError(name)

    monkeypatch.setattr(index, "graph", missing)
    assert index.recall("hnswlib", x, q, best) is None


@pytest.mark.parametrize(("name", "only"), [("retrieval_bm25", "the first"), ("retrieval_index", "metrics")])
def test_their_command_lines(tiny, name, only):
    first, *more = tiny(name, "--peers=none", f"--only={only}")["rows"]
    assert only in first["case"] and first["ours"] > 0 and first["peer"] is None
    assert [row["unit"] for row in more] == (["ms"] if name == "retrieval_index" else [])


def test_growth_measures_every_kind_of_index(load):
    growth = load("retrieval_growth")
    for kind in growth.KINDS:
        found = growth.measured({"kind": kind, "N": 60, "D": 8})
        assert all(found[name] >= 0 for name in growth.FIGURES) and found["filled"] > 0
        assert ("found" in found) == (kind in ("IVF", "HNSW")) and found.get("found", 1) > 0.9


def test_what_is_searched_in_is_of_the_right_size(load):
    growth = load("retrieval_growth")
    few, many = (np.concatenate(list(growth.vectors(n, 8))) for n in (10, 10_010))
    assert few.shape == (10, 8) and many.shape == (10_010, 8)
    np.testing.assert_allclose(np.linalg.norm(many, axis=1), 1, rtol=1e-5)
    (text, *_) = growth.documents(3, 7)
    assert len(list(text)) == 7 and set(text) <= set(growth.WRITTEN)


def test_what_would_take_too_long_or_too_much_is_foreseen(load):
    foreseen = load("retrieval_growth").foreseen
    assert foreseen(1000, {}) == (0, 0)
    one = {1000: {"seconds": 1.0, "peak": 10.0}}
    assert foreseen(3000, one) == pytest.approx((3, 30))
    both = {**one, 2000: {"seconds": 16.0, "peak": 11.0}}
    assert foreseen(4000, both) == pytest.approx((64, 22))  # as the square at most, in proportion at least


def test_growth_is_reported_line_by_line(tiny, load):
    found = tiny("retrieval_growth", "--only=Flat int8")
    assert [row["N"] for row in found["rows"] if row["case"].endswith("memory")] == [50, 100]
    assert {line["line"] for line in found["slopes"]} >= {"filled", "a query"}
    figures, growth = load("figures"), load("retrieval_growth")
    assert set(growth.KINDS) <= set(figures.LOOKS) and len(growth.FIGURES) <= figures.MOST_LINES
    assert [figures.short(n) for n in (4096, 30_000, 1_000_000)] == ["4096", "30k", "1M"]
