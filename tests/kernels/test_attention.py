"""Attention: the reference against three loops, and the tiles against the reference where masks cut through them."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tinyllm import kernels

# B, H, K, T, S, D, causal, window
CASES = [
    (2, 6, 2, 5, 5, 3, True, None),
    (1, 3, 1, 3, 7, 5, True, None),
    (2, 2, 2, 7, 3, 5, True, None),  # the first four queries see nothing
    (1, 2, 1, 5, 7, 3, False, None),
    (1, 4, 2, 7, 7, 3, True, 3),
    (1, 2, 2, 3, 11, 2, True, 1),
]
TILED = [
    (1, 2, 1, 33, 33, 7, True, None),
    (1, 3, 3, 64, 193, 5, True, None),
    (2, 2, 1, 70, 70, 33, True, 9),
    (1, 2, 2, 40, 170, 4, True, 65),
    (1, 2, 1, 100, 37, 6, True, None),  # 63 queries see nothing, among them a whole tile
    (1, 2, 1, 31, 129, 3, False, None),
    (1, 2, 1, 1, 200, 16, True, 150),
    (1, 1, 1, 9, 9, 3, True, 0),  # a window of nothing
]


def draw(rng, B, H, K, T, S, D, dtype=np.float64):
    shapes = (B, H, T, D), (B, K, S, D), (B, K, S, D), (B, H, T, D)
    return [rng.standard_normal(shape).astype(dtype) for shape in shapes]


def three_loops(q, k, v, causal, window, scale):
    """Attention as one would say it: for every query, over every key it may see."""
    (B, H, T, D), (K, S) = q.shape, k.shape[1:3]
    out, lse = np.zeros_like(q), np.full((B, H, T), -np.inf)
    for b, h, i in np.ndindex(B, H, T):
        position, head = i + S - T, h // (H // K)
        seen = [j for j in range(S) if not causal or j <= position]
        if window is not None:
            seen = [j for j in seen if position - window < j <= position]
        if seen:
            weights = [math.exp(scale * sum(q[b, h, i, d] * k[b, head, j, d] for d in range(D))) for j in seen]
            lse[b, h, i] = math.log(sum(weights))
            out[b, h, i] = sum(w * v[b, head, j] for w, j in zip(weights, seen, strict=True)) / sum(weights)
    return out, lse


@pytest.mark.parametrize("case", CASES, ids=str)
@pytest.mark.parametrize("backend", kernels.BACKENDS)
def test_attention_is_three_loops(case, backend, rng):
    *shape, causal, window = case
    q, k, v, _ = draw(rng, *shape)
    with kernels.use(backend):
        out, lse = kernels.attention(q, k, v, causal, window, 0.7)
    expected, expected_lse = three_loops(q, k, v, causal, window, 0.7)
    np.testing.assert_allclose(out, expected, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(lse, expected_lse, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_backward_is_the_derivative_of_three_loops(case, rng):
    *shape, causal, window = case
    q, k, v, dout = draw(rng, *shape)
    out, lse = kernels.attention(q, k, v, causal, window, 0.7)
    for backend in kernels.BACKENDS:
        with kernels.use(backend):
            gradients = kernels.attention_backward(q, k, v, out, lse, dout, causal, window, 0.7)
        for x, dx in zip((q, k, v), gradients, strict=True):
            along = rng.standard_normal(x.shape)
            values = []
            for step in (1e-5, -1e-5):
                moved = [y + step * along if y is x else y for y in (q, k, v)]
                values.append((three_loops(*moved, causal, window, 0.7)[0] * dout).sum())
            assert (dx * along).sum() == pytest.approx((values[0] - values[1]) / 2e-5, rel=1e-7, abs=1e-8)


@pytest.mark.parametrize("case", TILED, ids=str)
def test_tiles_equal_the_reference(case, rng, dtype, close):
    *shape, causal, window = case
    arrays = draw(rng, *shape, dtype=dtype)
    q, k, v, dout = arrays
    with kernels.use("numba"):
        out, lse = kernels.attention(q, k, v, causal, window, 0.5)
        gradients = kernels.attention_backward(q, k, v, out, lse, dout, causal, window, 0.5)
    with kernels.use("numpy"):
        q, k, v, dout = (x.astype(np.float64) for x in arrays)
        expected = kernels.attention(q, k, v, causal, window, 0.5)
        expected_gradients = kernels.attention_backward(q, k, v, *expected, dout, causal, window, 0.5)
    for x, y in zip((out, lse, *gradients), (*expected, *expected_gradients), strict=True):
        close(x, y, dtype, factor=64)


def test_a_blind_query_gets_zero_and_gives_none(rng):
    q, k, v, dout = draw(rng, 1, 2, 1, 40, 5, 3)
    for backend in kernels.BACKENDS:
        with kernels.use(backend):
            out, lse = kernels.attention(q, k, v, True, None, 1.0)
            dq, dk, dv = kernels.attention_backward(q, k, v, out, lse, dout, True, None, 1.0)
        assert (out[:, :, :35] == 0).all() and (lse[:, :, :35] == -np.inf).all() and (dq[:, :, :35] == 0).all()
        assert np.isfinite(lse[:, :, 35:]).all() and np.isfinite(dk).all() and np.isfinite(dv).all()


def test_scores_beyond_the_range_of_exp(rng, dtype):
    q, k, v, dout = draw(rng, 1, 1, 1, 70, 70, 4, dtype=dtype)
    results = []
    for backend in kernels.BACKENDS:
        with kernels.use(backend):
            out, lse = kernels.attention(q, k, v, True, None, 3e3)
            gradients = kernels.attention_backward(q, k, v, out, lse, dout, True, None, 3e3)
        results.append((out, lse, *gradients))
        assert all(np.isfinite(x).all() for x in results[-1])
    np.testing.assert_allclose(results[0][1], results[1][1], rtol=1e-5)


def test_future_keys_do_not_matter(rng):
    q, k, v, _ = draw(rng, 1, 2, 2, 80, 80, 8, dtype=np.float32)
    with kernels.use("numba"):
        out, _ = kernels.attention(q, k, v, True, None, 0.3)
        k[:, :, 50:], v[:, :, 50:] = 1e3, np.nan
        changed, _ = kernels.attention(q, k, v, True, None, 0.3)
    np.testing.assert_array_equal(out[:, :, :32], changed[:, :, :32])  # the whole tiles before position 50
