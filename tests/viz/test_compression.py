"""The compression picture: every value at its place, names beside their marks, and nothing that overlaps."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest

from tinyllm.errors import ShapeError
from tinyllm.viz import Compression, draw_compression

LANGUAGES = Compression(
    ["English", "German", "Thai"],
    ["gpt2", "cl100k_base", "o200k_base"],
    [[4.12, 4.41, 4.45], [2.6, 3.2, 4.0], [1.5, math.nan, 4.9]],
    title="Bytes per token",
)


def marks(fig):
    return {
        (round(float(line.get_xdata()[0]), 2), float(line.get_ydata()[0]), line.get_marker())
        for line in fig.axes[0].lines
        if line.get_marker() not in ("None", "")
    }


def test_a_mark_for_every_value_on_the_line_of_its_name():
    fig = draw_compression(LANGUAGES)
    expected = {
        (4.12, 0.0, "o"), (4.41, 0.0, "D"), (4.45, 0.0, "s"), (2.6, 1.0, "o"), (3.2, 1.0, "D"), (4.0, 1.0, "s"),
        (1.5, 2.0, "o"), (4.9, 2.0, "s"),
    }  # fmt: skip
    assert marks(fig) == expected
    ax = fig.axes[0]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["English", "German", "Thai"]
    assert ax.get_ylim()[0] > ax.get_ylim()[1]  # the first on top
    assert ax.get_xlim()[0] == 0
    assert ax.get_xlabel() == "bytes per token"


def test_the_least_and_the_greatest_have_their_numbers():
    texts = [text.get_text() for text in draw_compression(LANGUAGES).axes[0].texts]
    assert {"4.12", "4.45", "2.60", "4.00", "1.50", "4.90"} <= set(texts)


def test_names_of_encodings_have_the_colors_of_their_marks_and_do_not_touch():
    close = Compression(["English"], ["gpt2", "cl100k_base", "o200k_base", "p50k_base"], [[4.40, 4.41, 4.42, 4.43]])
    for data in (LANGUAGES, close):
        fig = draw_compression(data)
        fig.draw_without_rendering()
        ax = fig.axes[0]
        names = [text for text in ax.texts if text.get_text() in data.encodings]
        assert len(names) == len(data.encodings)
        extents = sorted(text.get_window_extent().extents.tolist() for text in names)
        assert all(one[2] <= other[0] for one, other in pairwise(extents))
        assert extents[0][0] >= 0
        assert extents[-1][2] <= 800
        of_marks = [line.get_color() for line in ax.lines if line.get_marker() not in ("None", "")]
        assert {text.get_color() for text in names} <= set(of_marks)


def test_the_description_says_it_all():
    label = draw_compression(LANGUAGES).get_label()
    assert "English: gpt2 4.12, cl100k_base 4.41, o200k_base 4.45" in label
    assert "Thai: gpt2 1.50, o200k_base 4.90" in label


def test_nothing_counted_and_tables_that_are_none():
    texts = [text.get_text() for text in draw_compression(Compression(["a"], ["b"], [[math.nan]])).axes[0].texts]
    assert texts == ["nothing was counted"]
    assert "not counted" in [
        text.get_text() for text in draw_compression(Compression(["a", "c"], ["b"], [[1.0], [math.nan]])).axes[0].texts
    ]
    with pytest.raises(ShapeError, match="no table of 2 names and 1 encodings"):
        Compression(["a", "c"], ["b"], [[1.0], [1.0, 2.0]])
    with pytest.raises(ShapeError, match="at most 7"):
        Compression(["a"], list("abcdefgh"), [[1.0] * 8])
