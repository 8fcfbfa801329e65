"""Metrics beside trec_eval itself: random runs with ties, near ties, gaps and all kinds of grades, to 1e-12."""

from __future__ import annotations

import numpy as np
import pytest

from tinyllm.rag.evaluate.metrics import evaluate, per_query, rank

pytrec_eval = pytest.importorskip(
    "pytrec_eval", reason="the oracle tests need pytrec_eval: pip install pytrec-eval-terrier"
)
pytestmark = pytest.mark.oracle
CUTS = (5, 10, 30, 100)
THEIRS = {
    "map": "map", "mrr": "recip_rank", "ndcg": "ndcg", "success@1": "success_1", "success@10": "success_10",
    **{f"ndcg@{k}": f"ndcg_cut_{k}" for k in CUTS}, **{f"recall@{k}": f"recall_{k}" for k in CUTS},
    **{f"p@{k}": f"P_{k}" for k in CUTS}, **{f"map@{k}": f"map_cut_{k}" for k in CUTS},
}  # fmt: skip
ASKED = {"map", "recip_rank", "ndcg", "ndcg_cut", "recall", "P", "map_cut", "success"}


def collection(seed: int, queries: int = 40):
    """Make a run and judgments in which everything happens that may happen."""
    rng = np.random.default_rng(seed)
    qrels, run = {}, {}
    for query in range(queries):
        names = [str(name) for name in rng.permutation(300)[: rng.integers(1, 200)]]
        names += ["ä", "日本", "z", "Z"][: rng.integers(5)]
        coarse = rng.integers(0, rng.integers(1, 60) + 1, len(names)) / 7.0
        near = coarse + rng.integers(0, 3, len(names)) * 1e-9  # equal as float32, not as float64
        run[f"q{query}"] = {name: float(score) for name, score in zip(names, near, strict=True)}
        judged = rng.permutation(320)[: rng.integers(1, 60)]
        low = int(rng.integers(-2, 2))
        qrels[f"q{query}"] = {str(name): int(rng.integers(low, 5)) for name in judged}
    qrels["q1"] = {"1": 0, "2": -1}  # nothing relevant, and it counts
    return run, qrels


@pytest.mark.parametrize("seed", range(5))
def test_every_metric_of_every_query(seed):
    run, qrels = collection(seed)
    ours = per_query(run, qrels, THEIRS)
    theirs = pytrec_eval.RelevanceEvaluator(qrels, ASKED).evaluate(run)
    assert theirs.keys() == qrels.keys()
    for name, other in THEIRS.items():
        for query in qrels:
            assert ours[name][query] == pytest.approx(theirs[query][other], rel=0, abs=1e-12), (name, query)


def test_a_missing_query_is_dropped_there():
    run, qrels = collection(9, queries=6)
    del run["q2"], run["q4"]
    theirs = pytrec_eval.RelevanceEvaluator(qrels, {"map"}).evaluate(run)
    mean = sum(each["map"] for each in theirs.values()) / len(theirs)
    assert len(theirs) == 4 and evaluate(run, qrels, ["map"], missing="drop")["map"] == pytest.approx(mean, abs=1e-12)
    assert evaluate(run, qrels, ["map"])["map"] == pytest.approx(mean * 4 / 6, abs=1e-12)


def test_mrr_with_a_cut_is_that_of_a_shorter_run():
    run, qrels = collection(11)
    cut = {query: {name: run[query][name] for name in rank(scores)[:10]} for query, scores in run.items()}
    theirs = pytrec_eval.RelevanceEvaluator(qrels, {"recip_rank"}).evaluate(cut)
    ours = per_query(run, qrels, ["mrr@10"])["mrr@10"]
    assert ours == pytest.approx({query: each["recip_rank"] for query, each in theirs.items()}, abs=1e-12)
