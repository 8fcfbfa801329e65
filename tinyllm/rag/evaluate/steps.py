"""The ladder: retrievers over one collection, each held against the one before it.

    report = ladder(
        cranfield,
        [
            Pipeline(Whole(), [Lexical(Naive())], name="substring"),
            Pipeline(Whole(), [Lexical()], name="bm25"),
            Rung("reranked", build, prediction="above bm25 by .03", learns=True),
        ],
        split="dev",
    )
    assert each_step_improves_metrics(report)

What was trained is measured on queries that training knows nothing of: the ladder parts the collection itself, once or
in folds, or refuses parts that leak. Dev may be looked at as often as one likes. Test is looked at once, and since
nobody can forget a figure, every look is written into a file (``looks.py``), which the report tells.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from typing import Any

from ...errors import ConfigError, DataError
from ..retrieve import best_documents
from ..types import Document, Retriever
from .collections import Collection
from .folds import Pair, parts
from .folds import folds as in_folds
from .ladder import Report, compare
from .looks import Looks
from .splits import leak_report

Build = Callable[[Mapping[str, Document], Collection | None], Retriever]
Scores = dict[str, float]  # query -> score
Lessons = Sequence[Pair]  # what is learned from, and what is measured after it
UNCUT = 100  # documents asked for by a metric that looks at all of them
SPLITS = ("train", "dev", "test")


@dataclass(frozen=True, slots=True)
class Rung:
    """A step of the ladder.

    Args:
        name: in the report.
        build: (all documents, what may be learned from) -> a retriever that holds these documents. The second is None
            unless it learns, and then may lack documents: those that give away a held-out query.
        prediction: what is expected of it, written before the run.
        learns: whether it is fitted to judgments.

    Raises:
        ConfigError: no name.
    """

    name: str
    build: Build
    prediction: str | None = None
    learns: bool = False

    def __post_init__(self) -> None:
        if not self.name or not callable(self.build):
            raise ConfigError(f"Rung: {self.name!r}", hint="Rung(name, build)")


Steps = Sequence[Rung | Retriever]


def ladder(
    collection: Collection | Mapping[str, Collection],
    steps: Steps,
    split: str = "dev",
    metric: str = "ndcg@10",
    *,
    folds: int | None = None,
    record: str | PathLike[str] | None = None,
    alpha: float = 0.05,
    samples: int = 10_000,
    seed: int = 0,
    progress: Callable[[str, int, int], None] | None = None,
) -> Report:
    """Run every step over the queries of a split, and hold each against the one before.

    Args:
        collection: parted here by ``parts``, or parts made elsewhere: {"train": ..., "dev": ..., "test": ...}.
        steps: pipelines, empty or with the collection's documents in them, retrievers with a name, or rungs.
        split: "dev", "test", "train", or "all" for every query.
        metric: such as "ndcg@10". Retrievers are asked for as many documents as it looks at, 100 if it looks at all.
        folds: with "all": what learns is built so many times, and each time measured on queries it did not see.
        record: a JSON file that keeps who looked at what and was predicted; needed for test.
        alpha: below which a corrected p-value counts.
        samples: of the sign flips.
        seed: of the parts and of the sign flips.
        progress: is called before each step with its name, its place from 0, and how many there are.

    Raises:
        ConfigError: another split or metric, test without a record, two steps of one name.
        DataError: something learns and its training queries give away measured ones; no queries or steps; a pipeline
            that holds other documents.

    Example:
        >>> from tinyllm.rag import BM25, Lexical, Naive, Pipeline, Whole, evaluate
        >>> steps = [Pipeline(Whole(), [Lexical(index)]) for index in (Naive(), BM25())]
        >>> report = ladder(evaluate.load("toy"), steps, split="all", samples=100)
        >>> [step.name for step in report.steps], report.queries
        (['naive', 'bm25'], 12)
    """
    rungs = as_rungs(steps)
    if split == "test" and record is None:
        raise ConfigError("ladder: test is looked at once, so each look is recorded", hint='record="looks.json"')
    measured, lessons = chosen(collection, split, rungs, folds, seed)
    looks, seen = None if record is None else Looks(record), 0
    if looks is not None:
        predictions = {rung.name: rung.prediction for rung in rungs}
        seen = looks.begin(measured.name, split, metric, measured.queries.values(), predictions)
    found = {rung.name: scores for rung, _, scores in run(measured, rungs, metric, lessons, progress)}
    title = f"{measured.name}, {metric}" + (f", look {seen + 1} at test" if split == "test" else "")
    told = {rung.name: rung.prediction for rung in rungs if rung.prediction is not None}
    report = compare(found, title, alpha, samples, seed, told)
    if looks is not None:
        looks.end({step.name: step.mean.value for step in report.steps})
    return report


def chosen(
    collection: Collection | Mapping[str, Collection],
    split: str,
    rungs: Sequence[Rung],
    folds: int | None = None,
    seed: int = 0,
) -> tuple[Collection, Lessons]:
    """Return what is measured on, and what may be learned from for which queries: nothing when nothing learns.

    Raises:
        ConfigError: there is no such split, or folds of another than all.
        DataError: something learns, and there is nothing to learn from or it gives away measured queries.
    """
    learner = next((rung.name for rung in rungs if rung.learns), None)
    if folds is not None and split != "all":
        raise ConfigError(f"ladder: folds={folds} of split={split!r}", hint='split="all"')
    if isinstance(collection, Collection):
        if split not in (*SPLITS, "all"):
            raise ConfigError(f"ladder: split={split!r}", hint="dev, test, train or all")
        found = {"all": collection} if split == "all" else parts(collection, seed)
    else:
        found = dict(collection)
        if split not in found:
            raise ConfigError(f"ladder: split={split!r}", hint=" or ".join(found))
    measured = found[split]
    if learner is None:
        return measured, ()
    if folds is None and ("train" not in found or split == "train"):
        raise DataError(f"ladder: {learner!r} learns, and {split!r} leaves it nothing else to learn from",
                        hint='split="dev", or split="all" with folds=5')  # fmt: skip
    lessons = [(found["train"], measured)] if folds is None else in_folds(measured, folds, seed=seed)
    for train, held_out in lessons:
        leaks = leak_report(train, held_out)
        if leaks.leaks:
            known = len(held_out.queries) - len(leaks.clean)
            raise DataError(
                f"ladder: {learner!r} learns, and train gives away {known} of {len(held_out.queries)} queries",
                hint="parts(collection), or purge(train, dev)",
            )
    return measured, lessons


def run(
    collection: Collection,
    rungs: Sequence[Rung],
    metric: str = "ndcg@10",
    lessons: Lessons = (),
    progress: Callable[[str, int, int], None] | None = None,
) -> Iterator[tuple[Rung, Retriever, Scores]]:
    """Build one rung after the other and yield it, its retriever (the last fold's), and its score for each query.

    Raises:
        DataError: no queries, or a pipeline that holds other documents.
        ConfigError: another metric.
    """
    cut = re.search(r"@(\d+)$", metric)
    k = (int(cut[1]) if cut else UNCUT) + max(map(len, collection.removed.values()), default=0)
    collection.evaluate({}, [metric])  # an unknown metric is said before anything is built
    for place, rung in enumerate(rungs):
        if progress is not None:
            progress(rung.name, place, len(rungs))
        retriever, found = ranked(collection, rung, k, lessons)
        yield rung, retriever, collection.evaluate(found, [metric])[metric]


def ranked(collection: Collection, rung: Rung, k: int, lessons: Lessons = ()) -> tuple[Retriever, dict[str, list[str]]]:
    """Build a rung and return its retriever (the last fold's), and query -> its k best documents, best first."""
    found: dict[str, list[str]] = {}
    for train, held_out in lessons if rung.learns else ((None, collection),):
        retriever = rung.build(collection.documents, train)
        for query, text in held_out.queries.items():
            found[query] = [name for name, _ in _ranked(retriever, text, k)]
    return retriever, found


def mean(scores: Scores) -> float:
    """Return the mean over the queries.

    Example:
        >>> mean({"a": 0.5, "b": 1.0})
        0.75
    """
    return math.fsum(scores.values()) / len(scores)


def as_rungs(steps: Steps) -> list[Rung]:
    """Return steps as rungs.

    Raises:
        ConfigError: something that is no retriever or has no name, an empty Lexical or Dense, two steps of one name.
    """
    rungs = [step if isinstance(step, Rung) else _rung(step) for step in steps]
    names = [rung.name for rung in rungs]
    if len(set(names)) < len(names):
        raise ConfigError(f"ladder: two steps of one name in {names}", hint='Pipeline(..., name="bm25, k1 0.9")')
    return rungs


def _rung(step: Any) -> Rung:
    name = getattr(step, "name", None)
    if not isinstance(name, str) or not hasattr(step, "search"):
        raise ConfigError(f"ladder: {step!r} is no step", hint="a Pipeline, a retriever with a name, or a Rung")
    if not hasattr(step, "documents"):
        if hasattr(step, "__len__") and not len(step):
            raise ConfigError(f"ladder: {name!r} is empty", hint="Pipeline(Whole(), [retriever]) fills itself")
        return Rung(name, lambda documents, train: step)

    def filled(documents: Mapping[str, Document], train: Collection | None) -> Retriever:
        if not len(step):
            step.add(documents.values())
        elif step.documents.keys() != documents.keys():
            raise DataError(f"ladder: {name!r} holds other documents than the collection", hint="an empty pipeline")
        return step

    return Rung(name, filled)


def _ranked(retriever: Any, query: str, k: int) -> list[tuple[str, float]]:
    if hasattr(retriever, "rank"):
        return retriever.rank(query, k)
    return best_documents(lambda count: retriever.search(query, count), k)
