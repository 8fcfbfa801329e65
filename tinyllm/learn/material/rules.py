"""Backward rules, right ones and wrong ones: what a gradient check has to tell apart (lesson 01)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...autograd.draw import Draw

Array = np.ndarray[Any, Any]

_RNG = np.random.default_rng(101)
_X = _RNG.normal(size=(3, 5))
_W = _RNG.normal(size=(5, 5))
_FLAT = np.array([[0.0, 1.5, -0.5], [2.0, 0.0, -1.0]])  # where the cube is flat its slope is zero, as it should be
_ROWS = np.array([0, 2, 2])  # row 2 is read twice


@dataclass(frozen=True)
class Rule:
    """A function, what is said to be its backward rule, and whether it is.

    Attributes:
        name: "softmax", "softmax, all zeros".
        f: from x to y.
        backward: from x and a cotangent v to dx.
        x: the point at which to look.
        why: what is wrong with it; "" for a right one.
    """

    name: str
    f: Callable[[Array], Array]
    backward: Callable[[Array, Array], Array]
    x: Array
    why: str = ""

    @property
    def right(self) -> bool:
        """Is it the derivative?"""
        return not self.why

    def pull_back(self, v: Array) -> Array:
        """Answer as the rule does: dx for the cotangent v."""
        return self.backward(self.x, v)

    @property
    def entries(self) -> list[Array]:
        """One direction for each entry of x."""
        return [row.reshape(self.x.shape) for row in np.eye(self.x.size)]


class Steady(Draw):
    """Draws the same array for the same shape, every time: what a check finds does not hang on what came before.

    Example:
        >>> bool((Steady().unit(3) == Steady().unit(3)).all())
        True
    """

    def __init__(self) -> None:
        """Nothing is kept: every draw begins anew."""

    @property
    def rng(self) -> np.random.Generator:  # type: ignore[override]
        """A generator that is at its beginning, whenever it is asked for."""
        return np.random.default_rng(11)

    def __call__(self, *shape: int, scale: float = 1.0) -> Array:
        """Draw from a normal distribution of standard deviation ``scale``."""
        return np.asarray(np.random.default_rng([11, *shape]).normal(0.0, scale, shape))


def _softmax(x: Array) -> Array:
    e = np.exp(x)
    return np.asarray(e / e.sum(axis=-1, keepdims=True))


def _norm(x: Array) -> Array:
    centered = x - x.mean(axis=-1, keepdims=True)
    return np.asarray(centered / np.sqrt((centered**2).mean(axis=-1, keepdims=True)))


def _std(x: Array) -> Array:
    return np.asarray(x.std(axis=-1, keepdims=True))


def _norm_backward(x: Array, v: Array) -> Array:
    y = _norm(x)
    return np.asarray((v - v.mean(axis=-1, keepdims=True) - y * (v * y).mean(axis=-1, keepdims=True)) / _std(x))


def _rows_backward(x: Array, v: Array, adding: bool = True) -> Array:
    dx = np.zeros(x.shape)
    if adding:
        np.add.at(dx, _ROWS, v)
    else:
        dx[_ROWS] = v
    return dx


def _softmax_backward(x: Array, v: Array) -> Array:
    p = _softmax(x)
    return np.asarray(p * (v - (v * p).sum(axis=-1, keepdims=True)))


def _with(dx: Array, place: int, change: float) -> Array:
    changed = dx.copy()
    changed.flat[place] += change
    return changed


RIGHT = (
    Rule("square", lambda x: x**2, lambda x, v: 2 * x * v, _X),
    Rule("sine", np.sin, lambda x, v: np.cos(x) * v, _X),
    Rule("tanh", np.tanh, lambda x, v: (1 - np.tanh(x) ** 2) * v, _X),
    Rule("softmax", _softmax, _softmax_backward, _X),
    Rule("norm", _norm, _norm_backward, _X),
    Rule("matrix product", lambda x: x @ _W, lambda x, v: v @ _W.T, _X),
    Rule("rows read twice", lambda x: x[_ROWS], _rows_backward, _X),
    Rule("cube", lambda x: x**3, lambda x, v: 3 * x**2 * v, _FLAT),
)

WRONG = (
    Rule("softmax, all zeros", _softmax, lambda x, v: np.zeros(x.shape), _X, "Nothing flows back."),
    Rule(
        "softmax, each score alone", _softmax, lambda x, v: _softmax(x) * (1 - _softmax(x)) * v, _X,
        "A score moves every probability in its row, not only its own.",
    ),
    Rule("sine, 0.1 % too large", np.sin, lambda x, v: 1.001 * np.cos(x) * v, _X, "It is a thousandth too large."),
    Rule("square, one entry off", lambda x: x**2, lambda x, v: _with(2 * x * v, 7, -0.5), _X, "One entry is too low."),
    Rule(
        "norm, the spread held fixed", _norm, lambda x, v: (v - v.mean(axis=-1, keepdims=True)) / _std(x), _X,
        "The spread that the row was divided by moves with it.",
    ),
    Rule("transpose, reshaped back", np.transpose, lambda x, v: v.reshape(x.shape), _X, "It has to be transposed "
    "back."),
    Rule("matrix product, W for W^T", lambda x: x @ _W, lambda x, v: v @ _W, _X, "W has to be transposed."),
    Rule(
        "rows read twice, = for +=", lambda x: x[_ROWS], lambda x, v: _rows_backward(x, v, adding=False), _X,
        "A row that was read twice gets two gradients, and they add.",
    ),
    Rule("cube, one entry NaN", lambda x: x**3, lambda x, v: _with(3 * x**2 * v, 1, np.nan), _FLAT, "It holds a NaN."),
    Rule(
        "faint sine, twice too large", lambda x: 1e-9 * np.sin(x), lambda x, v: 2e-9 * np.cos(x) * v, _X,
        "It is twice too large; all its slopes are small, and so is the mistake.",
    ),
)  # fmt: skip


def caught(check: Callable[[Rule], bool], rules: Sequence[Rule] = WRONG) -> list[bool]:
    """Return which of some rules a check refuses; ``check(rule)`` is true when it takes the rule for right.

    Example:
        >>> sum(caught(lambda rule: not np.isnan(rule.pull_back(np.ones(rule.f(rule.x).shape))).any()))
        1
    """
    return [not check(rule) for rule in rules]
