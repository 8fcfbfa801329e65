"""The gradient check of a slot: the way back against the numeric derivative of the library's forward.

The rules are those of ``tl.gradcheck``: float64, a random cotangent, complex step (1e-10) where the forward is analytic
and central differences (1e-6) where it is not, declared subgradients on kinks, and an alarm where the check could not
have told right from wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ...autograd.gradcheck import wrong_on_purpose
from ...errors import LearnError
from ..slots.slot import Slot
from ..verdict import Line
from . import letters
from .check import Check, Posed
from .compare import Difference, close, error_of
from .problem import Backward, formal_names
from .trial import Failure, Trial, tried

if TYPE_CHECKING:
    from ..exercise import Exercise


@dataclass(frozen=True)
class Gradients(Check):
    """See ``checks.gradcheck_slot``."""

    wrt: tuple[str, ...] = ()
    forward: str = ""
    samples: Callable[..., Any] | None = None
    outputs: tuple[str, ...] = ()
    analytic: bool | None = None
    arrange: Callable[..., Any] | None = None

    @property
    def label(self) -> str:
        """What the check is called where it is not a gradient's line."""
        return "gradients"

    def problem(self, slot: Slot) -> Backward:
        """Return the problem that is posed."""
        samples = self.samples or (slot.op.samples if slot.op is not None else None)
        if samples is None or (slot.op is None and not self.forward):
            raise LearnError(
                f"{slot.name}: a gradient check of a plain function needs its forward and samples",
                hint='gradcheck_slot("q k v", forward="module:name", samples=fn)',
            )
        forward = Slot.of(self.forward).function if self.forward else None
        analytic = self.analytic if self.analytic is not None else (slot.op.analytic if slot.op is not None else True)
        rtol = 1e-10 if analytic else 1e-6
        return Backward(slot, samples, rtol, (), self.wrt, forward, self.outputs, analytic, self.arrange)

    def drawn(self, slot: Slot, seed: int) -> list[Posed]:
        """Draw the samples, differentiate each numerically, and add the declared kinks."""
        problem = self.problem(slot)
        found = [Posed(problem, sample, problem.answer(sample)) for sample in problem.drawn(seed)]
        _refuse_vacuous(found)
        for sample, answer in problem.pinned():
            found.append(Posed(problem, sample, answer, problem.with_cotangents(sample, np.ones_like)))
        return found

    def run(self, function: Callable[..., Any], slot: Slot, exercise: Exercise, seed: int = 0) -> Iterator[Line]:
        """Yield a line for every gradient; where one is wrong, those that are wrong as well wait for it."""
        names: dict[str, float] = {}
        failed: dict[str, Trial] = {}
        for posed in self.posed(slot, seed):
            trial = tried(function, posed.problem, posed.sample, posed.answer, posed.call)
            if "" in trial.wrong:
                yield Failure.of(self.label, trial.wrong[""].text, trial)
                return
            for name, got, expected in zip(trial.answer.names, trial.values, trial.answer.values, strict=True):
                if name in trial.wrong:
                    failed.setdefault(name, trial)
                elif not expected.size or close(expected, 0, 0.0, trial.answer.around):
                    names.setdefault(name, 0.0)
                else:
                    names[name] = max(names.get(name, 0.0), error_of(got, expected))
                names.setdefault(name, 0.0)
        if not failed and slot.op is not None and len(names) > 1:
            alone = self._wanted_alone(function, slot, seed)
            if alone is not None:
                yield alone
                return
        for name in names:
            if name not in failed:
                yield Line("ok", name, f"rel err {names[name]:.0e}")
        first = ""
        for name in [name for name in names if name in failed]:
            if first:
                yield Line("--", name, f"waits for {first}")
            else:
                yield _failure(failed[name], name)
                first = name

    def _wanted_alone(self, function: Callable[..., Any], slot: Slot, seed: int) -> Failure | None:
        """Ask for one gradient at a time, as the engine does where only one input needs it (``ctx.wants``)."""
        for posed in self.posed(slot, seed):
            formal = formal_names(slot.op, len(posed.sample.args)) if slot.op is not None else ()
            for name in posed.answer.names:
                call = posed.called()
                call.args[0].needs = tuple(f"d{label}" == name for label in formal)
                trial = tried(function, posed.problem, posed.sample, posed.answer, call)
                found = trial.wrong.get("") or trial.wrong.get(name)
                if found is not None:
                    trial.wrong = {"": Difference("alone", f"{name} is wrong when it is the only one that is wanted")}
                    return Failure.of(name, trial.wrong[""].text, trial)
        return None


def _failure(trial: Trial, name: str) -> Failure:
    found = trial.wrong[name]
    if found.kind != "values":
        return Failure.of(name, found.text, trial, name)
    got, expected = np.asarray(trial.value(name)), np.asarray(trial.expected(name))
    where = letters.entry(found.index, trial.axes(name)) if found.index else ""
    numbers = f"yours {got[found.index]:.4g}, numeric {expected[found.index]:.4g}"
    text = f"rel err {found.error:.2g}" if np.any(expected) else "the true gradient is zero"
    return Failure.of(name, f"{text}   worst at {where}: {numbers}" if where else f"{text}   {numbers}", trial, name)


def _refuse_vacuous(posed: list[Posed]) -> None:
    """Raise where, on all samples together, a wrong gradient would pass: the mistake is then the record's."""
    if not posed:
        raise LearnError("a gradient check without samples checks nothing")
    seen: dict[str, dict[str, bool]] = {}
    for p in posed:
        for name, value in zip(p.answer.names, p.answer.values, strict=True):
            caught = seen.setdefault(name, {"zero": False, "negated": False, "0.1 % too large": False})
            for fault, mutant in wrong_on_purpose(value):
                if fault in caught and value.size and not close(mutant, value, p.problem.rtol, p.answer.around):
                    caught[fault] = True
    for name, caught in seen.items():
        passing = [fault for fault, was in caught.items() if not was]
        if passing:
            raise LearnError(
                f"{posed[0].problem.slot.name}: the check of {name} is vacuous: one that is {passing[0]} passes it",
                hint="its true gradient is zero on every sample; draw others",
            )
