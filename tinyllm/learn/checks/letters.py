"""Axis letters: what a docstring's Shapes line calls the axes of inputs and results, and their sizes in one call."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from ...errors import shape_in_letters

Letters = dict[str, tuple[str, ...]]

_NAMED = re.compile(r"([A-Za-z_]\w*(?:(?:\s*,\s*|\s+and\s+)[A-Za-z_]\w*)*)\s*\(([^()]*)\)")
_LETTER = re.compile(r"^[A-Z]\w?( [A-Z]\w?)*$")
_UNKNOWN = "?"  # an axis that the line has no letter for


@functools.cache
def read(docstring: str | None) -> tuple[Letters, Letters]:
    """Return the letters of the inputs and those of the results, by name, in the order of the Shapes line.

    Example:
        >>> read("Shapes: q (B, T, D), k and v (B, S, D) -> out (B, T, D)")
        ({'q': ('B', 'T', 'D'), 'k': ('B', 'S', 'D'), 'v': ('B', 'S', 'D')}, {'out': ('B', 'T', 'D')})
    """
    line = re.search(r"^\s*Shapes:?\s+(.*?)(?:\n\s*\n|\.\s|\.$|\n\s*[A-Z][a-z]+:?\s|\Z)", docstring or "", re.M | re.S)
    if not line:
        text = re.split(r"^\s*(?:Example|Args|Raises|Returns|Errors):", docstring or "", maxsplit=1, flags=re.M)[0]
        found = {name: axes for name, axes in _named(text).items() if any(_LETTER.match(axis) for axis in axes)}
        return found, {}
    before, _, after = line.group(1).partition("->")
    return _named(before), _named(after)


def _named(text: str) -> Letters:
    found: Letters = {}
    for names, axes in _NAMED.findall(text):
        letters = tuple(_letter(axis.strip()) for axis in axes.split(",") if axis.strip())
        for name in re.split(r"\s*,\s*|\s+and\s+", names):
            if name not in {"with", "or", "of", "shape"}:
                found.setdefault(name, letters)
    return found


def _letter(axis: str) -> str:
    return "..." if axis.startswith("...") else (axis if _LETTER.match(axis) else _UNKNOWN)


def sizes(letters: Mapping[str, tuple[str, ...]], values: Mapping[str, Any]) -> dict[str, int]:
    """Return how large each letter is in a call; integers that are named as a letter count too.

    Example:
        >>> sizes({"x": ("...", "T", "D")}, {"x": np.zeros((2, 5, 3)), "H": 7})
        {'T': 5, 'D': 3, 'H': 7}
    """
    found: dict[str, int] = {}
    for name, value in values.items():
        if isinstance(value, np.ndarray):
            axes = [letter for letter in letters.get(name, ()) if letter != "..."]
            for letter, size in zip(reversed(axes), reversed(value.shape), strict=False):
                if letter != _UNKNOWN:
                    found.setdefault(letter, int(size))
        elif isinstance(value, int) and not isinstance(value, bool) and _LETTER.match(name):
            found.setdefault(name, value)
    order = list(dict.fromkeys(letter for axes in letters.values() for letter in axes))
    return dict(sorted(found.items(), key=lambda item: order.index(item[0]) if item[0] in order else len(order)))


def of_shape(shape: tuple[int, ...], letters: tuple[str, ...]) -> tuple[str, ...]:
    """Return a name for each axis of a shape: its letter, matched from the right, or "axis 0".

    Example:
        >>> of_shape((2, 5, 3), ("...", "T", "D"))
        ('axis 0', 'T', 'D')
    """
    names = [f"axis {axis}" for axis in range(len(shape))]
    axes = [letter for letter in letters if letter != "..."]
    for back, letter in enumerate(reversed(axes), start=1):
        if back <= len(shape) and letter != _UNKNOWN:
            names[-back] = letter
    return tuple(names)


def entry(index: tuple[int, ...], letters: tuple[str, ...]) -> str:
    """Say which entry of an array it is.

    Example:
        >>> entry((0, 2, 3), ("B", "T", "D"))
        'b=0 t=2 d=3'
    """
    names = of_shape(index, letters)
    if any(name.startswith("axis") for name in names):
        return "[" + ", ".join(str(int(i)) for i in index) + "]"
    return " ".join(f"{name.lower()}={int(i)}" for name, i in zip(names, index, strict=True))


def described(name: str, value: Any, letters: tuple[str, ...] = ()) -> str:
    """Say what a value is: ``q (B=2, T=5, D=3)`` for an array, ``H=2`` for a number.

    Example:
        >>> described("q", np.zeros((5, 3)), ("T", "D"))
        'q (T=5, D=3)'
    """
    if isinstance(value, np.ndarray):
        return f"{name} {shape_in_letters(value.shape, letters)}"
    text = repr(value)
    return f"{name}={text if len(text) <= 40 else type(value).__name__}"
