"""Sampling settings: what they refuse, and that choices come in their order."""

from __future__ import annotations

import dataclasses
import math
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinyllm.errors import ConfigError, NaNError, RangeError
from tinyllm.generate import apply_temperature, choices, next_token, top_k
from tinyllm.generate.choices import entropy
from tinyllm.generate.setting import Sampling
from tinyllm.kernels import softmax

ROWS = st.lists(st.floats(-20, 20), min_size=1, max_size=9).map(np.array)
IMPOSSIBLE = [
    {"temperature": -0.1},
    {"temperature": math.inf},
    {"temperature": math.nan},
    {"temperature": None},
    {"temperature": "1"},
    {"temperature": True},
    {"top_k": 0},
    {"top_k": -3},
    {"top_k": 2.5},
    {"top_k": True},
    {"top_p": 0},
    {"top_p": 1.01},
    {"top_p": math.nan},
    {"top_p": "0.9"},
    {"min_p": -0.01},
    {"min_p": 1.01},
    {"typical_p": 0.0},
    {"typical_p": 2},
    {"repetition_penalty": 0},
    {"repetition_penalty": -1.0},
    {"repetition_penalty": math.inf},
    {"repetition_penalty": None},
    {"logit_bias": {-1: 0.0}},
    {"logit_bias": {"a": 0.0}},
    {"logit_bias": {1.0: 0.0}},
    {"logit_bias": {1: math.inf}},
    {"logit_bias": {1: math.nan}},
    {"logit_bias": {1: "x"}},
    {"logit_bias": [1, 2]},
    {"logit_bias": None},
    {"logit_bias": [(1, 0.5), (1, 0.5)]},
]


@pytest.mark.parametrize("setting", IMPOSSIBLE, ids=str)
def test_impossible_settings_are_refused_in_one_line(setting):
    (name,) = setting
    with pytest.raises(ConfigError, match=name) as refused:
        Sampling(**setting)
    assert "\n" not in str(refused.value) and "Try: " in str(refused.value)


def test_the_bounds_themselves_are_possible():
    for setting in [{"temperature": 0}, {"top_k": 1}, {"top_p": 1}, {"min_p": 0}, {"min_p": 1}, {"typical_p": 1.0}]:
        assert Sampling(**setting).choose(np.array([0.0, 3.0, 1.0]), rng=np.random.default_rng(0)) in range(3)
    assert Sampling(top_k=np.int64(2), temperature=np.float32(0.5), top_p=np.float64(0.5)).top_k == 2


def test_a_setting_is_a_value():
    one = Sampling(top_p=0.9, logit_bias={7: 1, 3: -math.inf})
    assert one == Sampling(top_p=0.9, logit_bias=[(3, -math.inf), (7, 1.0)]) != Sampling(top_p=0.9)
    assert hash(one) == hash(dataclasses.replace(one)) and pickle.loads(pickle.dumps(one)) == one
    assert Sampling(**dataclasses.asdict(one)) == one
    with pytest.raises(dataclasses.FrozenInstanceError):
        one.top_p = 0.5


def test_choices_come_in_their_order():
    logits, ids = np.random.default_rng(0).normal(0, 3, 23).astype(np.float32), [1, 5, 5, 8]
    setting = Sampling(
        temperature=1.7,
        top_k=15,
        top_p=0.95,
        min_p=0.02,
        typical_p=0.9,
        repetition_penalty=1.3,
        logit_bias={5: 4.0, 0: -math.inf},
    )
    wide = choices.logit_bias(logits.astype(np.float64), setting.logit_bias)
    wide = apply_temperature(choices.repetition_penalty(wide, ids, 1.3), 1.7)
    wide = choices.typical(choices.min_p(choices.top_p(top_k(wide, 15), 0.95), 0.02), 0.9)
    p = setting.probabilities(logits, ids)
    np.testing.assert_allclose(p, softmax(wide), atol=1e-14)
    assert p.dtype == np.float64 and 1 < (p > 0).sum() < 15 and p[0] == 0


@given(ROWS, st.sampled_from([0.0, 0.3, 1.0, 2.5]), st.sampled_from([None, 1, 3]), st.integers(0, 2**32))
def test_temperature_and_top_k_draw_as_next_token_does(logits, temperature, k, seed):
    one, two = np.random.default_rng(seed), np.random.default_rng(seed)
    chosen = Sampling(temperature=temperature, top_k=k).choose(logits, rng=one)
    assert chosen == next_token(logits, temperature, k, two)
    assert one.random() == two.random()  # and no more random numbers were used


@given(ROWS)
def test_a_temperature_near_zero_is_the_likeliest_token(logits):
    best = int(logits.argmax())
    rivals = np.delete(logits, best)
    greedy = Sampling(temperature=0).probabilities(logits)
    assert greedy[best] == 1 and greedy.sum() == 1
    if len(rivals) == 0 or logits[best] - rivals.max() > 1e-3:
        np.testing.assert_allclose(Sampling(temperature=1e-6).probabilities(logits), greedy, atol=1e-12)
        assert Sampling(temperature=1e-320).probabilities(logits).tolist() == greedy.tolist()


@given(ROWS, st.floats(0.05, 5), st.floats(1.01, 4))
def test_entropy_grows_with_the_temperature(logits, temperature, factor):
    cold, warm = (entropy(Sampling(temperature=t).probabilities(logits)) for t in (temperature, temperature * factor))
    assert cold <= warm + 1e-12


def test_draws_follow_the_probabilities():
    logits, setting, rng = (
        np.array([0.0, 1.0, 2.0, -4.0]),
        Sampling(top_p=0.97, temperature=1.5),
        np.random.default_rng(5),
    )
    p = setting.probabilities(logits)
    counts = np.bincount([setting.choose(logits, rng=rng) for _ in range(6000)], minlength=4)
    there = p > 0
    assert there.sum() == 3 and counts[~there].sum() == 0
    chi = ((counts - 6000 * p)[there] ** 2 / (6000 * p)[there]).sum()
    assert chi < 13.8  # two degrees of freedom, 1 in 1,000


def test_greedy_obeys_bias_and_penalty():
    logits = np.array([3.0, 2.0, 1.0])
    assert Sampling(temperature=0, logit_bias={0: -math.inf}).choose(logits) == 1
    assert Sampling(temperature=0, repetition_penalty=4.0).choose(logits, [0, 1]) == 2
    assert Sampling(temperature=0, top_k=1, top_p=0.1).choose(logits, [0]) == 0


def test_what_cannot_be_drawn_from_is_refused():
    with pytest.raises(ConfigError, match="random generator"):
        Sampling().choose(np.zeros(3))
    for temperature in (0.0, 1.0):
        setting, rng = Sampling(temperature=temperature), np.random.default_rng(0)
        with pytest.raises(NaNError, match="NaN"):
            setting.choose(np.array([0.0, math.nan]), rng=rng)
        with pytest.raises(NaNError, match="highest logit is -inf"):
            dataclasses.replace(setting, logit_bias={0: -math.inf, 1: -math.inf}).choose(np.zeros(2), rng=rng)
        with pytest.raises(NaNError, match="highest logit is inf"):
            setting.choose(np.array([0.0, math.inf]), rng=rng)
    with pytest.raises(RangeError, match="there is no token 9"):
        Sampling(logit_bias={9: 1.0}).choose(np.zeros(3), rng=rng)
