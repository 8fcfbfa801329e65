"""The picture of derivatives by trying: both axes logarithmic, nothing lost at the edges."""

from __future__ import annotations

import math

import pytest

from tinyllm.errors import ShapeError
from tinyllm.viz import StepErrors, draw_step_errors

DATA = StepErrors([1e-1, 1e-5, 1e-12], {"difference": [1e-2, 1e-11, 1e-4], "complex step": [1e-2, 1e-11, 0.0]})


def test_the_best_step_of_each_way():
    assert DATA.best("difference") == (1e-5, 1e-11)
    assert DATA.best("complex step") == (1e-12, 0.0)


def test_a_line_for_each_way_and_both_axes_logarithmic():
    ax = draw_step_errors(DATA).axes[0]
    assert (ax.get_xscale(), ax.get_yscale()) == ("log", "log")
    named = {line.get_label(): line for line in ax.lines if not line.get_label().startswith("_")}
    assert list(named) == ["difference", "complex step"]
    assert named["difference"].get_linestyle() != named["complex step"].get_linestyle()  # never color alone


def test_an_error_of_zero_lies_on_the_bottom_line_and_nan_is_left_out():
    ax = draw_step_errors(StepErrors([1e-1, 1e-5, 1e-9], {"way": [1e-2, 0.0, math.nan]})).axes[0]
    values = ax.lines[0].get_ydata()
    assert ax.get_ylim()[0] < values[1] < 1e-16
    assert math.isnan(values[2])


def test_the_words_say_what_the_lines_say():
    words = draw_step_errors(DATA).get_label()
    assert "difference: smallest error 1e-11, at a step of 1e-05." in words


def test_lengths_must_agree():
    with pytest.raises(ShapeError, match="2 errors of way for 1 steps"):
        StepErrors([1e-1], {"way": [1.0, 2.0]})
    with pytest.raises(ShapeError, match="nothing to draw"):
        StepErrors([], {})
