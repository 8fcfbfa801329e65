"""Checks of form: shapes and dtypes of the results, what an op's forward saves, inputs that stay as they were."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ... import kernels
from ...autograd.draw import Sample
from ...errors import LearnError, shape_in_letters
from ..slots.slot import Slot
from ..verdict import Line
from .call import Call, Outcome, attempt
from .check import Check, Posed, all_posed
from .compare import Difference, difference, numeric
from .problem import Forward, results
from .trial import Failure, Trial, tried

if TYPE_CHECKING:
    from ..exercise import Exercise


@dataclass(frozen=True)
class Shapes(Check):
    """The right number of results, each of the right shape, kind and dtype; see ``checks.shapes``."""

    def run(self, function: Callable[..., Any], slot: Slot, exercise: Exercise, seed: int = 0) -> Iterator[Line]:
        """Look at every input of the exercise's other checks."""
        everything = [p for p in all_posed(exercise, slot, seed) if p.answer.error is None]
        failing = []
        for posed in everything:
            trial = tried(function, posed.problem, posed.sample, posed.answer, posed.call)
            failing += [(trial, name, d) for name, d in trial.wrong.items() if d.kind not in ("values", "nan")]
        if failing:
            trial, name, found = min(failing, key=_plainness)  # an axis of size 1 would hide what is wrong
            yield Failure.of(self.label, _in_letters(trial, name, found), trial, name)
            return
        largest = _largest(exercise, slot, seed)
        if largest is None:
            yield Line("ok", self.label, "nothing to look at")
            return
        sizes = ", ".join(f"{letter}={size}" for letter, size in largest.problem.sizes(largest.sample).items())
        yield Line("ok", self.label, " ".join(largest.answer.names) + (f" ({sizes})" if sizes else ""))

    def trace(self, function: Callable[..., Any], slot: Slot, exercise: Exercise, seed: int = 0) -> Iterator[Outcome]:
        """Yield what the function does with the largest input in float32."""
        call = in_float32(_largest(exercise, slot, seed))
        if call is not None:
            yield attempt(function, call)


def _largest(exercise: Exercise, slot: Slot, seed: int) -> Posed | None:
    posed = [p for p in all_posed(exercise, slot, seed) if p.answer.error is None]
    return max(posed, key=lambda p: sum(a.size for a in p.sample.args if isinstance(a, np.ndarray)), default=None)


def _plainness(failing: tuple[Trial, str, Difference]) -> bool:
    trial, name, found = failing
    return found.kind == "shape" and name in trial.answer.names and bool({0, 1} & set(np.shape(trial.expected(name))))


def _in_letters(trial: Trial, name: str, found: Difference) -> str:
    """Say which shape is wrong, with axis letters."""
    if found.kind != "shape":
        return f"{name}: {found.text}" if name else found.text
    axes = trial.axes(name)
    right = shape_in_letters(np.shape(trial.expected(name)), axes)
    return f"{name}: yours {np.shape(trial.value(name))}, expected {right}"


def in_float32(posed: Posed | None) -> Call | None:
    """Return a call with float32 arrays in place of float64 ones, or None where there is nothing of the kind."""
    if posed is None:
        return None
    args, params = posed.sample.args, posed.sample.params
    sample = Sample(tuple(_single(a) for a in args), {label: _single(a) for label, a in params.items()})
    try:
        return posed.problem.call(sample)
    except (TypeError, ValueError):  # a forward that refuses float32
        return None


