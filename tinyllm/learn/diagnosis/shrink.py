"""Shrink a failing sample: as few entries, and as round numbers, as still show the mistake.

All axes of one size shrink together, in every array, and so does an integer or a shape that names that size: sizes are
distinct primes, so an axis of 5 is the same axis wherever a 5 stands. What the answer refuses is no sample.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from ...autograd.draw import Sample
from ...errors import TinyLLMError
from ..checks.problem import Backward
from ..checks.trial import Trial, tried

_TRIES = 60  # how many smaller samples are looked at


def shrunk(function: Callable[..., Any], trial: Trial, name: str = "") -> Trial:
    """Return a trial that fails in the same way on less.

    Args:
        function: the learner's.
        trial: one that failed on a sample that was drawn.
        name: of the result that is wrong there, "" for all of it.
    """
    kind = trial.wrong[name].kind
    tries = 0
    if isinstance(trial.problem, Backward):
        short = replace(trial, problem=replace(trial.problem, digits=2))
        trial = _fails(function, short, trial.sample, name, kind) or trial
    smaller = True
    while smaller and tries < _TRIES:
        smaller = False
        for sample in _candidates(trial.sample):
            tries += 1
            if tries > _TRIES:
                break
            found = _fails(function, trial, sample, name, kind)
            if found is not None:
                trial, smaller = found, True
                break
    return trial


def _fails(function: Callable[..., Any], trial: Trial, sample: Sample, name: str, kind: str) -> Trial | None:
    try:
        answer = trial.problem.answer(sample)
        if (answer.error is None) != (trial.answer.error is None):
            return None
        if not tried(trial.problem.slot.function, trial.problem, sample, answer).ok:  # a tie, or some other kink
            return None
        found = tried(function, trial.problem, sample, answer)
    except (TinyLLMError, ValueError, TypeError, IndexError, ArithmeticError):
        return None
    if name in found.wrong and found.wrong[name].kind == kind:
        if kind == "error" and type(found.outcome.error) is not type(trial.outcome.error):
            return None
        return found
    return None


def _candidates(sample: Sample) -> Iterator[Sample]:
    """Yield smaller samples, the smallest first; then the same sizes with rounder numbers."""
    for size in sorted(_sizes(sample), reverse=True):
        for smaller in dict.fromkeys((1, 2, size // 2, size - 1)):
            if 0 < smaller < size:
                yield _each(sample, lambda value, n=size, m=smaller: _resized(value, n, m))  # type: ignore[misc]
    for digits in (0, 1):
        rounder = _each(sample, lambda value, d=digits: _rounded(value, d))  # type: ignore[misc]
        if not _equal(rounder, sample):
            yield rounder


def _each(sample: Sample, change: Callable[[Any], Any]) -> Sample:
    return Sample(tuple(change(a) for a in sample.args), {key: change(a) for key, a in sample.params.items()})


def _sizes(sample: Sample) -> set[int]:
    arrays = [a for a in (*sample.args, *sample.params.values()) if isinstance(a, np.ndarray)]
    return {size for a in arrays for size in a.shape if size > 1}


def _resized(value: Any, size: int, smaller: int) -> Any:
    """Cut every axis of that size; a whole number or a shape that names it is changed, too."""
    if isinstance(value, np.ndarray):
        cut = value[tuple(slice(smaller if n == size else n) for n in value.shape)].copy()
        return np.minimum(cut, smaller - 1) if cut.dtype.kind in "iu" and value.max(initial=0) < size else cut
    if isinstance(value, bool):
        return value
    if isinstance(value, int) and value == size:
        return smaller
    if isinstance(value, tuple) and all(isinstance(v, int) for v in value):
        return tuple(smaller if v == size else v for v in value)
    return value


def _rounded(value: Any, digits: int) -> Any:
    if isinstance(value, np.ndarray) and value.dtype.kind == "f":
        return np.round(value, digits) + 0.0
    return round(value, digits) if isinstance(value, float) else value


def _equal(a: Sample, b: Sample) -> bool:
    values = (*a.args, *a.params.values()), (*b.args, *b.params.values())
    return all(
        np.array_equal(x, y, equal_nan=x.dtype.kind == "f") if isinstance(x, np.ndarray) else x is y or x == y
        for x, y in zip(*values, strict=True)
        if isinstance(x, (np.ndarray, float))
    )
