"""How good is a ranking? Six answers, each equal to trec_eval's.

    ndcg        gains found, discounted by log2(1 + rank), as a share of the best order's       graded
    recall      share of the relevant documents that were found                                 all or nothing from here
    precision   share of the places that hold a relevant document; k places, also when fewer came back
    mrr         one over the rank of the first relevant document
    map         precision at each relevant document, averaged over all that exist
    success     1 when any relevant document was found

What trec_eval decides, and so do we: scores become float32 before they are sorted, so that near ties are ties; ties go
by document id, descending as bytes ("9" before "10"); a document is relevant from grade 1; a negative grade gains
nothing; a judged query without relevant documents scores 0 and counts. What we do otherwise: a judged query that the
run lacks scores 0 (``missing="drop"`` leaves it out, as trec_eval does, which flatters), and NaN scores are refused.

Source: Järvelin & Kekäläinen 2002 (nDCG); Buckley & Voorhees 2005 (the others).
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np

from ...errors import ConfigError, DataError

Grades = Mapping[str, int]  # document -> grade; one that is not named has grade 0
Qrels = Mapping[str, Grades]  # query -> grades
Ranking = Sequence[str]  # document ids, best first
Run = Mapping[str, Mapping[str, float] | Sequence[tuple[str, float]] | Ranking]
DEFAULT = ("ndcg@10", "recall@100", "mrr@10", "map")
_NAME = re.compile(r"(ndcg|recall|precision|p|mrr|map|success)(?:@(\d+))?")


def ndcg(ranking: Ranking, grades: Grades, k: int | None = None, gain: str = "linear") -> float:
    """Return the normalized discounted cumulative gain of the first k places.

        DCG = sum over ranks r of gain(grade_r) / log2(1 + r)        nDCG = DCG / DCG of the best possible order

    Args:
        ranking: document ids, best first, none of them twice.
        grades: of the judged documents; what is not judged, or judged below 1, gains nothing.
        k: how many places to look at; all unless told.
        gain: "linear" (the grade, as trec_eval) or "exp" (2^grade - 1).

    Raises:
        DataError: a document twice.
        ConfigError: k below 1, or another gain.

    Example:
        >>> ndcg(["a", "b", "c"], {"a": 1, "c": 3}, k=10)  # (1 + 3 / log2(4)) / (3 + 1 / log2(3))
        0.688...
        >>> ndcg(["c", "a"], {"a": 1, "c": 3}, k=10)
        1.0
    """
    if gain not in ("linear", "exp"):
        raise ConfigError(f"ndcg: gain={gain!r}", hint="linear or exp")
    found = [grades.get(name, 0) for name in _top(ranking, k)]
    best = sorted((grade for grade in grades.values() if grade > 0), reverse=True)[:k]
    ideal = _dcg(best, gain)
    return _dcg(found, gain) / ideal if ideal else 0.0


def recall(ranking: Ranking, grades: Grades, k: int | None = None) -> float:
    """Return the share of all relevant documents that stand in the first k places.

    Example:
        >>> recall(["a", "b", "c"], {"a": 1, "c": 3}, k=2)
        0.5
    """
    relevant = _relevant(grades)
    return sum(name in relevant for name in _top(ranking, k)) / len(relevant) if relevant else 0.0


def precision(ranking: Ranking, grades: Grades, k: int) -> float:
    """Return the share of k places that hold a relevant document; an empty place counts as a miss.

    Example:
        >>> precision(["a"], {"a": 1}, k=5)
        0.2
    """
    relevant = _relevant(grades)
    return sum(name in relevant for name in _top(ranking, k)) / k


def mrr(ranking: Ranking, grades: Grades, k: int | None = None) -> float:
    """Return one over the rank of the first relevant document, 0 when the first k places hold none.

    Example:
        >>> mrr(["b", "a"], {"a": 1})
        0.5
    """
    relevant = _relevant(grades)
    return next((1 / rank for rank, name in enumerate(_top(ranking, k), start=1) if name in relevant), 0.0)


def average_precision(ranking: Ranking, grades: Grades, k: int | None = None) -> float:
    """Return the precision at every relevant document found, summed and divided by how many there are to find.

    Example:
        >>> average_precision(["a", "b", "c"], {"a": 1, "c": 1, "lost": 1})  # (1/1 + 2/3) / 3
        0.555...
    """
    relevant = _relevant(grades)
    found, total = 0, 0.0
    for rank, name in enumerate(_top(ranking, k), start=1):
        if name in relevant:
            found += 1
            total += found / rank
    return total / len(relevant) if relevant else 0.0


def success(ranking: Ranking, grades: Grades, k: int | None = None) -> float:
    """Return 1.0 when the first k places hold a relevant document, else 0.0.

    Example:
        >>> success(["b", "a"], {"a": 1}, k=1), success(["b", "a"], {"a": 1}, k=2)
        (0.0, 1.0)
    """
    return float(mrr(ranking, grades, k) > 0)


def rank(scores: Mapping[str, float] | Sequence[tuple[str, float]] | Ranking, query: str = "") -> list[str]:
    """Return document ids, best first, in the order in which trec_eval reads them.

    Args:
        scores: document -> score, or pairs of both. Ids alone are taken as ranked already.
        query: to be named in an error.

    Raises:
        DataError: a score that is NaN, or a document twice.

    Example:
        >>> rank({"10": 0.5, "9": 0.5, "7": 0.9})
        ['7', '9', '10']
        >>> rank({"a": 1.00000001, "b": 1.0})  # one number as float32, so the id decides
        ['b', 'a']
    """
    if isinstance(scores, Mapping):
        names, values = list(scores), list(scores.values())
    elif not len(scores) or isinstance(scores[0], str):
        return list(_top(scores, None, query))  # type: ignore[arg-type]
    else:
        names, values = [pair[0] for pair in scores], [pair[1] for pair in scores]  # type: ignore[misc]
        _top(names, None, query)
    with np.errstate(over="ignore"):  # beyond float32 is infinite, as it is there
        singles = np.array(values, dtype=np.float64).astype(np.float32)
    if np.isnan(singles).any():
        where = names[int(np.isnan(singles).argmax())]
        raise DataError(f"run: query {query!r} scores document {where!r} as NaN", hint="leave such documents out")
    # UTF-8 sorts as its code points do, so strings compare as their bytes would
    return [name for _, name in sorted(zip(singles.tolist(), names, strict=True), reverse=True)]


def per_query(
    run: Run, qrels: Qrels, metrics: Iterable[str] = DEFAULT, missing: str = "zero", gain: str = "linear"
) -> dict[str, dict[str, float]]:
    """Return metric -> query -> value, for every judged query, in the order of the judgments.

    Args:
        run: query -> document -> score (or pairs, or ids ranked already). Queries that nobody judged are passed over.
        qrels: query -> document -> grade.
        metrics: names such as "ndcg@10", "recall@100", "p@5", "mrr@10", "map", "success@1".
        missing: "zero" for a judged query that the run lacks, or "drop" to leave it out.
        gain: of nDCG: "linear" or "exp".

    Raises:
        DataError: no judgments, a grade that is not a whole number, a NaN score, a document twice for one query.
        ConfigError: an unknown metric or setting.

    Example:
        >>> per_query({"q": {"a": 0.2, "b": 0.9}}, {"q": {"a": 1}, "r": {"c": 1}}, ["mrr"])
        {'mrr': {'q': 0.5, 'r': 0.0}}
    """
    if missing not in ("zero", "drop"):
        raise ConfigError(f"evaluate: missing={missing!r}", hint="zero or drop")
    if not qrels:
        raise DataError("evaluate: no judgments", hint="qrels={query: {document: grade}}")
    functions = {name: _metric(name, gain) for name in metrics}
    values: dict[str, dict[str, float]] = {name: {} for name in functions}
    for query, grades in qrels.items():
        for document, grade in grades.items():
            if not isinstance(grade, int | np.integer):
                raise DataError(f"qrels: query {query!r} grades document {document!r} {grade!r}", hint="a whole number")
        if query not in run and missing == "drop":
            continue
        ranking = rank(run.get(query, ()), query)
        for name, function in functions.items():
            values[name][query] = function(ranking, grades)
    return values


def evaluate(
    run: Run, qrels: Qrels, metrics: Iterable[str] = DEFAULT, missing: str = "zero", gain: str = "linear"
) -> dict[str, float]:
    """Return metric -> its mean over the judged queries; arguments and errors as of ``per_query``.

    Example:
        >>> evaluate({"q": {"a": 0.2, "b": 0.9}}, {"q": {"a": 1}}, ["mrr@10", "p@5"])
        {'mrr@10': 0.5, 'p@5': 0.2}
    """
    values = per_query(run, qrels, metrics, missing, gain)
    return {name: math.fsum(each.values()) / len(each) if each else 0.0 for name, each in values.items()}


def _metric(name: str, gain: str) -> Callable[[Ranking, Grades], float]:
    found = _NAME.fullmatch(name)
    if not found or (found[1] in ("p", "precision") and not found[2]):
        raise ConfigError(f"evaluate: no metric {name!r}", hint="ndcg@10, recall@100, p@5, mrr@10, map, success@1")
    k = int(found[2]) if found[2] else None
    if found[1] == "ndcg":
        return lambda ranking, grades: ndcg(ranking, grades, k, gain)
    table: dict[str, Callable[..., float]] = {"recall": recall, "mrr": mrr, "map": average_precision}
    function = table.get(found[1], success if found[1] == "success" else precision)
    return lambda ranking, grades: function(ranking, grades, k)


def _dcg(grades: Sequence[int], gain: str) -> float:
    gains = [max(0, grade) if gain == "linear" else 2.0 ** max(0, grade) - 1 for grade in grades]
    return sum(g / math.log2(1 + place) for place, g in enumerate(gains, start=1) if g)


def _relevant(grades: Grades) -> set[str]:
    return {name for name, grade in grades.items() if grade > 0}


def _top(ranking: Ranking, k: int | None, query: str = "") -> Ranking:
    if k is not None and k < 1:
        raise ConfigError(f"metrics: k={k}", hint="at least 1 place")
    if isinstance(ranking, str):
        raise DataError(f"run: the text {ranking[:40]!r} is no ranking", hint="a list of document ids")
    if len(set(ranking)) != len(ranking):
        seen: set[str] = set()
        twice = next(name for name in ranking if name in seen or seen.add(name))  # type: ignore[func-returns-value]
        where = f"query {query!r} has" if query else "a ranking has"
        raise DataError(f"run: {where} document {twice!r} twice", hint="a document scores as its best chunk, once")
    return ranking if k is None else ranking[:k]
