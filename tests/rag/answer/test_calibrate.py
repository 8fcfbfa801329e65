"""The threshold of abstention: the lowest that is precise enough, or the highest that keeps enough."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinyllm.errors import ConfigError, DataError
from tinyllm.rag.answer import calibrate

SURE = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6]
RIGHT = [False, False, True, False, True, True]


def test_by_precision_and_by_what_is_kept():
    made = calibrate(SURE, RIGHT, precision=0.75)
    assert (made.value, made.precision, made.kept, made.answered) == (0.3, 0.75, 1.0, 4 / 6)
    assert calibrate(SURE, RIGHT, precision=0.9).value == 0.5
    assert calibrate(SURE, RIGHT, keep=1.0).value == 0.3
    assert calibrate(SURE, RIGHT, keep=0.6).value == 0.5
    assert calibrate([0.5, 0.5], [True, False], precision=0.5).value == 0.5  # equal ones stand or fall together


@given(st.lists(st.tuples(st.sampled_from([0.0, 0.25, 0.5, 1.0]), st.booleans()), min_size=1), st.floats(0.01, 1))
def test_what_is_promised_is_kept(points, target):
    confidences, right = zip(*points, strict=True)
    if not any(right):
        return
    made = calibrate(confidences, right, keep=target)
    given_ = [good for confidence, good in points if confidence >= made.value]
    assert sum(given_) / sum(right) == made.kept >= target and sum(given_) / len(given_) == made.precision
    try:
        precise = calibrate(confidences, right, precision=target)
    except DataError:
        return
    assert precise.precision >= target


@pytest.mark.parametrize("wrong", [{}, {"precision": 0.5, "keep": 0.5}, {"precision": 0}, {"keep": 1.1}])
def test_settings(wrong):
    with pytest.raises(ConfigError, match="calibrate"):
        calibrate(SURE, RIGHT, **wrong)


def test_data():
    for confidences, right in (([], []), ([0.5], [True, False]), ([0.5], [False])):
        with pytest.raises(DataError, match="calibrate"):
            calibrate(confidences, right, keep=0.5)
    with pytest.raises(DataError, match=r"0\.9.*0\.500"):
        calibrate([0.5, 0.6], [True, False], precision=0.9)
