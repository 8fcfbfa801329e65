"""Tables of what slows Llama 3's angles down: there and back, with the four numbers and without."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinyllm.errors import CheckpointError
from tinyllm.models.exchange.gguf_rope import rope_table, scaling_of
from tinyllm.nn import RopeHalf, RopeScaling

SCALINGS = [RopeScaling("llama3"), RopeScaling("llama3", 32.0), RopeScaling("llama3", 8.3, original=4096)]


def numbers(scaling):
    return np.array([scaling.factor, scaling.low, scaling.high, scaling.original])


def test_the_table_divides_the_frequencies():
    scaling = RopeScaling("llama3", factor=8.0, low=1.0, high=4.0, original=8192)
    table = rope_table(scaling, 128, 500000.0)
    f = 500000.0 ** (-np.arange(0, 128, 2) / 128)
    waves = 2 * np.pi / f
    assert np.all(table[waves < 8192 / 4] == 1) and np.all(table[waves > 8192] == 8)
    assert table.dtype == np.float32 and np.all(np.diff(table) >= 0)
    cos, _ = RopeHalf(128, 500000.0, scaling).angles(np.arange(50))
    assert np.abs(np.cos(np.outer(np.arange(50), f / table)) - cos).max() < 1e-5


@pytest.mark.parametrize("scaling", SCALINGS)
def test_without_the_numbers(scaling):
    assert scaling_of(rope_table(scaling, 64, 500000.0), 500000.0) == scaling


@given(
    st.floats(1.5, 100), st.floats(0.1, 5), st.floats(0.5, 50), st.integers(8, 100_000), st.sampled_from([8, 64, 128])
)
def test_with_the_numbers(factor, low, more, original, D):
    scaling = RopeScaling("llama3", factor, low, low + more, original)
    table = rope_table(scaling, D, 10000.0)
    again = scaling_of(table, 10000.0, numbers(scaling))
    assert again == (None if np.all(table == 1) else scaling)


def test_numbers_that_do_not_make_the_table_are_passed_over():
    scaling = SCALINGS[0]
    table = rope_table(scaling, 64, 500000.0)
    for wrong in (
        numbers(RopeScaling("llama3", 7.0)),
        np.full(4, np.nan),
        np.array([5e-324, 1, 4, 1]),
        np.zeros(3),
        "text",
        7,
    ):
        assert scaling_of(table, 500000.0, wrong) == scaling


def test_tables_that_are_none():
    assert scaling_of(np.ones(8, np.float32), 10000.0) is None
    for table in ([1, 2, np.nan, 4], [1, 0, 2, 2], [-1, -1, -1, -1], [np.inf] * 4):
        with pytest.raises(CheckpointError, match="numbers above 0"):
            scaling_of(np.array(table, np.float32), 10000.0)
    for table in ([3, 2, 1, 1], [1, 2, 3, 8], [1, 1, 0.5, 0.5]):
        with pytest.raises(CheckpointError, match="not as Llama 3's scaling does"):
            scaling_of(np.array(table, np.float32), 10000.0)
