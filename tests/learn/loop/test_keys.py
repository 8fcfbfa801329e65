"""Keys: one by one from a terminal, lines from anywhere else, and an end that is seen."""

from __future__ import annotations

import io
import os
import sys
import time

import pytest

from tinyllm.learn.loop.keys import END, Lines, SingleKeys, keys

posix = pytest.mark.skipif(os.name != "posix", reason="a POSIX terminal")


def all_of(pressed):
    found = []
    until = time.monotonic() + 10
    while time.monotonic() < until and END not in found:
        if (key := pressed.get(0.05)) is not None:
            found.append(key)
    return found


def test_lines_are_words_and_the_end_is_told():
    with Lines(io.StringIO("hint\n 2 \n\nq")) as pressed:
        assert all_of(pressed) == ["hint", "2", "", "q", END]


def test_nothing_pressed_is_none(monkeypatch):
    read, write = os.pipe()
    with open(read, encoding="utf-8") as stream, os.fdopen(write, "w") as keyboard, Lines(stream) as pressed:
        assert pressed.get(0.01) is None
        assert pressed.get(0.0) is None
        keyboard.write("x\n")
        keyboard.flush()
        assert pressed.get(10.0) == "x"


def test_where_there_is_no_terminal_lines_are_read(monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    assert isinstance(keys(plain=False), Lines)


@posix
def test_single_keys_in_a_pseudo_terminal(monkeypatch):
    import pty
    import termios

    ours, theirs = pty.openpty()
    with open(theirs, encoding="utf-8") as stream:
        monkeypatch.setattr(sys, "stdin", stream)
        before = termios.tcgetattr(theirs)
        with SingleKeys() as pressed:
            os.write(ours, b"h\xc3\xa9n")
            assert [pressed.get(5.0), pressed.get(5.0), pressed.get(5.0)] == ["h", "é", "n"]
            os.write(ours, b"\x1b[A")  # an arrow
            assert pressed.get(5.0) is None
            assert pressed.get(0.0) is None
            assert not termios.tcgetattr(theirs)[3] & termios.ICANON
        assert termios.tcgetattr(theirs) == before
        os.close(ours)


@posix
def test_a_terminal_that_is_closed_ends_the_keys(monkeypatch):
    import pty

    ours, theirs = pty.openpty()
    with open(theirs, encoding="utf-8") as stream:
        monkeypatch.setattr(sys, "stdin", stream)
        with SingleKeys() as pressed:
            os.close(ours)
            assert pressed.get(5.0) == END
