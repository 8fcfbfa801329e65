"""Did each step of a pipeline help: a table of steps, each held against the one before, and a gate that says no.

    report = compare({"naive": scores_a, "bm25": scores_b}, "toy, ndcg@10")     # query -> score, from ``per_query``
    print(report)
    assert each_step_improves_metrics(report)

A step is *better* when its mean is above the one before and the p-value, corrected for all the steps (Holm), is below
``alpha``; *worse* when it is below by the same measure; else *not shown*, which is not the same as equal: the least
detectable effect says what difference these queries could have shown.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

from ...bootstrap import Interval, percentile
from ...errors import ConfigError, DataError
from .significance import holm, least_detectable, sign_flips

BETTER, NOT_SHOWN, WORSE = "better", "not shown", "worse"


@dataclass(frozen=True, slots=True)
class Change:
    """What a step did to the one before it.

    Attributes:
        delta: mean difference over the queries, with its interval.
        p: of the sign flips.
        p_holm: corrected for the number of steps.
        least: the true difference that so many queries would show in four cases of five.
        wins, losses: on how many queries the step is above and below the one before.
        verdict: "better", "not shown" or "worse".
    """

    delta: Interval
    p: float
    p_holm: float
    least: float
    wins: int
    losses: int
    verdict: str


@dataclass(frozen=True, slots=True)
class Step:
    """A rung: its name, its mean with an interval, what it changed (None for the first), and what was predicted."""

    name: str
    mean: Interval
    change: Change | None
    prediction: str | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """The whole ladder; ``str(report)`` is its table.

    Attributes:
        title: collection, split and metric.
        steps: in the order of the ladder.
        queries: how many were measured.
        alpha: below which a corrected p-value counts.
    """

    title: str
    steps: tuple[Step, ...]
    queries: int
    alpha: float

    def __str__(self) -> str:
        width = max(4, *(len(step.name) for step in self.steps))
        lines = [f"{self.title}: {self.queries} queries"]
        head = "   mean  [interval   ]   delta  [interval     ]  p (Holm)  detectable  won/lost  verdict"
        lines.append(f"{'step':<{width}}{head}")
        for step in self.steps:
            mean = step.mean
            line = f"{step.name:<{width}}  {mean.value:.3f}  [{mean.low:.3f} {mean.high:.3f}]"
            if step.change:
                c = step.change
                line += f"  {c.delta.value:+.3f}  [{c.delta.low:+.3f} {c.delta.high:+.3f}]  {c.p_holm:8.4f}"
                line += f"  {c.least:10.3f}  {f'{c.wins}/{c.losses}':>8}  {c.verdict}"
            lines.append(line)
            if step.prediction is not None:
                lines.append(f"{'':<{width}}  predicted: {step.prediction}")
        return "\n".join(lines)


@dataclass(frozen=True, slots=True)
class Gate:
    """Yes or no, and why; true in an ``if`` or an ``assert`` only when every step is better.

    Attributes:
        passed: the answer.
        reason: one sentence.
        step: the first step that is not better, None when there is none.
    """

    passed: bool
    reason: str
    step: str | None = None

    def __bool__(self) -> bool:
        return self.passed

    def __str__(self) -> str:
        return self.reason


def compare(
    steps: Mapping[str, Mapping[str, float]],
    title: str = "ladder",
    alpha: float = 0.05,
    samples: int = 10_000,
    seed: int = 0,
    predictions: Mapping[str, str] | None = None,
) -> Report:
    """Hold each step against the one before it.

    Args:
        steps: name -> query -> score, in the order of the ladder, all over the same queries; higher is better.
        title: of the report.
        alpha: below which a corrected p-value counts.
        samples: random patterns of signs, and samples of the bootstrap.
        seed: of both: the same report every time.
        predictions: step -> what was expected of it, written down before the run.

    Raises:
        DataError: no steps, no queries, steps over different queries, or a score that is not finite.
        ConfigError: an alpha that is no share, or a prediction for a step that does not exist.

    Example:
        >>> up = {str(q): 0.1 * q + 0.2 for q in range(8)}
        >>> report = compare({"naive": {q: v - 0.2 for q, v in up.items()}, "bm25": up})
        >>> report.steps[1].change.verdict, bool(each_step_improves_metrics(report))
        ('better', True)
    """
    if not 0 < alpha < 1:
        raise ConfigError(f"ladder: alpha={alpha}", hint="alpha=0.05")
    unknown = [name for name in predictions or {} if name not in steps]
    if unknown:
        raise ConfigError(f"ladder: a prediction for {unknown[0]!r}, which is no step", hint=", ".join(steps))
    names = list(steps)
    queries = list(steps[names[0]]) if names else []
    if not queries:
        raise DataError("ladder: no scores", hint="{step: {query: score}}")
    for name in names:
        odd = steps[name].keys() ^ steps[names[0]].keys()
        if odd:
            raise DataError(f"ladder: {names[0]!r} and {name!r} differ at query {min(odd)!r}", hint="the same queries")
        bad = next((query for query in queries if not math.isfinite(steps[name][query])), None)
        if bad is not None:
            raise DataError(f"ladder: {name!r} scores query {bad!r} as {steps[name][bad]}", hint="finite scores")
    rows = [[float(steps[name][query]) for query in queries] for name in names]
    moves = [[b - a for a, b in zip(old, new, strict=True)] for old, new in pairwise(rows)]
    p_values = [sign_flips(move, samples, seed) for move in moves]
    changes: list[Change | None] = [None]
    for move, p, corrected in zip(moves, p_values, holm(p_values), strict=True):
        delta = percentile(move, samples=min(samples, 2000), seed=seed)
        verdict = NOT_SHOWN if corrected >= alpha else BETTER if delta.value > 0 else WORSE
        wins, losses = sum(d > 0 for d in move), sum(d < 0 for d in move)
        changes.append(Change(delta, p, corrected, least_detectable(move), wins, losses, verdict))
    told = predictions or {}
    found = tuple(
        Step(name, percentile(row, samples=min(samples, 2000), seed=seed), change, told.get(name))
        for name, row, change in zip(names, rows, changes, strict=True)
    )
    return Report(title, found, len(queries), alpha)


def each_step_improves_metrics(report: Report) -> Gate:
    """Return whether every step is better than the one before; a false answer names the first that is not, and why.

    Args:
        report: of at least two steps.

    Raises:
        DataError: a single step, which improves on nothing.

    Example:
        >>> same = {"a": 0.5, "b": 0.7}
        >>> print(each_step_improves_metrics(compare({"bm25": same, "reranked": same}, "toy, ndcg@10")))
        toy, ndcg@10: reranked does not improve on bm25: not shown, +0.000 (p = 1.0000, Holm) over 2 queries
    """
    if len(report.steps) < 2:
        raise DataError("each_step_improves_metrics: one step improves on nothing", hint="a baseline before it")
    for before, step in pairwise(report.steps):
        change = step.change
        if change is None or change.verdict == BETTER:
            continue
        reason = f"{report.title}: {step.name} does not improve on {before.name}: {change.verdict}, "
        reason += f"{change.delta.value:+.3f} (p = {change.p_holm:.4f}, Holm) over {report.queries} queries"
        if change.verdict == NOT_SHOWN and change.least > abs(change.delta.value):
            reason += f", which show a difference from about {change.least:.3f} on"
        return Gate(False, reason, step.name)
    return Gate(True, f"{report.title}: each of {len(report.steps) - 1} steps is better than the one before")
