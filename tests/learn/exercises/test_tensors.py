"""The records of lesson 03: the loops agree with the library, the property sees what it is for."""

from __future__ import annotations

import numpy as np
import pytest

from tinyllm.autograd.unbroadcast import unbroadcast
from tinyllm.learn.checks.draw import Growing
from tinyllm.learn.diagnosis.judge import judge
from tinyllm.learn.exercises import l03_tensors as records
from tinyllm.learn.slots.slot import Slot


def test_the_loops_are_the_library():
    dy = np.random.default_rng(0).normal(size=(2, 3, 5))
    for shape in ((5,), (3, 1), (2, 1, 5), (1, 1), ()):
        assert np.allclose(records.collect_by_loops(dy, shape), unbroadcast(dy, shape), rtol=0, atol=1e-13)


def test_the_transpose_holds_for_a_sum_and_not_for_a_mean():
    assert records.it_is_the_transpose(unbroadcast, Growing(0, 3)) is None
    said = records.it_is_the_transpose(lambda dy, shape: unbroadcast(dy, shape) / 2, Growing(0, 3))
    assert said.startswith("moving x (5,)")


@pytest.mark.parametrize("exercise", records.LESSON.exercises, ids=lambda exercise: exercise.id)
def test_the_library_passes_and_every_usual_mistake_gets_its_own_sentence(exercise):
    slot = Slot.of(exercise.slot)
    assert judge(exercise, slot.make(slot.solution()), slot).passed
    assert len(exercise.mutants) >= 4
    for mutant in exercise.mutants:
        verdict = judge(exercise, slot.make(slot.patched(mutant.old, mutant.new)), slot)
        assert verdict.because == mutant.sentence
