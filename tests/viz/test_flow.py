"""The gradient-flow picture: columns, crosses for what is missing, and bars that do not exaggerate."""

from __future__ import annotations

import math

import pytest

from tinyllm.errors import ShapeError
from tinyllm.viz import FlowMap, draw_flow, flow_lines

LAYERS = ["embed", "blocks.0", "blocks.1"]
SIZES = {
    "wte.weight": 1e-2, "wpe.weight": None, "blocks.0.norm1.gain": 1e-4, "blocks.0.attn.qkv.weight": 3e-3,
    "blocks.1.mlp.up.weight": 0.0, "norm.gain": 2e-3, "head.weight": math.nan,
}  # fmt: skip


def test_every_parameter_has_its_column_and_kind():
    data = FlowMap(LAYERS, [1.0, 1.0, 1.0], SIZES)
    assert [data.place(name) for name in SIZES] == [
        (0, "embed"), (0, "embed"), (1, "norm"), (1, "attn"), (2, "mlp"), (3, "norm"), (3, "head"),
    ]  # fmt: skip
    assert data.without() == ["wpe.weight", "blocks.1.mlp.up.weight", "head.weight"]


def test_what_has_no_gradient_is_a_cross_and_the_rest_on_logarithmic_scales():
    top, bottom = draw_flow(FlowMap(LAYERS, [None, 1e-3, 2e-3], SIZES)).axes
    crosses = [[line.get_xdata()[0] for line in ax.lines if line.get_marker() == "X"] for ax in (top, bottom)]
    assert crosses[0] == [0] and crosses[1] == pytest.approx([0, 2.14, 3.14])
    assert (top.get_yscale(), bottom.get_yscale()) == ("log", "log")
    assert [label.get_text() for label in bottom.get_xticklabels()] == ["embed", "0", "1", "end"]


def test_kinds_differ_in_more_than_color():
    lines = draw_flow(FlowMap(LAYERS, [1.0] * 3, SIZES)).axes[1].lines
    marks = {line.get_label(): line.get_marker() for line in lines if line.get_label() in ("MLP", "norms", "attention")}
    assert len(set(marks.values())) == len(marks) == 2  # the MLP has no gradient here


def test_the_words_say_what_is_missing():
    words = draw_flow(FlowMap(LAYERS, [None, 1e-3, 2e-3], SIZES)).get_label()
    assert "None arrives at embed." in words and "3 of 7 parameters have none, such as wpe.weight." in words
    assert "It arrives everywhere." in draw_flow(FlowMap(LAYERS, [1.0] * 3, {})).get_label()


def test_many_blocks_do_not_fill_the_axis_with_labels():
    layers = ["embed", *(f"blocks.{i}" for i in range(60))]
    ticks = draw_flow(FlowMap(layers, [1.0] * 61, {})).axes[1].get_xticks()
    assert len(ticks) < 25


@pytest.mark.parametrize("width", [40, 80, 120])
def test_lines_fit_and_small_differences_stay_small(width):
    lines = flow_lines(FlowMap(LAYERS, [None, 1.0e-2, 1.1e-2], {}), width)
    assert all(len(line) <= width for line in lines) and lines[0].endswith("none")
    bars = [line.count("█") for line in lines[1:]]
    assert bars[0] > 0.9 * bars[1]
    assert flow_lines(FlowMap(["a"], [1e-2], {}), width, unicode=False)[0].isascii()


def test_lengths_must_agree():
    with pytest.raises(ShapeError, match="2 activations for 1 layers"):
        FlowMap(["embed"], [1.0, 2.0], {})
    with pytest.raises(ShapeError, match="nothing to draw"):
        FlowMap([], [], {})
