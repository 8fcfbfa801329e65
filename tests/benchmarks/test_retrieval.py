"""Search in words and in vectors, and measuring rankings: the cases, what is done in each, and the rows."""

from __future__ import annotations

import argparse
import json

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


# the table of targets


def test_speeds_are_held_against_the_fastest_peer(load):
    speed = load("retrieval").speed
    rows = [{"case": "a query", "unit": "s", "ours": 0.5, "peer": name, "peer_seconds": t} for name, t in
            (("slow", 4.0), ("fast", 0.4), ("other", 0.1))]  # fmt: skip
    found = speed(rows, "query", 1.0, "queries", 10, ("slow", "fast"))
    assert (found["ours"], found["peer"], found["peer_seconds"], found["reached"]) == (20, "fast", 25, False)
    assert speed(rows, "query", 0.5, "queries", 10, ("slow", "fast"))["reached"] is True
    alone = speed([{**rows[0], "peer": None, "peer_seconds": None}], "query", 1.0, "queries")
    assert alone["reached"] is None and alone["peer"] is None


def test_what_is_live_is_not_taken_for_what_is_kept(load, monkeypatch):
    """Kept weights are held against the peer, though the live rows have the peer's faster moment."""
    retrieval = load("retrieval")
    base = {"peer": "bm25s", "peer_seconds": 3.0}
    rows = [
        {**base, "case": "30 queries at once, of 60 documents", "ours": 1.0},
        {**base, "case": "30 queries, one by one", "ours": 2.0},
        {**base, "case": "30 queries, one by one, live", "ours": 9.0, "peer_seconds": 2.9},
        {**base, "case": "a change and a query", "ours": 1.0},
    ]
    monkeypatch.setattr(retrieval, "part", lambda name, args: rows)
    assert [row["ours"] for row in retrieval.bm25(argparse.Namespace())] == [30, 15, 1]


def test_a_line_of_the_table_says_it_all(load):
    checks, line_of = load("retrieval_checks"), load("retrieval").line_of
    line = line_of(checks.target("exact", ">= 1 x", 4000.0, "a second", True, "faiss", 2000.0, "of 1,000"))
    assert line.split() == ["exact", ">=", "1", "x", "4,000", "a", "second", "faiss", "2,000", "2.00", "x", "reached",
                            "of", "1,000"]  # fmt: skip
    assert "NOT reached" in line_of(checks.target("exact", "all", 0.5, "share", False))


def test_planted_quotes_are_planted(load):
    """Every way of planting gives quotes that are not there, and the verifier says so; true ones are no alarm."""
    checks = load("retrieval_checks")
    from tinyllm.rag.evaluate import load as collection

    caught, alarms = checks.citations(collection("toy").documents, count=40)
    assert (caught["ours"], caught["reached"], alarms["ours"], alarms["reached"]) == (40, True, 0, True)


def test_a_verifier_that_believes_everything_is_seen(load, monkeypatch):
    checks = load("retrieval_checks")
    from tinyllm.rag import answer
    from tinyllm.rag.evaluate import load as collection

    class Believed:
        verdict = "supported"

    monkeypatch.setattr(answer, "verify", lambda claims, chunks: [Believed() for _ in claims])
    caught, _ = checks.citations(collection("toy").documents, count=20)
    assert caught["ours"] == 0 and caught["reached"] is False


def test_vectors_that_were_lost_are_counted(load, monkeypatch):
    checks = load("retrieval_checks")
    (row,) = checks.found_after_changes(60)
    assert (row["ours"], row["reached"]) == (0, True) and "of 30 after" in row["case"]
    from tinyllm.rag.index import HNSW

    monkeypatch.setattr(HNSW, "search", lambda self, q, k: ([["v0"]] * len(q), None))
    (row,) = checks.found_after_changes(60)
    assert row["ours"] >= 29 and row["reached"] is False


def test_ladders_become_rows(load):
    checks = load("retrieval_checks")
    from tinyllm.rag.evaluate import load as collection

    toy = collection("toy")
    assert all(grade in (0, 1) for grades in checks.binary(toy).qrels.values() for grade in grades.values())
    (name, scores, seconds), *rest = checks.climbed(toy, ["substring", "bm25"])
    assert name == "substring" and scores.keys() == toy.queries.keys() and seconds > 0 and len(rest) == 1


def test_the_table_names_what_is_missing_and_what_was_missed(load, monkeypatch, capsys):
    retrieval, checks = load("retrieval"), load("retrieval_checks")

    def absent(args):
        raise checks.Missing("it is not here")

    def uninstalled(args):
        raise ImportError(name="peer")

    rows = [checks.target("one", "all", 1.0, "share", True), checks.target("two", "all", 0.5, "share", False)]
    parts = {"measured": lambda args: rows, "absent": absent, "uninstalled": uninstalled}
    monkeypatch.setattr(retrieval, "PARTS", parts)
    monkeypatch.setattr("sys.argv", ["retrieval.py", "--json"])
    with pytest.raises(SystemExit) as stop:
        retrieval.main()
    told = capsys.readouterr()
    assert stop.value.code == 1 and "1 reached, 1 missed" in told.err
    assert {one["name"]: one["why"] for one in json.loads(told.out)["left_out"]} == {
        "absent": "it is not here", "uninstalled": "peer is not installed",
    }  # fmt: skip


def test_parts_that_fail_are_named(load, monkeypatch):
    retrieval = load("retrieval")
    args = argparse.Namespace(tiny=True, quick=False, threads=1, peers="none", parts={})
    with pytest.raises(load("retrieval_checks").Missing, match="failed"):
        retrieval.part("retrieval_bm25", args, "--only=nothing like it")
