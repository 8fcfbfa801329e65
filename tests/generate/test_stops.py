"""Stop sequences: whatever way a text is cut, the same is delivered, and as early as can be."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinyllm.errors import ConfigError
from tinyllm.generate.stops import Stops, until

WORDS = st.text("ab", min_size=1, max_size=4)


def expected(text, stops):
    """The text before the stop that is complete first, by looking at every beginning of the text."""
    for end in range(1, len(text) + 1):
        if done := [stop for stop in stops if text[:end].endswith(stop)]:
            return text[: end - len(max(done, key=len))]
    return text


def cut(text, places):
    edges = [0, *sorted(place % (len(text) + 1) for place in places), len(text)]
    return [text[a:b] for a, b in pairwise(edges)]


@given(st.text("ab", max_size=14), st.lists(WORDS, max_size=3), st.lists(st.integers(0, 99), max_size=8))
def test_the_text_before_the_first_stop_is_delivered_whole(text, stops, places):
    assert "".join(until(cut(text, places), stops)) == expected(text, stops)


@given(st.text("ab", max_size=12), st.lists(WORDS, min_size=1, max_size=3))
def test_no_more_is_held_back_than_may_be_a_beginning(text, stops):
    """After every character: what was said is what every possible continuation would say too, and is not too little."""
    held, said = Stops(stops), ""
    for n, char in enumerate(text, 1):
        said += held.push(char)
        if held.found is not None:
            assert said == expected(text[:n], stops)
            return
        begun = [k for stop in stops for k in range(1, len(stop)) if text[:n].endswith(stop[:k])]
        assert said == text[: n - max(begun, default=0)]
    assert said + held.finish() == text


@pytest.mark.parametrize(
    "pieces",
    [
        ["one</s>two"],
        ["one<", "/s", ">two"],
        ["o", "n", "e", "<", "/", "s", ">", "t"],
        ["one", "</s>"],
        ["one</s", ">"],
    ],
)
def test_a_stop_may_be_cut_anywhere(pieces):
    assert "".join(until(pieces, ["</s>", "###"])) == "one"


def test_what_only_began_like_a_stop_is_delivered():
    assert list(until(["a<", "/", "t>", "<"], "</s>")) == ["a", "</t>", "<"]
    assert list(until(["aab"], "aac")) == ["aab"]
    assert "".join(until(["a", "a", "a", "b"], "aab")) == "a"


def test_the_stop_that_is_complete_first_wins():
    for pieces in (["xabcd"], ["xa", "bc", "d"]):
        assert "".join(until(pieces, ["abcd", "bc"])) == "xa"
        assert "".join(until(pieces, ["bc", "abc"])) == "x"  # both at once: the longer


def test_after_a_stop_nothing_more_is_asked_for():
    asked, closed = [], []

    def pieces():
        try:
            for piece in ["a", "b.", "c"]:
                asked.append(piece)
                yield piece
        finally:
            closed.append(True)

    source = pieces()  # named, so that it is not collected, which would close it as well
    assert list(until(source, ".")) == ["a", "b"] and asked == ["a", "b."] and closed == [True]


def test_which_stop_it_was():
    stops = Stops(("x", "yy"))
    assert stops.push("ay") == "a" and stops.found is None
    assert stops.push("yb") == "" and stops.found == "yy"
    assert stops.push("more") == "" and stops.finish() == ""


def test_no_stops_let_all_pass_piece_by_piece():
    assert list(until(["a", "", "b"], [])) == ["a", "b"]


@pytest.mark.parametrize("stops", ["", ["a", ""], [None], [3]])
def test_what_cannot_stop_a_text_is_refused_before_the_first_piece(stops):
    with pytest.raises(ConfigError, match="cannot end a text"):
        until(["a"], stops)
