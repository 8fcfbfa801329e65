"""The walk of one query: three rows of bars and colors, hidden keys hatched, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from tinyllm.errors import RangeError, ShapeError
from tinyllm.viz import QueryWalk, draw_walk


def walk(**change):
    given = {
        "tokens": ["a", " b", "c"],
        "query": 1,
        "scores": np.array([1.0, -0.5, 2.0]),
        "seen": np.array([True, True, False]),
        "weights": np.array([0.75, 0.25, 0.0]),
        "values": np.array([[1.0, 0.0], [0.0, 2.0], [5.0, 5.0]]),
    }
    return QueryWalk(**{**given, **change})


def test_a_bar_for_every_key_and_hidden_ones_hatched():
    ax = draw_walk(walk()).axes[0]
    assert [bar.get_height() for bar in ax.patches] == [1.0, -0.5, 2.0]
    assert [bool(bar.get_hatch()) for bar in ax.patches] == [False, False, True]


def test_the_weights_are_written_above_their_bars():
    texts = [text.get_text() for text in draw_walk(walk()).axes[2].texts]
    assert texts == ["0.75", "0.25", "0"]


def test_what_comes_out_is_the_weighted_mean():
    out = draw_walk(walk()).axes[5].images[0].get_array()
    assert np.allclose(out[:, 0], [0.75, 0.5])


def test_the_words_tell_who_asks_what_is_hidden_and_where_it_looks():
    said = draw_walk(walk()).get_label()
    assert "query ·b" in said and "1 later token hidden" in said and "0.75, goes to a" in said


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"tokens": []}, ShapeError, "0 keys"),
        ({"tokens": ["x"] * 25}, ShapeError, "25 keys"),
        ({"weights": np.zeros(2)}, ShapeError, r"weights has shape \(2,\)"),
        ({"values": np.zeros(3)}, ShapeError, "values have shape"),
        ({"query": 3}, RangeError, "query 3"),
    ],
)
def test_what_does_not_fit_is_refused(change, error, message):
    with pytest.raises(error, match=message):
        walk(**change)
