"""The heads picture: tables side by side, the largest number framed, numbers only where they fit."""

from __future__ import annotations

import numpy as np
import pytest

from tinyllm.errors import ShapeError
from tinyllm.viz import HeadTables, draw_heads, heads_lines


@pytest.fixture
def tables(rng):
    return HeadTables({"silenced": rng.normal(size=(3, 5)), "gate": rng.uniform(size=(3, 5))}, subtitle="made up")


def test_each_table_with_its_own_scale_and_its_largest_number_framed(tables):
    fig = draw_heads(tables)
    for ax, (name, values) in zip(fig.axes, tables.tables.items(), strict=False):
        assert ax.get_title(loc="left") == name
        np.testing.assert_array_equal(ax.images[0].get_array(), values)
        assert ax.images[0].get_clim() == (values.min(), values.max())
        (frame,) = ax.patches
        layer, head = np.unravel_index(values.argmax(), values.shape)
        assert (frame.get_x(), frame.get_y()) == (head - 0.5, layer - 0.5)
        assert (ax.get_xlabel(), ax.get_ylabel()) == ("head", "layer")
        assert len(ax.texts) == 15 and ax.get_ylim()[0] < ax.get_ylim()[1]


def test_numbers_stay_in_their_cells_or_are_left_out(rng):
    for H, written in ((8, True), (16, False)):
        fig = draw_heads(HeadTables({"a": -0.0004 * rng.uniform(size=(2, H)), "b": rng.normal(size=(2, H))}))
        fig.draw_without_rendering()
        assert bool(fig.axes[0].texts) == written
        for ax in fig.axes[:2]:
            cell = ax.get_window_extent().width / H
            assert all(text.get_window_extent().width <= cell for text in ax.texts)


def test_a_large_model_and_one_head(rng):
    for shape in ((14, 17), (1, 1)):
        data = HeadTables({name: rng.normal(size=shape) for name in "ab"})
        draw_heads(data).draw_without_rendering()


def test_what_is_not_a_number_stays_blank():
    data = HeadTables({"a": np.array([[np.nan, 1.0]])})
    assert data.largest("a") == (0, 1)
    assert [text.get_text() for text in draw_heads(data).axes[0].texts] == ["", "1.00"]
    assert heads_lines(data, unicode=False)[1] == "  layer 0  ? _"
    assert draw_heads(HeadTables({"a": np.zeros((2, 2))})).axes[0].texts[0].get_text() == "0"


def test_lines_and_words(tables):
    lines = heads_lines(tables)
    assert len(lines) == 8 and lines[0].startswith("silenced: ") and lines[1].startswith("  layer 2  ")
    layer, head = tables.largest("gate")
    assert f"gate: largest in layer {layer}, head {head}" in draw_heads(tables).get_label()
    assert "Tables of 3 layers by 5 heads." in draw_heads(tables).get_label()
    assert all(line.isascii() for line in heads_lines(tables, unicode=False))


@pytest.mark.parametrize(
    "tables", [{}, {"a": np.zeros(3)}, {"a": np.zeros((2, 3)), "b": np.zeros((3, 2))}, {"a": np.zeros((0, 2))}]
)
def test_what_does_not_fit_is_refused(tables):
    with pytest.raises(ShapeError, match=r"not \(L, H\) all alike"):
        HeadTables(tables)
