from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from tinyllm.errors import ConfigError, DataError
from tinyllm.rag.evaluate.significance import EXACT, holm, least_detectable, sign_flips


@pytest.mark.parametrize("n", [1, 2, 5, 9])
def test_few_differences_are_exact(rng, n):
    moved = rng.normal(0.3, 1, n)
    sums = [abs(sum(s * d for s, d in zip(signs, moved, strict=True))) for signs in product((1, -1), repeat=n)]
    by_hand = sum(total >= abs(moved.sum()) - 1e-12 for total in sums) / 2**n
    assert sign_flips(moved) == pytest.approx(by_hand, abs=1e-15)


def test_all_of_one_sign_is_the_least_p():
    assert sign_flips([0.1] * EXACT) == 2 / 2**EXACT
    assert sign_flips([0.1] * 100, samples=999) == 1 / 1000  # never zero
    assert sign_flips([0.0, 0.0]) == 1.0 and sign_flips([0.3]) == 1.0
    assert sign_flips([0.1] * 5 + [0.0] * 50) == sign_flips([-0.1] * 5) == 2 / 2**5  # zeros take no sign


def test_rounding_does_not_break_a_tie():
    """Sums of 0.1, 0.2 and 0.3 in another order differ in the last bit, and are as extreme all the same."""
    assert sign_flips([0.1, 0.2, -0.3]) == 1.0
    assert sign_flips([-0.3, -0.3, -0.2, 0.2, 0.1, 0.3]) == 58 / 64
    assert sign_flips([0.3, 0.3, 0.3, -0.3]) == pytest.approx(10 / 16)


def test_random_patterns_come_close_to_the_exact_answer(rng):
    moved = np.append(rng.normal(0.4, 1, EXACT), 1e-9)  # one more than exact, which changes next to nothing
    assert sign_flips(moved, samples=20_000) == pytest.approx(sign_flips(moved[:-1]), abs=0.015)
    assert sign_flips(moved, seed=1) == sign_flips(moved, seed=1)


def test_false_alarms_come_as_often_as_promised():
    """Without a true difference, p < 0.1 in about a tenth of the cases (400 of them: 1.5 % standard error)."""
    rng = np.random.default_rng(3)
    alarms = [sign_flips(rng.exponential(size=20) - rng.exponential(size=20), samples=199) < 0.1 for _ in range(400)]
    assert 0.055 <= np.mean(alarms) <= 0.145


def test_least_detectable_is_found_in_four_cases_of_five():
    rng = np.random.default_rng(5)
    true = least_detectable(np.tile([1.0, -1.0], 20)) / np.sqrt(40 / 39)  # 40 differences of deviation 1
    assert true == pytest.approx(2.8 / np.sqrt(40))
    seen = [sign_flips(rng.normal(true, 1, 40), samples=399) < 0.05 for _ in range(300)]
    assert 0.72 <= np.mean(seen) <= 0.87
    assert least_detectable([0.2]) == float("inf")


def test_holm_by_hand():
    assert holm([0.01, 0.02, 0.03, 0.005]) == pytest.approx([0.03, 0.04, 0.04, 0.02])
    assert holm([0.9, 0.8]) == [1.0, 1.0] and holm([]) == [] and holm([0.2]) == [0.2]
    assert holm([0.02, 0.02]) == [0.04, 0.04]


def test_bad_input():
    with pytest.raises(DataError):
        holm([0.5, float("nan")])
    for bad in ([], [0.1, float("inf")]):
        with pytest.raises(DataError):
            sign_flips(bad)
        with pytest.raises(DataError):
            least_detectable(bad)
    with pytest.raises(ConfigError):
        sign_flips([0.1], samples=0)
