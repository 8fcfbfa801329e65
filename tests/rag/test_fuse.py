"""Fusion beside sums that are written out, and what must hold for any lists."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinyllm.errors import ConfigError, DataError
from tinyllm.rag import RRF, Collection, Convex, Document, Lexical, Naive, Whole, hybrid
from tinyllm.rag.fuse import Only, lists_for, min_max
from tinyllm.rag.types import Chunk, Hit


def hits(scores, name="a"):
    """Hits of one retriever from chunk -> score, in the order given."""
    return [
        Hit(Chunk(chunk, chunk.split(":")[0], "", 0, 0), score, rank, {name: score})
        for rank, (chunk, score) in enumerate(scores.items(), start=1)
    ]


def ranked(names, name="a"):
    return hits({chunk: 1.0 - rank / 1000 for rank, chunk in enumerate(names)}, name)


def order(found):
    return [hit.chunk.id for hit in found]


names = st.lists(st.sampled_from([f"{letter}:0" for letter in "abcdefgh"]), unique=True, max_size=8)
lists = st.lists(names, min_size=1, max_size=4)
scored = st.dictionaries(st.sampled_from([f"{x}:0" for x in "abcdef"]), st.integers(-20, 20), max_size=6).map(
    lambda found: dict(sorted(found.items(), key=lambda pair: -pair[1]))
)
alphas = st.floats(0, 1)


@given(lists, st.integers(1, 10), st.integers(1, 100))
def test_rrf_is_its_formula(found, k, constant):
    fused = RRF(constant)([ranked(each, f"list {n}") for n, each in enumerate(found)], k)
    expected = {}
    for each in found:
        for place, chunk in enumerate(each):
            expected[chunk] = expected.get(chunk, 0) + 1 / (constant + place + 1)
    assert len(fused) == min(k, len(expected)) and [hit.rank for hit in fused] == list(range(1, len(fused) + 1))
    for hit in fused:
        assert hit.score == pytest.approx(expected.pop(hit.chunk.id), rel=1e-12) == hit.parts["rrf"]
        assert set(hit.parts) - {"rrf"} == {f"list {n}" for n, each in enumerate(found) if hit.chunk.id in each}
    assert all(one.score >= other.score for one, other in pairwise(fused))
    assert all(left <= fused[-1].score * (1 + 1e-12) for left in expected.values()) or not fused


@given(names)
def test_rrf_of_one_list_is_that_list(found):
    assert order(RRF()([ranked(found)], 10)) == found == order(RRF()([ranked(found)] * 3, 10))


@given(lists, st.integers(1, 5))
def test_rrf_ends_at_its_depth(found, depth):
    cut = RRF(depth=depth)([ranked(each) for each in found], 10)
    assert order(cut) == order(RRF()([ranked(each[:depth]) for each in found], 10))


def test_ties_go_by_the_first_list_then_by_the_second():
    first, second = ranked(["a", "b"]), ranked(["b", "a"])
    assert order(RRF()([first, second], 2)) == ["a", "b"] and order(RRF()([second, first], 2)) == ["b", "a"]
    assert order(RRF()([ranked(["a"]), ranked(["b"])], 2)) == ["a", "b"]  # absent from the first comes after
    assert order(RRF()([ranked(["b"]), ranked(["a"])], 2)) == ["b", "a"]
    three = [ranked(["x", "y"]), ranked(["y", "z"]), ranked(["z", "x"])]  # each once first and once second
    assert order(RRF()(three, 3)) == ["x", "y", "z"] and len({hit.score for hit in RRF()(three, 3)}) == 1
    assert order(Convex(0.5)([hits({"a": 2.0, "b": 1.0}), hits({"b": 9.0, "a": 3.0})], 2)) == ["a", "b"]


def test_weights():
    first, second = ranked(["a", "b"]), ranked(["b", "a"])
    assert order(RRF(weights=[1, 2])([first, second], 2)) == ["b", "a"]
    assert RRF(weights=[1, 2])([first, second], 2)[0].score == pytest.approx(1 / 62 + 2 / 61)


@given(scored, scored, alphas, st.integers(1, 10))
def test_convex_is_its_formula(first, second, alpha, k):
    def scale(found):
        low, high = min(found.values(), default=0), max(found.values(), default=0)
        return {chunk: (score - low) / (high - low) if high > low else 0 for chunk, score in found.items()}

    fused = Convex(alpha)([hits(first, "a"), hits(second, "b")], k)
    one, other = scale(first), scale(second)
    expected = {c: alpha * one.get(c, 0) + (1 - alpha) * other.get(c, 0) for c in {**one, **other}}
    assert len(fused) == min(k, len(expected))
    assert all(hit.score == pytest.approx(expected[hit.chunk.id], abs=1e-12) for hit in fused)
    assert all(0 <= hit.score <= 1 for hit in fused) and all(a.score >= b.score for a, b in pairwise(fused))


@given(scored, scored, alphas, st.floats(0.1, 100), st.floats(-50, 50))
def test_convex_forgets_scale_and_shift(first, second, alpha, scale, shift):
    moved = {chunk: score * scale + shift for chunk, score in second.items()}
    one, other = (Convex(alpha)([hits(first), hits(each)], 10) for each in (second, moved))
    scores = {hit.chunk.id: hit.score for hit in other}
    assert len(one) == len(other)
    assert all(scores[hit.chunk.id] == pytest.approx(hit.score, abs=1e-9) for hit in one)


def test_a_constant_list_says_nothing():
    flat, other = hits({"a": 3.0, "b": 3.0, "c": 3.0}), hits({"c": 2.0, "b": 1.0})
    fused = Convex(0.5)([flat, other], 3)
    assert [(hit.chunk.id, hit.score) for hit in fused] == [("c", 0.5), ("a", 0.0), ("b", 0.0)]
    assert [hit.score for hit in Convex(0.5)([flat, []], 3)] == [0, 0, 0]
    assert [hit.score for hit in Convex(0.5)([hits({"a": 7.0}), []], 3)] == [0]  # a single hit is constant as well


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), max_size=6))
def test_min_max_stays_within(values):
    scaled = min_max(values)
    assert np.isfinite(scaled).all() and ((scaled >= 0) & (scaled <= 1)).all()
    if len(set(values)) > 1:
        assert scaled[int(np.argmax(values))] == 1 and scaled[int(np.argmin(values))] == 0


def queries():
    """Four queries: the first list is right about q0 and q1, the second about q2, and about q3 only both are."""
    good, bad = {"x": 9.0, "y": 1.0, "z": 0.0}, {"y": 9.0, "z": 8.0, "x": 0.0}
    found = {f"q{n}": [hits(good if n < 2 else bad), hits(good if n == 2 else bad)] for n in range(3)}
    found["q3"] = [hits({"y": 9.0, "x": 8.0, "z": 0.0}), hits({"z": 9.0, "x": 8.0, "y": 0.0})]
    return found, {query: {"x": 1} for query in found}


def test_alpha_is_fitted_as_every_alpha_scores():
    found, qrels = queries()
    fitted = Convex.fit(found, qrels, "mrr@10", grid=10)

    def score(alpha):
        total = 0.0
        for query, pair in found.items():
            documents = [hit.chunk.doc_id for hit in Convex(alpha)(pair, 10)]
            total += 1 / (1 + documents.index(next(iter(qrels[query]))))
        return total

    scores = {step / 10: score(step / 10) for step in range(11)}
    best = max(scores.values())
    assert score(fitted.alpha) == best and len(set(scores.values())) > 1
    assert abs(fitted.alpha - 0.5) == min(abs(alpha - 0.5) for alpha, s in scores.items() if s == best)


def test_alpha_counts_a_document_once():
    """Chunks of one document: its best place counts, and the metric does not see it twice."""
    pair = [hits({"d:0": 3.0, "d:5": 2.0, "e:0": 1.0}), hits({"e:0": 3.0, "d:5": 1.0})]
    assert Convex.fit({"q": pair}, {"q": {"d": 1}}, "mrr@10").alpha >= 0.5


def test_hybrid_takes_the_best_on_dev_and_says_so():
    found, qrels = queries()
    train, dev = {q: found[q] for q in ("q0", "q2")}, {q: found[q] for q in ("q1", "q3")}
    chosen = hybrid(train, dev, qrels, "mrr@10")
    assert chosen.scores[chosen.why.split(":")[0]] == max(chosen.scores.values()) and "2 dev queries" in chosen.why
    assert set(chosen.scores) >= {"first alone", "second alone", "RRF"} and len(chosen.scores) == 4
    assert order(chosen(found["q1"], 3)) == order(chosen.fuse(found["q1"], 3)) and chosen.name == chosen.fuse.name
    # of equal ones the simplest
    alone = hybrid({"q0": found["q0"]}, {"q1": found["q1"]}, qrels, "mrr@10")
    assert alone.fuse == Only(0) and alone.why.startswith(
        "first alone: mrr@10 1.000 on 1 dev"
    )  # the simplest of equals


def test_a_purged_document_is_no_example_of_a_miss():
    documents = {name: Document(name, f"duck {name}") for name in ("one", "two", "three")}
    whole = Collection("made up", documents, {"q": "duck"}, {"q": {"one": 1}})
    kept = Collection("purged", {n: documents[n] for n in ("one", "three")}, {"q": "duck"}, {"q": {"one": 1}})
    words = Lexical(Naive())
    words.add([chunk for document in documents.values() for chunk in Whole().split(document)])
    for part, expected in ((whole, ["one", "two", "three"]), (kept, ["one", "three"])):
        ((first, second),) = lists_for([words, words], part).values()
        assert [hit.chunk.doc_id for hit in first] == [hit.chunk.doc_id for hit in second] == expected
    assert len(lists_for([words], whole, depth=2)["q"][0]) == 2


def test_bad_input():
    twice = [*ranked(["a"]), *ranked(["a"])]
    for fuse in (RRF(), Convex()):
        with pytest.raises(DataError, match="list 2 has chunk 'a' twice"):
            fuse([ranked(["b"]), twice], 3)
        with pytest.raises(ConfigError, match="k is 0"):
            fuse([ranked(["b"]), []], 0)
    with pytest.raises(DataError, match="not finite"):
        Convex()([hits({"a": math.nan, "b": 1.0}), []], 3)
    with pytest.raises(ConfigError, match="3 lists"):
        Convex()([[], [], []], 3)
    with pytest.raises(ConfigError, match="2 weights for 1 lists"):
        RRF(weights=(1, 2))([[]], 3)
    with pytest.raises(ConfigError, match=r"Only\(2\) of 2 lists"):
        Only(2)([[], []], 3)
    for make in (lambda: RRF(0), lambda: RRF(depth=0), lambda: RRF(weights=(1, 0)), lambda: RRF(weights=(math.nan,)),
                 lambda: Convex(1.1), lambda: Convex(math.nan), lambda: Convex(depth=0)):  # fmt: skip
        with pytest.raises(ConfigError, match=r"RRF|Convex"):
            make()
    found, qrels = queries()
    with pytest.raises(DataError, match="'q0' is in train and in dev"):
        hybrid(found, found, qrels)
    with pytest.raises(DataError, match="no queries"):
        Convex.fit({}, qrels)
    with pytest.raises(DataError, match="'q0' has no judgments"):
        Convex.fit(found, {})
    with pytest.raises(ConfigError, match="grid=0"):
        Convex.fit(found, qrels, grid=0)
