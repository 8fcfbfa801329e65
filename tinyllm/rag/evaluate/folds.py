"""Parts of a collection of which one teaches nothing about another: train, dev and test, or folds.

    found = parts(cranfield)                             # {"train": ..., "dev": ..., "test": ...}
    for train, held_out in folds(cranfield, 5): ...      # every query is held out once

    def fit(train):
        ltr = LinearLTR(features).fit(train.queries, train.qrels, train.documents)
        return lambda query: {hit.chunk.doc_id: hit.score for hit in ltr.search(query, 100)}

    run = cross_fit(cranfield, fit)                      # one run of all queries, by as many models as folds
    cranfield.evaluate(run)

Queries that share a relevant document stay together where that is possible. Where judgments are so dense that they all
hang together, only near duplicates do, and what is relevant to a held-out query is purged from training, documents and
judgments.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ...errors import ConfigError, DataError
from .collections import Collection
from .splits import grouped_split, purge

Pair = tuple[Collection, Collection]  # what is learned from, what is held out
Ranker = Callable[[str], Mapping[str, float]]  # a query's text -> document -> score
SHARES = {"train": 0.6, "dev": 0.2, "test": 0.2}


def parts(collection: Collection, seed: int = 0) -> dict[str, Collection]:
    """Part a collection into train, dev and test, so that training gives nothing away.

    Raises:
        DataError: too few queries.

    Example:
        >>> from tinyllm.rag.evaluate import load
        >>> {name: len(part.queries) for name, part in parts(load("toy")).items()}
        {'train': 7, 'dev': 3, 'test': 2}
    """
    found, dense = _parted(collection, SHARES, seed)
    held_out = collection.take([*found["dev"].queries, *found["test"].queries])
    return {**found, "train": purge(found["train"], held_out)} if dense else found


def folds(collection: Collection, n: int = 5, *, purged: bool = True, seed: int = 0) -> list[Pair]:
    """Part a collection so that every query is held out once: pairs of what is learned from and what is held out.

    Args:
        collection: whose queries are parted; what is held out keeps all documents.
        n: how many, at least 2.
        purged: training gives nothing away; without, only near duplicates of queries stay together, and a model may
            know a document by heart.
        seed: of the shuffling: the same folds every time.

    Raises:
        ConfigError: n below 2.
        DataError: too few queries, or nothing is left to learn from.

    Example:
        >>> from tinyllm.rag.evaluate import load
        >>> [len(held_out.queries) for _, held_out in folds(load("toy"), 4)]
        [3, 3, 3, 3]
    """
    if n < 2:
        raise ConfigError(f"folds: n={n}", hint="n=5")
    shares = {f"fold {place}": 1 / n for place in range(n)}
    if purged:
        found, dense = _parted(collection, shares, seed)
    else:
        found, dense = grouped_split(collection, shares, by="queries", seed=seed), False
    pairs = []
    for held_out in found.values():
        others = collection.take(collection.queries.keys() - held_out.queries.keys())
        pairs.append((purge(others, held_out) if dense else others, held_out))
    return pairs


def cross_fit(
    collection: Collection,
    fit: Callable[[Collection], Ranker],
    n: int = 5,
    *,
    purged: bool = True,
    seed: int = 0,
) -> dict[str, dict[str, float]]:
    """Return a run, query -> document -> score, in which no query was scored by a model that was trained on it.

    Args:
        collection: with the queries.
        fit: trains on a collection and returns what ranks: a query's text -> document -> score. It is called n times.
        n: how many folds.
        purged: as for ``folds``.
        seed: of the folds.

    Raises:
        ConfigError: n below 2.
        DataError: folds cannot be made, or nothing is left to learn from.
    """
    found: dict[str, dict[str, float]] = {}
    for train, held_out in folds(collection, n, purged=purged, seed=seed):
        ranker = fit(train)
        found |= {query: dict(ranker(text)) for query, text in held_out.queries.items()}
    return {query: found[query] for query in collection.queries}


def _parted(collection: Collection, shares: Mapping[str, float], seed: int) -> tuple[dict[str, Collection], bool]:
    """Return the parts, and whether judgments are so dense that parts share relevant documents."""
    try:
        return grouped_split(collection, shares, by="documents", seed=seed), False
    except DataError:
        return grouped_split(collection, shares, by="queries", seed=seed), True
