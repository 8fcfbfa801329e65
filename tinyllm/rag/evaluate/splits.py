"""Train here, measure there, and nothing of there in here.

A retriever that is trained on judgments learns documents by heart. It then looks good on held-out queries for which the
same documents are relevant, or which are a training query in other words. Two remedies:

    grouped_split(collection, by="documents")   queries that share a relevant document, or are near duplicates, stay on
                                                one side; right where judgments are sparse (SciFact: 570 groups)
    grouped_split(collection, by="queries")     only near duplicates stay together; where judgments are dense the former
    and purge(train, held_out)                  has one giant group (Cranfield: 174 of 225), so what is relevant to a
                                                held-out query is taken out of training instead

``leak_report(train, test)`` says what a split that somebody else made lets through, and which queries are clean.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ...errors import ConfigError, DataError
from .collections import Collection

_ROWS = 512  # queries compared at a time
_WORD = re.compile(r"\w+")


def near_duplicates(left: Sequence[str], right: Sequence[str] | None = None, threshold: float = 0.5) -> np.ndarray:
    """Return pairs of places (N, 2) of texts whose sets of words overlap: Jaccard = shared / all words >= threshold.

    Args:
        left: texts.
        right: texts to compare with; ``left`` itself unless told, each pair then once and none with itself.
        threshold: above 0, at most 1.

    Raises:
        ConfigError: another threshold.

    Example:
        >>> near_duplicates(["who swims", "who swims here", "a cat"]).tolist()
        [[0, 1]]
    """
    if not 0 < threshold <= 1:
        raise ConfigError(f"near_duplicates: threshold={threshold}", hint="a share such as 0.5")
    both = [*left, *(right or ())]
    sets = [set(_WORD.findall(unicodedata.normalize("NFKC", text).casefold())) for text in both]
    places = {word: place for place, word in enumerate(sorted(set().union(*sets)))}
    table = np.zeros((len(both), len(places)), np.float32)
    for row, words in enumerate(sets):
        table[row, [places[word] for word in words]] = 1
    a, b = table[: len(left)], table if right is None else table[len(left) :]
    found = []
    for start in range(0, len(a), _ROWS):
        rows = a[start : start + _ROWS]
        shared = rows @ b.T
        union = rows.sum(1)[:, None] + b.sum(1)[None, :] - shared
        pairs = np.argwhere((shared > 0) & (shared >= threshold * union))
        pairs[:, 0] += start
        found.append(pairs if right is not None else pairs[pairs[:, 0] < pairs[:, 1]])
    return np.concatenate(found) if found else np.zeros((0, 2), np.int64)


def groups(collection: Collection, by: str = "documents", threshold: float = 0.5) -> list[list[str]]:
    """Return the queries in groups that must not be parted, the largest first.

    Args:
        collection: with the queries.
        by: "documents" joins queries that share a relevant document or are near duplicates, and so on from query to
            query; "queries" joins near duplicates only.
        threshold: from which overlap of words two queries are near duplicates.

    Raises:
        ConfigError: another ``by`` or threshold.
    """
    if by not in ("documents", "queries"):
        raise ConfigError(f"grouped_split: by={by!r}", hint="documents or queries")
    names = list(collection.queries)
    parent = list(range(len(names)))

    def root(place: int) -> int:
        while parent[place] != place:
            parent[place] = parent[parent[place]]
            place = parent[place]
        return place

    for one, other in near_duplicates(list(collection.queries.values()), threshold=threshold).tolist():
        parent[max(root(one), root(other))] = min(root(one), root(other))
    if by == "documents":
        first: dict[str, int] = {}
        for place, name in enumerate(names):
            for document in relevant(collection, [name]):
                one, other = root(first.setdefault(document, place)), root(place)
                parent[max(one, other)] = min(one, other)
    members: dict[int, list[str]] = {}
    for place, name in enumerate(names):
        members.setdefault(root(place), []).append(name)
    return sorted(members.values(), key=len, reverse=True)


def grouped_split(
    collection: Collection,
    shares: Mapping[str, float] | None = None,
    by: str = "documents",
    seed: int = 0,
    threshold: float = 0.5,
) -> dict[str, Collection]:
    """Part the queries so that no group is torn; every part keeps all documents.

    Groups are shuffled, then taken from the largest down, each into the part that lacks most of its share.

    Args:
        collection: to be parted.
        shares: part -> its share; train 0.6, dev 0.2 and test 0.2 unless told. They add up to 1.
        by: "documents" or "queries", see ``groups``.
        seed: of the shuffling: the same parts every time.
        threshold: from which overlap of words two queries are near duplicates.

    Raises:
        ConfigError: shares that do not add up to 1, or another ``by``.
        DataError: one group is larger than the largest part, or a part would be empty.
    """
    wanted = dict(shares) if shares is not None else {"train": 0.6, "dev": 0.2, "test": 0.2}
    if not wanted or min(wanted.values()) <= 0 or not math.isclose(sum(wanted.values()), 1):
        raise ConfigError(f"grouped_split: shares {wanted}", hint='{"train": 0.6, "dev": 0.2, "test": 0.2}')
    found = groups(collection, by, threshold)
    count = len(collection.queries)
    if found and len(found[0]) > max(1, max(wanted.values()) * count):
        hint = 'by="queries", then purge(train, test)' if by == "documents" else "a higher threshold"
        raise DataError(f"{collection.name}: one group holds {len(found[0])} of {count} queries", hint=hint)
    order = np.random.default_rng(seed).permutation(len(found))
    parts: dict[str, list[str]] = {name: [] for name in wanted}
    for place in sorted(order.tolist(), key=lambda place: -len(found[place])):
        neediest = max(wanted, key=lambda name: wanted[name] * count - len(parts[name]))
        parts[neediest] += found[place]
    empty = [name for name, queries in parts.items() if not queries]
    if empty:
        raise DataError(f"{collection.name}: nothing left for {empty[0]!r}", hint="fewer parts or more queries")
    return {name: collection.take(queries, f"{collection.name} {name}") for name, queries in parts.items()}


def purge(train: Collection, held_out: Collection) -> Collection:
    """Return the training collection without any document that is relevant to a held-out query.

    The documents leave the corpus and the judgments; a query with nothing relevant left leaves as well.

    Raises:
        DataError: nothing is left to train on.
    """
    gone = relevant(held_out)
    qrels = {
        query: {name: g for name, g in grades.items() if name not in gone} for query, grades in train.qrels.items()
    }
    kept = [query for query, grades in qrels.items() if any(grade > 0 for grade in grades.values())]
    if not kept:
        raise DataError(f"{train.name}: purged of {held_out.name}, nothing is left", hint="hold out fewer queries")
    some = train.take(kept)
    return replace(
        some,
        documents={name: document for name, document in train.documents.items() if name not in gone},
        qrels={query: qrels[query] for query in some.queries},
        answers={q: tuple(span for span in spans if span[0] not in gone) for q, spans in some.answers.items()},
    )


@dataclass(frozen=True, slots=True)
class LeakReport:
    """What of a training set is known to a test set.

    Attributes:
        shared: test queries that have a relevant document in common with a training query.
        near: test queries that are near duplicates of a training query.
        clean: the others, on which a trained retriever is to be judged.
        mean, clean_mean: of the scores handed in, over all and over the clean ones; None without scores.
    """

    shared: tuple[str, ...]
    near: tuple[str, ...]
    clean: tuple[str, ...]
    mean: float | None = None
    clean_mean: float | None = None

    @property
    def leaks(self) -> bool:
        """Whether anything is shared at all."""
        return bool(self.shared or self.near)

    def __str__(self) -> str:
        count = len(set(self.shared) | set(self.near)) + len(self.clean)
        lines = [
            f"{len(self.shared)} of {count} test queries share a relevant document with a training query",
            f"{len(self.near)} are near duplicates of one",
            f"{len(self.clean)} are clean",
        ]
        if self.mean is not None:
            clean = "none is clean" if self.clean_mean is None else f"{self.clean_mean:.3f} on the clean ones"
            lines.append(f"score: {self.mean:.3f} on all, {clean}")
        return "\n".join(lines)


def leak_report(
    train: Collection, test: Collection, scores: Mapping[str, float] | None = None, threshold: float = 0.8
) -> LeakReport:
    """Say which test queries a training set gives away.

    Args:
        train: what was trained on.
        test: what is measured on.
        scores: test query -> score of a trained retriever, to be averaged over all and over the clean ones.
        threshold: from which overlap of words two queries are near duplicates.

    Raises:
        DataError: scores that lack a test query.
    """
    known = relevant(train)
    shared = tuple(query for query in test.queries if relevant(test, [query]) & known)
    names = list(test.queries)
    pairs = near_duplicates(list(test.queries.values()), list(train.queries.values()), threshold)
    near = tuple(names[place] for place in sorted(set(pairs[:, 0].tolist())))
    clean = tuple(query for query in names if query not in {*shared, *near})
    if scores is None:
        return LeakReport(shared, near, clean)
    lost = [query for query in names if query not in scores]
    if lost:
        raise DataError(f"leak_report: no score for query {lost[0]!r}", hint="one score for each test query")
    mean, clean_mean = (
        math.fsum(scores[query] for query in some) / len(some) if some else None for some in (names, clean)
    )
    return LeakReport(shared, near, clean, mean, clean_mean)


def relevant(collection: Collection, queries: Sequence[str] | None = None) -> set[str]:
    """Return the documents that are relevant to any of the queries, to any at all unless told."""
    chosen = collection.queries if queries is None else queries
    return {name for query in chosen for name, grade in collection.qrels[query].items() if grade > 0}
