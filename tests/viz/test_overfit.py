"""The picture of one batch learned by heart."""

from __future__ import annotations

import math

import pytest

from tinyllm.errors import ShapeError
from tinyllm.viz import OverfitCurve, draw_overfit, overfit_lines


def test_the_end_is_marked_by_how_it_ended():
    learned = draw_overfit(OverfitCurve([3.4, 0.5, 0.02], chance=3.3)).axes[0].lines[-1]
    failed = draw_overfit(OverfitCurve([3.4, 3.3, 3.2], chance=3.3, learned=False)).axes[0].lines[-1]
    assert learned.get_marker() == "*" and learned.get_label() == "learned: 0.02 after 2 steps"
    assert failed.get_marker() == "X" and failed.get_label() == "not learned: 3.20 after 2 steps"


def test_a_loss_that_leaves_the_picture_does_not_stretch_it():
    ax = draw_overfit(OverfitCurve([3.4, 1e6, 3.0], learned=False)).axes[0]
    assert ax.get_ylim()[1] < 10


def test_losses_that_are_no_numbers():
    fig = draw_overfit(OverfitCurve([math.nan, math.nan], learned=False))
    assert [text.get_text() for text in fig.axes[0].texts] == ["the loss is no number from the beginning"]
    assert draw_overfit(OverfitCurve([3.0, math.nan], learned=False)).axes[0].lines[-1].get_xdata()[0] == 0


@pytest.mark.parametrize("width", [40, 80])
def test_lines_fit(width):
    lines = overfit_lines(OverfitCurve([3.0 / (i + 1) for i in range(200)], floor=0.01), width)
    assert all(len(line) <= width for line in lines[:-1])
    assert lines[-1] == "learned: 3.00 to 0.01 in 199 steps, the floor is 0.01"


def test_the_words_and_nothing_to_draw():
    assert "from 3.00 to 2.90 in 1 steps" in draw_overfit(OverfitCurve([3.0, 2.9], learned=False)).get_label()
    with pytest.raises(ShapeError, match="nothing to draw"):
        OverfitCurve([])
