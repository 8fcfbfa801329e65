"""The update picture: rows, what never moved, and the usual ratio."""

from __future__ import annotations

import numpy as np
import pytest

from tinyllm.errors import ShapeError
from tinyllm.viz import UpdateMap, draw_updates, updates_lines

NAN = np.nan
DATA = UpdateMap(["a.weight", "b.weight"], np.array([[-2.0, -3.0, -4.0], [NAN, NAN, NAN]]))


def test_the_median_of_each_row():
    assert DATA.typical()[0] == -3.0 and np.isnan(DATA.typical()[1])


def test_what_never_moved_is_crossed_out_beside_the_usual():
    left, right = draw_updates(DATA).axes[:2]
    crossed = [line for line in right.lines if line.get_marker() == "X"]
    assert [line.get_ydata()[0] for line in crossed] == [1]
    assert [list(line.get_ydata()) for line in left.lines] == [[1, 1]]
    assert any(list(line.get_xdata()) == [-3.0, -3.0] for line in right.lines)
    assert [label.get_text() for label in left.get_yticklabels()] == ["a.weight", "b.weight"]


def test_too_many_parameters_are_averaged_by_block():
    names = [f"blocks.{i}.attn.{part}.weight" for i in range(21) for part in ("qkv", "out")] + ["norm.gain"]
    values = np.tile(np.array([[-2.0], [-4.0]]), (21, 3))
    values = np.concatenate([values, np.full((1, 3), NAN)])
    rows, means = UpdateMap(names, values).rows()
    assert rows[:1] == ["blocks.0"] and rows[-1] == "norm" and len(rows) == 22
    assert (means[:-1] == -3.0).all() and np.isnan(means[-1]).all()


def test_the_words():
    words = draw_updates(DATA).get_label()
    assert "1.0e-03 (a.weight) to 1.0e-03 (a.weight)" in words and "Never moved: b.weight." in words


@pytest.mark.parametrize("width", [30, 80])
def test_lines_fit(width):
    lines = updates_lines(DATA, width)
    assert all(len(line) <= width for line in lines)
    assert lines[0].startswith("a.weight 1.0e-03 █") and lines[1].endswith("still")


def test_lengths_must_agree():
    with pytest.raises(ShapeError, match="for 1 names"):
        UpdateMap(["a"], np.zeros((2, 3)))
    with pytest.raises(ShapeError, match="nothing to draw"):
        UpdateMap([], np.zeros((0, 3)))
