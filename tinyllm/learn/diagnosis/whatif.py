"""What would the right function have returned for another input? Sometimes that is what the learner's returns.

An ignored argument, a mask the wrong way round or two arrays in each other's place do not show as a factor or a sign
of the result. So the right function is called with the argument changed: where its result is the learner's on *every*
sample, the sentence says which.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from ... import kernels
from ..checks.call import Call, attempt, copied
from ..checks.compare import close, numeric
from ..checks.problem import Backward, fitted, results
from ..checks.trial import Trial


class Change(NamedTuple):
    """One argument changed: a key, the sentence, and the call that it makes of a call (None: it does not apply)."""

    key: str
    sentence: str
    made: Callable[[Call], Call | None]


def explained(trials: Sequence[Trial], name: str) -> Iterator[str]:
    """Yield a sentence for every change of an argument that explains the result of all trials.

    Args:
        trials: all of one problem, those that came out right too.
        name: the result that is wrong.
    """
    usable = [t for t in trials if t.answer.error is None and t.outcome.error is None and name in t.answer.names]
    usable = [t for t in usable if t.values and numeric(t.value(name))]
    if not any(name in t.wrong for t in usable):
        return
    widest = max(usable, key=lambda t: len(t.call.args) + len(t.call.params))
    for change in _changes(widest):
        if _explains(change, usable, name):
            yield change.sentence
    yield from _elsewhere(usable, name)
    if isinstance(usable[0].problem, Backward):
        yield from _cotangent(usable, name)


def _explains(change: Change, trials: Sequence[Trial], name: str) -> bool:
    told = False
    for trial in trials:
        call = change.made(trial.call)
        if call is None:
            if name in trial.wrong:
                return False
            continue
        value = _right(trial, call, name)
        if value is None:  # the right function refuses this: nothing can be said
            continue
        if np.shape(value) != np.shape(trial.value(name)):
            return False
        if not close(trial.value(name), value, max(trial.problem.rtol, 1e-9), trial.answer.around):
            if name in trial.wrong and trial.wrong[name].kind == "nan":  # an overflow on top of it
                continue
            return False
        told = told or (name in trial.wrong and bool(np.isfinite(trial.value(name)).all()))  # NaN equals any other NaN
    return told


def _right(trial: Trial, call: Call, name: str) -> Any:
    """Return what the right function gives for a call, or None."""
    function = getattr(trial.problem, "oracle", None) or trial.problem.slot.function
    with kernels.use("numpy"):
        outcome = attempt(function, call)
    if outcome.error is not None:
        return None
    taken = results(outcome.value, trial.answer)
    if isinstance(taken, str):
        return None
    value = taken[trial.answer.names.index(name)]
    if trial.answer.shapes:
        value = fitted(value, trial.answer.shapes[trial.answer.names.index(name)])
    return value if numeric(value) else None


def _changes(trial: Trial) -> Iterator[Change]:
    named = trial.call.named()
    for label, value in named.items():
        for words, function in _of_one(label, value):
            yield Change(f"{label} {words}", words, lambda c, n=label, f=function: _replaced(c, n, f))  # type: ignore[misc]
        if isinstance(value, np.ndarray) and value.dtype.kind in "iu":
            for step, words in ((1, f"{label} is taken one too high."), (-1, f"{label} is taken one too low.")):
                yield Change(words, words, lambda c, n=label, d=step: _stepped(c, n, d))  # type: ignore[misc]
    for k, (label, value) in enumerate(trial.saved().items()):
        for words, function in _of_one(label, value):
            yield Change(words, words, lambda c, k=k, f=function: _resaved(c, k, f))  # type: ignore[misc]
    labels = [label for label, value in named.items() if isinstance(value, (np.ndarray, float, int))]
    for i, one in enumerate(labels):
        for other in labels[i + 1 :]:
            words = f"This is what comes out with {one} and {other} in each other's place."
            yield Change(f"{one} {other}", words, lambda c, a=one, b=other: _exchanged(c, a, b))  # type: ignore[misc]
            for a, b in ((one, other), (other, one)):
                words = f"This is what comes out with {b} in place of {a}."
                yield Change(words, words, lambda c, a=a, b=b: _instead(c, a, b))  # type: ignore[misc]


def _of_one(label: str, value: Any) -> Iterator[tuple[str, Callable[[Any], Any]]]:
    """Yield sentences with the change of one argument that each is about."""
    if isinstance(value, np.ndarray) and value.dtype.kind == "b":
        yield f"This is what comes out when {label} is True everywhere: it is not used.", np.ones_like
        yield f"{label} is taken the other way round: True and False have changed places.", np.logical_not
    elif isinstance(value, np.ndarray) and value.dtype.kind in "fc":
        yield f"This is what comes out when {label} is all ones: it is not used.", np.ones_like
        yield f"This is what comes out when {label} is all zeros: it is not used.", np.zeros_like
        yield f"This is what comes out for minus {label}: its sign is wrong.", np.negative
        yield f"{label} is taken with its last two axes swapped.", _flipped
    elif isinstance(value, np.ndarray) and value.dtype.kind in "iu":
        yield f"{label} is shifted by one place.", lambda a: np.roll(a, 1)
        yield f"{label} is shifted by one place.", lambda a: np.roll(a, -1)
    elif isinstance(value, bool):
        yield f"This is what {label}={not value} gives: {label} is not looked at.", lambda b: not b
        yield f"This is what {label}=True gives: {label} is not looked at.", lambda b: True
        yield f"This is what {label}=False gives: {label} is not looked at.", lambda b: False
    elif isinstance(value, float):
        yield f"This is what comes out for {label} = 1: it is not used.", lambda s: 1.0
        yield f"This is what comes out for {label} = 0: it is not used.", lambda s: 0.0
        yield (
            f"This is what comes out for one divided by {label}: it divides where it multiplies, or the reverse.",
            (lambda s: 1 / s if s else None),
        )
        yield f"This is what comes out for minus {label}: its sign is wrong.", lambda s: -s
        yield f"{label} acts twice: this is what comes out for its square.", lambda s: s * s
    elif label in ("axis", "axes") and (value is None or isinstance(value, (int, tuple))):
        yield f"This is what {label}=-1 gives: {label} is not looked at.", lambda a: -1
        yield f"This is what {label}=0 gives: {label} is not looked at.", lambda a: 0
        yield f"This is what {label}=None gives: {label} is not looked at.", lambda a: None
    elif isinstance(value, int):
        yield f"This is what {label} + 1 gives: it is off by one.", lambda n: n + 1
        yield f"This is what {label} - 1 gives: it is off by one.", lambda n: n - 1
        yield f"This is what comes out for {label} = 1: it is not used.", lambda n: 1


def _flipped(a: Any) -> Any:
    return np.swapaxes(a, -1, -2) if a.ndim >= 2 and a.shape[-1] == a.shape[-2] else None


def _replaced(call: Call, label: str, function: Callable[[Any], Any]) -> Call | None:
    if label in call.params:
        value = function(call.params[label])
        return None if value is None and label != "axis" else Call(call.args, call.params | {label: value}, call.names)
    if label not in call.names:
        return None
    i = call.names.index(label)
    try:
        value = function(call.args[i])
    except (TypeError, ValueError, ArithmeticError, AttributeError):
        return None
    if value is None and label != "axis":
        return None
    return Call((*call.args[:i], value, *call.args[i + 1 :]), call.params, call.names)


def _stepped(call: Call, label: str, step: int) -> Call | None:
    """Move indices by one, around the end of the axis that they pick from; what is negative is no index, and stays."""
    index = call.named().get(label)
    if not isinstance(index, np.ndarray):
        return None
    rows = [a for a in call.named().values() if isinstance(a, np.ndarray) and a.shape[:-1] == index.shape and a.ndim]
    size = rows[0].shape[-1] if rows else int(index.max(initial=0)) + 2
    return _replaced(call, label, lambda a: np.where(a >= 0, (a + step) % max(size, 1), a))


def _resaved(call: Call, k: int, function: Callable[[Any], Any]) -> Call | None:
    ctx = copied(call.args[0])
    if k >= len(ctx.saved):
        return None
    try:
        value = function(ctx.saved[k])
    except (TypeError, ValueError, ArithmeticError, AttributeError):
        return None
    if value is None:
        return None
    ctx.saved = (*ctx.saved[:k], value, *ctx.saved[k + 1 :])
    return Call((ctx, *call.args[1:]), call.params, call.names)


def _instead(call: Call, one: str, other: str) -> Call | None:
    """Give the second argument in place of the first as well."""
    named = call.named()
    if one not in named or other not in named or np.shape(named[one]) != np.shape(named[other]):
        return None
    if type(named[one]) is not type(named[other]):
        return None
    return _replaced(call, one, lambda _: named[other])


def _exchanged(call: Call, one: str, other: str) -> Call | None:
    named = call.named()
    if one not in named or other not in named:
        return None
    a, b = named[one], named[other]
    if type(a) is not type(b) or np.shape(a) != np.shape(b):
        return None
    changed = _replaced(call, one, lambda _: b)
    return None if changed is None else _replaced(changed, other, lambda _: a)


def _elsewhere(trials: Sequence[Trial], name: str) -> Iterator[str]:
    """The result is another one's, or an input as it was."""
    for other in trials[0].answer.names:
        if other != name and all(_is(t, name, t.expected(other)) for t in trials):
            yield f"{name} holds what belongs in {other}."
    for label in trials[0].call.named():
        if all(_is(t, name, t.call.named().get(label)) for t in trials):
            if isinstance(trials[0].problem, Backward) and label.startswith("d"):
                yield f"{name} is {label} as it came: what the forward pass did to it is missing (the chain rule)."
            else:
                yield f"{name} is {label} as it came in."


def _is(trial: Trial, name: str, value: Any) -> bool:
    got = trial.value(name)
    return numeric(value) and np.shape(value) == np.shape(got) and close(got, value, 1e-9, trial.answer.around)


def _cotangent(trials: Sequence[Trial], name: str) -> Iterator[str]:
    """A way back is linear in its cotangent: twice as much in, twice as much out."""
    ratios = set()
    for trial in trials:
        if name not in trial.wrong or not np.size(trial.value(name)) or not np.any(trial.value(name)):
            continue
        # Only here is the learner's own function asked again: see ``diagnose``, which puts it into the trial.
        double = trial.doubled.get(name) if trial.doubled else None
        if double is None:
            continue
        got = np.asarray(trial.value(name))
        for factor in (1, 4, 8):
            if close(double, factor * got, 1e-9, trial.answer.around):
                ratios.add(factor)
                break
        else:
            ratios.add(2)
    if ratios == {1}:
        yield f"{name} does not depend on what comes from above: multiply by the cotangent."
    elif ratios and ratios <= {4, 8}:
        yield f"The cotangent enters {name} more than once: twice as much in gives {max(ratios)} times as much out."
