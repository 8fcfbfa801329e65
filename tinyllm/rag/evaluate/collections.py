"""A collection: documents, questions about them, and who judged which document to answer which question.

    toy = load("toy")                                  # comes with the package
    cranfield = load("cranfield", "data/cranfield")    # files that you have

The readers know the traps of these files, and say how a trap was taken where there is a choice: Cranfield's source
documents (``cranfield.py``), CISI's citation links (``cisi.py``), SciFact's escapes (``scifact.py``).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from importlib import import_module, resources
from inspect import signature
from os import PathLike
from typing import Any

from ...errors import ConfigError, DataError, nearest
from ..types import Document, checked_id
from .metrics import DEFAULT, Qrels, Run, per_query, rank

Answers = Mapping[str, tuple[tuple[str, int, int], ...]]  # query -> (document, start, end) of what answers it
NAMES = ("toy", "cranfield", "cisi", "scifact", "xquad", "own")


@dataclass(frozen=True, slots=True)
class Collection:
    """Documents, queries and judgments that belong together.

    Args:
        name: what it is called in a report, with the choices made when it was read.
        documents: id -> document, in file order.
        queries: id -> text. Each of them is judged.
        qrels: query -> document -> grade, 1 and above being relevant.
        removed: query -> documents that are taken out of its ranking before it is measured.
        answers: query -> (document, start, end) of the words that answer it, where somebody marked them.

    Raises:
        DataError: a judgment of a query or a document that is not there, a query without judgments, a bad id.

    Example:
        >>> one = Collection("one", {"d": Document("d", "Ducks swim.")}, {"q": "who swims"}, {"q": {"d": 1}})
        >>> one.evaluate({"q": {"d": 0.7}}, ["mrr"])
        {'mrr': {'q': 1.0}}
    """

    name: str
    documents: Mapping[str, Document]
    queries: Mapping[str, str]
    qrels: Qrels
    removed: Mapping[str, frozenset[str]] = field(default_factory=dict)
    answers: Answers = field(default_factory=dict)

    def __post_init__(self) -> None:
        for query in self.queries:
            checked_id(query, f"{self.name}: query")
        if self.queries.keys() != self.qrels.keys():
            lost = sorted(self.queries.keys() ^ self.qrels.keys())[:3]
            raise DataError(f"{self.name}: queries and judgments do not match at {lost}", hint="judge each query")
        for query, grades in self.qrels.items():
            unknown = grades.keys() - self.documents.keys()
            if unknown:
                raise DataError(f"{self.name}: query {query!r} judges {min(unknown)!r}, which is no document")

    def take(self, queries: Iterable[str], name: str | None = None) -> Collection:
        """Return the same documents with some of the queries, in this collection's order.

        Raises:
            DataError: a query that is not here.
        """
        wanted = set(queries)
        unknown = wanted - self.queries.keys()
        if unknown:
            raise DataError(f"{self.name}: no query {min(unknown)!r}")
        return replace(
            self,
            name=name or self.name,
            queries={query: text for query, text in self.queries.items() if query in wanted},
            qrels={query: grades for query, grades in self.qrels.items() if query in wanted},
            removed={query: gone for query, gone in self.removed.items() if query in wanted},
            answers={query: spans for query, spans in self.answers.items() if query in wanted},
        )

    def evaluate(self, run: Run, metrics: Iterable[str] = DEFAULT, gain: str = "linear") -> dict[str, dict[str, float]]:
        """Return metric -> query -> value, after ``removed`` documents left the rankings; errors as ``per_query``."""
        if self.removed:
            run = {
                query: [name for name in rank(run[query], query) if name not in self.removed.get(query, ())]
                for query in self.queries
                if query in run
            }
        return per_query(run, self.qrels, metrics, gain=gain)


def load(name: str, folder: str | PathLike[str] | None = None, **choices: Any) -> Collection:
    """Read a collection by its name.

    Args:
        name: toy, cranfield, cisi, scifact or xquad; own for a folder as ``own.py`` describes it.
        folder: where its files are; the toy collection needs none.
        choices: of that reader: ``source`` for Cranfield, ``split`` for SciFact.

    Raises:
        ConfigError: another name, no folder, or a choice the reader does not have.
        DataError: a file that is missing or damaged.

    Example:
        >>> load("toy").queries["q01"]
        'how often should I feed a sourdough starter'
    """
    if name not in NAMES:
        raise ConfigError(f"collection {name!r}", hint=nearest(name, NAMES) or ", ".join(NAMES))
    if name == "toy":
        if folder is not None or choices:
            raise ConfigError("the toy collection comes with the package", hint='load("toy")')
        return _toy()
    if folder is None:
        raise ConfigError(f"collection {name}: no folder", hint=f'load("{name}", "folder/with/its/files")')
    reader = getattr(import_module(f".{name}", __package__), f"read_{name}")
    unknown = [choice for choice in choices if choice not in signature(reader).parameters]
    if unknown:
        raise ConfigError(f"collection {name}: no choice {unknown[0]!r}", hint=", ".join(signature(reader).parameters))
    return reader(folder, **choices)


@cache
def _toy() -> Collection:
    from .own import read_own

    with resources.as_file(resources.files(__package__).joinpath("toy")) as home:
        return read_own(home)
