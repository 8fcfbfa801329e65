"""The rules of lesson 01: the right ones are right and the wrong ones wrong, by a check that is not the learner's."""

from __future__ import annotations

import numpy as np
import pytest

from tinyllm.autograd.numeric import complex_step
from tinyllm.learn.material.rules import RIGHT, WRONG, Steady, caught


def jacobian(rule):
    """All slopes, (outputs, inputs), column by column."""
    return np.stack([np.ravel(complex_step(rule.f, rule.x, u)) for u in rule.entries], axis=1)


@pytest.mark.parametrize("rule", [*RIGHT, *WRONG], ids=lambda rule: rule.name)
def test_each_is_what_it_says(rule):
    J = jacobian(rule)
    shape = rule.f(rule.x).shape
    answers = np.stack([np.ravel(rule.pull_back(row.reshape(shape))) for row in np.eye(J.shape[0])])
    off = np.abs(answers - J).max() / np.abs(J).max()
    assert (off < 1e-12) == rule.right


def test_names_are_unique_and_wrong_ones_say_why():
    names = [rule.name for rule in (*RIGHT, *WRONG)]
    assert len(set(names)) == len(names)
    assert all(rule.why.endswith(".") for rule in WRONG)
    assert not any(rule.why for rule in RIGHT)


def test_half_of_the_wrong_ones_hide_from_a_sum_with_a_wide_tolerance():
    def usual(rule):
        v = np.ones(rule.f(rule.x).shape)
        return np.allclose(rule.pull_back(v).ravel(), v.ravel() @ jacobian(rule), rtol=1e-2, atol=1e-2)

    assert sum(caught(usual)) == 5
    assert sum(caught(usual, RIGHT)) == 0


def test_a_steady_draw_is_the_same_whenever_it_is_asked():
    one, other = Steady(), Steady()
    one(5), one(7)
    assert np.array_equal(one.unit(3, 4), other.unit(3, 4))
    assert np.linalg.norm(one.unit(3, 4)) == pytest.approx(1)
    assert not np.array_equal(one(3), one(4)[:3])
