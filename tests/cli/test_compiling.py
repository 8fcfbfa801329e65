"""Compiling in plain sight: said when it takes its time, silent when it does not."""

from __future__ import annotations

import io
import re

import pytest

from tinyllm import kernels
from tinyllm.cli import compiling
from tinyllm.cli.screen import Screen


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self):
        return True


def screen(plain):
    return Screen(io.StringIO() if plain else Terminal(), plain=plain, unicode=True, width=80)


@pytest.fixture
def warmed(monkeypatch):
    """Kernels that are ready at once, and a patience of nothing or of an hour."""

    def warm(callback, dtype, names, processes):
        for done in range(1, 9):
            if callback:
                callback(f"kernel{done}", done, 8)

    monkeypatch.setattr(kernels, "warm", warm)
    monkeypatch.setattr(kernels, "backend", lambda: "numba")

    def patience(seconds):
        monkeypatch.setattr(compiling, "_PATIENCE", seconds)

    return patience


@pytest.mark.parametrize("plain", [True, False])
def test_what_is_quick_is_not_talked_about(warmed, plain):
    warmed(3600.0)
    where = screen(plain)
    assert compiling.compile_kernels(where) < 60
    assert where.stream.getvalue() == ""


def test_lines_at_the_beginning_at_each_quarter_and_at_the_end(warmed):
    warmed(-1.0)
    where = screen(plain=True)
    compiling.compile_kernels(where)
    lines = where.stream.getvalue().splitlines()
    assert [line.partition(": ")[2] for line in lines[:-1]] == [f"{n} of 8, kernel{n}" for n in (1, 4, 6, 8)]
    assert lines[-1].startswith("compiled in ")


def test_a_bar_that_gives_way_to_a_line(warmed):
    warmed(-1.0)
    where = screen(plain=False)
    compiling.compile_kernels(where)
    shown = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", where.stream.getvalue())
    assert "compiling kernels (first run only)" in shown
    assert shown.rstrip().splitlines()[-1].startswith("kernels compiled in ")


def test_silence_where_it_is_asked_for_and_nothing_to_do_without_numba(warmed, monkeypatch):
    warmed(-1.0)
    where = screen(plain=True)
    compiling.compile_kernels(where, silent=True)
    monkeypatch.setattr(kernels, "backend", lambda: "numpy")
    assert compiling.compile_kernels(where) == 0.0
    assert where.stream.getvalue() == ""
