"""One call of a function, and what came of it: its result, an exception, inputs that it changed."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ... import kernels
from ...autograd.op import Op

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Call:
    """What a function is called with.

    Attributes:
        args: positional; an op's forward or backward has its context first.
        params: by keyword.
        names: what the positional arguments are called.
    """

    args: tuple[Any, ...]
    params: dict[str, Any] = field(default_factory=dict)
    names: tuple[str, ...] = ()

    def named(self) -> dict[str, Any]:
        """Return every argument by its name, without the context."""
        found = {name: a for name, a in zip(self.names, self.args, strict=False) if not isinstance(a, Op)}
        return {**found, **self.params}


@dataclass
class Outcome:
    """What came of a call.

    Attributes:
        value: what it returned.
        error: what it raised, or None.
        changed: names of the inputs that it changed in place.
        saved: what it left in the context, for an op's forward.
    """

    value: Any = None
    error: BaseException | None = None
    changed: tuple[str, ...] = ()
    saved: tuple[Any, ...] = ()


def attempt(function: Callable[..., Any], call: Call) -> Outcome:
    """Call a function on copies of the arguments; whatever it raises is part of the outcome.

    Example:
        >>> attempt(lambda x: x + 1, Call((1,))).value
        2
        >>> attempt(lambda x: x / 0, Call((1,))).error
        ZeroDivisionError('division by zero')
    """
    args, params = tuple(copied(a) for a in call.args), {name: copied(a) for name, a in call.params.items()}
    watched = _watched(args, call.names) | params
    before = {name: image(value) for name, value in watched.items()}
    outcome = Outcome()
    with calm():
        try:
            outcome.value = function(*args, **params)
        except (Exception, SystemExit) as error:
            outcome.error = error
    outcome.changed = tuple(name for name, value in watched.items() if image(value) != before[name])
    if args and isinstance(args[0], Op):
        outcome.saved = tuple(args[0].saved)
    return outcome


@contextmanager
def calm() -> Iterator[None]:
    """Run a block without warnings of overflow, and on the readable kernels: a verdict compiles nothing."""
    with np.errstate(all="ignore"), warnings.catch_warnings(), kernels.use("numpy"):
        warnings.simplefilter("ignore")
        yield


def _watched(args: tuple[Any, ...], names: tuple[str, ...]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for i, value in enumerate(args):
        if isinstance(value, Op):
            found |= {f"ctx.saved[{k}]": saved for k, saved in enumerate(value.saved)}
        else:
            found[names[i] if i < len(names) else f"argument {i + 1}"] = value
    return found


def copied(value: Any) -> Any:
    """Copy arrays, what holds them, contexts and random generators; everything else is passed on as it is."""
    if isinstance(value, np.ndarray):
        return value.copy(order="K")
    if isinstance(value, Op):
        twin = type(value)()
        twin.needs = value.needs
        twin.saved = copied(tuple(value.saved))
        return twin
    if isinstance(value, (tuple, list)):
        return type(value)(copied(v) for v in value) if type(value) in (tuple, list) else value
    if isinstance(value, dict):
        return {key: copied(v) for key, v in value.items()}
    if isinstance(value, (np.random.Generator, set, bytearray)):
        return copy.deepcopy(value)
    return value


def image(value: Any) -> Any:
    """Return what two values have in common only when they are equal to the bit; for what has no arrays, itself."""
    if isinstance(value, np.ndarray):
        return ("array", value.shape, value.dtype.str, value.tobytes())
    if isinstance(value, (tuple, list)):
        return (type(value).__name__, *(image(v) for v in value))
    if isinstance(value, dict):
        return ("dict", *((key, image(v)) for key, v in value.items()))
    if isinstance(value, (set, bytearray)):
        return repr(value)
    if isinstance(value, np.random.Generator):
        return "generator"
    return id(value) if callable(value) else repr(value)
