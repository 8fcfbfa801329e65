"""What the terminal can show, and the texts that are made to fit it."""

from __future__ import annotations

import io

import pytest

from tinyllm.cli.screen import Screen, printable


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self):
        return True


@pytest.mark.parametrize(
    ("environ", "plain"),
    [
        ({"TERM": "xterm"}, False),
        ({"TERM": "xterm", "NO_COLOR": ""}, False),
        ({"TERM": "xterm", "NO_COLOR": "1"}, True),
        ({"TERM": "xterm", "TINYLLM_PLAIN": "1"}, True),
        ({"TERM": "xterm", "TINYLLM_PLAIN": "0"}, False),
        ({"TERM": "dumb"}, True),
    ],
)
def test_who_asks_for_plain_lines_gets_them(environ, plain):
    assert Screen.of(Terminal(), environ).plain is plain


def test_a_pipe_is_plain_and_80_wide():
    screen = Screen.of(io.StringIO(), {"TERM": "xterm"})
    assert (screen.plain, screen.width) == (True, 80)


def test_columns_are_heeded_and_never_too_few():
    assert Screen.of(io.StringIO(), {"COLUMNS": "133"}).width == 133
    assert Screen.of(io.StringIO(), {"COLUMNS": "1"}).width == 20
    assert Screen.of(io.StringIO(), {"COLUMNS": "wide"}).width == 80


@pytest.mark.parametrize(
    ("encoding", "unicode"), [("utf-8", True), ("ascii", False), ("cp1252", False), ("no-such", False)]
)
def test_what_an_encoding_can_spell(encoding, unicode):
    stream = io.StringIO()
    stream_with = type("Stream", (io.StringIO,), {"encoding": encoding})()
    assert Screen.of(stream_with, {}).unicode is unicode
    assert Screen.of(stream, {}).unicode


def test_stand_ins_for_what_is_missing():
    stream = type("Stream", (io.StringIO,), {"encoding": "ascii"})()
    Screen.of(stream, {}).line("a · b → c é")
    assert stream.getvalue() == "a - b -> c ?\n"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain é 日本 \n\t", "plain é 日本 \n\t"),
        ("\x1b[2J\x07", "\\x1b[2J\\x07"),
        ("a\rb", "a\\rb"),
        ("\u202e", "\\u202e"),
        ("\u3000", "\u3000"),
    ],
)
def test_control_characters_are_made_visible(text, shown):
    assert printable(text) == shown


def test_styles_show_in_a_terminal_only():
    terminal, pipe = Terminal(), io.StringIO()
    Screen.of(terminal, {"TERM": "xterm"}).line("x", style="bold")
    Screen.of(pipe, {}).line("x", style="bold")
    assert "\x1b[1m" in terminal.getvalue()
    assert pipe.getvalue() == "x\n"


def test_paragraphs_are_broken_and_headings_marked():
    pipe = io.StringIO()
    screen = Screen.of(pipe, {"COLUMNS": "30"})
    screen.heading("Title")
    screen.paragraph("word " * 20, indent="  ")
    lines = pipe.getvalue().splitlines()
    assert lines[1] == "== Title"
    assert all(len(line) < 30 and line.startswith("  ") for line in lines[2:])
