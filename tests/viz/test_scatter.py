"""The scatter picture: one scale, names that do not cover each other, groups told apart by more than color."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from tinyllm.errors import NaNError, ShapeError
from tinyllm.viz import Scatter, draw_scatter, scatter_lines


def test_names_stand_beside_their_points(rng):
    points = np.array([[0.0, 0.0], [10.0, 0.0], [0.0, 3.0]])
    fig = draw_scatter(Scatter(points, [" the", "$x", "\n"]))
    ax = fig.axes[0]
    assert [text.get_text() for text in ax.texts] == ["·the", "$x", "⏎"]
    fig.draw_without_rendering()
    for text, point in zip(ax.texts, points, strict=True):
        at = ax.transData.transform(text.get_position()) - ax.transData.transform(point)
        assert np.abs(at).max() < 20
    np.testing.assert_array_equal(ax.lines[0].get_xydata(), points)


def test_one_inch_is_as_much_in_both_directions(rng):
    ax = draw_scatter(Scatter(rng.normal(size=(20, 2)) * [1, 50])).axes[0]
    wide, high = np.ptp(ax.get_xlim()), np.ptp(ax.get_ylim())
    assert wide / high == pytest.approx(7.5 / 5.4)


def test_names_never_cover_each_other_and_what_is_left_out_is_said(rng):
    points = rng.normal(size=(150, 2))
    fig = draw_scatter(Scatter(points, [f"word{i}" for i in range(150)]))
    fig.draw_without_rendering()
    texts = fig.axes[0].texts
    boxes = [text.get_window_extent().extents for text in texts]
    for one, other in combinations(boxes, 2):
        assert one[0] > other[2] - 1 or other[0] > one[2] - 1 or one[1] > other[3] - 3 or other[1] > one[3] - 3
    assert 20 < len(texts) < 150
    assert f"{150 - len(texts)} of 150 names left out for lack of room" in [text.get_text() for text in fig.texts]


def test_groups_have_marks_of_their_own(rng):
    data = Scatter(rng.normal(size=(6, 2)), groups=["b c", "a", "b c", "d", "a", "d"])
    fig = draw_scatter(data)
    lines = fig.axes[0].lines
    assert len({(line.get_color(), line.get_marker()) for line in lines}) == 3
    assert len({line.get_marker() for line in lines}) == 3
    assert [text.get_text() for text in fig.legends[0].get_texts()] == ["b c", "a", "d"]
    assert "in groups: b c (2), a (2), d (2)" in fig.get_label()
    assert not draw_scatter(Scatter(data.points)).legends


def test_axes_without_a_meaning_have_no_numbers(rng):
    points = rng.normal(size=(5, 2))
    assert not len(draw_scatter(Scatter(points)).axes[0].get_xticks())
    named = draw_scatter(Scatter(points, axes=("first", "second"))).axes[0]
    assert (named.get_xlabel(), named.get_ylabel()) == ("first", "second") and len(named.get_xticks())


@pytest.mark.parametrize("points", [np.zeros((1, 2)), np.ones((3, 2)), np.array([[0.0, 0.0], [0.0, 1e-9]])])
def test_points_at_one_place_are_drawn(points):
    data = Scatter(points, ["a", "b", "c"][: len(points)])
    draw_scatter(data).draw_without_rendering()
    assert scatter_lines(data)


def test_lines_for_a_terminal(rng):
    data = Scatter(rng.normal(size=(40, 2)), [f"w{i}" for i in range(40)], ["a", "b"] * 20)
    lines = scatter_lines(data, width=60, height=12)
    assert len(lines) == 13 and all(len(line) <= 60 for line in lines) and lines[-1] == "A a  B b"
    assert all(line.isascii() for line in scatter_lines(Scatter(data.points, ["é"] * 40), unicode=False))
    assert "•" in "".join(scatter_lines(Scatter(data.points)))


def test_what_does_not_fit_is_refused():
    for points, options, error in (
        (np.zeros((3, 3)), {}, ShapeError),
        (np.zeros((0, 2)), {}, ShapeError),
        (np.zeros((2, 2)), {"labels": ["a"]}, ShapeError),
        (np.zeros((2, 2)), {"groups": ["a"]}, ShapeError),
        (np.zeros((9, 2)), {"groups": list("abcdefghi")}, ShapeError),
        (np.array([[0.0, np.nan]]), {}, NaNError),
    ):
        with pytest.raises(error, match="Scatter"):
            Scatter(points, **options)
