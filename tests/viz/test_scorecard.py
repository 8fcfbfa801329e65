"""The scorecard: words as well as colors, and sums that are right."""

from __future__ import annotations

import pytest

from tinyllm.errors import ShapeError
from tinyllm.viz import Scorecard, draw_scorecard

CARD = Scorecard(["zeros", "sign"], ["weak", "strong"], [[False, True], [True, True]])


def test_every_cell_says_in_words_what_its_color_says():
    ax = draw_scorecard(CARD).axes[0]
    assert [text.get_text() for text in ax.texts] == ["missed", "caught", "caught", "caught", "1 of 2", "2 of 2"]
    assert [label.get_text() for label in ax.get_xticklabels()] == ["weak", "strong"]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["zeros", "sign", "caught"]
    faces = [patch.get_facecolor() for patch in ax.patches]
    assert faces[0] != faces[1] == faces[2] == faces[3]


def test_words_name_what_was_missed():
    assert "weak: 1 caught; missed: zeros. strong: 2 caught." in draw_scorecard(CARD).get_label()


def test_marks_must_fit():
    with pytest.raises(ShapeError, match="1 rows of marks for 2 cases"):
        Scorecard(["a", "b"], ["x"], [[True]])
    with pytest.raises(ShapeError, match="2 marks of a for 1 checks"):
        Scorecard(["a"], ["x"], [[True, False]])
    with pytest.raises(ShapeError, match="nothing to draw"):
        Scorecard([], ["x"], [])
