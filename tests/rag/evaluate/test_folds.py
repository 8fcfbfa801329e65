"""Folds: nobody is scored by a model that saw the query, its near duplicate, or what is relevant to it."""

from __future__ import annotations

import pytest

from tinyllm.errors import ConfigError
from tinyllm.rag.evaluate import Collection, cross_fit, folds, leak_report, load, near_duplicates, parts
from tinyllm.rag.evaluate.splits import relevant
from tinyllm.rag.types import Document

DOCUMENTS = {f"d{n}": Document(f"d{n}", f"text {n}") for n in range(8)}
TEXTS = {
    "a": "red apples",
    "a2": "apples, red",
    "b": "wide rivers",
    "c": "deep seas",
    "d": "tall trees",
    "e": "old owls",
}
GRADES = {"a": "d0", "a2": "d1", "b": "d1", "c": "d2", "d": "d2", "e": "d3"}
SMALL = Collection("small", DOCUMENTS, TEXTS, {query: {name: 1, "d7": 1} for query, name in GRADES.items()})


def test_each_query_is_held_out_once_and_duplicates_together():
    pairs = folds(SMALL, 3, purged=False)
    held = [query for _, part in pairs for query in part.queries]
    assert sorted(held) == sorted(TEXTS)
    for others, part in pairs:
        assert others.queries.keys() | part.queries.keys() == TEXTS.keys()
        assert not others.queries.keys() & part.queries.keys()
        assert not len(near_duplicates(list(others.queries.values()), list(part.queries.values())))
    toy = load("toy")
    first, again, other = ([list(part.queries) for _, part in folds(toy, 4, seed=seed)] for seed in (0, 0, 1))
    assert first == again != other


def test_sparse_judgments_part_the_queries_and_all_documents_stay():
    qrels = {query: {name: 1} for query, name in GRADES.items()}
    sparse = Collection("sparse", DOCUMENTS, TEXTS, qrels)  # a, a2, b and c, d hang together
    for train, held_out in folds(sparse, 2):
        assert train.documents == held_out.documents == DOCUMENTS
        assert train.queries.keys() | held_out.queries.keys() == TEXTS.keys()
        assert not leak_report(train, held_out).leaks
    assert leak_report(*folds(sparse, 3, purged=False)[0]).shared


def test_dense_judgments_are_purged():
    """All queries share a document, so they cannot be kept apart: what is held out leaves training."""
    documents = {f"d{n}": Document(f"d{n}", f"word{n}") for n in range(20)}
    texts = {f"q{n}": f"word{n} thing{n}" for n in range(20)}
    dense = Collection("dense", documents, texts, {f"q{n}": {f"d{n}": 1, "d0": 1} for n in range(20)})
    split = parts(dense)
    asked = {query for part in split.values() for query in part.queries}
    assert asked | {"q0"} == set(texts)  # q0 has nothing else
    assert "d0" not in split["train"].documents and len(split["dev"].documents) == 20
    assert not any(leak_report(split["train"], split[name]).leaks for name in ("dev", "test"))
    pairs = folds(dense, 4)
    assert len(pairs) == 4 and all("d0" not in train.documents for train, _ in pairs)
    assert not any(leak_report(train, held_out).leaks for train, held_out in pairs)


@pytest.mark.parametrize("purged", [True, False])
def test_a_model_never_saw_what_it_is_asked(purged):
    seen = []

    def fit(train):
        seen.append(train)
        return lambda text: {"known": float(text in train.queries.values()), "model": len(seen)}

    grades = {query: {"d7": 1, name: 1} for query, name in GRADES.items()}
    grades["e"] = {"d7": 1, "d4": 1, "d5": 1}
    small = Collection("small", DOCUMENTS, TEXTS, grades)
    run = cross_fit(small, fit, 3, purged=purged)
    assert list(run) == list(small.queries) and len(seen) == 3
    assert all(scores["known"] == 0 for scores in run.values())
    leaks = 0
    for query, scores in run.items():
        train = seen[int(scores["model"]) - 1]
        leaks += bool(relevant(small, [query]) & relevant(train))
    assert leaks == (0 if purged else len(small.queries))


def test_less_than_two_folds_are_refused():
    with pytest.raises(ConfigError, match="n=1"):
        folds(SMALL, 1)
