"""say, claim, fig, predict and build: what they take, what they refuse, and where it goes."""

from __future__ import annotations

import math

import numpy as np
import pytest

import tinyllm as tl
from tinyllm import viz
from tinyllm.errors import ClaimError, LearnError
from tinyllm.learn import build, claim, fig, predict, quick, say
from tinyllm.learn.text.in_notebook import NotebookSink
from tinyllm.learn.text.in_terminal import TerminalSink
from tinyllm.learn.text.lesson import Claim, Question, current, into


class Kept:
    """A sink that keeps what it gets."""

    def __init__(self):
        self.got = []

    def __getattr__(self, name):
        return lambda *args: self.got.append((name, *args))


@pytest.fixture
def kept():
    with into(Kept()) as sink:
        yield sink.got


def test_say_takes_the_indentation_of_a_triple_quoted_string_away(kept):
    say("""First,

           - an item
             of two lines
        """)
    assert kept == [("say", "First,\n\n- an item\n  of two lines")]


@pytest.mark.parametrize(
    ("value", "bounds", "text"),
    [
        (0.99853, {"above": 0.99}, "x: 0.9985 (above 0.99)"),
        (3, {"near": 3}, "x: 3 (exactly 3)"),
        (0.5, {"above": 0.25, "below": 0.75}, "x: 0.5 (above 0.25 and below 0.75)"),
        (np.float32(2.0), {"near": 2.0, "within": 0.1}, "x: 2 (2 to within 0.1)"),
        (np.array(7), {"near": 7}, "x: 7 (exactly 7)"),
        (tl.Tensor(1.5), {"below": 2.0}, "x: 1.5 (below 2)"),
        (3.7, {"above": 2, "clock": True}, "x: above 2"),
        (True, {}, "x"),
        (np.bool_(True), {}, "x"),
    ],
)
def test_a_claim_that_holds_is_shown_with_what_was_asked_of_it(kept, value, bounds, text):
    claim("x", value, **bounds)
    assert [shown.text for _, shown in kept] == [text]


@pytest.mark.parametrize(
    ("value", "bounds"),
    [
        (0.99, {"above": 0.99}),
        (0.3, {"below": 0.3}),
        (4, {"near": 3}),
        (2.2, {"near": 2.0, "within": 0.1}),
        (math.nan, {"above": 0.0}),
        (math.nan, {"below": 0.0}),
        (math.nan, {"near": 0.0, "within": 1e9}),
        (0.5, {"above": 0.1, "below": 0.4}),
        (False, {}),
        (np.bool_(False), {}),
    ],
)
def test_a_claim_that_does_not_hold_stops_the_lesson(kept, value, bounds):
    with pytest.raises(ClaimError, match='"x"'):
        claim("x", value, **bounds)
    assert kept == []


@pytest.mark.parametrize(
    ("value", "bounds", "message"),
    [
        (1.0, {}, "asks for nothing"),
        (True, {"above": 0.5}, "no bounds"),
        (1.0, {"near": 1.0}, "within"),
        ("1", {"above": 0}, "not one number"),
        (np.zeros(2), {"above": 0}, "not one number"),
    ],
)
def test_a_claim_that_says_nothing_is_refused(value, bounds, message):
    with pytest.raises(LearnError, match=message):
        claim("x", value, **bounds)


def test_a_picture_needs_words_and_must_be_there(kept, tmp_path):
    drawn = viz.draw_loss(viz.LossCurve([0, 1], [2.0, 1.0]))
    fig(drawn)
    fig(drawn, alt="It\n  falls.")
    assert kept[0][2].startswith("Line chart") and kept[1][2] == "It falls."
    drawn.set_label("")
    with pytest.raises(LearnError, match="no words"):
        fig(drawn)
    with pytest.raises(LearnError, match="not an SVG or PNG"):
        fig(tmp_path / "x.svg", alt="x")
    (tmp_path / "x.svg").write_text("<svg/>")
    fig(tmp_path / "x.svg", alt="x")
    assert kept[-1] == ("fig", tmp_path / "x.svg", "x")


def test_a_prediction_has_a_right_answer_among_its_choices(kept):
    predict("Which?", ["a", "b"], answer=1, because="So.")
    assert kept == [("predict", Question("Which?", ("a", "b"), 1, "So."))]
    for choices, answer in ((["a"], 0), (["a", "b"], 2), (["a", "b"], -1), (list("abcdef"), 0)):
        with pytest.raises(LearnError, match="predict"):
            predict("Which?", choices, answer=answer, because="So.")


def test_build_shows_an_exercise_of_the_course(kept):
    build("10.3")
    assert [(name, shown.id) for name, shown in kept] == [("build", "10.3")]
    with pytest.raises(LearnError, match=r"no exercise '10.99'"):
        build("10.99")


def test_sinks_nest_and_the_terminal_is_what_is_left(kept):
    with into(Kept()) as inner:
        claim("x", True)
    assert inner.got == [("claim", Claim("x", "", ""))] and kept == []
    with into(None):
        assert isinstance(current(), TerminalSink)


def test_a_notebook_is_known_by_its_kernel(monkeypatch):
    shell = type("Shell", (), {"kernel": object()})()
    monkeypatch.setitem(__import__("sys").modules, "IPython", type("IPython", (), {"get_ipython": lambda: shell}))
    assert isinstance(current(), NotebookSink)


@pytest.mark.parametrize(("value", "short"), [("1", True), ("yes", True), ("0", False), ("", False), ("no", False)])
def test_quick_is_asked_for_by_the_environment(monkeypatch, value, short):
    monkeypatch.setenv("TINYLLM_QUICK", value)
    assert quick() is short
