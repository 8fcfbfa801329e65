"""Schedules: their corners, and that they are pure."""

from __future__ import annotations

import math

import pytest

from tinyllm.errors import ConfigError
from tinyllm.nn import schedules


def nanogpt(step, lr, min_lr, warmup, steps):
    """The three cases as nanoGPT writes them (in its present form, where the first step is not zero)."""
    if step < warmup:
        return lr * (step + 1) / (warmup + 1)
    if step > steps:
        return min_lr
    ratio = (step - warmup) / (steps - warmup)
    return min_lr + 0.5 * (1.0 + math.cos(math.pi * ratio)) * (lr - min_lr)


def test_warmup_cosine_is_nanogpts():
    lr = schedules.warmup_cosine(lr=1e-3, min_lr=1e-4, warmup=100, steps=2000)
    for step in range(0, 2300, 7):
        assert lr(step) == pytest.approx(nanogpt(step, 1e-3, 1e-4, 100, 2000), rel=1e-12)
    assert lr(0) > 0 and max(map(lr, range(2300))) == lr(100) == 1e-3 and lr(2000) == lr(10**9) == 1e-4


def test_a_warmup_as_long_as_the_run_divides_by_nothing():
    lr = schedules.warmup_cosine(lr=1.0, min_lr=0.1, warmup=3, steps=3)
    assert [lr(step) for step in range(5)] == [0.25, 0.5, 0.75, 0.1, 0.1]
    assert schedules.warmup_cosine(lr=1.0, min_lr=0.1, warmup=0, steps=4)(0) == 1.0


def test_wsd_holds_its_plateau():
    lr = schedules.wsd(lr=1.0, min_lr=0.2, warmup=4, decay=5, steps=20)
    assert [lr(step) for step in range(4, 16)] == [1.0] * 12
    assert lr(3) < 1 and lr(16) == pytest.approx(0.84) and lr(20) == lr(99) == 0.2
    assert schedules.wsd(lr=1.0, min_lr=0.2, warmup=0, decay=0, steps=5)(4) == 1.0


def test_linear_without_steps_is_its_end():
    assert schedules.linear(1.0, 0.5, steps=0)(0) == 0.5


def test_join_restarts_the_count_of_each():
    seen = []

    def spy(step):
        seen.append(step)
        return 0.0

    lr = schedules.join([schedules.constant(1.0), spy, schedules.constant(3.0)], boundaries=[2, 5])
    assert [lr(0), lr(1), lr(5), lr(9)] == [1.0, 1.0, 3.0, 3.0]
    lr(2), lr(4)
    assert seen == [0, 2]


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: schedules.warmup_cosine(1.0, 0.1, warmup=5, steps=4), "5 steps does not fit into 4"),
        (lambda: schedules.wsd(1.0, 0.1, warmup=3, decay=3, steps=5), "do not fit into 5"),
        (lambda: schedules.linear(1.0, 0.1, steps=-1), "steps is -1"),
        (lambda: schedules.join([schedules.constant(1.0)], [3]), "1 schedules need 0 boundaries, not 1"),
        (lambda: schedules.join([schedules.constant(1.0)] * 3, [3, 3]), "do not rise"),
    ],
)
def test_what_cannot_be_is_refused(make, match):
    with pytest.raises(ConfigError, match=match):
        make()
