"""Each choice between logits and a token: exact vectors, and what holds for all logits."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tinyllm.errors import RangeError
from tinyllm.generate import choices
from tinyllm.generate.choices import entropy, logit_bias, min_p, repetition_penalty, top_p, typical
from tinyllm.kernels import softmax

INF = np.inf
ROWS = st.lists(st.floats(-12, 12), min_size=1, max_size=7).map(np.array)
SHARES = st.floats(0.01, 1)


def kept(logits):
    return set(np.flatnonzero(logits > -INF).tolist())


# exact vectors


def test_top_p_keeps_the_token_that_crosses():
    logits = np.log([0.125, 0.5, 0.0625, 0.25, 0.0625])
    for p, tokens in [(0.01, {1}), (0.5, {1}), (0.51, {1, 3}), (0.75, {1, 3}), (0.76, {1, 3, 0})]:
        assert kept(top_p(logits, p)) == tokens, p
    assert kept(top_p(logits, 0.9)) == {1, 3, 0, 2}  # of two equal ones the first
    assert kept(top_p(logits, 1.0)) == {0, 1, 2, 3, 4}


def test_top_p_of_a_large_vocabulary_is_what_sorting_all_of_it_says():
    rng = np.random.default_rng(0)
    peaked, flat, level = rng.normal(0, 5, 5000), rng.normal(0, 0.1, 5000), np.repeat(rng.normal(0, 3, 50), 100)
    for logits in (peaked, flat, level, np.zeros(5000)):
        order = np.argsort(-logits, kind="stable")
        running = np.cumsum(softmax(logits)[order])
        for p in (0.1, 0.9, 0.999, 1 - 1e-12):
            assert kept(top_p(logits, p)) == set(order[: np.searchsorted(running, p) + 1].tolist()), p


def test_top_p_of_one_drops_nothing_however_small():
    logits = np.array([0.0, -800.0, -INF])
    assert top_p(logits, 1.0).tolist() == typical(logits, 1.0).tolist() == logits.tolist()


def test_min_p_measures_by_the_likeliest():
    logits = np.log([0.125, 0.5, 0.25, 0.125])
    for m, tokens in [(0.0, {0, 1, 2, 3}), (0.24, {0, 1, 2, 3}), (0.26, {1, 2}), (0.49, {1, 2}), (0.51, {1}), (1, {1})]:
        assert kept(min_p(logits, m)) == tokens, m


def test_typical_may_drop_the_likeliest():
    p = np.array([0.4, *[0.06] * 10])  # entropy 2.05: the surprises are 0.92 and 2.81
    assert kept(typical(np.log(p), 0.5)) == set(range(1, 10))
    assert kept(typical(np.log(p), 0.61)) == set(range(11))
    skewed = np.array([0.6, 0.3, 0.1])
    assert kept(typical(np.log(skewed), 0.2)) == {1}  # entropy 0.898; 0.511, 1.204, 2.303


def test_typical_puts_what_cannot_be_last():
    assert kept(typical(np.array([0.0, -INF, 0.0]), 0.99)) == {0, 2}


def test_repetition_penalty_pushes_down_whatever_the_sign():
    logits = np.array([3.0, -3.0, 0.0, 3.0, -INF])
    assert repetition_penalty(logits, [0, 1, 1, 1, 2, 4], 1.5).tolist() == [2.0, -4.5, 0.0, 3.0, -INF]
    assert repetition_penalty(logits, [], 1.5).tolist() == logits.tolist()


def test_logit_bias_adds():
    assert logit_bias(np.array([1.0, 2.0, 3.0]), [(2, -1.5), (0, -INF)]).tolist() == [-INF, 2.0, 1.5]


@pytest.mark.parametrize("token", [-1, 3])
def test_ids_that_are_no_tokens_are_refused(token):
    with pytest.raises(RangeError, match=f"repetition_penalty: there is no token {token}.*0 to 2"):
        repetition_penalty(np.zeros(3), [1, token], 2.0)
    with pytest.raises(RangeError, match=f"logit_bias: there is no token {token}"):
        logit_bias(np.zeros(3), [(token, 1.0)])


def test_entropy():
    assert entropy(np.full(8, 1 / 8)) == pytest.approx(np.log(8))
    assert entropy(np.array([0.0, 1.0])) == 0


# what holds for all logits


@given(ROWS, SHARES)
def test_top_p_is_minimal(logits, p):
    """It reaches p, and no smaller set of tokens does."""
    probabilities = softmax(logits)
    assume(np.abs(np.cumsum(np.sort(probabilities)[::-1]) - p).min() > 1e-9)  # else rounding decides
    chosen = kept(top_p(logits, p))
    assert p == 1 or probabilities[list(chosen)].sum() >= p
    fewer = combinations(range(len(logits)), len(chosen) - 1)
    assert p == 1 or all(probabilities[list(some)].sum() < p for some in fewer)


@given(ROWS, SHARES)
def test_typical_is_minimal_in_its_order(logits, mass):
    p = softmax(logits)
    distance = np.abs(-np.log(p) - entropy(p))
    chosen = kept(typical(logits, mass))
    farthest = max(chosen, key=lambda i: (distance[i], i))
    assert all((distance[i], i) > (distance[farthest], farthest) for i in set(range(len(p))) - chosen)
    assert p[list(chosen)].sum() >= mass - 1e-9
    assert mass == 1 or p[list(chosen - {farthest})].sum() < mass + 1e-9


@given(ROWS, SHARES)
def test_min_p_keeps_exactly_the_likely(logits, m):
    p = softmax(logits)
    assume(np.abs(p - m * p.max()).min() > 1e-12)
    assert kept(min_p(logits, m)) == set(np.flatnonzero(p > m * p.max()).tolist())


@given(ROWS, SHARES, st.sampled_from(["top_p", "min_p", "typical"]))
def test_a_cut_changes_nothing_else(logits, share, name):
    """One token is left at least; those that are keep their logits; the argument stays as it was."""
    before = logits.copy()
    cut = getattr(choices, name)(logits, share)
    tokens = sorted(kept(cut))
    assert tokens and cut[tokens].tolist() == logits[tokens].tolist()
    assert cut.dtype == logits.dtype and logits.tolist() == before.tolist()


@given(ROWS, SHARES, st.sampled_from(["top_p", "min_p"]))
def test_the_likeliest_is_kept_and_more_with_a_gentler_share(logits, share, name):
    cut = getattr(choices, name)
    assert int(logits.argmax()) in kept(cut(logits, share))
    assert kept(cut(logits, share / 2)) <= kept(cut(logits, share)) or name == "min_p"
    assert kept(cut(logits, share / 2)) >= kept(cut(logits, share)) or name == "top_p"


@given(ROWS, st.floats(1, 5), st.data())
def test_a_penalty_raises_nothing_and_lowers_only_what_was_said(logits, penalty, data):
    ids = data.draw(st.lists(st.integers(0, len(logits) - 1)))
    after = repetition_penalty(logits, ids, penalty)
    assert (after <= logits).all()
    assert all(after[i] == logits[i] for i in range(len(logits)) if i not in ids)


@given(ROWS, st.floats(0.05, 10), st.floats(1.01, 5))
def test_entropy_grows_with_the_temperature(logits, temperature, factor):
    cold, warm = (entropy(softmax(logits / t)) for t in (temperature, temperature * factor))
    assert cold <= warm + 1e-12
