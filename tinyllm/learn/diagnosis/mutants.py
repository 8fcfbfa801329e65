"""Mutants: the usual mistakes, made of the library's own source, and whether a function behaves exactly like one.

Two functions are alike when, on every input that the exercise's checks draw, they give the same arrays or raise the
same exception, change the same inputs and save the same values.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..checks.call import Outcome
from ..checks.compare import EPS, numeric
from ..exercise import Exercise, Mutant
from ..slots.slot import Slot
from .breakdown import said

_RTOL = 1e-7  # two ways of writing the same mistake differ by rounding


def made(slot: Slot, mutant: Mutant) -> Callable[..., Any]:
    """Return a mutant as a function.

    Raises:
        LearnError: what it replaces does not occur exactly once in the slot's source.
    """
    return slot.make(slot.patched(mutant.old, mutant.new))


def traced(function: Callable[..., Any], slot: Slot, exercise: Exercise, seed: int = 0) -> list[Outcome]:
    """Return what a function does with every input that the exercise's checks draw."""
    return [outcome for check in exercise.checks for outcome in check.trace(function, slot, exercise, seed)]


def which(function: Callable[..., Any], slot: Slot, exercise: Exercise, seed: int = 0) -> int | None:
    """Return the index of the first mutant that a function behaves exactly like, or None.

    Where there is none, one that gives the same numbers in another precision will do: the mistake is the same, and the
    precision is a second one.
    """
    mine = traced(function, slot, exercise, seed)
    theirs = []
    for index, mutant in enumerate(exercise.mutants):
        theirs.append(traced(made(slot, mutant), slot, exercise, seed))
        if alike(mine, theirs[-1]):
            return index
    return next((index for index, trace in enumerate(theirs) if alike(mine, trace, precisely=False)), None)


def alike(one: Sequence[Outcome], other: Sequence[Outcome], precisely: bool = True) -> bool:
    """Did two functions do the same, input by input: to the dtype, or only but for the precision of floats?

    Where neither ever returns anything the messages of their exceptions have to agree as well: that two functions break
    down everywhere says little.
    """
    if len(one) != len(other):
        return False
    around = _largest(one, other)
    if not all(_same(a, b, around, precisely) for a, b in zip(one, other, strict=True)):
        return False
    if any(a.error is None for a in one):
        return True
    return all(_said(a.error) == _said(b.error) for a, b in zip(one, other, strict=True))


def _said(error: BaseException | None) -> str:
    return said(error) if error is not None else ""


def _largest(*traces: Sequence[Outcome]) -> float:
    """Return the largest finite number in some traces: what is far below it is rounding."""
    found = 0.0
    for outcome in (outcome for trace in traces for outcome in trace):
        values = outcome.value if isinstance(outcome.value, (tuple, list)) else (outcome.value,)
        for value in values:
            if numeric(value) and np.asarray(value).dtype.kind in "fc":
                size = np.abs(np.asarray(value))
                found = max(found, float(np.where(np.isfinite(size), size, 0).max(initial=0.0)))
    return found


def _same(a: Outcome, b: Outcome, around: float, precisely: bool) -> bool:
    if (a.error is None) != (b.error is None):
        return False
    if a.error is not None:
        return type(a.error) is type(b.error)
    values = _equal(a.value, b.value, around, precisely)
    return values and a.changed == b.changed and _equal(a.saved, b.saved, around, precisely)


def _equal(a: Any, b: Any, around: float, precisely: bool) -> bool:
    if isinstance(a, (tuple, list)) and isinstance(b, (tuple, list)):
        return len(a) == len(b) and all(_equal(x, y, around, precisely) for x, y in zip(a, b, strict=True))
    if numeric(a) and numeric(b):
        return _near(np.asarray(a), np.asarray(b), around, precisely)
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(_equal(value, b[key], around, precisely) for key, value in a.items())
    if isinstance(a, np.ndarray) or isinstance(b, np.ndarray):
        return type(a) is type(b) and bool(np.array_equal(a, b))
    return type(a) is type(b) and bool(np.all(a == b))


def _near(x: Any, y: Any, around: float, precisely: bool) -> bool:
    """Are two arrays of one shape, and where it is asked for of one dtype, equal up to rounding?"""
    if x.shape != y.shape or (x.ndim and x.dtype != y.dtype and (precisely or not x.dtype.kind == y.dtype.kind == "f")):
        return False
    finite = np.isfinite(y) if y.dtype.kind in "fc" else np.ones(y.shape, bool)
    if x.dtype.kind not in "fc" or not np.array_equal(x[~finite], y[~finite], equal_nan=True):
        return bool(np.array_equal(x, y))
    x, y = np.where(finite, x, 0), np.where(finite, y, 0)
    coarse = 1e-4 if np.float32 in (x.dtype, y.dtype) else _RTOL
    with np.errstate(all="ignore"):
        allowed = coarse * float(np.abs(y).max(initial=0.0)) + EPS * coarse / _RTOL * around
        return bool(np.all(np.abs(x - y) <= allowed))
