"""What is waited for: shown on a terminal, told in a line where lines are plain, and nowhere else."""

from __future__ import annotations

import io
import sys
from contextlib import contextmanager

import pytest

from tinyllm.cli.waiting import busy
from tinyllm.kernels import watch


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self):
        return True


@pytest.fixture
def compiled(monkeypatch):
    """Two kernels are compiled in every block, in less than no time."""

    @contextmanager
    def watched(tell):
        tell("softmax")
        tell("linear")
        yield

    monkeypatch.setattr(watch, "watched", watched)


def test_a_terminal_sees_what_is_done(compiled, monkeypatch):
    monkeypatch.setattr(sys, "stderr", Terminal())
    with busy("thinking"):
        pass
    assert "thinking" in sys.stderr.getvalue() and "compiling" not in sys.stderr.getvalue()
    with busy("thinking", kernels=True):
        pass
    assert "compiling kernels (first run only): 2 functions so far" in sys.stderr.getvalue()


def test_plain_lines_are_for_kernels_only(compiled, monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setattr(sys, "stderr", Terminal())
    with busy("thinking"):
        pass
    assert sys.stderr.getvalue() == ""
    with busy("thinking", kernels=True):
        pass
    assert sys.stderr.getvalue() == "compiling kernels (first run only) ...\n"


def test_how_long_it_took(compiled, monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setattr(sys, "stderr", Terminal())
    times = iter([10.0, 17.2])
    monkeypatch.setattr("time.perf_counter", lambda: next(times))
    with busy("thinking", kernels=True):
        pass
    assert sys.stderr.getvalue().splitlines()[1:] == ["kernels compiled in 7 s; later runs load them"]


def test_a_pipe_is_left_alone(compiled, capsys):
    with busy("thinking", kernels=True):
        pass
    assert capsys.readouterr() == ("", "")
