"""What a check is: it draws problems, runs a function on them, and says line by line what it found."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np

from ...autograd.draw import Sample
from ..slots.slot import Slot
from ..verdict import Line
from .call import Call, Outcome, attempt
from .problem import Answer, Problem

if TYPE_CHECKING:
    from ..exercise import Exercise

EDITION = 1  # raised when the judge gets stricter: what passed before is then looked at again


@dataclass(frozen=True)
class Posed:
    """A sample of a problem with its answer."""

    problem: Problem
    sample: Sample
    answer: Answer
    call: Call | None = None

    def called(self) -> Call:
        """Return what the function is to be called with."""
        return self.problem.call(self.sample) if self.call is None else self.call


class Check:
    """What all checks share: a version, the inputs they draw, a run, and a trace."""

    @property
    def label(self) -> str:
        """What the check's line of the verdict says."""
        return type(self).__name__.lower()

    @property
    def version(self) -> str:
        """A hash of what is asked: it changes when the check does, and what passed before is looked at again."""
        parts = [str(EDITION), type(self).__name__]
        parts += [f"{f.name}={_text(getattr(self, f.name))}" for f in fields(self)]  # type: ignore[arg-type]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:12]

    def run(self, function: Callable[..., Any], slot: Slot, exercise: Exercise, seed: int = 0) -> Iterator[Line]:
        """Try a function and yield a line for everything that was looked at."""
        raise NotImplementedError

    def posed(self, slot: Slot, seed: int = 0) -> list[Posed]:
        """Return the inputs that this check draws itself, with their answers, smallest first.

        Those of the last seed are kept: a function and all the mistakes it is compared with are asked the same.
        """
        kept = self.__dict__.get("_kept")
        if kept is None or kept[0] != (slot.path, seed):
            kept = (slot.path, seed), self.drawn(slot, seed)
            self.__dict__["_kept"] = kept
        found: list[Posed] = kept[1]
        return found

    def drawn(self, slot: Slot, seed: int) -> list[Posed]:
        """Draw the inputs and find out the answers; by default there are none."""
        return []

    def trace(self, function: Callable[..., Any], slot: Slot, exercise: Exercise, seed: int = 0) -> Iterator[Outcome]:
        """Yield what a function does with every input of this check: two functions that do the same are alike."""
        for posed in self.posed(slot, seed):
            yield attempt(function, posed.called())


def all_posed(exercise: Exercise, slot: Slot, seed: int = 0) -> list[Posed]:
    """Return the inputs of all checks of an exercise, smallest first within each check."""
    return [posed for check in exercise.checks for posed in check.posed(slot, seed)]


def _text(value: Any) -> str:
    """Write a parameter of a check down in a way that only changes when it does."""
    if isinstance(value, np.ndarray):
        return f"{value.dtype}{value.shape}{hashlib.sha256(value.tobytes()).hexdigest()}"
    if isinstance(value, (tuple, list)):
        return "(" + ", ".join(_text(v) for v in value) + ")"
    if isinstance(value, Sample):
        return f"Sample{_text(value.args)}{_text(sorted(value.params.items()))}"
    if isinstance(value, type):
        return value.__qualname__
    if callable(value):
        try:
            return inspect.getsource(value)
        except (OSError, TypeError):
            return getattr(value, "__qualname__", "callable")
    return repr(value)
