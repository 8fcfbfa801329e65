from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinyllm.errors import ConfigError, DataError
from tinyllm.rag.evaluate.collections import Collection, load
from tinyllm.rag.evaluate.splits import grouped_split, groups, leak_report, near_duplicates, purge, relevant
from tinyllm.rag.types import Document

HALVES = {"train": 0.5, "test": 0.5}


def make(judged: dict[str, tuple[str, dict[str, int]]], count: int = 30) -> Collection:
    documents = {f"d{place}": Document(f"d{place}", f"text {place}") for place in range(count)}
    queries = {query: text for query, (text, _) in judged.items()}
    return Collection("made", documents, queries, {query: grades for query, (_, grades) in judged.items()})


SMALL = make(
    {
        "a": ("red apples", {"d0": 1, "d1": 1}),
        "b": ("wide rivers", {"d1": 2}),
        "c": ("deep seas", {"d2": 1, "d0": 0}),  # judged irrelevant: nothing shared
        "d": ("seas, so deep", {"d3": 1}),
        "e": ("tall trees", {"d4": 1}),
    }
)


def test_groups_by_hand():
    assert groups(SMALL) == [["a", "b"], ["c", "d"], ["e"]]
    assert groups(SMALL, by="queries") == [["c", "d"], ["a"], ["b"], ["e"]]
    assert groups(SMALL, threshold=0.9) == [["a", "b"], ["c"], ["d"], ["e"]]


def test_groups_join_over_several_queries():
    chain = make({str(n): (f"word{n}", {f"d{n}": 1, f"d{n + 1}": 1}) for n in range(6)})
    assert groups(chain) == [[str(n) for n in range(6)]]


@given(
    st.lists(st.lists(st.sampled_from("abcdefgh"), max_size=5), min_size=1, max_size=12), st.sampled_from([0.3, 0.5, 1])
)
def test_near_duplicates_are_those_of_the_definition(texts, threshold):
    sets = [set(words) for words in texts]
    found = near_duplicates([" ".join(words) for words in texts], threshold=threshold).tolist()
    slow = [
        [i, j]
        for i in range(len(sets))
        for j in range(i + 1, len(sets))
        if sets[i] & sets[j] and len(sets[i] & sets[j]) / len(sets[i] | sets[j]) >= threshold - 1e-9
    ]
    assert found == slow


def test_near_duplicates_fold_letters_and_widths():
    assert near_duplicates(["Straße"], ["STRASSE", "ｓｔｒａｓｓｅ", "road"], 1).tolist() == [[0, 0], [0, 1]]
    assert near_duplicates([], []).shape == (0, 2)


@pytest.mark.parametrize("by", ["documents", "queries"])
@pytest.mark.parametrize("seed", range(5))
def test_a_split_tears_no_group(by, seed):
    rng = np.random.default_rng(seed)
    judged = {f"q{n}": (f"w{n} w{rng.integers(60)}", {f"d{rng.integers(200)}": 1}) for n in range(100)}
    whole = make(judged, 200)
    parts = grouped_split(whole, by=by, seed=seed)
    assert sorted(query for part in parts.values() for query in part.queries) == sorted(whole.queries)
    sizes = {name: len(part.queries) for name, part in parts.items()}
    assert all(abs(sizes[name] - size) <= 3 for name, size in (("train", 60), ("dev", 20), ("test", 20))), sizes
    for group in groups(whole, by):
        assert sum(bool(set(group) & part.queries.keys()) for part in parts.values()) == 1
    if by == "documents":
        assert not leak_report(parts["train"], parts["test"]).leaks
        assert not relevant(parts["train"]) & relevant(parts["test"])
    assert {name: list(part.queries) for name, part in grouped_split(whole, by=by, seed=seed).items()} == {
        name: list(part.queries) for name, part in parts.items()
    }


def test_a_giant_group_is_refused_with_advice():
    dense = make({f"q{n}": (f"word{n}", {"d0": 1, f"d{n}": 1}) for n in range(10)})
    with pytest.raises(DataError, match=r"one group holds 10 of 10 queries.*purge"):
        grouped_split(dense, HALVES)
    parts = grouped_split(dense, HALVES, by="queries")
    assert leak_report(parts["train"], parts["test"]).shared
    purged = purge(parts["train"], parts["test"])
    assert not leak_report(purged, parts["test"]).shared
    assert "d0" not in purged.documents and all("d0" not in grades for grades in purged.qrels.values())
    assert set(parts["test"].documents) == set(dense.documents)  # what is measured on stays whole


def test_purge_drops_queries_that_lost_everything():
    train, held = SMALL.take(["a", "b", "c"]), SMALL.take(["b"])
    assert {query: dict(grades) for query, grades in purge(train, held).qrels.items()} == {
        "a": {"d0": 1}, "c": {"d2": 1, "d0": 0},
    }  # fmt: skip
    with pytest.raises(DataError, match="nothing is left"):
        purge(SMALL.take(["b"]), SMALL.take(["a"]))


def test_leak_report():
    train, test = SMALL.take(["a", "c"]), SMALL.take(["b", "d", "e"])
    report = leak_report(train, test, {"b": 0.9, "d": 0.6, "e": 0.3}, threshold=0.6)
    assert (report.shared, report.near, report.clean) == (("b",), ("d",), ("e",)) and report.leaks
    assert report.mean == pytest.approx(0.6) and report.clean_mean == pytest.approx(0.3)
    assert "1 of 3 test queries share" in str(report) and "0.600 on all, 0.300 on the clean ones" in str(report)
    assert "none is clean" in str(leak_report(train, SMALL.take(["b"]), {"b": 1.0}))
    with pytest.raises(DataError, match="no score for query 'e'"):
        leak_report(train, test, {"b": 0.9, "d": 0.6})


def test_bad_input():
    for shares in ({}, {"a": 0.5}, {"a": 1.5, "b": -0.5}):
        with pytest.raises(ConfigError):
            grouped_split(SMALL, shares)
    with pytest.raises(ConfigError):
        groups(SMALL, by="luck")
    with pytest.raises(ConfigError):
        near_duplicates(["a"], threshold=0)
    with pytest.raises(DataError, match="nothing left for"):
        grouped_split(make({"a": ("x", {"d1": 1}), "b": ("y", {"d2": 1})}))


def test_scifact_leaks(data_file):
    folder = data_file("collections/scifact/scifact.zip").parent
    train, test = load("scifact", folder, split="train"), load("scifact", folder, split="test")
    report = leak_report(train, test)
    assert (len(report.shared), len(report.near), len(report.clean)) == (196, 69, 103)


def test_cranfield_has_one_giant_group(data_file):
    cranfield = load("cranfield", data_file("collections/cranfield/cran.qry").parent)
    assert len(groups(cranfield)[0]) == 174
    with pytest.raises(DataError, match="174 of 225"):
        grouped_split(cranfield)
    parts = grouped_split(cranfield, by="queries")
    purged = purge(parts["train"], parts["test"])
    assert leak_report(parts["train"], parts["test"]).shared and not leak_report(purged, parts["test"]).leaks
