"""The learner's own gradient check beside the library's: both say the same of right and wrong."""

from __future__ import annotations

import pytest

from tinyllm.autograd.compare import compare
from tinyllm.learn.checks.gradients import Gradients
from tinyllm.learn.checks.second import second_opinion
from tinyllm.learn.diagnosis.judge import judge
from tinyllm.learn.diagnosis.mutants import made
from tinyllm.learn.exercises import exercise, exercises
from tinyllm.learn.slots.slot import Slot

ON_KINKS = {"03.3": 2}  # mistakes that show only where several entries are largest: nothing can be stepped along there
BACK = [one for one in exercises() if any(isinstance(check, Gradients) for check in one.checks)]


@pytest.mark.parametrize("one", BACK, ids=lambda one: one.id)
def test_it_agrees_on_what_is_right(one):
    line = second_opinion(compare, Slot.of(one.slot).function, one, right=True)
    assert line is not None and line.mark == "ok" and line.text.startswith("agrees: ")


@pytest.mark.parametrize("one", [one for one in BACK if one.id != "03.4"], ids=lambda one: one.id)
def test_it_sees_usual_mistakes_in_gradients(one):
    slot = Slot.of(one.slot)
    seen = []  # those of 03.4 have the wrong shape
    for mutant in one.mutants:
        function = made(slot, mutant)
        failed = next(line for line in judge(one, function, slot, use_mutants=False).lines if line.mark == "FAIL")
        if "rel err" in failed.text:
            line = second_opinion(compare, function, one, right=False)
            seen.append(line is not None and line.mark == "ok" and "is off by" in line.text)
    assert any(seen) and seen.count(False) == ON_KINKS.get(one.id, 0)


def test_it_says_when_it_does_not_agree():
    one = exercise("10.3")
    right = Slot.of(one.slot).function

    def strict(*args):
        return False, 0.5, None, None

    def lenient(*args):
        return True, 0.0, None, None

    assert second_opinion(strict, right, one, right=True).mark == "--"
    assert "off by 0.5, and it is right" in second_opinion(strict, right, one, right=True).text
    assert second_opinion(lenient, right, one, right=False).text.startswith("sees nothing")
    stops = second_opinion(lambda *args: 1 / 0, right, one, right=True)
    assert stops.mark == "--" and "ZeroDivisionError" in stops.text


def test_an_exercise_without_gradients_has_no_second_opinion():
    assert second_opinion(compare, Slot.of(exercise("00.1").slot).function, exercise("00.1"), right=True) is None
