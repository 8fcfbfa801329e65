"""``tinyllm learn``: every command right and wrong, with its exit code; the learner's file only as promised."""

from __future__ import annotations

import json
import os

import pytest

from tinyllm.learn.exercises import exercise, exercises, lessons
from tinyllm.learn.slots.slot import Slot

ID = "04.2"
RIGHT = """import numpy as np


def softmax(x, axis=-1):
    e = np.exp(x - x.max(axis, keepdims=True))
    return e / e.sum(axis, keepdims=True)
"""
WRONG = RIGHT.replace(" - x.max(axis, keepdims=True)", "")


@pytest.fixture
def file(tmp_path):
    """The learner's file of lesson 04, with a right softmax and stubs."""
    path = tmp_path / "my" / "l04_next_byte.py"
    path.parent.mkdir()
    path.write_text(RIGHT)
    return path


def test_start_makes_a_file_and_never_overwrites_it(tinyllm, tmp_path):
    done = tinyllm("learn", "start", "04")
    assert (done.code, done.err) == (0, "")
    path = tmp_path / "my" / "l04_next_byte.py"
    assert "made: " in done.out and "next: " in done.out
    assert 'raise NotImplementedError("04.2")' in path.read_text()
    path.write_text(RIGHT)
    done = tinyllm("learn", "start", "4")
    assert done.code == 0 and "your file: " in done.out
    assert path.read_text().startswith(RIGHT)
    assert 'raise NotImplementedError("04.1")' in path.read_text()  # what was missing


def test_start_without_a_lesson_takes_the_next_open_one(tinyllm, tmp_path):
    assert tinyllm("learn", "start").code == 0
    assert (tmp_path / "my" / lessons()[0].file).exists()


def test_check_says_what_is_wrong_and_what_is_right(tinyllm, file):
    done = tinyllm("learn", "check", ID)
    assert (done.code, done.err) == (0, "")
    assert "04.2 softmax   my/l04_next_byte.py:4" in done.out
    file.write_text(WRONG)
    done = tinyllm("learn", "check", ID)
    assert done.code == 1 and "FAIL" in done.out
    assert "next: tinyllm learn hint 04.2" in done.out
    assert file.read_text() == WRONG


def test_check_of_a_lesson_and_of_all_as_json(tinyllm, file):
    done = tinyllm("learn", "check", "4", "--json")
    assert done.code == 1
    found = {row["exercise"]: row for row in map(json.loads, done.out.splitlines())}
    assert list(found) == [each.id for each in exercises() if each.id.startswith("04")]
    assert found[ID]["state"] == "passed" and found["04.1"]["state"] == "failed"
    assert "has no function logsumexp" in found["04.1"]["lines"][0]["because"][0]
    done = tinyllm("learn", "check", "all")
    assert f"1 of {len(found)} have passed" in done.out


def test_check_all_before_anything_is_begun(tinyllm):
    done = tinyllm("learn", "check", "all")
    assert (done.code, done.err) == (1, "tinyllm: E-LEARN no lesson has been begun here. Try: tinyllm learn start\n")


def test_without_a_terminal_learn_checks_once(tinyllm, file):
    done = tinyllm("learn", "softmax")
    assert done.code == 0 and "04.2 softmax" in done.out
    assert tinyllm("learn", "04.1").code == 1


def test_hints_say_more_each_time(tinyllm, file):
    one = exercise(ID)
    for level in (1, 2, 3, 3):
        out = tinyllm("learn", "hint", ID).out
        assert f"04.2, hint {level} of 3" in out
        assert one.hints[level - 1].split()[0] in out
    assert "hint 1 of 3" in tinyllm("learn", "hint", ID, "-1").out
    assert "more: tinyllm learn hint 04.2 -3" in tinyllm("learn", "hint", ID, "-2").out


def test_the_explanation_comes_after_passing(tinyllm, file):
    done = tinyllm("learn", "explain", ID)
    assert done.code == 1 and "--give-up" in done.err
    tinyllm("learn", "check", ID)
    done = tinyllm("learn", "explain", ID)
    assert done.code == 0
    assert exercise(ID).explain.split()[0] in done.out


