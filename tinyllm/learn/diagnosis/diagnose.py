"""Diagnosis: from failing trials to sentences that say which mistake it looks like, most certain first.

In this order: it broke down, or has the wrong form; a mistake of the result that explains every failing trial (sign,
factor, axis: autograd/diagnosis.py); an argument that is ignored or taken wrongly (whatif.py); a missing sum; what the
failing inputs have in common (when.py); a few wrong entries. A sentence is said only if it was tried on the numbers.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from ...autograd.diagnosis import Guess, few, guesses
from ..checks import letters
from ..checks.call import attempt
from ..checks.check import Posed
from ..checks.compare import Difference
from ..checks.problem import Backward, fitted, results
from ..checks.trial import Trial, tried
from . import whatif, when
from .breakdown import of_difference, told

Array = np.ndarray[Any, Any]

_MOST = 2  # sentences
_NEARLY = 1e-6  # relative error of what is right but for rounding


def diagnosed(function: Callable[..., Any], posed: Sequence[Posed], failed: Trial | None, name: str) -> list[str]:
    """Return the sentences for a failure.

    Args:
        function: the learner's.
        posed: every input of the exercise.
        failed: the trial that failed, None where a check measures something else.
        name: of the result that is wrong there, "" for all of it.
    """
    trials = [tried(function, p.problem, p.sample, p.answer, p.call) for p in posed]
    first = next((t for t in trials if t.wrong), None)
    if failed is not None and failed.wrong.get(name, Difference("", "")).kind == "property" and first is not None:
        failed, name = first, next(iter(first.wrong))  # what the property noticed shows in a result as well
    name = name or next((n for t in trials for n in t.wrong if n), "")
    found: list[str] = []
    if failed is not None and failed.outcome.error is not None:
        found.append(told(failed.outcome.error, function, failed)[1])
    else:
        part = next((n for n in (name, "") if failed is not None and n in failed.wrong), None)
        form = of_difference(failed, part) if failed is not None and part is not None else ""
        if not form or (failed is not None and part is not None and failed.wrong[part].kind == "nan"):
            found += _of_results(function, trials, name)
            for other in dict.fromkeys(n for t in trials for n in t.wrong if n != name):
                if not found and not form:
                    found += [f"{other}: {sentence}" for sentence in _of_results(function, trials, other)]
        found += [] if found else [form]
    if not any(found):
        found += list(when.parted(trials, name))[:1]
    if not any(found) and failed is not None and name in failed.wrong and failed.wrong[name].kind == "values":
        found.append(_of_few(failed, name))
    if not any(found):
        found += _nearly(trials, name)
    return list(dict.fromkeys(_finished(sentence) for sentence in found if sentence))[:_MOST]


def _of_results(function: Callable[..., Any], trials: Sequence[Trial], name: str) -> list[str]:
    wrong = [t for t in trials if name and name in t.wrong and t.wrong[name].kind in ("values", "nan")]
    if not wrong:
        return []
    wrong = [t for t in wrong if _finite(t, name)]  # what overflows, too, is another matter
    found = [guess.sentence for guess in common(wrong, name)][:1]
    if not found:
        _double(function, trials)
        found = list(whatif.explained(trials, name))[:1]
    if not found and wrong:
        found = list(_terms(wrong, name))[:1]
    return found


def _nearly(trials: Sequence[Trial], name: str) -> list[str]:
    """Right, but for the last digits: something was rounded."""
    errors = [t.wrong[name].error for t in trials if name in t.wrong and t.wrong[name].kind == "values"]
    if (
        errors
        and max(errors) < _NEARLY
        and all(np.asarray(t.value(name)).dtype.kind == "f" for t in trials if t.values)
    ):
        return [f"It is right but for a part in {1 / max(errors):.0e}: something is rounded on the way, or is float32."]
    return []


def _finite(trial: Trial, name: str) -> bool:
    values = np.asarray(trial.value(name)), np.asarray(trial.expected(name))
    return all(a.dtype.kind in "fciub" and bool(np.isfinite(a).all()) for a in values)


def common(wrong: Sequence[Trial], name: str) -> list[Guess]:
    """Return the guesses that explain a result in every one of some failing trials, most certain first."""
    trials = [t for t in wrong if not _rounding(t, name)]
    asked = any("axis" in t.sample.params for t in trials)
    for names in (_counted, _asked if asked else _fronted):
        kept: list[Guess] = []
        strong: set[str] = set()
        for k, trial in enumerate(trials):
            got, expected = np.asarray(trial.value(name)), np.asarray(trial.expected(name))
            rtol = max(trial.problem.rtol, 1e-8)
            here = list(guesses(got, expected, rtol, _known(trial, name), names(trial, name)))
            keys = {guess.key for guess in here}
            strong |= {guess.key for guess in here if not guess.weak}
            kept = [guess for guess in (kept if k else here) if guess.key in keys]
        kept = [guess for guess in kept if guess.key in strong]
        if kept:
            return [_of_one(guess) for guess in kept] if all(np.size(t.value(name)) == 1 for t in trials) else kept
    return []


def _rounding(trial: Trial, name: str) -> bool:
    """Is what is expected so small that only rounding is left of it?"""
    expected = np.asarray(trial.expected(name))
    return expected.dtype.kind in "fc" and bool(np.abs(expected).max(initial=0.0) < 1e-9 * trial.answer.around)


def _of_one(guess: Guess) -> Guess:
    """The same of a result that is one number."""
    return Guess(guess.key, guess.sentence.replace("every entry", "it", 1))


def _counted(trial: Trial, name: str) -> list[str]:
    """Name the axes: by their letters; those without one from the end, so that arrays of any rank agree."""
    axes = letters.of_shape(np.shape(trial.expected(name)), trial.axes(name))
    last = {1: "the last axis", 2: "the last axis but one"}
    return [
        last.get(len(axes) - i, f"axis -{len(axes) - i}") if axis.startswith("axis") else axis
        for i, axis in enumerate(axes)
    ]


def _fronted(trial: Trial, name: str) -> list[str]:
    """Name the axes from the front, but for the last one."""
    axes = _counted(trial, name)
    return [f"axis {i}" if i + 1 < len(axes) else axis for i, axis in enumerate(axes)]


def _asked(trial: Trial, name: str) -> list[str]:
    """Name the axes by whether they are the one that the call asks for."""
    axis = trial.sample.params.get("axis", -1)
    rank = np.ndim(trial.expected(name))
    asked = axis % rank if isinstance(axis, int) and rank else -1
    return ["the axis that is asked for" if i == asked else f"another axis, {i}" for i in range(rank)]


def _known(trial: Trial, name: str) -> dict[str, float]:
    """Return the numbers that a factor may come from, by name: sizes under their letters, and scalars."""
    found = {letter: float(n) for letter, n in trial.problem.sizes(trial.sample).items()}
    for label, value in (_defaults(trial) | trial.call.named()).items():
        if isinstance(value, (int, float)) and not isinstance(value, bool) and value and np.isfinite(value):
            found.setdefault(label, float(value))
    expected = np.asarray(trial.expected(name))
    for axis, size in zip(_counted(trial, name), expected.shape, strict=True):
        if float(size) not in found.values():
            found.setdefault(f"the size of {axis}", float(size))
    arrays = [a for a in trial.call.named().values() if isinstance(a, np.ndarray) and a.dtype.kind == "f" and a.size]
    if arrays and expected.size:
        share = max(arrays[-1].size / expected.size, expected.size / arrays[-1].size)
        found.setdefault("the number of entries that share one result", share)
    found.setdefault("the number of entries", float(expected.size))
    return found


def _defaults(trial: Trial) -> dict[str, Any]:
    """Return what the library's function takes where nothing is given."""
    formal = inspect.signature(trial.problem.slot.function).parameters.values()
    return {p.name: p.default for p in formal if p.default is not p.empty}


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
    """What parts it from the right result is an array: a factor, or that array times one number for each row."""
    kept: dict[str, str] = {}
    strong: set[str] = set()
    for k, trial in enumerate([t for t in wrong if not _rounding(t, name)]):
        got, expected = np.asarray(trial.value(name)), np.asarray(trial.expected(name))
        if got.dtype.kind != "f" or not got.ndim:
            return
        here: dict[str, str] = {}
        for label, a in _beside(trial, got.shape):
            if _near(got * a, expected):
                here[f"{label} missing"] = f"Yours times {label} is right: a factor is missing."
                strong |= {f"{label} missing"} if a.size > 1 else set()
            if _near(got, expected * a):
                here[f"{label} extra"] = f"Yours is right times {label}: it is a factor too many."
                strong |= {f"{label} extra"} if a.size > 1 else set()
            for names in (_counted(trial, name), _asked(trial, name)):
                for axis in _constant(got - expected, a):
                    key = f"{label} along {names[axis]}"
                    here[key] = (
                        f"Yours is off by {label} times one number for each row along {names[axis]}: "
                        f"a sum over {names[axis]} is missing, extra, or taken over other axes."
                    )
                    strong |= {key} if a.shape[axis] > 2 else set()
        kept = {key: words for key, words in (kept if k else here).items() if key in here}
    yield from (words for key, words in kept.items() if key in strong)
    yield from _of_rows([t for t in wrong if not _rounding(t, name)], name)
    yield from _at_picks([t for t in wrong if not _rounding(t, name)], name)


