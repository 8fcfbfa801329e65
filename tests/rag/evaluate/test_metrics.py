from __future__ import annotations

import math

import numpy as np
import pytest

from tinyllm.errors import ConfigError, DataError
from tinyllm.rag.evaluate.metrics import average_precision, evaluate, mrr, ndcg, per_query, precision, rank, recall
from tinyllm.rag.evaluate.metrics import success as found

GRADES = {"a": 3, "b": 1, "c": 0, "d": -1, "e": 2}


def test_ndcg_by_hand():
    ideal = 3 + 2 / math.log2(3) + 1 / 2
    assert ndcg(["b", "x", "a"], GRADES, 10) == pytest.approx((1 + 3 / 2) / ideal, abs=1e-15)
    assert ndcg(["b", "x", "a"], GRADES, 2) == pytest.approx(1 / (3 + 2 / math.log2(3)), abs=1e-15)
    exp = (1 + 7 / 2) / (7 + 3 / math.log2(3) + 1 / 2)
    assert ndcg(["b", "x", "a"], GRADES, 10, gain="exp") == pytest.approx(exp, abs=1e-15)
    assert ndcg(["a", "e", "b"], GRADES) == 1.0
    assert ndcg(["d", "a"], GRADES, 5) == ndcg(["unjudged", "a"], GRADES, 5)  # a negative grade gains nothing


def test_the_others_by_hand():
    ranking = ["c", "e", "d", "a"]
    assert recall(ranking, GRADES, 2) == 1 / 3 and recall(ranking, GRADES) == 2 / 3
    assert precision(ranking, GRADES, 4) == 0.5 and precision(ranking, GRADES, 8) == 0.25  # empty places are misses
    assert mrr(ranking, GRADES) == 0.5 and mrr(ranking, GRADES, 1) == 0.0
    assert average_precision(ranking, GRADES) == pytest.approx((1 / 2 + 2 / 4) / 3)
    assert found(ranking, GRADES, 1) == 0.0 and found(ranking, GRADES, 2) == 1.0


@pytest.mark.parametrize("metric", [ndcg, recall, mrr, average_precision, found])
def test_nothing_relevant_scores_zero(metric):
    assert metric(["a"], {"a": 0, "b": -1}) == 0.0 and metric([], GRADES) == 0.0


def test_ties_go_by_id_descending_as_bytes():
    assert rank({"10": 1.0, "9": 1.0, "é": 1.0, "z": 1.0}) == ["é", "z", "9", "10"]
    assert rank({"a": 0.1 + 1e-9, "b": 0.1}) == ["b", "a"]  # a tie as float32, none as float64
    assert rank({"a": 0.1 + 1e-7, "b": 0.1}) == ["a", "b"]
    assert rank({"a": 1e300, "b": np.inf, "c": -np.inf}) == ["b", "a", "c"]
    assert rank([("a", 0.1), ("b", 0.2)]) == ["b", "a"] and rank(["b", "a"]) == ["b", "a"] and rank({}) == []


def test_a_query_that_the_run_lacks():
    qrels, run = {"q": {"a": 1}, "r": {"a": 1}, "s": {"a": 0}}, {"q": {"a": 1.0}, "s": {"a": 1.0}, "nobody": {"a": 1.0}}
    assert per_query(run, qrels, ["map"]) == {"map": {"q": 1.0, "r": 0.0, "s": 0.0}}
    assert evaluate(run, qrels, ["map"])["map"] == pytest.approx(1 / 3)
    assert evaluate(run, qrels, ["map"], missing="drop")["map"] == 0.5  # a query without relevant documents counts
    assert evaluate({}, qrels, ["map"], missing="drop") == {"map": 0.0}


def test_names_of_metrics():
    names = ["ndcg", "ndcg@3", "recall@2", "p@2", "precision@2", "mrr", "mrr@1", "map", "map@1", "success@2"]
    values = evaluate({"q": ["b", "a"]}, {"q": {"a": 1}}, names)
    assert list(values) == names
    assert values["p@2"] == values["precision@2"] == 0.5 and values["mrr@1"] == values["map@1"] == 0.0
    assert evaluate({"q": ["b", "a"]}, {"q": {"a": 2, "b": 1}}, ["ndcg"], gain="exp")["ndcg"] == pytest.approx(
        (1 + 3 / math.log2(3)) / (3 + 1 / math.log2(3))
    )


@pytest.mark.parametrize("name", ["ndgc@10", "p", "ndcg@", "ndcg@-1", "ndcg@0", "NDCG@10"])
def test_bad_names(name):
    with pytest.raises(ConfigError):
        evaluate({"q": ["a"]}, {"q": {"a": 1}}, [name])


def test_bad_input():
    qrels = {"q": {"a": 1}}
    with pytest.raises(DataError, match="query 'q' scores document 'b' as NaN"):
        evaluate({"q": {"a": 1.0, "b": float("nan")}}, qrels)
    for twice in (["a", "b", "a"], [("a", 1.0), ("a", 0.5)]):
        with pytest.raises(DataError, match="query 'q' has document 'a' twice"):
            evaluate({"q": twice}, qrels)
    with pytest.raises(DataError, match="document 'a' twice"):
        ndcg(["a", "a"], {"a": 1})
    with pytest.raises(DataError, match="no judgments"):
        evaluate({"q": ["a"]}, {})
    with pytest.raises(DataError, match=r"grades document 'a' 0\.5"):
        evaluate({"q": ["a"]}, {"q": {"a": 0.5}})
    with pytest.raises(DataError, match="is no ranking"):
        ndcg("abc", {"a": 1})
    with pytest.raises(ConfigError):
        evaluate({}, qrels, missing="ignore")
    with pytest.raises(ConfigError):
        ndcg(["a"], {"a": 1}, gain="square")