def test_error_codes_are_explained(tinyllm):
    assert "do not fit the operation" in tinyllm("learn", "explain", "E-SHAPE-03").out
    done = tinyllm("learn", "explain", "e-shap")
    assert done.code == 1 and "Try: E-SHAPE" in done.err


def test_the_solution_is_shown_after_passing_or_to_who_gives_up(tinyllm, file):
    done = tinyllm("learn", "solution", ID)
    assert done.code == 1 and "--give-up" in done.err
    done = tinyllm("learn", "solution", ID, "--give-up")
    assert done.code == 0 and "the library's" in done.out and "your softmax" not in done.out
    tinyllm("learn", "check", ID)
    done = tinyllm("learn", "solution", ID)
    assert "e = np.exp(x - x.max(axis, keepdims=True))" in done.out  # theirs
    for line in Slot.of(exercise(ID).slot).solution().splitlines():
        assert line in done.out
    assert file.read_text() == RIGHT


def test_reset_asks_and_undo_brings_back(tinyllm, file):
    done = tinyllm("learn", "reset", ID)
    assert done.code == 1 and "Try: --yes" in done.err
    assert file.read_text() == RIGHT
    assert tinyllm("learn", "reset", ID, "--yes").code == 0
    assert 'raise NotImplementedError("04.2")' in file.read_text()
    assert tinyllm("learn", "undo", "04").code == 0
    assert file.read_text() == RIGHT
    assert tinyllm("learn", "undo", "04").code == 0
    assert 'raise NotImplementedError("04.2")' in file.read_text()


@pytest.mark.parametrize(("answer", "code"), [("y", 0), ("n", 1), ("", 1)])
def test_reset_in_a_terminal(tinyllm, file, monkeypatch, answer, code):
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("builtins.input", lambda _: answer)
    assert tinyllm("learn", "reset", ID).code == code
    assert (file.read_text() == RIGHT) == bool(code)


def test_nothing_to_undo(tinyllm):
    done = tinyllm("learn", "undo", "04")
    assert done.code == 1 and "no earlier version" in done.err


def test_list_and_status(tinyllm, file):
    tinyllm("learn", "check", ID)
    out = tinyllm("learn", "list").out
    for one in lessons():
        assert f"{one.number} {one.title}" in out
    assert "   ok 04.2  softmax" in out and "   .. 04.1  logsumexp" in out
    assert "softmax" not in tinyllm("learn", "list", "10").out.split("10.1")[0]
    out = tinyllm("learn", "status").out
    assert f"1 of {len(exercises())} exercises have passed" in out
    facts = json.loads(tinyllm("learn", "status", "--json").out)
    assert facts["passed"] == 1 and facts["lessons"]["04"][ID] == "passed" and facts["next"] == "04.1"


def test_an_edit_takes_the_mark_away_and_a_comment_does_not(tinyllm, file):
    tinyllm("learn", "check", ID)
    file.write_text(RIGHT + "# a comment\n")
    assert json.loads(tinyllm("learn", "status", "--json").out)["passed"] == 1
    file.write_text(WRONG)
    assert json.loads(tinyllm("learn", "status", "--json").out)["passed"] == 0


def test_export_progress(tinyllm, file):
    tinyllm("learn", "hint", ID)
    facts = json.loads(tinyllm("learn", "export-progress").out)
    (mine,) = [row for row in facts["exercises"] if row["exercise"] == ID]
    assert mine["hints"] == 1 and mine["function"] == "softmax" and "def softmax" in mine["source"]
    assert len(facts["exercises"]) == len(exercises())


def test_plot_draws_what_differs(tinyllm, file, tmp_path):
    done = tinyllm("learn", "plot", ID)
    assert done.code == 0 and "it has passed" in done.out
    file.write_text(RIGHT.replace("return e /", "return 2 * e /"))
    done = tinyllm("learn", "plot", ID)
    assert done.code == 0
    assert (tmp_path / "my" / "pictures" / "04.2.png").read_bytes().startswith(b"\x89PNG")
    assert tinyllm("learn", "plot", ID, "--out", "wrong.svg").code == 0
    assert (tmp_path / "wrong.svg").exists()


