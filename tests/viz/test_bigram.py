"""The bigram picture: tables side by side on one scale, rows before columns."""

from __future__ import annotations

import numpy as np
import pytest

from tinyllm.errors import ShapeError
from tinyllm.viz import Bigram, draw_bigram

TABLE = np.array([[0.0, 1.0], [0.75, 0.25]])


def test_tables_share_a_scale_and_their_labels():
    fig = draw_bigram(Bigram("a\n", {"counted": TABLE, "learned": TABLE.T}))
    one, other = fig.axes[:2]
    assert [ax.get_title() for ax in (one, other)] == ["counted", "learned"]
    assert one.images[0].get_clim() == other.images[0].get_clim() == (0, 1)
    assert [label.get_text() for label in one.get_yticklabels()] == ["a", "⏎"]
    assert one.get_ylabel() == "byte before it"
    assert one.get_xlabel() == "next byte"


def test_color_is_the_square_root_so_that_rare_ones_show():
    image = draw_bigram(Bigram("ab", {"counted": TABLE})).axes[0].images[0]
    assert np.allclose(np.asarray(image.get_array()) ** 2, TABLE)


def test_words_name_the_largest_entry_and_how_far_tables_are_apart():
    words = draw_bigram(Bigram("ab", {"counted": TABLE, "learned": TABLE + 0.002})).get_label()
    assert "b after a (1.00)" in words
    assert "No entry differs by as much as 0.01." in words
    assert "differs" not in draw_bigram(Bigram("ab", {"counted": TABLE})).get_label()
    assert "All are equal" in draw_bigram(Bigram("ab", {"counted": TABLE, "learned": TABLE})).get_label()


def test_a_table_of_another_shape_is_refused():
    with pytest.raises(ShapeError, match=r"\(2, 2\), not \(V, V\) for V=3"):
        Bigram("abc", {"counted": TABLE})
    with pytest.raises(ShapeError, match="nothing to draw"):
        Bigram("", {})
