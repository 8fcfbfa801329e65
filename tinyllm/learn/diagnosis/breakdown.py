"""Did it run? What a function that breaks down is told: its line, what it was given, and the reason in one sentence."""

from __future__ import annotations

import inspect
import linecache
import math
import re
import traceback
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ...autograd.draw import Sample
from ...errors import StubError, shape_in_letters
from ..checks import letters
from ..checks.call import Call
from ..checks.problem import Problem, formal_names
from ..checks.trial import Trial
from ..loop.trouble import numba_sentence
from ..slots.slot import Slot

_LONGEST = 240  # signs of an exception's message


def is_stub(error: BaseException | None, exercise: str) -> bool:
    """Is it what the stub of an exercise raises?

    Example:
        >>> is_stub(NotImplementedError("10.3"), "10.3")
        True
    """
    return isinstance(error, StubError) or (isinstance(error, NotImplementedError) and exercise in said(error))


def place(function: Callable[..., Any]) -> str:
    """Return file and line of a function, the last two parts of its path: "my/l10_attention.py:41"."""
    code = getattr(inspect.unwrap(function), "__code__", None)
    if code is None:
        return ""
    parts = re.split(r"[/\\]", code.co_filename)
    return "/".join(parts[-2:]) + f":{code.co_firstlineno}"


def arity(function: Callable[..., Any], slot: Slot, call: Call) -> str:
    """Say why a function cannot be called as the library's own is, or "" when it can."""
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return ""
    try:
        signature.bind(*call.args, **call.params)
    except TypeError as error:
        mine = ", ".join(signature.parameters)
        wanted = ", ".join(inspect.signature(slot.function).parameters)
        missing = [name for name in call.params if name not in signature.parameters]
        if missing and "unexpected keyword" in str(error):
            return f"It is called with {missing[0]}=..., and has no parameter of that name: it takes ({wanted})."
        return f"It takes ({mine}), and is called with ({wanted})."
    return ""


def on(problem: Problem, sample: Sample, call: Call) -> str:
    """Say what a function was given, and an op's forward before it: ``x (B=2, V=5), dp (B=2, V=5)``."""
    known = problem.letters()
    named = call.named()
    if problem.slot.part == "backward" and problem.slot.op is not None:
        named = dict(zip(formal_names(problem.slot.op, len(sample.args)), sample.args, strict=True)) | named
    return ", ".join(letters.described(name, value, known.get(name, ())) for name, value in named.items())


def line_of(error: BaseException, function: Callable[..., Any]) -> tuple[int, str]:
    """Return the line of the learner's file that an exception came through last, and its text; (0, "") for none."""
    code = getattr(inspect.unwrap(function), "__code__", None)
    found = 0, ""
    for frame, number in traceback.walk_tb(error.__traceback__):
        if code is not None and frame.f_code.co_filename == code.co_filename:
            found = number, linecache.getline(code.co_filename, number).strip()
    return found


def told(error: BaseException, function: Callable[..., Any], trial: Trial | None) -> tuple[str, str]:
    """Return the figures and the sentence for an exception that a learner's function raised.

    Returns:
        ("ValueError at line 12: `return a @ b`", "matmul: the inner sizes ...").
    """
    number, source = line_of(error, function)
    at = f" at line {number}: `{source}`" if number and source else (f" at line {number}" if number else "")
    given = (
        f"   given {on(trial.problem, trial.sample, trial.call)}" if trial is not None and trial.call.named() else ""
    )
    known = trial.problem.sizes(trial.sample) if trial is not None and _bound(trial) else {}
    named = trial.call.named() if trial is not None else {}
    return f"{type(error).__name__}{at}{given}", _sentence(error, known, named)


def said(error: BaseException, lines: int | None = None) -> str:
    """Return an exception's own words, or so many lines of them, in one line; a learner's may not even have any."""
    try:
        text = " ".join(" ".join(str(error).strip().splitlines()[:lines]).split())
    except Exception:  # whatever its __str__ does
        return ""
    return text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "..."


