"""Bootstrap intervals: seeded, of known coverage, and exact where they can be."""

from __future__ import annotations

import numpy as np
import pytest

from tinyllm.bootstrap import bca, percentile
from tinyllm.errors import ConfigError, DataError


@pytest.mark.parametrize("interval", [percentile, bca])
def test_the_coverage_is_what_theory_says(interval):
    """Of 95 % intervals over 30 normal numbers about 94 % hold the mean; of 80 % intervals about 79 %."""
    rng = np.random.default_rng(5)
    draws = rng.normal(3.0, 2.0, size=(300, 30))
    held = np.mean([3.0 in interval(row, 0.95, 300, seed) for seed, row in enumerate(draws)])
    narrow = np.mean([3.0 in interval(row, 0.80, 300, seed) for seed, row in enumerate(draws)])
    assert 0.90 < held < 0.975 and 0.73 < narrow < 0.85


def test_bca_is_the_better_one_for_skewed_numbers():
    """Over 20 exponential numbers percentile intervals hold the mean in 89 % of cases, BCa in 91 %."""
    rng = np.random.default_rng(2)
    draws = rng.exponential(size=(300, 20))
    missed_above = [
        sum(interval(row, 0.95, 300, seed).high < 1 for seed, row in enumerate(draws)) for interval in (percentile, bca)
    ]
    assert missed_above[1] < missed_above[0]  # the long tail is where percentile intervals end too early


def test_the_percentile_interval_is_that_of_the_samples():
    values = np.array([1.0, 2.0, 4.0, 9.0])
    means = values[np.random.default_rng(3).integers(4, size=(500, 4))].mean(1)
    found = percentile(values, 0.9, 500, seed=3)
    assert (found.low, found.high) == pytest.approx(tuple(np.quantile(means, [0.05, 0.95])))
    assert (found.value, found.level, found.method, found.count) == (4.0, 0.9, "percentile", 4)


def test_of_symmetric_numbers_both_are_nearly_the_same():
    values = np.linspace(-1, 1, 41)
    one, two = percentile(values, samples=4000), bca(values, samples=4000)
    assert (two.low, two.high) == pytest.approx((one.low, one.high), abs=0.02)


def test_the_same_seed_gives_the_same_interval_and_another_another():
    values = [1.0, 2.0, 5.0]
    assert percentile(values, seed=1) == percentile(values, seed=1)
    assert bca(np.arange(20.0), seed=1) != bca(np.arange(20.0), seed=2)


@pytest.mark.parametrize("interval", [percentile, bca])
def test_one_number_or_equal_ones_are_a_point(interval):
    for values in ([2.0], [2.0, 2.0, 2.0]):
        found = interval(values)
        assert (found.low, found.value, found.high) == (2.0, 2.0, 2.0)


def test_another_statistic():
    found = percentile([1.0, 2.0, 3.0, 100.0, 2.5], statistic=np.median)
    assert found.value == 2.5 and found.high <= 100


@pytest.mark.parametrize("interval", [percentile, bca])
def test_what_cannot_be_done_is_refused(interval):
    with pytest.raises(DataError, match="no numbers"):
        interval([])
    with pytest.raises(DataError, match="1 that are not finite"):
        interval([1.0, np.nan])
    with pytest.raises(ConfigError, match="level=95"):
        interval([1.0], level=95)
