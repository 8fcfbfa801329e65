"""One batch by heart: what can be learned is, what cannot is said, and the floor is the true one."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tinyllm import debug


def test_a_healthy_model_learns_it(make, batch):
    found = debug.overfit_batch(make("llama"), *batch(), steps=120)
    assert found.learned and found.steps < 120
    assert found.losses[0] == pytest.approx(math.log(29), abs=0.2) and found.losses[-1] < found.floor + 0.1
    assert found.findings()[0].state == "ok"


def test_the_floor_is_the_entropy_of_what_follows():
    x, y = np.array([[1, 2], [1, 2], [1, 3]]), np.array([[2, 5], [2, 6], [3, 7]])
    first = 3 * (math.log(3) / 3 + 2 / 3 * math.log(1.5))  # after a 1 comes 2, 2 and 3
    second = 2 * math.log(2)  # after 1 2 comes 5 or 6
    assert debug.lowest_loss(x, y) == pytest.approx((first + second) / 6)
    assert debug.lowest_loss(x, np.where(y == 7, -100, y)) == pytest.approx((first + second) / 5)
    assert debug.lowest_loss(x[:1], y[:1]) == 0
    assert debug.lowest_loss([[1, 2], [4, 2]], [[2, 5], [2, 6]]) == 0  # the same token after another past


def test_rows_that_begin_alike_are_learned_down_to_their_floor(make):
    x = np.array([[1, 2, 3], [1, 2, 4]])
    y = np.array([[2, 3, 5], [2, 4, 5]])
    found = debug.overfit_batch(make(), x, y, steps=150)
    assert found.floor == pytest.approx(math.log(2) / 3) and found.learned
    assert found.losses[-1] > found.floor - 1e-3  # and no further


def test_what_does_not_move_is_tried_once_and_named(make, batch):
    found = debug.overfit_batch(make(), *batch(), steps=5, step=lambda m, o, x, y: float(m.loss(x, y).item()))
    assert found.steps == 5 and not found.learned
    (finding,) = found.findings()
    assert finding.state == "fix" and "does not learn" in finding.seen


def test_a_model_that_sees_only_positions_stops_half_way(make, batch, plant):
    model = plant(make(), 0, lambda block, x: block(x) * 0 + block(x).data.mean())
    (finding,) = debug.overfit_batch(model, *batch(rows=4), steps=30).findings()
    assert finding.state == "fix" and "it cannot learn" in finding.seen


def test_too_few_steps_are_worth_a_look(make, batch):
    (finding,) = debug.overfit_batch(make(), *batch(), steps=12).findings()
    assert finding.state == "note" and "still falling" in finding.seen
