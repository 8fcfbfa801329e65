"""The dead-units picture: shares, words beside the bars, and counts that cannot be."""

from __future__ import annotations

import pytest

from tinyllm.errors import RangeError, ShapeError
from tinyllm.viz import UnitMap, draw_units, units_lines

DATA = UnitMap(["blocks.0.mlp", "blocks.1.mlp", "blocks.2.mlp"], [96, 96, 96], [0, 30, 5], [0, 0, 85])


def test_bars_are_as_long_as_the_shares():
    ax = draw_units(DATA).axes[0]
    full, dead, bent = ax.containers
    assert [bar.get_width() for bar in dead] == pytest.approx([0, 30 / 96, 5 / 96])
    assert [(bar.get_x(), bar.get_width()) for bar in bent][2] == pytest.approx((5 / 96, 85 / 96))
    assert [bar.get_width() for bar in full] == [1, 1, 1]
    assert bent[0].get_hatch()  # never color alone


def test_the_counts_stand_beside_the_bars():
    fig = draw_units(DATA)
    assert [text.get_text() for text in fig.axes[0].texts] == ["30 dead", "5 dead, 85 saturated"]
    assert "blocks.1.mlp: 30 dead and 0 saturated of 96." in fig.get_label()
    assert "All of them take part." in draw_units(UnitMap(["a"], [3], [0], [0])).get_label()


@pytest.mark.parametrize("width", [50, 80, 120])
def test_lines_fit_and_show_every_unit_that_is_lost(width):
    lines = units_lines(UnitMap(["a", "b"], [1000, 1000], [1, 999], [0, 1]), width, unicode=False)
    assert all(len(line) <= width for line in lines)
    assert lines[0].count("D]") == 0 and lines[0].count("D") == 1  # one of a thousand is seen
    assert lines[1].count("D") >= 8


def test_counts_must_fit():
    with pytest.raises(ShapeError, match="for 2 layers"):
        UnitMap(["a", "b"], [1], [0], [0])
    with pytest.raises(ShapeError):
        UnitMap([], [], [], [])
    with pytest.raises(RangeError, match="3 dead and 1 saturated of 3"):
        UnitMap(["a"], [3], [3], [1])