def _bound(trial: Trial) -> bool:
    return bool(trial.sample.args or trial.sample.params)


def _argument(message: str, named: Mapping[str, Any]) -> str:
    """Say which argument an index out of bounds comes from, where it is one itself."""
    index = re.search(r"index (-?\d+) is out of bounds", message)
    for name, value in named.items() if index else ():
        if isinstance(value, int) and not isinstance(value, bool) and value == int(index[1]):  # type: ignore[index]
            return f" ({value} is {name})"
    return ""


def _sentence(error: BaseException, sizes: Mapping[str, int], named: Mapping[str, Any]) -> str:
    message = said(error)
    if isinstance(error, NameError) and getattr(error, "name", None):
        return f"`{error.name}` is used, and nothing of that name is defined or imported here."
    if isinstance(error, SystemExit):
        return "It calls sys.exit, which ends Python: return the result instead."
    if isinstance(error, RecursionError):
        return "It calls itself without an end."
    if isinstance(error, MemoryError):
        return f"It asks for more memory than there is ({message or 'an array that is too large'})."
    if isinstance(error, AttributeError) and "NoneType" in message:
        return f"Something is None where a value is needed: {message}."
    if isinstance(error, TypeError) and "NoneType" in message:
        return f"Something is None where a number is needed; does a function that you call return nothing? ({message})"
    if type(error).__module__.startswith("numba"):
        return numba_sentence(str(error)) + "."
    if isinstance(error, ZeroDivisionError):
        return f"It divides by zero ({message})."
    if isinstance(error, np.exceptions.AxisError):
        return f"An axis is named that the array does not have: {message}."
    if isinstance(error, ValueError) and "read-only" in message:
        return "It writes into an array that belongs to the graph: compute a new array instead."
    if isinstance(error, AssertionError):
        return f"An assert of its own failed{': ' + message if message else ''}."
    text = lettered(message, sizes)
    if "could not be broadcast" in text:
        shapes = [found for found in re.findall(r"\([^()\[\]]*\)", text) if "=" in found or re.search(r"\d", found)]
        return (
            f"Two shapes do not fit: {' and '.join(shapes)}. Sizes broadcast when they are equal or one of them is 1."
        )
    if "does not have enough dimensions" in text:
        return "A matrix product meets a number, or a row where it needs a matrix: an input may have one axis only."
    if "matmul" in text and "mismatch" in text:
        inner = re.search(r"size (\d+) is different from (\d+)", text)
        sides = f"{_named(int(inner[1]), sizes)} and {_named(int(inner[2]), sizes)}" if inner else "these"
        return f"The inner sizes of a matrix product differ: {sides}. Is a transpose missing, or one too many?"
    return f"{type(error).__name__}: {text or 'it says nothing more'}{_argument(message, named)}"


def _named(size: int, sizes: Mapping[str, int]) -> str:
    names = [name for name, n in sizes.items() if n == size]
    return f"{names[0]}={size}" if len(names) == 1 else str(size)


def lettered(message: str, sizes: Mapping[str, int]) -> str:
    """Put axis letters into the shapes of a message, where a size belongs to one letter only.

    Example:
        >>> lettered("shapes (2,5) (5,3)", {"B": 2, "T": 5, "D": 3})
        'shapes (B=2, T=5) (T=5, D=3)'
    """

    def shape(found: re.Match[str]) -> str:
        parts = [_named(int(n), sizes) for n in re.findall(r"\d+", found[0])]
        return f"({parts[0]},)" if len(parts) == 1 else f"({', '.join(parts)})"

    return re.sub(r"\(\d+,(?:\s?\d+,?)*\)", shape, message)


