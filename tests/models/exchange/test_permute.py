"""From rope_half's order of channels to rope_pairs': both kernels run on both orders, and the scores tell."""

from __future__ import annotations

import numpy as np
import pytest

from tinyllm import kernels
from tinyllm.errors import ShapeError
from tinyllm.models.exchange.permute import half_to_pairs, pairs_to_half

H, K, D, C, T = 6, 2, 10, 7, 13


@pytest.fixture(autouse=True)
def on_numpy():
    with kernels.use("numpy"):
        yield


def turned(rope, x, weight, bias, gain, heads):
    """Make heads (1, heads, T, D) of x (T, C), norm each, and turn it."""
    made = (x @ weight.T + bias).reshape(T, heads, D).swapaxes(0, 1)[None]
    made = made / np.sqrt(np.mean(made**2, axis=-1, keepdims=True)) * gain
    return rope(made, *kernels.rope_angles(np.arange(T), D, 10000.0))


def scores(rope, x, q, k):
    queries, keys = turned(rope, x, *q, H), turned(rope, x, *k, K)
    return queries @ np.repeat(keys, H // K, axis=1).swapaxes(-1, -2)  # (1, H, T, T)


def drawn(rng, heads):
    return rng.normal(size=(heads * D, C)), rng.normal(size=heads * D), 1 + rng.normal(size=D)


def test_the_scores_of_both_conventions_are_equal(rng):
    x, q, k = rng.normal(size=(T, C)), drawn(rng, H), drawn(rng, K)
    half = scores(kernels.rope_half, x, q, k)
    both = [
        [half_to_pairs(w, n) for w, n in zip(made, (heads, heads, 1), strict=True)] for made, heads in ((q, H), (k, K))
    ]
    assert np.allclose(scores(kernels.rope_pairs, x, *both), half, rtol=0, atol=1e-12)
    # and each part is needed: one of them left as it was gives other scores
    for side, own in enumerate((q, k)):
        for i in range(3):
            wrong = [list(made) for made in both]
            wrong[side][i] = own[i]
            assert np.abs(scores(kernels.rope_pairs, x, *wrong) - half).max() > 0.1
    assert np.abs(scores(kernels.rope_half, x, *both) - half).max() > 0.1


@pytest.mark.parametrize("shape", [(60,), (60, 7), (60, 1, 3)])
def test_there_and_back(shape, rng):
    w = rng.normal(size=shape)
    for heads in (1, 2, 3, 5, 6, 10, 15, 30):
        there = half_to_pairs(w, heads)
        assert there.shape == shape
        assert np.array_equal(pairs_to_half(there, heads), w)
        assert np.array_equal(half_to_pairs(pairs_to_half(w, heads), heads), w)
        assert np.array_equal(there, w) == (heads == 30)  # a head of two channels has but one order


def test_against_the_formulas(rng):
    W = rng.normal(size=(K * D, C))
    assert np.array_equal(half_to_pairs(W, K), W.reshape(K, 2, D // 2, C).swapaxes(1, 2).reshape(K * D, C))
    assert np.array_equal(pairs_to_half(W, K), W.reshape(K, D // 2, 2, C).swapaxes(1, 2).reshape(K * D, C))


@pytest.mark.parametrize(("rows", "heads"), [(6, 2), (6, 0), (6, 4), (7, 7)])
def test_rows_that_make_no_heads(rows, heads):
    for permute in (half_to_pairs, pairs_to_half):
        with pytest.raises(ShapeError, match=f"{rows} rows do not make {heads} heads"):
            permute(np.zeros((rows, 3)), heads)
