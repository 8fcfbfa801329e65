"""The rungs below BM25: substring counting, and the cosine of tf-idf vectors."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tinyllm.errors import ConfigError, DataError
from tinyllm.rag.lexical.naive import Naive
from tinyllm.rag.lexical.tfidf import TfIdf


def test_naive_counts_inside_of_words():
    index = Naive()
    index.add(["a", "b", "c"], ["The Art of the heart", "a cart", "nothing"])
    ids, counts = index.search("the ART of", 5)
    assert ids == ["a", "b"] and counts.tolist() == [2, 1]
    assert index.search("", 5)[0] == []


def test_tfidf_by_hand():
    index = TfIdf()
    index.add(["x", "y", "z"], [["a", "a", "b"], ["b"], ["c"]])
    a, b = (1 + math.log(2)) * math.log(3), math.log(1.5)
    ids, scores = index.search(["a", "b", "unknown"], 5)
    q = math.log(3), math.log(1.5)
    expected = (a * q[0] + b * q[1]) / math.hypot(a, b) / math.hypot(*q), q[1] / math.hypot(*q)
    assert ids == ["x", "y"]
    np.testing.assert_allclose(scores, expected, rtol=1e-6)


def test_tfidf_after_a_history_is_a_rebuild():
    index, anew = TfIdf(), TfIdf()
    index.add([f"{n}" for n in range(30)], [["a"] * (n % 4) + ["b"] * (n % 3) + [f"{n}"] for n in range(30)])
    index.search("a")
    index.remove(["3", "4"])
    index.add(["3"], [["a", "z"]])
    live = [n for n in range(30) if n not in (3, 4)]
    anew.add([*map(str, live), "3"], [*(["a"] * (n % 4) + ["b"] * (n % 3) + [f"{n}"] for n in live), ["a", "z"]])
    for query in (["a"], ["b", "a", "z"], ["17"]):
        got, expected = index.search(query, 40), anew.search(query, 40)
        assert got[0] == expected[0]
        np.testing.assert_array_equal(got[1], expected[1])


@pytest.mark.parametrize("kind", [Naive, TfIdf])
def test_both_refuse_what_bm25_refuses(kind):
    index = kind()
    assert index.search("x", 3)[0] == []
    index.add(["a"], ["x"])
    for ids, texts in ((["a"], ["y"]), (["b", "b"], ["y", "y"]), (["b"], []), ([""], ["y"])):
        with pytest.raises(DataError):
            index.add(ids, texts)
    for ids in (["b"], ["a", "a"]):
        with pytest.raises(DataError):
            index.remove(ids)
    with pytest.raises(ConfigError):
        index.search("x", 0)
    index.remove(["a"])
    assert len(index) == 0 and index.search("x", 3)[0] == []
