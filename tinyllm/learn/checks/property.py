"""The check of a property: something that holds for whatever is drawn, tried from small to large."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ...autograd.draw import Sample
from ...errors import LearnError
from ..diagnosis.breakdown import said
from ..slots.slot import Slot
from ..verdict import Line
from .call import Call, Outcome, attempt, calm
from .check import Check, Posed
from .compare import Difference
from .draw import Growing
from .problem import Answer, Plain, Problem
from .trial import Failure, Trial

if TYPE_CHECKING:
    from ..exercise import Exercise

Calls = list[tuple[Call, Outcome]]


@dataclass(frozen=True)
class Holds(Check):
    """A property; see ``checks.holds``."""

    title: str
    fn: Callable[..., Any]
    rounds: int = 6

    @property
    def label(self) -> str:
        """What the check's line of the verdict says."""
        return f"property: {self.title}"

    def run(self, function: Callable[..., Any], slot: Slot, exercise: Exercise, seed: int = 0) -> Iterator[Line]:
        """Try it round by round; the first violation is the smallest, and is looked for with round numbers as well."""
        for round in range(self.rounds):
            violated = self._violated(function, slot, Growing(seed, round))
            if violated is None:
                continue
            for digits in (0, 1):
                rounded = self._violated(function, slot, Growing(seed, round, digits))
                if rounded is not None and rounded.text == violated.text:
                    yield rounded
                    return
            yield violated
            return
        yield Line("ok", self.label, f"{self.rounds} rounds")

    def _violated(self, function: Callable[..., Any], slot: Slot, draw: Growing) -> Failure | None:
        said, calls = self.observed(function, slot, draw)
        if not said:
            return None
        call, outcome = calls[-1] if calls else (Call(()), Outcome())
        trial = Trial(self._problem(slot), Sample(call.args, call.params), call, Answer(), outcome)
        kind = "error" if outcome.error is not None else "property"
        trial.wrong[""] = Difference(kind, said)
        return Failure.of(self.label, said, trial)

    def observed(self, function: Callable[..., Any], slot: Slot, draw: Growing) -> tuple[str, Calls]:
        """Run the property once: what it says against the function, "" for nothing, and every call that it made."""
        calls: Calls = []

        def watched(*args: Any, **params: Any) -> Any:
            call = Call(args, params, self._problem(slot).call(Sample(args, params)).names)
            outcome = attempt(function, call)
            calls.append((call, outcome))
            if outcome.error is not None:
                raise outcome.error
            return outcome.value

        try:
            with calm():
                said = self.fn(watched, draw)
        except (Exception, SystemExit) as error:
            if isinstance(error, LearnError) and not (calls and calls[-1][1].error is error):
                raise
            said = f"raises {type(error).__name__}" if calls and calls[-1][1].error is error else _sentence(error)
        return (str(said) if said else ""), calls

    def drawn(self, slot: Slot, seed: int) -> list[Posed]:
        """Return the calls that the property makes of the library's own function."""
        found = []
        problem = self._problem(slot)
        for round in range(self.rounds):
            _, calls = self.observed(slot.function, slot, Growing(seed, round))
            for call, outcome in calls:
                sample = Sample(call.args, call.params)
                answer = problem.made(outcome.value, sample, outcome.error)
                found.append(Posed(problem, sample, answer, call))
        return found

    def trace(self, function: Callable[..., Any], slot: Slot, exercise: Exercise, seed: int = 0) -> Iterator[Outcome]:
        """Yield what the function does with every call that the property makes of it."""
        for round in range(self.rounds):
            _, calls = self.observed(function, slot, Growing(seed, round))
            yield from (outcome for _, outcome in calls)

    def _problem(self, slot: Slot) -> Plain:
        return _ByHand(slot)


@dataclass
class _ByHand(Plain):
    """What a property calls the function with is what it says: a context, too, if it makes one."""

    call = Problem.call


def _sentence(error: BaseException) -> str:
    return said(error, lines=1) or type(error).__name__
