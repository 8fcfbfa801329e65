"""The check of a measured gain: better than a baseline on the same draws, with an interval that says so."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..slots.slot import Slot
from ..verdict import Line
from .call import Call, Outcome, attempt, calm
from .check import Check
from .compare import Difference
from .draw import Growing, Sample
from .problem import Answer, Plain
from .trial import Failure, Trial

if TYPE_CHECKING:
    from ..exercise import Exercise

_RESAMPLES = 2000


@dataclass(frozen=True)
class Improves(Check):
    """A gain; see ``checks.improves``."""

    title: str
    measure: Callable[..., float]
    over: Callable[..., Any]
    by: float = 0.0
    runs: int = 8

    @property
    def label(self) -> str:
        """What the check's line of the verdict says."""
        return f"measured: {self.title}"

    def run(self, function: Callable[..., Any], slot: Slot, exercise: Exercise, seed: int = 0) -> Iterator[Line]:
        """Measure both on the same draws, run by run, and look at the interval of the differences."""
        gains = np.zeros(self.runs)
        for run in range(self.runs):
            outcome = self._measured(function, seed, run)
            if outcome.error is not None:
                trial = Trial(Plain(slot), Sample(()), Call(()), Answer(), outcome)
                trial.wrong[""] = Difference("error", f"raises {type(outcome.error).__name__}")
                yield Failure.of(self.label, trial.wrong[""].text, trial)
                return
            with calm():
                gains[run] = outcome.value - self.measure(self.over, Growing(seed, run))
        low, high = interval(gains, seed)
        text = f"gain {gains.mean():.3g}, 95 % interval {low:.3g} to {high:.3g}, {self.runs} paired runs"
        if low > self.by:
            yield Line("ok", self.label, text)
        else:
            yield Failure.of(self.label, f"{text}; it should lie above {self.by:g}")

    def trace(self, function: Callable[..., Any], slot: Slot, exercise: Exercise, seed: int = 0) -> Iterator[Outcome]:
        """Yield the measurements."""
        for run in range(self.runs):
            yield self._measured(function, seed, run)

    def _measured(self, function: Callable[..., Any], seed: int, run: int) -> Outcome:
        return attempt(lambda draw: float(self.measure(function, draw)), Call((Growing(seed, run),)))


def interval(values: np.ndarray[Any, Any], seed: int = 0) -> tuple[float, float]:
    """Return the 95 % bootstrap interval of a mean.

    Example:
        >>> low, high = interval(np.array([1.0, 1.2, 0.9, 1.1]))
        >>> 0.9 <= low < 1.05 < high <= 1.2
        True
    """
    rng = np.random.default_rng([seed, len(values)])
    means = values[rng.integers(0, len(values), (_RESAMPLES, len(values)))].mean(axis=1)
    return float(np.quantile(means, 0.025)), float(np.quantile(means, 0.975))
