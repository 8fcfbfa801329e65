"""Curves in characters: the right heights, never too wide, ASCII where asked."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinyllm.viz.terminal import curve, resample, sparkline

numbers = st.lists(st.floats(-1e6, 1e6) | st.just(math.nan) | st.just(math.inf), max_size=200)


@given(numbers, st.integers(1, 50), st.booleans())
def test_a_sparkline_is_never_wider_than_asked(values, width, unicode):
    line = sparkline(values, width, unicode)
    assert len(line) == min(len(values), width)
    assert unicode or line.isascii()


def test_a_sparkline_rises_with_its_values():
    levels = "▁▂▃▄▅▆▇█"
    drawn = [levels.index(c) for c in sparkline([0.0, 1.0, 5.0, 5.5, 7.0])]
    assert drawn == sorted(drawn)
    assert (drawn[0], drawn[-1]) == (0, 7)


def test_gaps_stay_gaps_and_a_flat_line_is_flat():
    assert sparkline([1.0, math.nan, 2.0]) == "▁ █"
    assert sparkline([3.0, 3.0]) == "▁▁"
    assert sparkline([math.nan]) == " "
    assert sparkline([]) == ""


@given(numbers, st.integers(12, 90), st.integers(1, 12), st.booleans())
def test_a_chart_fits_its_frame(values, width, height, unicode):
    lines = curve(values, width, height, unicode, steps=(1, len(values)))
    assert all(len(line) <= width for line in lines)
    assert len(lines) in (1, height + 1)
    assert unicode or all(line.isascii() for line in lines)


@pytest.mark.parametrize("unicode", [True, False])
def test_a_falling_loss_falls_in_the_chart(unicode):
    lines = curve([8.0, 6.0, 4.0, 2.0, 1.0], 30, 4, unicode)
    columns = [sum(line[7 + i : 8 + i].strip() != "" for line in lines) for i in range(5)]
    assert columns == sorted(columns, reverse=True)
    assert (columns[0], columns[-1]) == (4, 1)
    assert lines[0].startswith("8.000")
    assert lines[-1].startswith("1.000")


def test_resampling_keeps_the_mean():
    assert sum(resample(list(range(12)), 4)) / 4 == sum(range(12)) / 12
    assert resample([1.0, math.nan, 3.0, 4.0], 2) == [1.0, 3.5]