def test_paths_and_words(tinyllm):
    assert "express" in tinyllm("learn", "path").out
    out = tinyllm("learn", "path", "express").out
    assert "04 Predict the next byte   0/5" in out and "not written yet" in out
    assert "Try: express" in tinyllm("learn", "path", "expres").err
    done = tinyllm("learn", "what", "logits")
    assert done.code == 0 and "lesson 04" in done.out
    assert "logits" in tinyllm("learn", "what").out
    assert tinyllm("learn", "what", "xyzzy").code == 1


def test_doctor(tinyllm, file):
    done = tinyllm("learn", "doctor")
    assert done.code == 0
    assert "OK   a process to check in" in done.out or "NOTE the first verdict" in done.out
    file.write_text("def softmax(:\n")
    assert "NOTE l04_next_byte.py:1: " in tinyllm("learn", "doctor").out


def test_run_and_show_of_lessons_that_are_not_there(tinyllm):
    assert "there is no lesson 77" in tinyllm("learn", "run", "77").err
    assert "there is no lesson 77" in tinyllm("learn", "show", "77").err
    assert "--html" in tinyllm("learn", "show", "04", "--out", "x.html").err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["chek"], "Try: tinyllm learn check"),
        (["softmx"], "Try: softmax"),
        (["77"], "there is no lesson 77"),
        (["04.9"], "there is no exercise '04.9'"),
        (["check", "04.9"], "there is no exercise '04.9'"),
        (["check", "nonsense"], "Try: tinyllm learn list"),
        (["list", "77"], "there is no lesson 77"),
        (["start", "77"], "there is no lesson 77"),
        (["hint", "77"], "there is no lesson 77"),
    ],
)
def test_what_is_not_there_is_said_in_one_line(tinyllm, words, told):
    done = tinyllm("learn", *words)
    assert done.code == 1 and told in done.err
    assert done.err.count("\n") == 1


def test_the_folder_may_be_elsewhere(tinyllm, tmp_path, monkeypatch):
    monkeypatch.setenv("TINYLLM_MY", str(tmp_path / "deep" / "work"))
    assert tinyllm("learn", "start", "04").code == 0
    assert (tmp_path / "deep" / "work" / "l04_next_byte.py").exists()
    assert not os.path.exists("my")


def test_the_help_lists_the_commands(tinyllm):
    out = tinyllm("learn", "--help").out
    for word in ("learn start", "learn check", "learn undo", "learn export-progress"):
        assert f"  {word} " in out


def test_dev_check_runs_the_gates_that_are_asked_for(tinyllm):
    done = tinyllm("learn", "dev", "check", "00", "--gates", "r1,R2")
    assert (done.code, done.err) == (0, "")
    assert [line.split()[:2] for line in done.out.splitlines()] == [["ok", "R1"], ["ok", "R2"]]
    assert "there is no gate 'R77'" in tinyllm("learn", "dev", "check", "00", "--gates", "R77").err
    assert tinyllm("learn", "dev", "chek").code == 2


def test_bundle_joins_what_has_passed(tinyllm, file):
    assert tinyllm("learn", "check", ID).code == 0
    done = tinyllm("learn", "bundle")
    assert (done.code, done.err) == (0, "")
    assert "1 of its 20 functions are yours" in done.out
    made = file.parent / "tiny_llm.py"
    assert "Mine: 04.2." in made.read_text() and "import tinyllm" not in made.read_text()
    made.write_text("precious = 1\n")
    done = tinyllm("learn", "bundle")
    assert done.code == 1 and "no bundle as it was made" in done.err
    assert made.read_text() == "precious = 1\n"
    assert tinyllm("learn", "bundle", "--library", "--out", str(file.parent / "b.py")).code == 0


def test_the_learner_s_own_gradient_check_judges_too(tinyllm, file):
    done = tinyllm("learn", "check", ID, "--judge", "mine")
    assert done.code == 1 and "your own gradient check, 01.4, has not passed" in done.out
    (file.parent / "l01_slopes.py").write_text("import numpy as np\n\n\n" + Slot.of(exercise("01.4").slot).solution())
    slot = Slot.of(exercise("04.3").slot)
    file.write_text("import numpy as np\n\n\n" + slot.solution())
    assert tinyllm("learn", "check", "01.4").code == 0
    done = tinyllm("learn", "check", "04.3", "--judge", "mine")
    assert done.code == 0 and "your own compare" in done.out and "agrees: " in done.out
