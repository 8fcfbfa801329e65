"""The heart of gradcheck by itself: it takes what is right, and not one of the ways to be a little wrong."""

from __future__ import annotations

import numpy as np
import pytest

from tinyllm.autograd.compare import compare
from tinyllm.autograd.draw import Draw
from tinyllm.autograd.numeric import central_difference, complex_step

AT = np.random.default_rng(1).normal(size=(3, 5))
STEPS = [(central_difference, 1e-6), (complex_step, 1e-10)]


def held(f, pull_back, x=AT, directions=None, step=central_difference, rtol=1e-6):
    if directions is None:
        directions = [row.reshape(x.shape) for row in np.eye(x.size)]
    return compare(f, pull_back, x, directions, Draw(np.random.default_rng(0)), step, rtol)


def softmax(x):
    e = np.exp(x)
    return e / e.sum(-1, keepdims=True)


def softmax_rule(dp):
    p = softmax(AT)
    return p * (dp - (dp * p).sum(-1, keepdims=True))


@pytest.mark.parametrize(("step", "rtol"), STEPS)
def test_a_right_rule_is_taken(step, rtol):
    ok, error, dx, expected = held(softmax, softmax_rule, step=step, rtol=rtol)
    assert ok is True and error < rtol
    assert np.allclose(dx.ravel(), expected, atol=1e-9)


@pytest.mark.parametrize(("step", "rtol"), STEPS)
@pytest.mark.parametrize("fault", [lambda dx: dx * 0, lambda dx: -dx, lambda dx: dx * 1.001, lambda dx: dx + np.nan])
def test_a_wrong_rule_is_not(fault, step, rtol):
    assert held(softmax, lambda dp: fault(softmax_rule(dp)), step=step, rtol=rtol)[0] is False


def test_the_cotangent_is_random_so_zeros_do_not_pass_for_a_softmax():
    """Under ones they would: the rows of a softmax sum to one, whatever the scores are."""
    assert np.abs(softmax_rule(np.ones_like(AT))).max() < 1e-15
    assert held(softmax, np.zeros_like)[1] == 1.0


def test_one_wrong_entry_is_enough():
    def rule(dy):
        dx = 2 * AT * dy
        dx[2, 4] += 1e-3
        return dx

    assert held(lambda x: x**2, rule)[0] is False


def test_an_entry_without_a_slope_is_not_held_against_the_rule():
    """Where the true slope is zero both sides are rounding; only the largest slope says how large rounding is."""
    x = np.array([0.0, 3.0, -2.0])
    assert held(lambda x: x**3, lambda dy: 3 * x**2 * dy, x)[0] is True


def test_along_random_directions_too():
    draw = Draw(np.random.default_rng(3))
    directions = [draw.unit(*AT.shape) for _ in range(4)]
    assert held(softmax, softmax_rule, directions=directions)[0] is True
    assert held(softmax, lambda dp: np.roll(softmax_rule(dp), 1), directions=directions)[0] is False


def test_nothing_to_compare_is_no_error():
    assert held(lambda x: x**2, lambda dy: dy, np.zeros((0, 3)))[:2] == (True, 0.0)