def float32(function: Callable[..., Any], slot: Slot, exercise: Exercise, seed: int = 0) -> Line | None:
    """float32 goes in: where the library gives float32 back, so must the function; None where that does not apply."""
    posed = _largest(exercise, slot, seed)
    call = in_float32(posed)
    if call is None or posed is None:
        return None
    library, outcome = attempt(slot.function, call), attempt(function, call)
    if library.error is not None or outcome.error is not None:
        return None
    right, got = results(library.value, posed.answer), results(outcome.value, posed.answer)
    if isinstance(right, str) or isinstance(got, str):
        return None
    looked = False
    for name, a, b in zip(posed.answer.names, got, right, strict=True):
        dtypes = np.asarray(a).dtype, np.asarray(b).dtype
        if not numeric(b) or not np.ndim(b) or dtypes[1] != np.float32:
            continue
        looked = True
        if dtypes[0] != dtypes[1]:
            trial = Trial(posed.problem, posed.sample, call, posed.answer, outcome, got)
            trial.wrong[name] = Difference("float32", f"{dtypes[0]}, expected {dtypes[1]}")
            return Failure.of("dtype", f"{name}: {dtypes[0]} from float32 inputs, expected {dtypes[1]}", trial, name)
    return Line("ok", "dtype", "float32 in, float32 out") if looked else None


def _single(value: Any) -> Any:
    return value.astype(np.float32) if isinstance(value, np.ndarray) and value.dtype == np.float64 else value


@dataclass(frozen=True)
class NoMutation(Check):
    """What the function is given stays as it was; see ``checks.no_mutation``."""

    @property
    def label(self) -> str:
        """What the check's line of the verdict says."""
        return "inputs untouched"

    def run(self, function: Callable[..., Any], slot: Slot, exercise: Exercise, seed: int = 0) -> Iterator[Line]:
        """Look at every input of the exercise's other checks."""
        for posed in all_posed(exercise, slot, seed):
            call = posed.called()
            outcome = attempt(function, call)
            trial = Trial(posed.problem, posed.sample, call, posed.answer, outcome)
            if outcome.error is not None and posed.answer.error is None:
                trial.wrong[""] = Difference("error", f"raises {type(outcome.error).__name__}")
                yield Failure.of(self.label, trial.wrong[""].text, trial)
                return
            if outcome.changed:
                with kernels.use("numpy"):
                    allowed = attempt(slot.function, call).changed
                changed = [name for name in outcome.changed if name not in allowed]
                if changed:
                    trial.wrong[""] = Difference("changed", f"changes {' and '.join(changed)} in place")
                    yield Failure.of(self.label, trial.wrong[""].text, trial)
                    return
        yield Line("ok", self.label)


@dataclass(frozen=True)
class Saves(Check):
    """An op's forward saves what its backward reads; see ``checks.saves``."""

    @property
    def label(self) -> str:
        """What the check's line of the verdict says."""
        return "ctx.saved"

    def drawn(self, slot: Slot, seed: int) -> list[Posed]:
        """Draw the op's own samples."""
        if slot.op is None or slot.part != "forward":
            raise LearnError(f"{slot.name}: saves() is for the forward of an op")
        problem = Forward(slot, slot.op.samples)
        return [Posed(problem, sample, problem.answer(sample)) for sample in problem.drawn(seed)]

    def run(self, function: Callable[..., Any], slot: Slot, exercise: Exercise, seed: int = 0) -> Iterator[Line]:
        """Compare what is saved, in order."""
        problem = Forward(slot, None)
        for posed in self.posed(slot, seed):
            trial = tried(function, posed.problem, posed.sample, posed.answer)
            if trial.outcome.error is not None:
                yield Failure.of(self.label, trial.wrong[""].text, trial)
                return
            right = problem.saved(posed.sample)
            text = _saved_differ(trial.outcome.saved, right)
            if text:
                trial.wrong[""] = Difference("saved", text)
                yield Failure.of(self.label, text, trial)
                return
        yield Line("ok", self.label)


def _saved_differ(got: tuple[Any, ...], right: tuple[Any, ...]) -> str:
    if len(got) != len(right):
        return f"ctx.saved holds {len(got)} values, and backward reads {len(right)}"
    for k, (a, b) in enumerate(zip(got, right, strict=True)):
        found = difference(a, b, 1e-9)
        if found is not None:
            return f"ctx.saved[{k}]: {found.text}"
    return ""
