"""The dependency picture: what is counted, what is framed, and what is refused."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest

from tinyllm.errors import RangeError, ShapeError
from tinyllm.viz import Feeds, dependency_page, draw_dependencies


def bias():
    """A bias of three, added to two rows."""
    feeds = np.zeros((3, 2, 3), dtype=bool)
    for i in range(3):
        feeds[i, :, i] = True
    return Feeds("y = x + b", "b", "y", feeds, (3,), (1,))


def test_it_counts_how_many_entries_each_one_feeds():
    assert bias().uses().tolist() == [2, 2, 2]
    assert bias().result == (2, 3)


def test_the_counts_stand_in_the_cells_and_both_shapes_beside_them():
    texts = [text.get_text() for text in draw_dependencies([bias()]).axes[0].texts]
    assert texts.count("2") == 3
    assert "b (3,)" in texts and "y (2, 3)" in texts


def test_one_arrow_goes_to_each_entry_that_is_fed():
    ax = draw_dependencies([bias()]).axes[0]
    arrows = [patch for patch in ax.patches if type(patch).__name__ == "ConnectionPatch"]
    assert len(arrows) == 2


def test_two_stand_side_by_side_and_the_words_name_all():
    fig = draw_dependencies([bias(), bias(), bias()], title="A title")
    assert len([ax for ax in fig.axes if ax.axison is False]) == 4
    assert fig.get_label().count("each entry of b feeds 2 of y") == 3


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"chosen": (3,)}, RangeError, r"has no entry \[3\]"),
        ({"chosen": (1, 1)}, RangeError, "has no entry"),
        ({"shape": (2,)}, ShapeError, "does not begin"),
        ({"feeds": np.zeros((3, 9), dtype=bool)}, ShapeError, "cannot be drawn"),
        ({"feeds": np.zeros((3, 2, 2, 2), dtype=bool)}, ShapeError, "cannot be drawn"),
    ],
)
def test_what_cannot_be_drawn_is_refused(change, error, message):
    good = {"label": "", "source": "b", "target": "y", "feeds": bias().feeds, "shape": (3,), "chosen": (1,)}
    with pytest.raises(error, match=message):
        Feeds(**{**good, **change})


@pytest.mark.parametrize("draw", [draw_dependencies, dependency_page])
def test_nothing_at_all_is_refused(draw):
    with pytest.raises(ShapeError, match="nothing to draw"):
        draw([])


def test_the_page_holds_every_tie_and_loads_nothing():
    html = dependency_page([bias()], title="<b>")
    (row,) = json.loads(re.search(r'id="data">(.*?)</script>', html, re.DOTALL).group(1))["rows"]
    assert row["feeds"] == [[1, 0, 0, 1, 0, 0], [0, 1, 0, 0, 1, 0], [0, 0, 1, 0, 0, 1]]
    assert row["shapes"] == [[3], [2, 3]] and row["chosen"] == 1
    assert "<b>" not in html and "default-src 'none'" in html and "http" not in html.replace("http-equiv", "")
