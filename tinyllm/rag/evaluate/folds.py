"""Every query scored by a model that never saw it: as many models as folds, and one run of all queries.

    def fit(train):
        ltr = LinearLTR(features).fit(train.queries, train.qrels, train.documents)
        return lambda query: {hit.chunk.doc_id: hit.score for hit in ltr.search(query, 100)}

    run = cross_fit(cranfield, fit)
    cranfield.evaluate(run)

Near duplicates among the queries stay in one fold, and what is relevant to a held-out query is purged from training,
documents and judgments, unless told otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ...errors import ConfigError
from .collections import Collection
from .splits import grouped_split, purge

Pair = tuple[Collection, Collection]  # the others, held out
Ranker = Callable[[str], Mapping[str, float]]  # a query's text -> document -> score


def folds(collection: Collection, n: int = 5, by: str = "queries", seed: int = 0) -> list[Pair]:
    """Return n pairs (the others, held out); each query is held out once.

    Args:
        collection: whose queries are parted; every part keeps all documents.
        n: how many, at least 2.
        by: what keeps two queries together, see ``grouped_split``.
        seed: of the shuffling: the same folds every time.

    Raises:
        ConfigError: n below 2, or another ``by``.
        DataError: a group of queries is larger than a fold, or there are fewer groups than folds.

    Example:
        >>> from tinyllm.rag.evaluate import load
        >>> [len(held.queries) for _, held in folds(load("toy"), 4)]
        [3, 3, 3, 3]
    """
    if n < 2:
        raise ConfigError(f"folds: n={n}", hint="n=5")
    parts = grouped_split(collection, {str(place): 1 / n for place in range(n)}, by, seed).values()
    return [(collection.take(collection.queries.keys() - held.queries.keys()), held) for held in parts]


def cross_fit(
    collection: Collection,
    fit: Callable[[Collection], Ranker],
    n: int = 5,
    *,
    by: str = "queries",
    purged: bool = True,
    seed: int = 0,
) -> dict[str, dict[str, float]]:
    """Return a run, query -> document -> score, in which no query was scored by a model that was trained on it.

    Args:
        collection: with the queries.
        fit: trains on a collection and returns what ranks: a query's text -> document -> score. It is called n times.
        n: how many folds.
        by: what keeps two queries in one fold, see ``grouped_split``.
        purged: take what is relevant to a held-out query out of training; without, a model may know it by heart.
        seed: of the folds.

    Raises:
        ConfigError: n below 2, or another ``by``.
        DataError: folds cannot be made, or nothing is left to train on.
    """
    found: dict[str, dict[str, float]] = {}
    for others, held in folds(collection, n, by, seed):
        ranker = fit(purge(others, held) if purged else others)
        found |= {query: dict(ranker(text)) for query, text in held.queries.items()}
    return {query: found[query] for query in collection.queries}
