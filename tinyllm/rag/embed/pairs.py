"""What an encoder is trained on: queries, documents, and which documents answer which query.

Pairs.titles(documents)       each title is a query for the text below it: nobody has to judge anything
Pairs.judged(collection)      queries and the documents that somebody found relevant to them
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from ...errors import DataError
from ..evaluate.collections import Collection
from ..types import Document, with_header


@dataclass(frozen=True, slots=True)
class Pairs:
    """Queries and documents that belong together.

    Args:
        queries: texts.
        documents: texts; those that answer nothing can still be mined as hard negatives.
        relevant: for each query the places of the documents that answer it, one at least.

    Raises:
        DataError: a query without a document, or a place that does not exist.

    Example:
        >>> len(Pairs(["who swims", "who sleeps"], ["Ducks swim.", "Cats sleep."], [(0,), (1,)]))
        2
    """

    queries: Sequence[str]
    documents: Sequence[str]
    relevant: Sequence[tuple[int, ...]]

    def __post_init__(self) -> None:
        if len(self.queries) != len(self.relevant):
            raise DataError(f"pairs: {len(self.queries)} queries, {len(self.relevant)} lists of what answers them")
        for query, places in zip(self.queries, self.relevant, strict=True):
            if not places or min(places) < 0 or max(places) >= len(self.documents):
                raise DataError(
                    f"pairs: {query!r} is answered by {places}",
                    hint=f"places below {len(self.documents)}, one at least",
                )

    def __len__(self) -> int:
        return len(self.queries)

    @classmethod
    def titles(cls, documents: Iterable[Document]) -> Pairs:
        """Pair each document's title with its text; one that lacks either is left out.

        Two documents of one title answer it both, and of one text are one document.

        Raises:
            DataError: no document has both.

        Example:
            >>> Pairs.titles([Document("1", "They swim.", title="Ducks"), Document("2", "Untitled.")]).queries
            ('Ducks',)
        """
        places: dict[str, int] = {}
        answers: dict[str, dict[int, None]] = {}
        for document in documents:
            if document.title.strip() and document.text.strip():
                place = places.setdefault(document.text, len(places))
                answers.setdefault(document.title, {})[place] = None
        if not answers:
            raise DataError("pairs: no document has a title and a text", hint="Pairs.judged(collection)")
        return cls(tuple(answers), tuple(places), tuple(tuple(found) for found in answers.values()))

    @classmethod
    def judged(cls, collection: Collection) -> Pairs:
        """Pair each query with the documents that are relevant to it, titles included.

        A query with nothing relevant is left out. Documents without any text keep their place and answer nothing.

        Raises:
            DataError: no query has a relevant document.
        """
        place = {name: n for n, name in enumerate(collection.documents)}
        texts = tuple(with_header(document.title, document.text) for document in collection.documents.values())
        queries, relevant = [], []
        for query, text in collection.queries.items():
            grades = collection.qrels[query].items()
            found = tuple(place[name] for name, grade in grades if grade > 0 and texts[place[name]].strip())
            if found:
                queries.append(text)
                relevant.append(found)
        if not queries:
            raise DataError(f"{collection.name}: no query has a relevant document")
        return cls(tuple(queries), texts, tuple(relevant))

    def take(self, which: Iterable[int]) -> Pairs:
        """Return the pairs of some queries, by their places, with all documents."""
        chosen = list(which)
        return Pairs(tuple(self.queries[n] for n in chosen), self.documents, tuple(self.relevant[n] for n in chosen))

    def parted(self, share: float = 0.1, seed: int = 0) -> tuple[Pairs, Pairs]:
        """Part the queries at random: the rest, and the share that is held out (one query at least).

        Raises:
            DataError: there are fewer than two queries.

        Example:
            >>> pairs = Pairs(["a", "b", "c"], ["d"], [(0,)] * 3)
            >>> [len(part) for part in pairs.parted(0.3)]
            [2, 1]
        """
        if len(self) < 2:
            raise DataError(f"pairs: {len(self)} query cannot be parted", hint="dev=... of its own")
        order = np.random.default_rng(seed).permutation(len(self)).tolist()
        held = min(len(self) - 1, max(1, round(share * len(self))))
        return self.take(sorted(order[held:])), self.take(sorted(order[:held]))
