"""Judge a learner's function: did it run, do the checks pass, which mistake is it, what is the smallest example."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ... import kernels
from ..checks.call import attempt, image
from ..checks.check import Posed, all_posed
from ..checks.compare import Difference, numeric
from ..checks.shapes import Shapes, float32
from ..checks.trial import Failure, Trial
from ..exercise import Exercise
from ..slots.slot import Slot
from ..verdict import Line, Verdict
from . import mutants
from .breakdown import arity, is_stub, place, told
from .diagnose import diagnosed
from .paste import code
from .shrink import shrunk

_PICTURE = 4096  # entries of an array that is still sent to be drawn


def judge(
    exercise: Exercise,
    function: Callable[..., Any],
    slot: Slot | None = None,
    seed: int = 0,
    *,
    use_mutants: bool = True,
) -> Verdict:
    """Check a function and say what is wrong with it.

    Args:
        exercise: what it is for.
        function: the learner's.
        slot: the exercise's slot, if it is at hand.
        seed: of everything that is drawn.
        use_mutants: compare it with the exercise's usual mistakes, too; without, only the diagnosis speaks.

    Returns:
        A verdict: "stub", "passed", or "failed" with a line for every check, the first FAIL with its reasons.

    Raises:
        LearnError: the record itself is wrong: a mutant that does not apply, a check that checks nothing.
    """
    start = time.perf_counter()
    slot = Slot.of(exercise.slot) if slot is None else slot
    verdict = Verdict(exercise.id, "failed", where=place(function) if callable(function) else "")
    posed = all_posed(exercise, slot, seed)
    lines, state = _looked_at(exercise, function, slot, posed, seed)
    verdict.state = state
    failure = next((line for line in lines if isinstance(line, Failure)), None)
    if failure is not None:
        _reasons(verdict, failure, exercise, function, slot, posed, seed, use_mutants)
    verdict.lines = [Line(line.mark, line.name, line.text, line.because, line.code) for line in lines]
    verdict.seconds = time.perf_counter() - start
    return verdict


def _looked_at(
    exercise: Exercise, function: Callable[..., Any], slot: Slot, posed: Sequence[Posed], seed: int
) -> tuple[list[Line], str]:
    """Run everything; what comes after the first failure waits for it."""
    waiting = [check.label for check in exercise.checks]
    first = _ran(exercise, function, slot, posed)
    if first is not None:
        stub = isinstance(first, Failure) and first.name == "stub"
        lines: list[Line] = [Line("--", "runs", first.text) if stub else first]
        return [*lines, *(Line("--", label) for label in waiting)], "stub" if stub else "failed"
    lines = []
    for k, check in enumerate(exercise.checks):
        found = list(check.run(function, slot, exercise, seed))
        lines += found
        failed = next((line for line in found if line.mark == "FAIL"), None)
        if failed is not None:
            return [*lines, *(Line("--", label, f"waits for {failed.name}") for label in waiting[k + 1 :])], "failed"
    dtype = float32(function, slot, exercise, seed) if any(isinstance(c, Shapes) for c in exercise.checks) else None
    if dtype is not None:
        lines.append(dtype)
    return lines, "failed" if isinstance(dtype, Failure) else "passed"


def _ran(exercise: Exercise, function: Callable[..., Any], slot: Slot, posed: Sequence[Posed]) -> Failure | None:
    """Call it on everything that is drawn: a stub, wrong arguments, exceptions, None, inputs changed, two answers."""
    if not callable(function):
        return Failure.of("runs", f"{slot.name} is no function but {type(function).__name__}")
    for k, p in enumerate(posed):
        call = p.called()
        trial = Trial(p.problem, p.sample, call, p.answer, attempt(function, call))
        error = trial.outcome.error
        if is_stub(error, exercise.id):
            return Failure.of("stub", "still to be written")
        if error is not None and p.answer.error is None:
            text = arity(function, slot, call)
            trial.wrong[""] = Difference("arity" if text else "error", text or f"raises {type(error).__name__}")
            return Failure.of("runs", text or told(error, function, trial)[0], trial)
        if p.answer.error is None and trial.outcome.value is None and p.answer.values[0] is not None:
            trial.wrong[""] = Difference("kind", "it returns None")
            return Failure.of("runs", "it returns None", trial)
        changed = _changed(trial, slot)
        if changed:
            trial.wrong[""] = Difference("changed", f"changes {changed} in place")
            return Failure.of("inputs untouched", f"changes {changed} in place", trial)
        if k == 0 and error is None and image(attempt(function, call).value) != image(trial.outcome.value):
            trial.wrong[""] = Difference("unsteady", "the same call gave two different results")
            return Failure.of("runs", "the same call gave two different results", trial)
    return None


def _changed(trial: Trial, slot: Slot) -> str:
    """Name the inputs that were changed, and that the library leaves as they are."""
    if not trial.outcome.changed:
        return ""
    with kernels.use("numpy"):
        allowed = attempt(slot.function, trial.call).changed
    return " and ".join(name for name in trial.outcome.changed if name not in allowed)


_PLAIN = (NameError, RecursionError, SystemExit, MemoryError, ImportError)

_FORM = {
    "changed": "It writes into what it was given, which others still need: make a new array (a = a - b, not a -= b).",
    "unsteady": "Two calls with the same arguments have to give the same: does it keep something, or draw numbers?",
    "saved": "The backward pass reads ctx.saved in order: the docstring's Saves line says what it expects there.",
    "alone": "ctx.wants(i) says whether input i needs its gradient: what it asks and what it leaves out do not match.",
    "accepted": "What cannot be right has to be refused: raise the error that the docstring names.",
}


def _reasons(
    verdict: Verdict,
    failure: Failure,
    exercise: Exercise,
    function: Callable[..., Any],
    slot: Slot,
    posed: Sequence[Posed],
    seed: int,
    use_mutants: bool,
) -> None:
    """Fill in which mistake it is, the smallest counter-example, and the arrays to draw."""
    trial, name = failure.trial, failure.result
    if not callable(function):
        failure.because.append("The name has to stand for a function: def it, and assign nothing else to it.")
        return
    kind = trial.wrong[name].kind if trial is not None and name in trial.wrong else ""
    if kind == "arity":
        failure.because.append(failure.text)
        failure.text = ""
        return
    if use_mutants:
        verdict.mutant = mutants.which(function, slot, exercise, seed)
    if verdict.mutant is not None:
        failure.because.append(exercise.mutants[verdict.mutant].sentence)
    if kind in _FORM:
        failure.because.append(_FORM[kind])
    else:
        failure.because += [s for s in diagnosed(function, posed, trial, name) if s not in failure.because]
    if trial is None:
        return
    verdict.picture = _picture(trial, name)
    if kind in ("changed", "unsteady", "float32", "kind", "alone") or isinstance(trial.outcome.error, _PLAIN):
        return  # the same on any input: an example would show nothing
    if trial.problem.samples is not None and name in trial.wrong:
        trial = shrunk(function, trial, name)
    failure.code = code(trial, name or next(iter(trial.answer.names), ""))


def _picture(trial: Trial, name: str) -> dict[str, Any] | None:
    """Return yours and the reference, where both are arrays that can be drawn beside each other."""
    if not name or name not in trial.answer.names or not trial.values:
        return None
    if not (numeric(trial.value(name)) and numeric(trial.expected(name))):
        return None
    yours, reference = np.asarray(trial.value(name)), np.asarray(trial.expected(name))
    if yours.dtype.kind not in "fiub" or reference.dtype.kind not in "fiub" or not reference.ndim:
        return None
    if not 1 < reference.size <= _PICTURE or yours.size > _PICTURE:
        return None
    return {"yours": yours.tolist(), "reference": reference.tolist(), "name": name}
