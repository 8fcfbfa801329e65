"""What the functions of lesson 01 are asked: slopes found by hand, and rules that are right or wrong."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ...autograd.numeric import central_difference, complex_step
from ..checks.draw import Growing
from ..material.rules import RIGHT, WRONG, Rule, Steady

Array = np.ndarray[Any, Any]
Function = Callable[..., Any]


def _cubic(x: Array) -> Array:
    return x**3 - 2.0 * x


def _waves(x: Array) -> Array:
    return np.sin(x) * np.exp(0.5 * x)


def _mixed(x: Array) -> Array:
    return (x**2).sum() * np.sin(x).sum()


# by hand: the slope of each function at x in direction u
_SLOPES = (
    (_cubic, lambda x, u: (3 * x**2 - 2.0) * u),
    (_waves, lambda x, u: (np.cos(x) + 0.5 * np.sin(x)) * np.exp(0.5 * x) * u),
    (
        _mixed,
        lambda x, u: 2 * (x * u).sum() * np.sin(x).sum() + (x**2).sum() * (np.cos(x) * u).sum(),
    ),
)


def along(rtol: float) -> Callable[[Function, Growing], str | None]:
    """The slope in a direction, held against the one found by hand."""

    def check(f: Function, draw: Growing) -> str | None:
        x = draw(*draw.sizes(2))
        u = draw(*x.shape)
        for g, slope in _SLOPES:
            got, right = f(g, x, u), slope(x, u)
            if np.shape(got) != np.shape(right):
                return (
                    f"{g.__name__}: a slope of shape {np.shape(got)}, where the function's value has {np.shape(right)}"
                )
            if precision := _other_precision(got):
                return precision
            off = np.abs(got - right).max() / np.abs(right).max()
            if not off <= rtol:
                return f"{g.__name__}: off by {off:.0e} of the slope found by hand" + _order_of_h(off)
        return None

    return check


def _other_precision(got: Any) -> str:
    """Slopes of real functions at float64 points are float64."""
    dtype = np.asarray(got).dtype
    if dtype == np.float64:
        return ""
    hint = ", with nothing in its imaginary part: take the real number out of it" if dtype.kind == "c" else ""
    return f"what comes back is {dtype}{hint}; x is float64, and so is its slope"


def _order_of_h(off: float) -> str:
    """An error of about h = 1e-5 has its own look."""
    return ", which is about h: one side only, or an entry that is not back in its place" if 1e-6 < off < 1e-4 else ""


def in_a_direction(f: Function, draw: Growing) -> str | None:
    """Twice as far is twice as steep, and the other way round is the other sign."""
    x, u = draw(3, 2), draw(3, 2)
    once, twice, back = (np.asarray(f(_waves, x, c * u)) for c in (1.0, 2.0, -1.0))
    if np.abs(twice - 2 * once).max() > 1e-6 * np.abs(once).max():
        return "a direction twice as long is not twice as steep"
    if np.abs(back + once).max() > 1e-6 * np.abs(once).max():
        return "the opposite direction has not the opposite slope"
    return None


def gradient(f: Function, draw: Growing) -> str | None:
    """A number-valued function, by every entry."""
    x = draw(*draw.sizes(2))
    got = f(_mixed, x)
    right = 2 * x * np.sin(x).sum() + (x**2).sum() * np.cos(x)
    if np.shape(got) != x.shape:
        return f"the gradient has shape {np.shape(got)}, and x has {x.shape}"
    if precision := _other_precision(got):
        return precision
    off = np.abs(got - right).max() / np.abs(right).max()
    return f"off by {off:.0e} of the gradient found by hand" + _order_of_h(off) if not off <= 1e-7 else None


def gradient_anywhere(f: Function, draw: Growing) -> str | None:
    """Numbers and lists of numbers as well as tables."""
    for x in (np.array(1.5), draw(5), draw(2, 3, 2)):
        got = f(_mixed, x)
        right = 2 * x * np.sin(x).sum() + (x**2).sum() * np.cos(x)
        if np.shape(got) != x.shape or not np.abs(got - right).max() <= 1e-6 * np.abs(right).max():
            return f"wrong for x of shape {x.shape}"
    return None


_STEPS = ((central_difference, 1e-6), (complex_step, 1e-10))


# what to ask somebody whose check is wrong about a rule
_ASKED = {
    "softmax": "Its slopes cancel under a cotangent of ones: is yours random?",
    "norm": "Its slopes cancel under a cotangent of ones: is yours random?",
    "rows read twice": "One row is never read and has no slope: is the error measured against the largest slope?",
    "cube": "Some of its slopes are zero: is the error measured against the largest slope?",
    "sine, 0.1 % too large": "Is the tolerance rtol, and nothing wider?",
    "square, one entry off": "Does it count when a gradient is too low, and in one place only?",
    "cube, one entry NaN": "NaN is not larger than rtol, and not smaller: what is asked of the error?",
    "faint sine, twice too large": "Is the error divided by the largest slope?",
}


def _compared(f: Function, rule: Rule, step: Function, rtol: float, directions: Sequence[Array] = ()) -> Any:
    return f(rule.f, rule.pull_back, rule.x, directions or rule.entries, Steady(), step, rtol)


def takes_what_is_right(f: Function, draw: Growing) -> str | None:
    """Every right rule is taken, by both kinds of steps."""
    for step, rtol in _STEPS:
        for rule in RIGHT:
            ok, error, _, _ = _compared(f, rule, step, rtol)
            if not ok:
                asked = _ASKED.get(rule.name, "Are both sides asked about the same v and the same u?")
                return f'refuses a right rule, that of "{rule.name}", for an error of {error:.0e}. {asked}'
    return None


def refuses_what_is_wrong(f: Function, draw: Growing) -> str | None:
    """Every wrong rule is refused, by both kinds of steps."""
    for step, rtol in _STEPS:
        for rule in WRONG:
            if _compared(f, rule, step, rtol)[0]:
                asked = _ASKED.get(rule.name, "Is the cotangent random?")
                return f'takes a wrong rule for right, "{rule.name}". {rule.why} {asked}'
    return None


def says_by_how_much(f: Function, draw: Growing) -> str | None:
    """A rule that is 1 % too large everywhere has an error of 1 %, whatever is asked about."""
    for rule in RIGHT[:4]:
        _, error, dx, expected = f(
            rule.f, lambda v, rule=rule: 1.01 * rule.pull_back(v), rule.x, rule.entries, Steady(), complex_step, 1e-10
        )
        if abs(error - 0.01) > 1e-6:
            return f'"{rule.name}", made 1 % too large everywhere, has an error of {error:.3g}, not 0.01'
        if np.shape(dx) != rule.x.shape or np.shape(expected) != (rule.x.size,):
            return "after ok and the error come dx, as the rule gave it, and one measured slope for each direction"
    return None


def along_any_direction(f: Function, draw: Growing) -> str | None:
    """Eight random directions instead of one for each entry."""
    for rule in (*RIGHT, *WRONG):
        directions = [Steady()(8, *rule.x.shape)[i] for i in range(8)]
        ok, _, _, expected = _compared(f, rule, complex_step, 1e-10, directions)
        if len(expected) != 8 or bool(ok) != rule.right:
            return f'along 8 random directions "{rule.name}" is {"refused" if rule.right else "taken for right"}'
    return None