def of_difference(trial: Trial, name: str) -> str:
    """Say what is wrong with the form of a result: None, another type, shape or dtype, NaN; "" if nothing is."""
    found = trial.wrong[name]
    value = trial.outcome.value
    if value is None and trial.outcome.error is None and found.kind in ("kind", "shape"):
        return "It returns None: is `return` missing?"
    if found.kind == "kind":
        if name and trial.value(name) is None:
            return f"{name} is None: nothing was computed for it, and the graph is cut before this input."
        return f"{name} is {found.text}." if name else f"{found.text[0].upper()}{found.text[1:]}."
    if found.kind == "shape":
        return _of_shape(np.shape(trial.value(name)), np.shape(trial.expected(name)), trial, name)
    if found.kind == "float32":
        return (
            "float32 went in and float64 came out: a float64 made in between (np.sqrt of an int, np.zeros, np.arange) "
            "pulls everything up; make it in the input's dtype, or use a Python number."
        )
    if found.kind == "dtype":
        return f"{name or 'The result'} has another kind of entries: {found.text}."
    if found.kind == "nan":
        return _of_nan(trial)
    return ""


def _of_shape(got: tuple[int, ...], right: tuple[int, ...], trial: Trial, name: str) -> str:
    axes = letters.of_shape(right, trial.axes(name))
    for other in trial.answer.names:
        if other != name and got == np.shape(trial.expected(other)):
            return f"{name} has the shape of {other}: have they changed places?"
    if sorted(got) == sorted(right):
        return f"{name} has its axes in another order, {got} for {right}: a transpose is missing, or one too many."
    if len(got) > len(right) and right == got[len(got) - len(right) :]:
        extra = len(got) - len(right)
        return f"{name} has {extra} axis too many in front: sum over {'it' if extra == 1 else 'them'}."
    if len(got) == len(right):
        summed = [axes[i] for i in range(len(got)) if right[i] == 1 and got[i] != 1]
        if summed:
            return f"{name} is still broadcast: sum over {' and '.join(summed)}, and keep the axis."
        lost = [axes[i] for i in range(len(got)) if got[i] == 1 and right[i] != 1]
        if lost:
            return f"{name} is summed over {' and '.join(lost)}, where every entry is to be kept."
    if len(got) < len(right):
        if tuple(n for n in right if n != 1) == tuple(n for n in got if n != 1):
            return f"{name} lacks an axis of size 1: keepdims=True keeps one, and reshape gives one back."
        if _without(right, got) is not None:
            lacking = _axis(axes[_without(right, got) or 0])
            return f"{name} lacks {lacking}: it is summed over, or was never spread out again."
    if len(got) != len(right) and math.prod(got) == math.prod(right) and 1 not in (*got, *right):
        return f"{name} has all its entries, in another shape: axes are merged that stay apart, or the reverse."
    if tuple(n for n in got if n != 1) == right:
        return f"{name} has an axis of size 1 too many: leave keepdims away, or squeeze it."
    wanted = shape_in_letters(right, trial.axes(name))
    if math.prod(got) == 1 < math.prod(right):
        return (
            f"{name} is one number, and should have shape {wanted}: it was summed too far, or never spread out again."
        )
    return f"{name} has shape {got}, and should have {wanted}."


def _axis(name: str) -> str:
    return name if name.startswith("axis") else f"the axis {name}"


def _without(longer: tuple[int, ...], shorter: tuple[int, ...]) -> int | None:
    for i in range(len(longer)):
        if longer[:i] + longer[i + 1 :] == shorter:
            return i
    return None


def _of_nan(trial: Trial) -> str:
    values = [a for a in trial.call.named().values() if isinstance(a, np.ndarray) and a.dtype.kind == "f" and a.size]
    if any(np.isinf(a).any() for a in values):
        return "An infinity went in (a hidden score of -inf, say) and NaN came out: inf - inf or 0 * inf in between."
    if any(np.abs(a).max() > 30 for a in values):
        return "The inputs are large and exp of them overflows: subtract the largest first; the result stays the same."
    return "NaN or infinity came out of finite numbers: a division by zero, a logarithm of 0, or exp of a large number."
