"""The ablation picture: means, intervals, runs and verdicts."""

from __future__ import annotations

import math

import pytest

from tinyllm.errors import ShapeError
from tinyllm.viz import Forest, draw_forest, forest_lines

DATA = Forest(
    labels=["lr=0.001", "lr=0.01", "lr=10"],
    values=[[2.0, 2.2], [1.0, 1.2], [math.nan, math.nan]],
    means=[2.1, 1.1, math.nan],
    lows=[2.0, 1.0, math.nan],
    highs=[2.2, 1.2, math.nan],
    verdicts=["the first", "better", "diverged"],
)


def test_runs_intervals_and_verdicts():
    ax = draw_forest(DATA).axes[0]
    assert [text.get_text() for text in ax.texts] == [
        "2.100 [2.000, 2.200]  the first", "1.100 [1.000, 1.200]  better", "no number  diverged",
    ]  # fmt: skip
    spans = [tuple(line.get_xdata()) for line in ax.lines if len(line.get_xdata()) == 2 and line.get_linewidth() == 2.5]
    assert spans == [(2.0, 2.2), (1.0, 1.2)]
    marks = {line.get_marker() for line in ax.lines} - {"None", "o", ""}
    assert marks == {"D", "v"}  # never color alone


def test_the_words():
    assert "lr=0.01: 1.100 [1.000, 1.200]  better." in draw_forest(DATA).get_label()


@pytest.mark.parametrize("width", [60, 80, 120])
@pytest.mark.parametrize("unicode", [True, False])
def test_lines_fit_and_are_to_scale(width, unicode):
    lines = forest_lines(DATA, width, unicode)
    assert all(len(line) <= width for line in lines)
    dot = "●" if unicode else "o"
    bars = [line.split("]")[1] for line in lines[:2]]
    assert bars[1].index(dot) < bars[0].index(dot)
    assert "no number" in lines[2] and lines[2].endswith("diverged")


def test_lengths_must_agree():
    with pytest.raises(ShapeError, match="for 2 labels"):
        Forest(["a", "b"], [[1.0]], [1.0], [1.0], [1.0], ["the first"])
    with pytest.raises(ShapeError, match="nothing to draw"):
        Forest([], [], [], [], [], [])