_ROWS: tuple[tuple[str, Callable[[Array], Array]], ...] = (
    ("the largest entry", lambda a: a.max(-1)),
    ("the smallest entry", lambda a: a.min(-1)),
    ("the sum", lambda a: a.sum(-1)),
    ("the mean", lambda a: a.mean(-1)),
)


def _of_rows(wrong: Sequence[Trial], name: str) -> Iterator[str]:
    """It is off by something of each row of an input: its largest entry, its sum."""
    labels = [label for label, a in wrong[0].call.named().items() if isinstance(a, np.ndarray)] if wrong else []
    for label in labels:
        for words, function in _ROWS:
            factors = set()
            for trial in wrong:
                a, got = trial.call.named().get(label), np.asarray(trial.value(name))
                if not isinstance(a, np.ndarray) or a.dtype.kind != "f" or a.shape[:-1] != got.shape or not a.size:
                    break
                row, off = function(a), got - np.asarray(trial.expected(name))
                if not np.isfinite(row).all():
                    break
                factor = float((row * off).sum() / ((row * row).sum() or 1.0))
                if factor == 0 or np.abs(off - factor * row).max() > 1e-8 * np.abs(off).max():
                    break
                factors.add(round(factor, 6))
            else:
                if len(factors) == 1 and sum(np.size(t.value(name)) for t in wrong) > 1:
                    factor = factors.pop()
                    times = {1.0: "", -1.0: "minus "}.get(factor, f"{factor:g} times ")
                    yield f"Yours is off by {times}{words} of each row of {label}."


