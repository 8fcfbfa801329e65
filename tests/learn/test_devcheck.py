"""dev check: its gates let through what is right, and each stops what it is for."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from tinyllm.errors import LearnError
from tinyllm.learn import devcheck
from tinyllm.learn.checks import gradcheck_slot, holds, oracle, shapes
from tinyllm.learn.exercise import Exercise, Lesson, Mutant
from tinyllm.learn.exercises import lessons
from tinyllm.learn.gates.answers import r1_stub_fails, r2_library_passes, r3_mutants_named
from tinyllm.learn.gates.hints import answer_lines, r5_hints
from tinyllm.learn.gates.subsets import r8_subsets, two_steps

KEY = "return p * (dp - (dp * p).sum(axis, keepdims=True))"
GOOD = Exercise(
    "04.3",
    "tinyllm.autograd.ops.fused:Softmax.backward",
    10,
    [shapes(), gradcheck_slot()],
    [
        Mutant("p * (dp", "-p * (dp", "The sign."),
        Mutant("(dp - (dp * p).sum(axis, keepdims=True))", "dp", "The row."),
        Mutant("(dp * p).sum", "dp.sum", "The weights."),
        Mutant("return p * (", "return (", "The factor."),
    ],
    ("Which scores does p_i depend on?", "Every row is coupled.", "p * (dp - ___)"),
    "Why.",
)


def lesson(**changes):
    return Lesson("04", "next_byte", "Title", "Why?", 10, "", [dataclasses.replace(GOOD, **changes)])


def anything(f, draw):
    return None


def test_what_is_right_passes():
    assert devcheck.run([lesson()], ["R1", "R2", "R3", "R5"]).ok


@pytest.mark.parametrize("record", lessons(), ids=lambda found: found.number)
@pytest.mark.parametrize("name", ["R1", "R2", "R3", "R5"])
def test_every_lesson_passes(record, name):
    assert devcheck.gate(name)(record) == []


def test_r1_stops_a_check_that_a_stub_passes():
    (complaint,) = r1_stub_fails(lesson(checks=[gradcheck_slot(), holds("nothing", anything)]))
    assert "property: nothing" in complaint


def test_r2_stops_a_check_that_the_library_fails():
    wrong = holds("the impossible", lambda f, draw: "no")
    found = r2_library_passes(lesson(checks=[gradcheck_slot(), wrong]))
    assert len(found) == 2 and "the library does not pass (seed 0)" in found[0]


def test_r3_stops_a_mutant_that_survives():
    same = Mutant("(dp * p)", "(p * dp)", "Nothing is wrong here.")
    (complaint,) = r3_mutants_named(lesson(mutants=[*GOOD.mutants, same]))
    assert "survives" in complaint


def test_r3_stops_twins_and_patches_that_do_not_apply():
    twin = Mutant("return p * (dp", "return (-p) * (dp", "The sign, again.")
    lost = Mutant("nowhere", "", "Lost.")
    found = r3_mutants_named(lesson(mutants=[*GOOD.mutants, twin, lost]))
    assert any("is taken for mistake 0" in words for words in found)
    assert any("0 times" in words for words in found)


def test_r3_stops_few_mutants_and_equal_sentences():
    one = GOOD.mutants[0]
    found = r3_mutants_named(lesson(mutants=[one, dataclasses.replace(GOOD.mutants[1], sentence=one.sentence)]))
    assert any("knows 2 mistakes" in words for words in found) and any("have one sentence" in words for words in found)


@pytest.mark.parametrize(
    ("hints", "words"),
    [
        (("Why?", "So.", f"{KEY} ___"), "hint 3 holds the line"),
        (("Why?", "So.", "p * (dp - mean)"), "no blank"),
        (("Because.", "So.", "___"), "asks nothing"),
        (("Why?", "", "___"), "hints, not 3"),
    ],
)
def test_r5_stops_hints_that_tell_too_much_or_nothing(hints, words):
    assert any(words in found for found in r5_hints(lesson(hints=hints)))


def test_r5_wants_an_explanation():
    assert "nothing explains" in r5_hints(lesson(explain=" "))[0]


def test_lines_that_only_take_things_apart_are_no_answer():
    body = "    B, T = x.shape\n    (p,) = ctx.saved\n    for i in range(99):\n        total += p[i] * dp[i]  # why\n"
    assert answer_lines(body) == ["total+=p[i]*dp[i]"]


def test_r8_runs_the_same_with_any_subset():
    assert r8_subsets(lessons()[-1], count=3) == []


def test_r8_stops_what_is_not_the_same():
    state = iter(range(1000))
    assert "another result" in r8_subsets(lessons()[0], lambda: [next(state)], count=1)[0]


def test_two_steps_are_reproducible_and_learn():
    assert two_steps() == two_steps()
    first, second = (np.frombuffer(loss, np.float32)[0] for loss in two_steps()[:2])
    assert second < first


def test_figures_and_report():
    report = devcheck.run([lesson()], ["R3"])
    figures = report.figures
    assert (figures.exercises, figures.mutants, figures.killed, figures.named) == (1, 4, 4, 4)
    assert report.text().startswith("ok    R3") and "4 mistakes: 4 rejected (100 %)" in report.text()
    bad = devcheck.run([lesson(explain="")], ["R5"])
    assert not bad.ok and bad.text().startswith("FAIL  R5") and "lesson 04: 04.3: nothing explains" in bad.text()


def test_an_oracle_alone_would_do_for_r2():
    slot = "tinyllm.kernels.softmax:softmax"
    samples = lambda draw: [draw(*draw.sizes("T V"))]  # noqa: E731
    record = dataclasses.replace(GOOD, slot=slot, checks=[oracle(samples=samples)], mutants=[])
    assert r2_library_passes(Lesson("04", "x", "", "", 1, "", [record])) == []


def test_there_is_no_other_gate():
    with pytest.raises(LearnError, match="R99"):
        devcheck.run([], ["R99"])


@pytest.mark.parametrize("name", devcheck.GATES)
def test_every_gate_is_there(name):
    assert callable(devcheck.gate(name))
