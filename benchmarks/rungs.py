"""The rungs of our ladders, found by their names, and called with arguments found by theirs.

A rung is a compiled function ``X_vN`` in a module of ``tinyllm.kernels.jit``; one that is added appears by itself. What
it takes is read from its signature: ``a``, ``out``, ``scale`` mean the same on every rung.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from turns import Timed


def ladder(name: str) -> dict[str, Any]:
    """Return the rungs of a ladder, lowest first: {"gelu_v1": ..., "gelu_v2": ...}."""
    from tinyllm.kernels import jit

    found = {}
    for module in pkgutil.walk_packages(jit.__path__, jit.__name__ + "."):
        for key, value in vars(importlib.import_module(module.name)).items():
            match = re.fullmatch(rf"{name}_v(\d+)", key)
            if match and hasattr(value, "py_func"):
                found[int(match[1])] = (key, value)
    return dict(found[number] for number in sorted(found))


def timed_rungs(
    name: str,
    values: Mapping[str, Any] | Callable[[set[str]], Mapping[str, Any]],
    result: str,
    before: Callable[[], Any] | None = None,
) -> tuple[dict[str, Timed], dict[str, str]]:
    """Return what runs each rung of a ladder, and for rungs that cannot be called with these values, why.

    Args:
        name: of the ladder.
        values: arguments by name, inputs and outputs; or what gives them for the names that a rung takes.
        result: which of them holds the result.
        before: runs before each step.
    """
    timed, skipped = {}, {}
    for rung_name, rung in ladder(name).items():
        formal = inspect.signature(rung.py_func).parameters.values()
        given = values({p.name for p in formal}) if callable(values) else values
        missing = [p.name for p in formal if p.name not in given and p.default is p.empty]
        if missing:
            skipped[rung_name] = f"it takes {missing[0]!r}, which this benchmark does not know"
            continue
        args = [given[p.name] for p in formal if p.name in given]
        timed[rung_name] = Timed(caller(rung, args, given.get(result)), before=before, slow=True)
    return timed, skipped


def caller(rung: Any, args: list[Any], result: Any) -> Callable[[], Any]:
    """Bind a rung to its arguments; its result is what it returns, or the output it has filled."""

    def run() -> Any:
        returned = rung(*args)
        return result if returned is None else returned

    return run


def solid(x: Any) -> Any:
    """Return a contiguous read-only view: what rungs are compiled for."""
    view = np.ascontiguousarray(x).view()
    view.setflags(write=False)
    return view