def _at_picks(wrong: Sequence[Trial], name: str) -> Iterator[str]:
    """It is wrong exactly at the entries that an array of indices names, one in each row, or everywhere else."""
    labels = [label for label, a in wrong[0].call.named().items() if isinstance(a, np.ndarray)] if wrong else []
    for label in labels:
        found = set()
        for trial in wrong:
            index, got, expected = trial.call.named()[label], trial.value(name), trial.expected(name)
            if index.dtype.kind not in "iu" or np.ndim(got) != 2 or index.shape != got.shape[:1]:
                found.add("")
                break
            kept = (index >= 0) & (index < got.shape[1])
            picked = np.zeros(got.shape, bool)
            picked[np.flatnonzero(kept), index[kept]] = True
            away = np.abs(got - expected) > 1e-8 * np.abs(expected).max(initial=0.0)
            if np.array_equal(away, picked & away.any(-1, keepdims=True)):
                found.add("only at the entries that {} picks, one in each row")
            elif np.array_equal(away, ~picked & away.any(-1, keepdims=True)):
                found.add("everywhere but at the entries that {} picks")
            else:
                found.add("")
        if len(found) == 1 and "" not in found:
            yield f"It goes wrong {found.pop().format(label)}."


def _near(a: Array, b: Array) -> bool:
    return bool(np.abs(a - b).max(initial=0.0) <= 1e-8 * np.abs(b).max(initial=0.0))


def _beside(trial: Trial, shape: tuple[int, ...]) -> Iterator[tuple[str, Array]]:
    for label, value in trial.call.named().items():
        if isinstance(value, np.ndarray) and value.shape == shape and value.dtype.kind == "f":
            yield label, value
    for label, value in trial.saved().items():
        if isinstance(value, np.ndarray) and value.shape == shape and value.dtype.kind == "f":
            yield label, value


def _constant(difference: Array, a: Array) -> Iterator[int]:
    """Yield the axes along which difference / a is one number."""
    scale = float(np.abs(difference).max(initial=0.0))
    for axis in range(a.ndim):
        squares = (a * a).sum(axis, keepdims=True)
        if not np.all(squares):
            continue
        times = (difference * a).sum(axis, keepdims=True) / squares
        if np.abs(difference - times * a).max(initial=0.0) <= 1e-8 * scale:
            yield axis


def _of_few(trial: Trial, name: str) -> str:
    got, expected = np.asarray(trial.value(name)), np.asarray(trial.expected(name))
    if got.dtype.kind not in "fciub" or expected.dtype.kind not in "fciub":
        return ""
    return few(got, expected, max(trial.problem.rtol, 1e-8))


def _finished(sentence: str) -> str:
    """Begin with a capital letter, unless it begins with a name, and end with a full stop."""
    words = ("no ", "every ", "it ", "the ", "nothing ", "only ", "these ", "each ")
    start = sentence[0].upper() + sentence[1:] if sentence.startswith(words) else sentence
    start = re.sub(r"is (\S+) times what it should be \(that is \1\)", r"is \1 times what it should be", start)
    return start if start.endswith((".", "?", "!")) else start + "."
