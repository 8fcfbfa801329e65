"""The heart of a gradient check: one backward rule, held against what happens when its input moves.

A function from many numbers to many has a whole table of slopes, J. Nobody has to fill it in. A backward rule answers
the question "what is v^T J?" for a cotangent v; a step in direction u answers "what is J u?". The two answers meet in
one number, v^T J u, which both sides can calculate and only a right rule can get right.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .draw import Draw

Array = np.ndarray[Any, Any]


def compare(
    f: Callable[[Array], Array],
    pull_back: Callable[[Array], Array],
    x: Array,
    directions: Sequence[Array],
    draw: Draw,
    step: Callable[..., Array],
    rtol: float,
) -> tuple[bool, float, Array, Array]:
    """Say whether ``pull_back`` is the backward rule of ``f`` at ``x``.

    Args:
        f: from an array like x to an array y.
        pull_back: the rule under test, from a cotangent v, shaped like y, to dx = v^T J, shaped like x.
        x: where to look, in float64.
        directions: arrays like x; along each of them the rule is compared with what happens.
        draw: ``draw.unit(*shape)`` is a random array of that shape and of length one.
        step: ``step(f, x, u)`` is the slope of f at x in direction u, J u, shaped like y.
        rtol: the largest error that is forgiven, as a part of the largest slope.

    Returns:
        Is the rule right; how far it is off; dx as the rule gave it; and the slope v^T J u along each direction.

    Example:
        >>> from tinyllm.autograd.numeric import central_difference
        >>> x, draw = np.array([0.5, 2.0]), Draw(np.random.default_rng(0))
        >>> wrong = lambda v: v * x  # the derivative of x^2 is 2 x
        >>> compare(lambda x: x**2, wrong, x, list(np.eye(2)), draw, central_difference, 1e-6)[:2]
        (False, 0.5...)
    """
    v = draw.unit(*f(x).shape)  # random: under a cotangent of ones the mistakes of a softmax cancel
    dx = pull_back(v)
    got = np.array([np.vdot(dx, u) for u in directions])  # what the rule promises along u
    expected = np.array([np.vdot(v, step(f, x, u)) for u in directions])  # what happens along u
    largest = np.abs(expected).max(initial=0.0)
    error = float(np.abs(got - expected).max(initial=0.0) / (largest or 1.0))
    return error <= rtol, error, dx, expected  # NaN is not <= anything: it fails
