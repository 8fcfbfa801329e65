"""A trial: one problem's sample given to a function, and how each of its results compares with the answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ...autograd.draw import Sample
from ...autograd.op import Op
from ..slots.stub import saves
from ..verdict import Line
from .call import Call, Outcome, attempt
from .compare import Difference, difference
from .problem import Answer, Problem, fitted, results


@dataclass
class Trial:
    """What came of one sample.

    Attributes:
        problem: what was asked.
        sample: on what.
        call: what the function was called with.
        answer: what is right.
        outcome: what came of it.
        values: the results, one by one, as far as they could be taken apart.
        wrong: by name of the result (or "" for all of it), how it differs.
        doubled: by name, the results for twice the cotangents, where a diagnosis asked for them.
    """

    problem: Problem
    sample: Sample
    call: Call
    answer: Answer
    outcome: Outcome
    values: tuple[Any, ...] = ()
    wrong: dict[str, Difference] = field(default_factory=dict)
    doubled: dict[str, Any] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Is every result right?"""
        return not self.wrong

    def value(self, name: str) -> Any:
        """Return a result by its name."""
        return self.values[self.answer.names.index(name)]

    def axes(self, name: str) -> tuple[str, ...]:
        """Return the axis letters of a result; those of an input of the same shape where the docstring has none."""
        known = self.problem.result_letters(name)
        if known:
            return known
        shape = np.shape(self.expected(name)) if name in self.answer.names else ()
        letters = self.problem.letters()
        for label, value in self.call.named().items():
            if isinstance(value, np.ndarray) and value.shape == shape and letters.get(label):
                return letters[label]
        return ()

    def saved(self) -> dict[str, Any]:
        """Return what the context holds, by the names that the stub's docstring gives."""
        ctx = self.call.args[0] if self.call.args else None
        if not isinstance(ctx, Op):
            return {}
        names = saves(self.problem.slot)
        whole = len(names) == len(ctx.saved) and all(name.isidentifier() for name in names)
        return {names[k] if whole else f"ctx.saved[{k}]": value for k, value in enumerate(ctx.saved)}

    def expected(self, name: str) -> Any:
        """Return what that result should be."""
        return self.answer.values[self.answer.names.index(name)]


class Failure(Line):
    """A FAIL line together with the trial that it comes from, for the diagnosis."""

    trial: Trial | None = None
    result: str = ""

    @classmethod
    def of(cls, name: str, text: str, trial: Trial | None = None, result: str = "") -> Failure:
        """Make one."""
        made = cls("FAIL", name, text)
        made.trial, made.result = trial, result
        return made


def tried(
    function: Callable[..., Any], problem: Problem, sample: Sample, answer: Answer, call: Call | None = None
) -> Trial:
    """Give a sample to a function and compare what it returns with the answer."""
    call = problem.call(sample) if call is None else call
    outcome = attempt(function, call)
    trial = Trial(problem, sample, call, answer, outcome)
    if answer.error is not None:
        if outcome.error is None:
            trial.wrong[""] = Difference("accepted", f"it takes what it should refuse with {_word(answer.error)}")
        elif not _same_error(outcome.error, answer.error):
            trial.wrong[""] = Difference("error", f"raises {type(outcome.error).__name__}, not {_word(answer.error)}")
        return trial
    if outcome.error is not None:
        trial.wrong[""] = Difference("error", f"raises {type(outcome.error).__name__}")
        return trial
    taken = results(outcome.value, answer)
    if isinstance(taken, str):
        trial.wrong[""] = Difference("kind", taken)
        return trial
    if answer.shapes:
        taken = tuple(fitted(value, shape) for value, shape in zip(taken, answer.shapes, strict=True))
    trial.values = taken
    for name, got, expected in zip(answer.names, taken, answer.values, strict=True):
        found = difference(got, expected, problem.rtol, answer.around)
        if found is not None:
            trial.wrong[name] = found
    return trial


def _word(error: BaseException) -> str:
    return next((base.__name__ for base in type(error).__mro__ if base.__module__ == "builtins"), type(error).__name__)


def _same_error(got: BaseException, expected: BaseException) -> bool:
    """Is one error of the other's kind, as ``except ValueError`` sees it?"""
    vague = {Exception, BaseException, object}
    kinds = tuple(base for base in type(expected).__mro__ if base.__module__ == "builtins" and base not in vague)
    return isinstance(got, kinds or type(expected))
