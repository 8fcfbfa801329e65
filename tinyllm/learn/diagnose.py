"""Diagnosis: from failing trials to sentences that say which mistake it looks like, most certain first.

In this order: it broke down, or has the wrong form; a mistake of the result that explains every failing trial (sign,
factor, axis: autograd/diagnosis.py); an argument that is ignored or taken wrongly (whatif.py); a missing sum; what the
failing inputs have in common (when.py); a few wrong entries. A sentence is said only if it was tried on the numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from ..autograd.diagnosis import Guess, few, guesses
from ..autograd.op import Op
from . import letters, whatif, when
from .breakdown import of_difference, told
from .call import attempt
from .check import Posed
from .problem import Backward, fitted, results
from .trial import Trial, tried

Array = np.ndarray[Any, Any]

_MOST = 2  # sentences
_ENTRIES = 3  # a factor without a name says something only where at least so many entries share it


def diagnosed(function: Callable[..., Any], posed: Sequence[Posed], failed: Trial | None, name: str) -> list[str]:
    """Return the sentences for a failure.

    Args:
        function: the learner's.
        posed: every input of the exercise.
        failed: the trial that failed, None where a check measures something else.
        name: of the result that is wrong there, "" for all of it.
    """
    found: list[str] = []
    if failed is not None:
        if failed.outcome.error is not None:
            found.append(told(failed.outcome.error, function, failed)[1])
        elif name in failed.wrong:
            found.append(of_difference(failed, name))
    trials = [tried(function, p.problem, p.sample, p.answer, p.call) for p in posed]
    name = name or next((n for t in trials for n in t.wrong if n), "")
    if failed is None or failed.outcome.error is None:
        found += _of_results(function, trials, name)
    if not any(found):
        found += list(when.parted(trials, name))[:1]
    if not any(found) and failed is not None and name in failed.wrong and failed.wrong[name].kind == "values":
        found.append(_of_few(failed, name))
    return list(dict.fromkeys(_finished(sentence) for sentence in found if sentence))[:_MOST]


def _of_results(function: Callable[..., Any], trials: Sequence[Trial], name: str) -> list[str]:
    wrong = [t for t in trials if name and name in t.wrong and t.wrong[name].kind == "values"]
    if not wrong:
        return []
    found = [guess.sentence for guess in common(wrong, name)][:1]
    if not found:
        _double(function, trials)
        found = list(whatif.explained(trials, name))[:1]
    if not found:
        found = list(_terms(wrong, name))[:1]
    return found


def common(wrong: Sequence[Trial], name: str) -> list[Guess]:
    """Return the guesses that explain a result in every one of some failing trials, most certain first."""
    kept: list[Guess] | None = None
    entries = 0
    for trial in wrong:
        got, expected = np.asarray(trial.value(name)), np.asarray(trial.expected(name))
        if expected.dtype.kind in "fc" and np.abs(expected).max(initial=0.0) < 1e-9 * trial.answer.around:
            continue
        axes = letters.of_shape(expected.shape, trial.problem.result_letters(name))
        here = list(guesses(got, expected, max(trial.problem.rtol, 1e-8), _known(trial, name), _counted(axes)))
        keys = {guess.key for guess in here}
        kept = here if kept is None else [guess for guess in kept if guess.key in keys]
        entries += expected.size
        if not kept:
            return []
    plain = [guess for guess in kept or [] if entries >= _ENTRIES or not _unnamed(guess.key)]
    return [_of_one(guess) for guess in plain] if entries == len(wrong) else plain


def _unnamed(key: str) -> bool:
    word, _, rest = key.partition(" ")
    return word in ("factor", "offset") and rest.lstrip("-").replace(".", "", 1).replace("e-", "", 1).isdigit()


def _of_one(guess: Guess) -> Guess:
    """The same of a result that is one number."""
    return Guess(guess.key, guess.sentence.replace("every entry", "it", 1))


def _counted(axes: Sequence[str]) -> list[str]:
    """Name axes without a letter from the end, so that they are the same in arrays of any rank."""
    last = {1: "the last axis", 2: "the last axis but one"}
    names = []
    for i, axis in enumerate(axes):
        back = len(axes) - i
        names.append(last.get(back, f"axis -{back}") if axis.startswith("axis") else axis)
    return names


def _known(trial: Trial, name: str) -> dict[str, float]:
    """Return the numbers that a factor may come from, by name: sizes under their letters, and scalars."""
    found = {letter: float(n) for letter, n in trial.problem.sizes(trial.sample).items()}
    for label, value in trial.call.named().items():
        if isinstance(value, (int, float)) and not isinstance(value, bool) and value and np.isfinite(value):
            found.setdefault(label, float(value))
    expected = np.asarray(trial.expected(name))
    dys = [a for a in trial.call.named().values() if isinstance(a, np.ndarray) and a.dtype.kind == "f"]
    if isinstance(trial.problem, Backward) and dys and dys[-1].size and expected.size > dys[-1].size:
        found.setdefault("entries that share a result", expected.size / dys[-1].size)
    for axis, size in zip(_counted(letters.of_shape(expected.shape, ())), expected.shape, strict=True):
        if float(size) not in found.values():
            found.setdefault(f"the size of {axis}", float(size))
    if expected.size > 1 and float(expected.size) not in found.values():
        found.setdefault("number of entries", float(expected.size))
    return found


def _double(function: Callable[..., Any], trials: Sequence[Trial]) -> None:
    """Ask a way back again with twice the cotangents: see whatif.py."""
    for trial in trials:
        if not isinstance(trial.problem, Backward) or trial.outcome.error is not None or not trial.values:
            continue
        call = trial.problem.with_cotangents(trial.sample, lambda dy: 2 * dy)
        outcome = attempt(function, call)
        taken = results(outcome.value, trial.answer) if outcome.error is None else ""
        if isinstance(taken, str):
            continue
        shapes = trial.answer.shapes or tuple(np.shape(v) for v in taken)
        for name, value, shape in zip(trial.answer.names, taken, shapes, strict=True):
            trial.doubled[name] = fitted(value, shape)


def _terms(wrong: Sequence[Trial], name: str) -> Iterator[str]:
    """What is missing, or too much, is one of the arrays times one number for each row."""
    kept: set[tuple[str, int]] | None = None
    for trial in wrong:
        got, expected = np.asarray(trial.value(name)), np.asarray(trial.expected(name))
        if got.dtype.kind != "f" or not got.ndim or np.abs(expected).max(initial=0.0) < 1e-9 * trial.answer.around:
            continue
        here = {(label, axis) for label, a in _beside(trial, got.shape) for axis in _constant(got - expected, a)}
        kept = here if kept is None else kept & here
    for label, back in sorted(kept or ()):
        example = wrong[0]
        rank = np.ndim(example.expected(name))
        axes = _counted(letters.of_shape(np.shape(example.expected(name)), example.problem.result_letters(name)))
        axis = axes[rank + back] if rank + back >= 0 else "that axis"
        yield (
            f"Yours is off by {label} times one number for each row along {axis}: "
            f"a sum over {axis} is missing, extra, or taken over other axes."
        )


def _beside(trial: Trial, shape: tuple[int, ...]) -> Iterator[tuple[str, Array]]:
    for label, value in trial.call.named().items():
        if isinstance(value, np.ndarray) and value.shape == shape and value.dtype.kind == "f":
            yield label, value
    if trial.call.args and isinstance(trial.call.args[0], Op):
        for k, value in enumerate(trial.call.args[0].saved):
            if isinstance(value, np.ndarray) and value.shape == shape and value.dtype.kind == "f":
                yield f"ctx.saved[{k}]", value


def _constant(difference: Array, a: Array) -> Iterator[int]:
    """Yield the axes, counted from the end, along which difference / a is one number."""
    scale = float(np.abs(difference).max(initial=0.0))
    for axis in range(a.ndim):
        if a.shape[axis] < 2:
            continue
        squares = (a * a).sum(axis, keepdims=True)
        if not np.all(squares):
            continue
        times = (difference * a).sum(axis, keepdims=True) / squares
        if np.abs(difference - times * a).max(initial=0.0) <= 1e-8 * scale:
            yield axis - a.ndim


def _of_few(trial: Trial, name: str) -> str:
    got, expected = np.asarray(trial.value(name)), np.asarray(trial.expected(name))
    if got.dtype.kind not in "fciub" or expected.dtype.kind not in "fciub":
        return ""
    return few(got, expected, max(trial.problem.rtol, 1e-8))


def _finished(sentence: str) -> str:
    """Begin with a capital letter, unless it begins with a name, and end with a full stop."""
    words = ("every ", "it ", "the ", "nothing ", "only ", "these ", "each ")
    start = sentence[0].upper() + sentence[1:] if sentence.startswith(words) else sentence
    return start if start.endswith((".", "?", "!", ")")) and not start.endswith("))") else start + "."
