"""A lesson in a terminal: plain lines, ASCII, answers from the keyboard, pictures as files."""

from __future__ import annotations

import io

import pytest

from tinyllm import viz
from tinyllm.cli.screen import Screen
from tinyllm.learn.text.in_terminal import TerminalSink, markdown
from tinyllm.learn.text.lesson import Claim, Question
from tinyllm.learn.text.plain_text import linkless, plain, plain_lines

QUESTION = Question("How many?", ("four", "ten"), 1, "One more a row.")


def sink(keys: str | None = None, tmp_path=None, plain=True):
    screen = Screen(io.StringIO(), plain, True, 60)
    return TerminalSink(screen, None if keys is None else io.StringIO(keys), tmp_path or "nowhere")


def test_without_a_keyboard_the_recorded_answer_is_printed():
    shown = sink()
    shown.predict(QUESTION)
    text = shown.screen.stream.getvalue()
    assert "1  four" in text and "The answer is 2. One more a row." in text and "your guess" not in text


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        ("2\n", "Yes, 2."),
        ("1\n", "You said 1; it is 2."),
        ("7\nx\n2\n", "Yes, 2."),
        ("\n", "The answer is 2."),
        ("", "The answer is 2."),
    ],
)
def test_a_guess_is_read_and_answered(keys, says):
    shown = sink(keys)
    shown.predict(QUESTION)
    assert says in shown.screen.stream.getvalue()


def test_a_picture_becomes_a_file_and_its_words_are_printed(tmp_path):
    shown = sink(tmp_path=tmp_path)
    shown.fig(viz.draw_loss(viz.LossCurve([0, 1], [2.0, 1.0])), "A curve that falls.")
    assert [path.name for path in tmp_path.iterdir()] == ["a-curve-that-falls.svg"]
    assert "A curve that falls." in shown.screen.stream.getvalue()


def test_plain_text_has_no_marks_and_code_stays_as_it_is():
    shown = sink()
    markdown(
        shown.screen,
        "## Head\n\nA **bold** [[logits]]\nin two lines.\n\n```python\nx  = 1\n\ny = 2\n```\n\n- one\n- two",
    )
    assert shown.screen.stream.getvalue().split("\n") == [
        "== Head", "", "A bold logits in two lines.", "", "    x  = 1", "", "    y = 2", "", "- one", "- two", "",
    ]  # fmt: skip


def test_where_there_are_colors_rich_draws(monkeypatch):
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    shown = sink(plain=False)
    markdown(shown.screen, "A **bold** word")
    assert "\x1b[1m" in shown.screen.stream.getvalue()


def test_an_ascii_console_gets_ascii():
    raw = io.BytesIO()
    screen = Screen.of(io.TextIOWrapper(raw, encoding="ascii", write_through=True), {})
    shown = TerminalSink(screen)
    shown.claim(Claim("rows → 1", "1", "near 1"))
    assert raw.getvalue() == b"  claim  rows -> 1: 1 (near 1)\n"


def test_an_exercise_is_named_with_its_file_and_its_commands():
    from tinyllm.learn.exercises import exercise

    shown = sink()
    shown.build(exercise("10.3"))
    text = shown.screen.stream.getvalue()
    assert "attend_backward in my/l10_attention.py" in text and "tinyllm learn check 10.3" in text


def test_marks_and_links_leave_their_words():
    assert plain("see [the page](pages/10.md) and ![a curve](x.svg)") == "see the page and a curve"
    assert linkless("[[a|b]] [[c]]s") == "b cs"


def test_blocks_keep_what_belongs_together():
    text = (
        "One\ntwo.\n```text\n a\n\n b\n```\n1. first\n   goes on\n2. second\n\n> **Holds** x  \n> **Holds** y\n\n| a |"
    )
    assert plain_lines(text, 40) == [
        "One two.", "", "     a", "", "     b", "", "1. first goes on", "2. second", "", "> Holds x",
        "> Holds y", "", "| a |",
    ]  # fmt: skip


def test_lines_are_as_wide_as_the_screen_and_hang_below_their_sign():
    assert plain_lines("- one two three four", 13) == ["- one two", "  three four"]
    assert plain_lines("> one two three four", 10) == ["> one two", "> three", "> four"]
    assert plain_lines("    x = 1  # indented code is left alone, however long it may be", 20)[0].startswith(
        "    x = 1"
    )
    assert plain_lines("") == []
