r"""Learning-rate schedules: pure functions from the number of a step to its learning rate.

A schedule is any function ``step -> lr``; steps count from 0. The functions here make them, and ``join`` puts them one
after another. Nothing is remembered between calls, so a resumed run needs only its step number.

    lr = schedules.warmup_cosine(lr=1e-3, min_lr=1e-4, warmup=100, steps=2000)
    optimizer.step(lr=lr(step))
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from ..errors import ConfigError

Schedule = Callable[[int], float]


def constant(lr: float) -> Schedule:
    """Keep the same learning rate for ever.

    Example:
        >>> lr = constant(0.1)
        >>> lr(0), lr(1000)
        (0.1, 0.1)
    """
    return lambda step: lr


def linear(start: float, end: float, steps: int) -> Schedule:
    """Go in a straight line from ``start`` at step 0 to ``end`` at step ``steps``, and stay there.

    Example:
        >>> lr = linear(1.0, 0.0, steps=4)
        >>> [lr(step) for step in range(6)]
        [1.0, 0.75, 0.5, 0.25, 0.0, 0.0]
    """
    _check("linear", steps=steps)

    def schedule(step: int) -> float:
        if step >= steps:
            return end
        return start + (end - start) * step / steps

    return schedule


def warmup_cosine(lr: float, min_lr: float, warmup: int, steps: int) -> Schedule:
    """Climb to ``lr``, then fall along half a cosine to ``min_lr`` at step ``steps``, and stay there.

    The first step already learns: the climb is (step + 1) / (warmup + 1).

    Source: Loshchilov & Hutter 2016 (cosine annealing); nanoGPT's three cases.

    Example:
        >>> lr = warmup_cosine(lr=1.0, min_lr=0.1, warmup=3, steps=7)
        >>> [round(lr(step), 3) for step in range(9)]
        [0.25, 0.5, 0.75, 1.0, 0.868, 0.55, 0.232, 0.1, 0.1]
    """
    _check("warmup_cosine", warmup=warmup, steps=steps)
    if warmup > steps:
        raise ConfigError(
            f"warmup_cosine: a warm-up of {warmup} steps does not fit into {steps}", hint=f"warmup={steps // 10}"
        )

    def schedule(step: int) -> float:
        # 1) warm-up: a straight line from near zero
        if step < warmup:
            return lr * (step + 1) / (warmup + 1)
        # 2) after the last step: the floor
        if step >= steps:
            return min_lr
        # 3) in between: half a cosine, from 1 down to 0
        done = (step - warmup) / (steps - warmup)
        return min_lr + 0.5 * (1 + math.cos(math.pi * done)) * (lr - min_lr)

    return schedule


def wsd(lr: float, min_lr: float, warmup: int, decay: int, steps: int) -> Schedule:
    """Warm up, stay, decay: climb for ``warmup`` steps, hold ``lr``, fall in a line for the last ``decay`` steps.

    Unlike a cosine it does not need to know its end in advance: any step of the plateau can be the start of a decay.

    Source: Hu et al. 2024, "MiniCPM" (warmup-stable-decay).

    Example:
        >>> lr = wsd(lr=1.0, min_lr=0.0, warmup=1, decay=2, steps=6)
        >>> [lr(step) for step in range(7)]
        [0.5, 1.0, 1.0, 1.0, 1.0, 0.5, 0.0]
    """
    _check("wsd", warmup=warmup, decay=decay, steps=steps)
    if warmup + decay > steps:
        raise ConfigError(f"wsd: warmup {warmup} + decay {decay} do not fit into {steps} steps", hint="shorten one")

    def schedule(step: int) -> float:
        # 1) warm-up
        if step < warmup:
            return lr * (step + 1) / (warmup + 1)
        # 2) plateau
        if step < steps - decay:
            return lr
        # 3) decay, then the floor
        if step >= steps:
            return min_lr
        return lr + (min_lr - lr) * (step - (steps - decay)) / decay

    return schedule


def join(schedules: Sequence[Schedule], boundaries: Sequence[int]) -> Schedule:
    """Follow one schedule after another; each counts its own steps from 0.

    Args:
        schedules: two or more of them.
        boundaries: the steps at which the second, third, ... begin, in rising order.

    Example:
        >>> lr = join([linear(0.0, 1.0, steps=2), constant(0.5)], boundaries=[2])
        >>> [lr(step) for step in range(4)]
        [0.0, 0.5, 0.5, 0.5]
    """
    if len(boundaries) != len(schedules) - 1:
        raise ConfigError(
            f"join: {len(schedules)} schedules need {len(schedules) - 1} boundaries, not {len(boundaries)}"
        )
    if list(boundaries) != sorted(set(boundaries)):
        raise ConfigError(f"join: the boundaries {list(boundaries)} do not rise", hint="put them in order")

    def schedule(step: int) -> float:
        start = 0
        current = schedules[0]
        for boundary, following in zip(boundaries, schedules[1:], strict=True):
            if step >= boundary:
                start, current = boundary, following
        return current(step - start)

    return schedule


def _check(name: str, **counts: int) -> None:
    """Counts of steps are not negative."""
    for what, count in counts.items():
        if count < 0:
            raise ConfigError(f"{name}: {what} is {count}", hint="a number of steps, 0 or more")
