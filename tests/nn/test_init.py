"""Initial weights: the spread they promise, from the generator they were given."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tinyllm.errors import ShapeError
from tinyllm.nn import init

SHAPE = (211, 307)  # (outputs, inputs)


@pytest.mark.parametrize(
    ("make", "std"),
    [
        (init.normal(0.02), 0.02),
        (init.uniform(0.3), 0.3 / math.sqrt(3)),
        (init.xavier(), math.sqrt(2 / (211 + 307))),
        (init.kaiming(), math.sqrt(2 / 307)),
        (init.fan_in(), 1 / math.sqrt(3 * 307)),
    ],
)
def test_the_spread_is_as_promised(make, std):
    weights = make(np.random.default_rng(0), SHAPE)
    assert weights.dtype == np.float32 and weights.shape == SHAPE
    assert abs(weights.std() / std - 1) < 0.01
    assert abs(weights.mean()) < 0.02 * std
    np.testing.assert_array_equal(weights, make(np.random.default_rng(0), SHAPE))
    assert not np.array_equal(weights, make(np.random.default_rng(1), SHAPE))


def test_a_uniform_stays_within_its_bound():
    weights = init.fan_in()(np.random.default_rng(0), SHAPE)
    assert 0.999 / math.sqrt(307) < np.abs(weights).max() <= np.float32(1 / math.sqrt(307))


def test_a_fan_needs_a_matrix():
    with pytest.raises(ShapeError, match=r"\(3, 5, 7\)"):
        init.kaiming()(np.random.default_rng(0), (3, 5, 7))
