"""Mutants: the usual mistakes, made of the library's own source, and whether a function behaves exactly like one.

Two functions are alike when, on every input that the exercise's checks draw, they give the same arrays or raise the
same exception, change the same inputs and save the same values.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .call import Outcome
from .compare import close, numeric
from .exercise import Exercise, Mutant
from .slot import Slot

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
    """Return the index of the first mutant that a function behaves exactly like, or None."""
    mine = traced(function, slot, exercise, seed)
    for index, mutant in enumerate(exercise.mutants):
        if alike(mine, traced(made(slot, mutant), slot, exercise, seed)):
            return index
    return None


def alike(one: Sequence[Outcome], other: Sequence[Outcome]) -> bool:
    """Did two functions do the same, input by input?

    Where neither ever returns anything the messages of their exceptions have to agree as well: that two functions break
    down everywhere says little.
    """
    if len(one) != len(other):
        return False
    if not all(_same(a, b) for a, b in zip(one, other, strict=True)):
        return False
    if any(a.error is None for a in one):
        return True
    return all(str(a.error) == str(b.error) for a, b in zip(one, other, strict=True))


def _same(a: Outcome, b: Outcome) -> bool:
    if (a.error is None) != (b.error is None):
        return False
    if a.error is not None:
        return type(a.error) is type(b.error)
    return a.changed == b.changed and _equal(a.value, b.value) and _equal(a.saved, b.saved)


def _equal(a: Any, b: Any) -> bool:
    if isinstance(a, (tuple, list)) and isinstance(b, (tuple, list)):
        return len(a) == len(b) and all(_equal(x, y) for x, y in zip(a, b, strict=True))
    if numeric(a) and numeric(b):
        x, y = np.asarray(a), np.asarray(b)
        if x.dtype.kind == "b" or y.dtype.kind == "b":
            return x.dtype == y.dtype and bool(np.array_equal(x, y))
        coarse = (
            max(np.finfo(d).eps for d in (x.dtype, y.dtype) if d.kind in "fc")
            if {*"fc"}
            & {
                x.dtype.kind,
                y.dtype.kind,
            }
            else 0.0
        )
        return (not x.ndim or x.dtype == y.dtype) and close(x, y, max(_RTOL, 100 * float(coarse)))
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(_equal(value, b[key]) for key, value in a.items())
    return type(a) is type(b) and bool(np.all(a == b))
