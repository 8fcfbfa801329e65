"""The merges of a word: the same story as data, in characters, as a page and as a picture."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinyllm.errors import ShapeError
from tinyllm.viz import Merge, MergeTrace, draw_merges, merges_page, staircase
from tinyllm.viz.cells import columns
from tinyllm.viz.merges import named, told, tree

HELLO = MergeTrace(b" hello", [Merge(1, 256, 91), Merge(2, 257, 17), Merge(1, 258, 5)], [32, 258, 111], "toy")


@st.composite
def traces(draw):
    piece = draw(st.binary(min_size=1, max_size=12))
    merges = []
    for left in range(len(piece), draw(st.integers(1, len(piece))), -1):
        merges.append(Merge(draw(st.integers(0, left - 2)), draw(st.integers(0, 10**6)), draw(st.none() | st.just(7))))
    return MergeTrace(piece, merges, list(range(len(piece) - len(merges))), "toy")


@given(traces())
def test_levels_lose_no_byte_and_one_part_each(trace):
    levels = trace.levels()
    assert len(levels) == len(trace.merges) + 1
    for i, level in enumerate(levels):
        assert len(level) == len(trace.piece) - i
        assert b"".join(trace.piece[a:b] for a, b in level) == trace.piece
        assert all(a < b for a, b in level)
    assert len(levels[-1]) == len(trace.ids)


@given(traces())
def test_the_tree_has_a_box_for_every_byte_and_merge_above_its_halves(trace):
    boxes = tree(trace)
    assert len(boxes) == len(trace.piece) + len(trace.merges)
    known = {(begin, end, level) for begin, end, level, _ in boxes}
    for begin, end, level, halves in boxes:
        if level:
            (a, b, low), (c, d, other) = halves
            assert (a, b, d) == (begin, c, end)
            assert max(low, other) < level
            assert set(halves) <= known


@given(traces(), st.integers(20, 120), st.booleans())
def test_the_staircase_stays_in_its_width_or_tells_less(trace, width, unicode):
    lines = ["".join(text for text, _ in line) for line in staircase(trace, width, unicode)]
    assert all(line.isprintable() for line in lines)
    assert unicode or all(line.isascii() for line in lines)
    if len(lines) == len(trace.merges) + 1:  # with rows of parts
        assert max(map(columns, lines)) <= width
    else:
        assert len(lines) == len(trace.merges)


def test_the_staircase_of_a_word():
    lines = ["".join(text for text, _ in line) for line in staircase(HELLO, 60)]
    assert lines == [
        "   │·│h│e│l│l│o│",
        " 1 │·│he │l│l│o│  h + e    rank 256  91 times",
        " 2 │·│he │ll │o│  l + l    rank 257  17 times",
        " 3 │·│hell   │o│  he + ll  rank 258   5 times",
    ]
    narrow = ["".join(text for text, _ in line) for line in staircase(HELLO, 38)]
    assert narrow[3] == " 3 │·│hell   │o│  rank 258   5 times"
    narrowest = ["".join(text for text, _ in line) for line in staircase(HELLO, 25)]
    assert narrowest[2] == " 3 he + ll  rank 258   5 times"


def test_what_is_new_stands_out():
    new = [[text.strip() for text, kind in line if kind == "new"] for line in staircase(HELLO, 80)]
    assert new == [[], ["he"], ["ll"], ["hell"]]


@pytest.mark.parametrize(
    ("trace", "about"),
    [
        (HELLO, "·hello: 3 merges, 3 tokens"),
        (MergeTrace(b"a", [], [64]), "a: 0 merges, 1 token"),
        (MergeTrace(b"ab", [Merge(0, 9)], [300], whole=True), "ab: a token, taken whole; 1 merge would give the same"),
        (
            MergeTrace(b"abc", [Merge(0, 9)], [7], whole=True),
            "abc: a token, taken whole; 1 merge would stop at 2 parts",
        ),
        (MergeTrace(b"a", [], [64], whole=True), "a: a token, taken whole"),
    ],
)
def test_what_happened_in_one_line(trace, about):
    assert trace.about() == about


@pytest.mark.parametrize(
    ("merges", "ids", "what"),
    [
        ([Merge(2, 0)], [1, 2], "no pair 2 among 3 parts"),
        ([Merge(-1, 0)], [1, 2], "no pair -1"),
        ([Merge(0, 0), Merge(1, 0)], [1], "no pair 1 among 2 parts"),
        ([Merge(0, 0)], [1], "1 ids for 2 tokens"),
    ],
)
def test_merges_that_cannot_be(merges, ids, what):
    with pytest.raises(ShapeError, match=what):
        MergeTrace(b"abc", merges, ids)


def test_a_middle_dot_is_not_a_space():
    assert [named(b" a"), named("·a".encode()), named(b"\xc2")] == ["·a", "\\u00b7a", "\\xc2"]


def test_counts_are_told_where_they_are_known():
    assert told(MergeTrace(b"ab", [Merge(0, 1234)], [9])) == ["a + b  rank 1,234"]
    assert told(HELLO, halves=False)[0] == "rank 256  91 times"


def test_the_page_holds_the_whole_story():
    page = merges_page([HELLO, MergeTrace(b"</script>", [], list(range(9)), "<b>")], title="<i>")
    held = json.loads(re.search(r'id="data">(.*?)</script>', page)[1])
    assert [len(each["levels"]) for each in held["stairs"]] == [4, 1]
    assert held["stairs"][0]["told"][0] == "h + e    rank 256  91 times"
    assert held["stairs"][0]["places"] == [1, 2, 1]
    assert page.count("</script>") == 2
    assert "<h1>&lt;i&gt;</h1>" in page


# the picture


def test_bytes_are_at_the_bottom_and_every_merge_is_above_its_halves():
    from matplotlib.patches import Rectangle

    fig = draw_merges(HELLO)
    ax = fig.axes[0]
    boxes = [patch for patch in ax.patches if isinstance(patch, Rectangle)]
    assert len(boxes) == 9
    assert len({box.get_y() for box in boxes[:6]}) == 1
    assert [box.get_y() > boxes[0].get_y() for box in boxes[6:]] == [True] * 3
    texts = [text.get_text() for text in ax.texts]
    assert texts[:9] == ["·", "h", "e", "l", "l", "o", "he", "ll", "hell"]
    assert {"rank 258", "5 times", "he + ll", "bytes"} <= set(texts)
    thick = [box.get_linewidth() > 1 for box in boxes]
    assert thick == [True, False, False, False, False, True, False, False, True]  # what is left: ·, o and hell


@pytest.mark.parametrize("piece", [b" strawberry", "日本語テキスト".encode(), b"\x00\xff" * 10, b"w" * 40])
def test_all_texts_lie_inside_of_the_picture_and_of_their_boxes(piece):
    merges = [Merge(0, i, 10**i) for i in range(7)]
    fig = draw_merges(MergeTrace(piece, merges, list(range(len(piece) - 7)), "cl100k_base"))
    fig.draw_without_rendering()
    width, height = fig.get_size_inches() * fig.dpi
    for text in [*fig.axes[0].texts, *fig.texts]:
        x0, y0, x1, y1 = text.get_window_extent().extents
        assert x0 >= -1 and x1 <= width + 1 and y0 >= -1 and y1 <= height + 1, text.get_text()
    for text, patch in zip(fig.axes[0].texts, fig.axes[0].patches, strict=False):
        inner, outer = text.get_window_extent(), patch.get_window_extent()
        assert outer.x0 <= inner.x0 + 1 and inner.x1 <= outer.x1 + 1, text.get_text()


def test_long_pieces_are_refused_and_nothing_is_drawn_as_nothing():
    with pytest.raises(ShapeError, match="at most 40 bytes"):
        draw_merges(MergeTrace(b"a" * 41, [], list(range(41))))
    assert [text.get_text() for text in draw_merges(MergeTrace(b"", [], [])).axes[0].texts] == ["no byte"]
