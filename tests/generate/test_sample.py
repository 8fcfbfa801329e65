"""From logits to a token: temperature, top-k and the draw."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinyllm.errors import NaNError
from tinyllm.generate import apply_temperature, next_token, sample, top_k


def test_temperature_sharpens_and_flattens():
    logits = np.array([0.0, 1.0, 2.0, 4.0])

    def entropy(temperature):
        p = np.exp(apply_temperature(logits, temperature))
        p /= p.sum()
        return -(p * np.log(p)).sum()

    entropies = [entropy(t) for t in (0.1, 0.5, 1.0, 2.0, 10.0)]
    assert entropies == sorted(entropies) and entropies[-1] < math.log(4)


def test_a_tiny_temperature_is_greedy_and_does_not_overflow():
    logits = np.array([3e4, 3.0001e4, 1.0], dtype=np.float32)
    assert {next_token(logits, 1e-320, rng=np.random.default_rng(seed)) for seed in range(20)} == {1}


@given(st.lists(st.integers(-3, 3), min_size=1, max_size=12), st.integers(1, 14))
def test_top_k_keeps_the_k_largest_and_the_first_of_equals(values, k):
    logits = np.array(values, dtype=np.float64)
    kept = np.flatnonzero(np.isfinite(top_k(logits, k)))
    expected = sorted(sorted(range(len(values)), key=lambda i: (-values[i], i))[:k])
    assert kept.tolist() == expected
    assert (top_k(logits, k)[kept] == logits[kept]).all()


def test_top_k_draws_no_other_token():
    logits = np.array([0.0, 1.0, 2.0, 1.5, -1.0])
    rng = np.random.default_rng(0)
    assert {next_token(logits, 5.0, k=2, rng=rng) for _ in range(200)} == {2, 3}


def test_tokens_are_drawn_as_often_as_their_probabilities_say():
    p = np.array([0.5, 0.0, 0.2, 0.3])
    rng = np.random.default_rng(0)
    counts = np.bincount([sample(rng, p) for _ in range(20_000)], minlength=4)
    assert counts[1] == 0
    assert np.abs(counts / 20_000 - p).max() < 4 * math.sqrt(0.25 / 20_000)


def test_the_draw_follows_softmax_of_logits_over_temperature():
    logits = np.array([0.3, -1.0, 1.1])
    p = np.exp(logits / 0.7) / np.exp(logits / 0.7).sum()
    rng = np.random.default_rng(5)
    counts = np.bincount([next_token(logits, 0.7, rng=rng) for _ in range(20_000)], minlength=3)
    assert np.abs(counts / 20_000 - p).max() < 4 * math.sqrt(0.25 / 20_000)


class Highest:
    """A generator that always draws the largest number below one."""

    def random(self):
        return float(np.nextafter(1.0, 0.0))


def test_rounding_never_draws_past_the_last_token():
    assert sample(Highest(), np.array([0.1] * 10)) == 9


def test_a_model_that_diverged_says_so():
    with pytest.raises(NaNError, match="NaN"):
        next_token(np.array([1.0, np.nan]), temperature=0)
