"""Folds: nobody is scored by a model that saw the query, its near duplicate, or what is relevant to it."""

from __future__ import annotations

import pytest

from tinyllm.errors import ConfigError
from tinyllm.rag.evaluate import load, near_duplicates
from tinyllm.rag.evaluate.collections import Collection
from tinyllm.rag.evaluate.folds import cross_fit, folds
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
    pairs = folds(SMALL, 3)
    held = [query for _, part in pairs for query in part.queries]
    assert sorted(held) == sorted(TEXTS)
    for others, part in pairs:
        assert others.queries.keys() | part.queries.keys() == TEXTS.keys()
        assert not others.queries.keys() & part.queries.keys()
        assert not len(near_duplicates(list(others.queries.values()), list(part.queries.values())))
    toy = load("toy")
    first, again, other = ([list(part.queries) for _, part in folds(toy, 4, seed=seed)] for seed in (0, 0, 1))
    assert first == again != other


@pytest.mark.parametrize("purged", [True, False])
def test_a_model_never_saw_what_it_is_asked(purged):
    seen = []

    def fit(train):
        seen.append(train)
        return lambda text: {"known": float(text in train.queries.values()), "model": len(seen)}

    toy = load("toy")
    run = cross_fit(toy, fit, 4, purged=purged)
    assert list(run) == list(toy.queries) and len(seen) == 4
    assert all(scores["known"] == 0 for scores in run.values())
    leaks = 0
    for query, scores in run.items():
        train = seen[int(scores["model"]) - 1]
        leaks += bool(relevant(toy, [query]) & train.documents.keys())
    assert leaks == (0 if purged else len(toy.queries))


def test_less_than_two_folds_are_refused():
    with pytest.raises(ConfigError, match="n=1"):
        folds(SMALL, 1)
