"""The ladder: bars in the order given, their values written out, and the floor."""

from __future__ import annotations

import pytest

from tinyllm.errors import ShapeError
from tinyllm.viz import Ladder, draw_ladder

DATA = Ladder(["guess", "pairs", "model"], [8.0, 2.5, 0.25], "bits per byte", floor=0.2)


def test_bars_are_as_long_as_their_values_and_the_first_is_on_top():
    ax = draw_ladder(DATA).axes[0]
    assert [bar.get_width() for bar in ax.patches] == [8.0, 2.5, 0.25]
    assert ax.get_ylim()[0] > ax.get_ylim()[1]
    assert [text.get_text() for text in ax.texts] == ["8.000", "2.500", "0.250"]
    assert DATA.best() == "model"


def test_the_floor_is_a_line_where_it_belongs_or_not_there():
    (line,) = draw_ladder(DATA).axes[0].lines
    assert list(line.get_xdata()) == [0.2, 0.2]
    assert not draw_ladder(Ladder(["guess"], [8.0], "bits")).axes[0].lines


def test_words():
    words = draw_ladder(DATA).get_label()
    assert "guess 8.000, pairs 2.500, model 0.250" in words
    assert "No model can go below 0.200" in words


def test_names_and_values_must_fit():
    with pytest.raises(ShapeError, match="1 values for 2 names"):
        Ladder(["a", "b"], [1.0], "bits")
    with pytest.raises(ShapeError, match="nothing to draw"):
        Ladder([], [], "bits")
