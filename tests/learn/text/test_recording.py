"""A run of a lesson in a fresh process: what it shows belongs to the cell that showed it."""

from __future__ import annotations

import textwrap

import pytest

from tinyllm.errors import LearnError
from tinyllm.learn.text.recording import record, run, tidy


@pytest.fixture
def lesson(tmp_path):
    def write(source):
        path = tmp_path / "99_test.py"
        path.write_text(textwrap.dedent(source), encoding="utf-8")
        return path

    return write


def test_events_are_in_order_and_know_their_lines(lesson):
    path = lesson("""\
        from tinyllm.learn import claim, predict, quick, say

        def shout(x):
            say(x)

        print("a", 1)
        shout("b")
        for i in range(2):
            print(i)
        claim("c", 3, near=3)
        predict("Which?", ["d", "e"], answer=0, because="f")
        say(str(quick()))
        """)
    found = record(path, quick=True)
    assert found.error == "" and found.seconds > 0
    assert [(event.line, event.kind) for event in found.events] == [
        (6, "print"), (7, "say"), (9, "print"), (10, "claim"), (11, "predict"), (12, "say"),
    ]  # fmt: skip
    assert [found.events[i].data for i in (0, 1, 2, 5)] == ["a 1\n", "b", "0\n1\n", "True"]
    assert [event.data for event in found.within(6, 7)] == ["a 1\n", "b"]


def test_a_picture_is_the_same_bytes_on_every_run_and_points_nowhere(lesson):
    path = lesson("""\
        from tinyllm import viz
        from tinyllm.learn import fig
        fig(viz.draw_loss(viz.LossCurve([0, 1], [2.0, 1.0])))
        """)
    first, second = record(path), record(path)
    assert first.events == second.events
    svg = first.events[0].data["svg"]
    assert svg.startswith("<svg") and "DOCTYPE" not in svg


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("x = 1\nx / 0\n", "99_test.py, line 2: ZeroDivisionError"),
        ("from tinyllm.learn import claim\nclaim('x', 1, above=2)\n", "line 2: ClaimError"),
        ("import sys\nsys.exit(3)\n", "line 2: SystemExit: 3"),
        ("def (\n", "SyntaxError"),
        ("import socket\nsocket.create_connection(('127.0.0.1', 9))\n", "tried to reach the network"),
    ],
)
def test_a_lesson_that_stops_says_where(lesson, source, message):
    assert message in record(lesson(source)).error


def test_a_process_that_dies_or_hangs_is_an_error_of_its_own(lesson):
    with pytest.raises(LearnError, match="without a word"):
        record(lesson("import os\nos._exit(4)\n"))
    with pytest.raises(LearnError, match="not done after"):
        record(lesson("while True: pass\n"), limit=2.0)


def test_the_learners_settings_do_not_reach_it(lesson, monkeypatch):
    monkeypatch.setenv("TINYLLM_MINE", "all")
    monkeypatch.setenv("TINYLLM_QUICK", "1")
    path = lesson("import os\nprint(sorted(name for name in os.environ if name.startswith('TINYLLM')), os.listdir())\n")
    assert record(path).events[0].data == "[] []\n"
    assert record(path, quick=True, numba=False).events[0].data == "['TINYLLM_KERNELS', 'TINYLLM_QUICK'] []\n"


def test_in_this_process_it_is_the_same_run(lesson):
    path = lesson("from tinyllm.learn import say\nsay('x')\n")
    assert run(path).events == record(path).events


def test_tidy_keeps_the_picture():
    assert tidy("<?xml?>\n<!DOCTYPE x>\n<svg> \n\n<g/>\n</svg>\n") == "<svg>\n<g/>\n</svg>\n"
