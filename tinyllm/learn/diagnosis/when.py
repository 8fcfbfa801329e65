"""When does it go wrong? A feature of the inputs that parts those that fail from those that pass, exactly.

"Only where an entry is picked twice" names the mistake better than any number. It is said only when every input with
the feature fails, every input without it passes, and there are both.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from ..checks.problem import Backward
from ..checks.trial import Trial


def parted(trials: Sequence[Trial], name: str) -> Iterator[str]:
    """Yield what parts the failing trials from the others."""
    asked = [t for t in trials if t.answer.error is None]
    failing = [t for t in asked if name in t.wrong or "" in t.wrong]
    passing = [t for t in asked if not (name in t.wrong or "" in t.wrong)]
    if not failing or not passing:
        return
    for feature, words in _FEATURES:
        if all(feature(t) for t in failing) and not any(feature(t) for t in passing):
            yield f"It goes wrong exactly where {words}."


def _arrays(value: Any) -> Iterator[np.ndarray[Any, Any]]:
    if isinstance(value, np.ndarray):
        yield value
    elif isinstance(value, (tuple, list)):
        for v in value:
            yield from _arrays(v)


def _inputs(trial: Trial, kinds: str) -> list[np.ndarray[Any, Any]]:
    found = _arrays((*trial.sample.args, *trial.sample.params.values()))
    return [a for a in found if a.dtype.kind in kinds]


def _repeats(trial: Trial) -> bool:
    return isinstance(trial.problem, Backward) and any(
        np.unique(a).size < a.size for a in _inputs(trial, "iu") if a.size
    )


def _ties(trial: Trial) -> bool:
    return any(np.unique(a).size < a.size for a in _inputs(trial, "f"))


_NO_AXIS = object()


def _axis(trial: Trial) -> Any:
    """Return the axis of a call, by default the function's own; _NO_AXIS where it takes none."""
    slot = trial.problem.slot
    formal = inspect.signature(slot.op.forward if slot.op is not None else slot.function).parameters
    for name in ("axis", "axes"):
        if name in formal:
            return trial.sample.params.get(name, formal[name].default)
    return _NO_AXIS


def _counted(trial: Trial) -> int | None:
    """Return the number of the one axis that is asked for, from the front; None where there is no such thing."""
    axis, rank = _axis(trial), _rank(trial)
    return axis % rank if isinstance(axis, int) and rank else None


def _not_last(trial: Trial) -> bool:
    return _counted(trial) not in (None, _rank(trial) - 1)


def _not_first(trial: Trial) -> bool:
    return _counted(trial) not in (None, 0)


def _kept(trial: Trial) -> bool:
    return bool(trial.sample.params.get("keepdims"))


def _dropped(trial: Trial) -> bool:
    return _axis(trial) not in (None, _NO_AXIS) and not _kept(trial)


def _rank(trial: Trial) -> int:
    return max((a.ndim for a in _inputs(trial, "fc")), default=0)


def _oblong(trial: Trial) -> bool:
    return any(a.ndim >= 2 and a.shape[-1] != a.shape[-2] for a in _inputs(trial, "fcb"))


def _unequal(trial: Trial) -> bool:
    sizes = trial.problem.sizes(trial.sample)
    numbers = [v for v in trial.call.named().values() if isinstance(v, int) and not isinstance(v, bool)]
    return ("T" in sizes and "S" in sizes and sizes["T"] != sizes["S"]) or (
        not sizes and len(numbers) == 2 and numbers[0] != numbers[1]
    )


def _ignored(trial: Trial) -> bool:
    ignore = trial.call.named().get("ignore_index")
    return isinstance(ignore, int) and any(bool(np.any(a == ignore)) for a in _inputs(trial, "iu"))


def _blind(trial: Trial) -> bool:
    masks = [a for a in _inputs(trial, "b") if a.ndim]
    return any(bool((~a).all(axis=-1).any()) for a in masks)


_FEATURES: tuple[tuple[Callable[[Trial], bool], str], ...] = (
    (
        _repeats,
        "an entry is picked more than once: each pick sends back a gradient and they add up, as np.add.at does; "
        "an assignment with an index keeps only one of them",
    ),
    (_ties, "entries tie: look at what the docstring says of them"),
    (_ignored, "a target is to be ignored (ignore_index)"),
    (_blind, "a row sees nothing at all"),
    (lambda t: any(np.isinf(a).any() for a in _inputs(t, "f")), "an input holds an infinity"),
    (_unequal, "T and S differ"),
    (lambda t: any(bool((a < 0).any()) for a in _inputs(t, "iu")), "an index is negative (it counts from the end)"),
    (lambda t: any(a.dtype.kind == "b" for a in _inputs(t, "b")), "a mask of booleans is given"),
    (lambda t: isinstance(_axis(t), tuple), "several axes are given"),
    (_not_last, "another axis than the last is asked for"),
    (_not_first, "another axis than the first is asked for"),
    (lambda t: _axis(t) is None, "no axis is given, and it goes over all of them"),
    (lambda t: isinstance(_axis(t), int) and _axis(t) < 0, "the axis is counted from the end"),
    (_kept, "keepdims=True is given"),
    (_dropped, "an axis is given and keepdims is not"),
    (lambda t: len({a.shape for a in _inputs(t, "fc")}) > 1, "the inputs have different shapes, and one is broadcast"),
    (lambda t: _rank(t) > 2, "there are axes in front of the last two"),
    (lambda t: _rank(t) > 1, "there is more than one axis"),
    (lambda t: _rank(t) == 1, "there is only one axis"),
    (lambda t: _rank(t) == 0, "the input is a single number"),
    (_oblong, "the last two axes differ in size: a transpose is missing or extra"),
    (lambda t: any(np.abs(a).max(initial=0) > 30 for a in _inputs(t, "f")), "the numbers are large"),
    (lambda t: any(a.size == 0 for a in _inputs(t, "fciu")), "an input is empty"),
)
