"""A second opinion: the learner's own gradient check, held against the same functions as the library's.

In lesson 01 they wrote ``compare``, the heart of every gradient check. From then on it can judge what they write next:
it has the same samples, its own random cotangents and directions, and nothing of the checks that judge beside it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ...autograd.draw import Draw
from ...autograd.numeric import central_difference, complex_step
from ..exercise import Exercise
from ..slots.slot import Slot
from ..verdict import Line
from .call import attempt
from .check import Posed
from .gradients import Gradients
from .problem import Backward, fitted, results

Array = np.ndarray[Any, Any]

LABEL = "your own compare"
_DIRECTIONS = 3  # random ones, for every gradient of every sample


def second_opinion(
    compare: Callable[..., Any], function: Callable[..., Any], exercise: Exercise, right: bool, seed: int = 0
) -> Line | None:
    """Let a gradient check of the learner's judge a function.

    Args:
        compare: as ``tinyllm.autograd.compare.compare``.
        function: the learner's, for the exercise; it has been judged already.
        exercise: what it is for; None is returned unless it has a gradient check.
        right: what the first judge said.
        seed: of what is drawn.
    """
    slot = Slot.of(exercise.slot)
    draw, looked, worst = Draw(np.random.default_rng([seed, 1])), 0, ("", 0.0)
    for check in exercise.checks:
        for posed in check.posed(slot, seed) if isinstance(check, Gradients) else []:
            if posed.call is not None or not isinstance(posed.problem, Backward):
                continue  # a kink, where nothing can be stepped along
            for name in posed.answer.names:
                try:
                    fits, error = _judged(compare, function, posed, name, draw)
                except Exception as problem:  # of the learner's code, either part of it
                    return Line("--", LABEL, f"stops at {name}: {type(problem).__name__}: {problem}")
                looked += 1
                if not fits and not error <= worst[1]:
                    worst = name, error
    if not looked:
        return None
    if not worst[0]:
        said = f"agrees: {looked} of {looked} gradients are right" if right else f"sees nothing in {looked} gradients"
        return Line("ok" if right else "--", LABEL, said)
    said = f"{worst[0]} is off by {worst[1]:.2g}"
    return Line("--" if right else "ok", LABEL, f"says that {said}, and it is right" if right else f"sees it: {said}")


def _judged(
    compare: Callable[..., Any], function: Callable[..., Any], posed: Posed, name: str, draw: Draw
) -> tuple[bool, float]:
    """Ask for one gradient of one sample: is it right, and how far is it off?"""
    problem, sample = posed.problem, posed.sample
    if not isinstance(problem, Backward):
        raise TypeError("only a way back has gradients")
    way = problem.way(sample)
    used = problem.used(way, problem.call(sample))
    x = np.asarray(way.inputs[name.removeprefix("d")], dtype=np.float64)

    def f(moved: Array) -> Array:
        outputs = way.at(name.removeprefix("d"), moved)
        return np.concatenate([np.ravel(y) for y, use in zip(outputs, used, strict=False) if use])

    def pull_back(v: Array) -> Array:
        sizes = [np.size(y) if use else 0 for y, use in zip(way.outputs, used, strict=False)]
        parts = iter(np.split(v, np.cumsum(sizes)[:-1]))

        def cotangent(drawn: Array) -> Array:
            part = next(parts)  # empty for an output that the function does not hear of
            return part.reshape(drawn.shape) if part.size else np.zeros_like(drawn)

        outcome = attempt(function, problem.with_cotangents(sample, cotangent))
        if outcome.error is not None:
            raise outcome.error
        taken = results(outcome.value, posed.answer)
        if isinstance(taken, str):
            raise ValueError(taken)
        return np.asarray(fitted(taken[posed.answer.names.index(name)], x.shape))

    directions = [draw.unit(*x.shape) for _ in range(_DIRECTIONS)]
    step = complex_step if problem.analytic else central_difference
    with np.errstate(all="ignore"):
        fits, error, *_ = compare(f, pull_back, x, directions, draw, step, problem.rtol)
    return bool(fits), float(error)
