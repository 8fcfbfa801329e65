"""The gradient-check picture: the tolerance line, the worst on top, and no error that hides."""

from __future__ import annotations

import math

import pytest

from tinyllm.errors import ShapeError
from tinyllm.viz import GradientErrors, draw_gradient_check


def series(fig):
    return {line.get_label().split(" (")[0]: line for line in fig.axes[0].lines}


def test_the_worst_is_on_top_and_the_axis_is_logarithmic():
    fig = draw_gradient_check(GradientErrors(["a", "b", "c", "d"], [1e-9, 0.3, 1e-12, math.nan], 1e-6))
    ax = fig.axes[0]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["d", "b", "a", "c"]
    low, high = sorted(ax.get_ylim())
    assert ax.get_ylim() == (high, low)  # upside down: the first row is on top
    assert ax.get_xscale() == "log"
    assert ax.get_xlabel() == "relative error of the gradient (logarithmic)"


def test_what_is_no_number_is_wrong():
    assert GradientErrors(["a", "b", "c"], [math.nan, 1e-9, math.inf], 1e-6).wrong() == ["a", "c"]


def test_wrong_ones_are_crosses_and_counted():
    fig = draw_gradient_check(GradientErrors(["a", "b", "c"], [1e-9, 0.3, math.inf], 1e-6))
    lines = series(fig)
    assert lines["wrong"].get_marker() == "X"
    assert len(lines["wrong"].get_xdata()) == 2
    assert lines["within tolerance"].get_marker() == "o"
    assert len(lines["within tolerance"].get_xdata()) == 1
    assert [text.get_text() for text in fig.legends[0].get_texts()] == [
        "within tolerance (1)",
        "wrong (2)",
        "tolerance 1e-06",
    ]
    assert "2 of 3 are wrong: b, c" in fig.get_label()


def test_the_tolerance_line_is_where_it_should_be():
    line = series(draw_gradient_check(GradientErrors(["a"], [1e-9], 1e-4)))["tolerance 1e-04"]
    assert list(line.get_xdata()) == [1e-4, 1e-4]
    assert line.get_linestyle() == "--"


def test_an_exact_gradient_is_drawn_too():
    fig = draw_gradient_check(GradientErrors(["a", "b"], [0.0, 1e-3], 1e-6))
    (x,) = series(fig)["within tolerance"].get_xdata()
    assert fig.axes[0].get_xlim()[0] < x < 1e-16


def test_no_error_lies_outside_of_the_picture():
    errors = [1e-30, 1e-9, 1e7]
    fig = draw_gradient_check(GradientErrors(list("abc"), errors, 1e-6))
    low, high = fig.axes[0].get_xlim()
    assert all(low < error < high for error in errors)


def test_past_60_names_the_worst_60_are_drawn_and_it_is_said():
    fig = draw_gradient_check(GradientErrors([f"p{i}" for i in range(71)], [10.0 ** (-i) for i in range(71)], 1e-6))
    assert len(fig.axes[0].get_yticklabels()) == 60
    assert fig.axes[0].get_yticklabels()[0].get_text() == "p0"
    assert "the 60 largest of 71" in [text.get_text() for text in fig.texts]


def test_nothing_checked_says_so_and_lengths_must_fit():
    assert [text.get_text() for text in draw_gradient_check(GradientErrors([], [], 1e-6)).axes[0].texts] == [
        "nothing was checked"
    ]
    with pytest.raises(ShapeError, match="1 errors for 2 names"):
        GradientErrors(["a", "b"], [1.0], 1e-6)
