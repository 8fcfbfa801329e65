"""Checks of values: the same results as an oracle, or exactly these for exactly those inputs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ...autograd.draw import Sample, as_sample
from ...errors import LearnError
from ..slots.slot import Slot
from ..verdict import Line
from .check import Check, Posed
from .compare import error_of, numeric
from .problem import Forward, Plain
from .trial import Failure, Trial, tried

if TYPE_CHECKING:
    from ..exercise import Exercise


class Values(Check):
    """What the two have in common: results that are held against known ones."""

    def run(self, function: Callable[..., Any], slot: Slot, exercise: Exercise, seed: int = 0) -> Iterator[Line]:
        """Try every input, smallest first; stop at the first that goes wrong."""
        worst, count = 0.0, 0
        for posed in self.posed(slot, seed):
            trial = tried(function, posed.problem, posed.sample, posed.answer)
            if not trial.ok:
                yield self._failed(trial)
                return
            worst, count = max([worst, *_errors(trial)]), count + 1
        inputs = f"{count} input{'s' if count != 1 else ''}"
        yield Line("ok", self.label, f"{inputs}, rel err {worst:.0e}" if worst else inputs)

    def _failed(self, trial: Trial) -> Failure:
        name = next(iter(trial.wrong))
        found = trial.wrong[name]
        many = len(trial.answer.names) > 1
        text = f"{name}: {found.text}" if name and many else found.text
        return Failure.of(self.label, text, trial, name)


def _errors(trial: Trial) -> Iterator[float]:
    for got, expected in zip(trial.values, trial.answer.values, strict=False):
        if numeric(expected):
            yield error_of(got, expected)


@dataclass(frozen=True)
class Oracle(Values):
    """The same results as another function; see ``checks.oracle``."""

    fn: Callable[..., Any] | None = None
    samples: Callable[..., Any] | None = None
    title: str = ""
    rtol: float = 1e-9

    @property
    def label(self) -> str:
        """What the check's line of the verdict says."""
        return self.title or "values"

    def drawn(self, slot: Slot, seed: int) -> list[Posed]:
        """Draw the samples and ask the oracle about each."""
        samples = self.samples or (slot.op.samples if slot.op is not None else None)
        if samples is None:
            raise LearnError(f"{slot.name}: an oracle needs samples", hint="oracle(samples=fn); fn(draw) yields them")
        kind = Forward if slot.op is not None else Plain
        problem = kind(slot, samples, self.rtol, oracle=self.fn)
        return [Posed(problem, sample, problem.answer(sample)) for sample in problem.drawn(seed)]


@dataclass(frozen=True)
class Vectors(Values):
    """These results for these inputs; see ``checks.vectors``."""

    pairs: tuple[tuple[Any, Any], ...]
    title: str = ""
    rtol: float = 1e-9

    @property
    def label(self) -> str:
        """What the check's line of the verdict says."""
        return self.title or "exact values"

    def drawn(self, slot: Slot, seed: int) -> list[Posed]:
        """Return the pairs."""
        kind = Forward if slot.op is not None else Plain
        problem = kind(slot, None, self.rtol)
        found = []
        for given, expected in self.pairs:
            sample: Sample = as_sample(given)
            error = expected() if isinstance(expected, type) and issubclass(expected, BaseException) else None
            if error is not None and hasattr(type(error), "code"):
                error = expected("")
            found.append(Posed(problem, sample, problem.made(expected, sample, error)))
        return found
