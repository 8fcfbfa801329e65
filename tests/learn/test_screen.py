"""How a verdict looks: the same words in color and in plain lines, inside any width, copyable where it is code."""

from __future__ import annotations

import io

import pytest

from tinyllm.cli.screen import Screen
from tinyllm.learn.live import LinesView, TerminalView, print_page
from tinyllm.learn.screen import code, page_text, panel, paragraph, table, verdict_page
from tinyllm.learn.verdict import Line, Verdict
from tinyllm.learn.watch import MENU

LONG = "rel err 2.3   worst at b=0 h=2 t=3 d=5: yours -1.410, numeric -0.425"
CODE = "q = np.array([[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0, 11.0, 12.0]])\nattend(q)"
VERDICT = Verdict(
    "10.3",
    "failed",
    [
        Line("ok", "shapes", "dq dk dv (B=2, H=3, T=5, S=7, D=11)"),
        Line("FAIL", "dq", LONG, ["The forward pass divides the scores by sqrt(D); so does this.", "Second."], CODE),
        Line("--", "dk", "waits for dq"),
    ],
    "my/l10_attention.py:41",
    0.44,
)


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self):
        return True


def test_a_verdict_at_80_columns():
    assert page_text(verdict_page(VERDICT, "attend_backward", 80)).splitlines() == [
        "10.3 attend_backward   my/l10_attention.py:41                  checked in 0.4 s",
        "  ok    shapes  dq dk dv (B=2, H=3, T=5, S=7, D=11)",
        "  FAIL  dq      rel err 2.3   worst at b=0 h=2 t=3 d=5: yours -1.410, numeric",
        "                -0.425",
        "                The forward pass divides the scores by sqrt(D); so does this.",
        "                Second.",
        "  --    dk      waits for dq",
        "",
        "the smallest case that shows it",
        "  " + CODE.splitlines()[0],
        "  attend(q)",
    ]


@pytest.mark.parametrize("width", [20, 40, 60, 80, 200])
def test_no_line_is_wider_than_the_screen_but_code(width):
    page = verdict_page(VERDICT, "attend_backward", width, "printed\n" * 30)
    rows = [row for row in page_text(page).splitlines() if "np.array" not in row and "my/l10" not in row]
    assert max(map(len, rows)) < max(width, 34)
    assert "20 more lines" in page_text(page)


def test_names_that_are_long_do_not_push_the_text_away():
    verdict = Verdict("1.1", "failed", [Line("ok", "property: every row sums to one, always", "yes"), Line("ok", "a")])
    rows = page_text(verdict_page(verdict, "f", 80)).splitlines()
    assert rows[1] == "  ok    property: every row sums to one, always  yes"
    assert rows[2] == "  ok    a"


def test_a_sentence_without_figures_stands_beside_its_name():
    verdict = Verdict("1.1", "failed", [Line("FAIL", "load", because=["my/l10.py:3: invalid syntax", "More."])])
    assert page_text(verdict_page(verdict, "f", 80)).splitlines()[1:] == [
        "  FAIL  load  my/l10.py:3: invalid syntax",
        "              More.",
    ]


def test_a_stub_says_what_to_do():
    assert "Still to be written" in page_text(verdict_page(Verdict("10.3", "stub"), "attend", 80))


def test_parts():
    assert page_text(paragraph("one two three four", 20, "  ")) == "  one two three\n  four"
    assert page_text(panel("title", "a  b\nc", 80, verbatim=True)) == "title\n  a  b\n  c"
    assert page_text(table([("a", "bb", "x"), ("ccc", "d", "y")])) == "a    bb  x\nccc  d   y"
    assert page_text(code("x\n" * 20)).endswith("... 8 more lines")
    assert table([]) == []


def test_plain_lines_have_no_escapes_and_colors_have_the_same_words():
    pipe, terminal = io.StringIO(), Terminal()
    page = verdict_page(VERDICT, "attend_backward", 80)
    print_page(Screen.of(pipe, {}), page)
    print_page(Screen.of(terminal, {"TERM": "xterm"}), page)
    assert "\x1b" not in pipe.getvalue()
    assert "\x1b[1;31mFAIL" in terminal.getvalue()
    bare = __import__("re").sub(r"\x1b\[[0-9;]*m", "", terminal.getvalue())
    assert [row.rstrip() for row in bare.splitlines()] == pipe.getvalue().splitlines()


def test_what_code_prints_cannot_steer_the_terminal():
    terminal = Terminal()
    page = verdict_page(Verdict("1.1", "passed"), "f", 80, "\x1b[2J\x07 boo\x00")
    view = TerminalView(Screen.of(terminal, {"TERM": "xterm"}))
    view.show(page)
    view.foot([], "", "")
    assert "\\x1b[2J\\x07 boo" in terminal.getvalue()
    assert "\x07" not in terminal.getvalue()


def test_lines_only_follow_each_other_and_the_menu_has_numbers():
    pipe = io.StringIO()
    with LinesView(Screen.of(pipe, {})) as view:
        view.show(verdict_page(VERDICT, "f", 80))
        view.foot(list(MENU[:2]), "lesson 10: 2/5", "")
        view.foot(list(MENU[:2]), "lesson 10: 2/5", "")
        view.foot(list(MENU[:2]), "lesson 10: 2/5", "checking ...")
    tail = pipe.getvalue().splitlines()[-3:]
    assert tail == ["lesson 10: 2/5", "type a number, then Enter: 1 next, 2 hint", "checking ..."]
    assert "\x1b" not in pipe.getvalue()


def test_ascii_consoles_get_ascii():
    stream = type("Stream", (io.StringIO,), {"encoding": "ascii"})()
    print_page(Screen.of(stream, {}), paragraph("≤ · é", 80))
    assert stream.getvalue() == "<= - ?\n"


@pytest.mark.parametrize("lines", [14, 16, 20, 40])
def test_what_matters_most_fits_into_the_window(lines, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("LINES", str(lines))
    terminal = Terminal()
    view = TerminalView(Screen.of(terminal, {"TERM": "xterm", "COLUMNS": "80"}))
    view.show(verdict_page(VERDICT, "f", 80, "printed\n" * 30))
    view.foot(list(MENU), "lesson 10: 2/5", "")
    drawn = terminal.getvalue().rsplit("\x1b[2J", 1)[1]
    assert drawn.count("\n") < lines
    assert "FAIL" in drawn and "divides the scores" in drawn and "quit" in drawn
    assert ("a taller window" in drawn) == (lines < 40)


def test_the_terminal_is_drawn_at_once_and_what_scrolled_away_stays():
    terminal = Terminal()
    with TerminalView(Screen.of(terminal, {"TERM": "xterm"})) as view:
        view.show(verdict_page(VERDICT, "f", view.width))
        before = terminal.getvalue()
        view.foot(list(MENU), "lesson 10: 2/5", "status")
        drawn = terminal.getvalue()[len(before) :]
        assert drawn.startswith("\x1b[2J")
        assert "status" in drawn and "quit" in drawn
        assert not drawn.endswith("\n")
        view.add(paragraph("a hint", 80))
        view.foot(list(MENU), "lesson 10: 2/5", "")
        assert "FAIL" in terminal.getvalue().rsplit("\x1b[2J", 1)[1]
    assert "\x1b[3J" not in terminal.getvalue() and "\x1b[?25l" not in terminal.getvalue()
