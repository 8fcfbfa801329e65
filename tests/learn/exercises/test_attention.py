"""The records of lesson 10: the loops agree with the library, the properties see what they are for."""

from __future__ import annotations

import numpy as np
import pytest

from tinyllm.kernels import attend, causal_mask
from tinyllm.learn.checks.draw import Growing
from tinyllm.learn.diagnosis.judge import judge
from tinyllm.learn.exercises import attention_trials as trials
from tinyllm.learn.exercises.l10_attention import LESSON
from tinyllm.learn.slots.slot import Slot
from tinyllm.nn.attention import merge_heads, split_heads


def test_the_loops_are_the_library():
    rng = np.random.default_rng(0)
    assert np.array_equal(trials.mask_by_loops(3, 7), causal_mask(3, 7))
    q, k, v = rng.normal(size=(2, 3, 5)), rng.normal(size=(2, 7, 5)), rng.normal(size=(2, 7, 5))
    for got, expected in zip(
        trials.attend_by_loops(q, k, v, causal_mask(3, 7), 0.4), attend(q, k, v, causal_mask(3, 7), 0.4), strict=True
    ):
        assert np.allclose(got, expected, rtol=0, atol=1e-14)
    x = rng.normal(size=(2, 5, 6))
    assert np.array_equal(trials.split_by_loops(x, 3), split_heads(x, 3))
    assert np.array_equal(trials.merge_by_loops(split_heads(x, 3)), merge_heads(split_heads(x, 3)))


def test_the_properties_hold_for_the_library_and_not_for_what_breaks_them():
    draw = Growing(0, 3)
    assert trials.rows_sum_to_one(attend, draw) is None
    assert trials.the_future_is_unseen(attend, draw) is None
    assert trials.row_t_sees(causal_mask, draw) is None
    assert "not to 1" in trials.rows_sum_to_one(lambda *a: (0, attend(*a)[1] * 2), draw)

    def sees_all(q, k, v, visible, scale):
        return attend(q, k, v, np.ones_like(visible), scale)

    assert "reads the future" in trials.the_future_is_unseen(sees_all, draw)
    assert "may see" in trials.row_t_sees(lambda T, S: np.ones((T, S), dtype=bool), Growing(0, 4))
    assert "no Tensor" in trials.stays_a_tensor_split(lambda x, H: split_heads(x.data, H), draw)
    assert "no Tensor" in trials.stays_a_tensor_merged(lambda x: merge_heads(x.data), draw)
    assert trials.stays_a_tensor_split(split_heads, draw) is trials.stays_a_tensor_merged(merge_heads, draw) is None


@pytest.mark.parametrize("exercise", LESSON.exercises, ids=lambda exercise: exercise.id)
def test_the_library_passes_and_every_usual_mistake_gets_its_own_sentence(exercise):
    slot = Slot.of(exercise.slot)
    assert judge(exercise, slot.make(slot.solution()), slot).passed
    assert len(exercise.mutants) >= 4
    for mutant in exercise.mutants:
        verdict = judge(exercise, slot.make(slot.patched(mutant.old, mutant.new)), slot)
        assert verdict.because == mutant.sentence
