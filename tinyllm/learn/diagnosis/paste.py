"""A counter-example as Python that can be pasted: the inputs, the call, and what it should give."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...autograd.op import Op
from ..checks.problem import Backward
from ..checks.trial import Trial

_MOST = 128  # entries of an array that are still written out


def literal(value: Any) -> str:
    """Write a value as Python.

    Example:
        >>> literal(np.array([[1.0, -np.inf]]))
        'np.array([[1.0, -np.inf]])'
        >>> literal((slice(None), np.array([0, 2])))
        '(slice(None, None, None), np.array([0, 2]))'
    """
    if isinstance(value, np.ndarray):
        dtype = "" if value.dtype in (np.float64, np.int64, np.bool_) else f", np.{value.dtype}"
        if not value.size:
            return f"np.zeros({value.shape}{dtype})"
        return f"np.array({literal(value.tolist())}{dtype})"
    if isinstance(value, (np.generic,)):
        return literal(value.item())
    if isinstance(value, float):
        text = repr(value)
        return f"np.{text}" if text in ("inf", "nan") else ("-np.inf" if text == "-inf" else text)
    if isinstance(value, list):
        return "[" + ", ".join(literal(v) for v in value) + "]"
    if isinstance(value, tuple):
        return "(" + ", ".join(literal(v) for v in value) + ("," if len(value) == 1 else "") + ")"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{literal(k)}: {literal(v)}" for k, v in value.items()) + "}"
    if isinstance(value, np.random.Generator):
        return "np.random.default_rng(0)"
    if value is Ellipsis:
        return "..."
    if callable(value):
        name = getattr(value, "__name__", "f")
        return f"np.{name}" if getattr(np, name, None) is value else name
    return repr(value)


def code(trial: Trial, name: str = "") -> str:
    """Return the Python that shows a failing trial.

    Args:
        trial: with a sample that is as small as it gets.
        name: of the result that is wrong, "" for all of it.

    Returns:
        Lines of Python; "" where an input is too large to be written out.
    """
    if any(a.size > _MOST for a in trial.call.named().values() if isinstance(a, np.ndarray)):
        return ""
    lines = ["import numpy as np"]
    if trial.problem.slot.op is not None and trial.call.args and isinstance(trial.call.args[0], Op):
        lines += _context(trial)
    arguments = []
    for label, value in trial.call.named().items():
        if isinstance(value, np.ndarray) or len(literal(value)) > 40:
            lines.append(f"{label.replace('[', '_').replace(']', '')} = {literal(value)}")
            value_text = label.replace("[", "_").replace("]", "")
        else:
            value_text = literal(value)
        arguments.append(f"{label}={value_text}" if label in trial.call.params else value_text)
    if trial.call.args and isinstance(trial.call.args[0], Op):
        arguments.insert(0, "ctx")
    lines.append(f"{trial.problem.slot.name}({', '.join(arguments)})")
    return "\n".join(lines + _should_be(trial, name))


def _context(trial: Trial) -> list[str]:
    op = trial.problem.slot.op
    made = [f"from {op.__module__} import {op.__name__}", f"ctx = {op.__name__}()"] if op is not None else []
    if isinstance(trial.problem, Backward):
        inputs = [literal(a) for a in trial.sample.args]
        inputs += [f"{key}={literal(value)}" for key, value in trial.sample.params.items()]
        made.append(f"ctx.forward({', '.join(inputs)})")
    return made


def _should_be(trial: Trial, name: str) -> list[str]:
    if trial.answer.error is not None:
        return [f"# should raise {type(trial.answer.error).__name__}"]
    if name not in trial.answer.names:
        return []
    expected = trial.expected(name)
    lines = []
    if trial.values:
        lines.append(f"# {name}, yours: {_brief(trial.value(name))}")
    return [*lines, f"# {name}, {trial.problem.wanted}: {_brief(expected)}"]


def _brief(value: Any) -> str:
    if isinstance(value, np.ndarray):
        if value.size > _MOST:
            return f"an array {value.shape}"
        return " ".join(np.array2string(value, precision=4, suppress_small=True, separator=", ").split())
    return literal(value)
