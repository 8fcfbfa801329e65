"""Attention: the reference against three loops, and the tiles against the reference where masks cut through them."""

from __future__ import annotations

import math

import numba
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


@pytest.mark.compiled
def test_future_keys_do_not_matter(rng):
    q, k, v, _ = draw(rng, 1, 2, 2, 80, 80, 8, dtype=np.float32)
    with kernels.use("numba"):
        out, _ = kernels.attention(q, k, v, True, None, 0.3)
        k[:, :, 50:], v[:, :, 50:] = 1e3, np.nan
        changed, _ = kernels.attention(q, k, v, True, None, 0.3)
    np.testing.assert_array_equal(out[:, :, :32], changed[:, :, :32])  # the whole tiles before position 50


# B, H, K, T, S, D, causal, window: bands, parts of heads, and more than one panel of channels
LONG = [
    (1, 2, 1, 300, 300, 16, True, None),
    (1, 3, 3, 290, 290, 40, True, 70),
    (1, 1, 1, 131, 401, 5, False, None),
]


def both_ways(arrays, causal, window, p=0.0, seed=0):
    q, k, v, dout = arrays
    out, lse = kernels.attention(q, k, v, causal, window, 0.3, p, seed)
    return out, lse, *kernels.attention_backward(q, k, v, out, lse, dout, causal, window, 0.3, p, seed)


@pytest.mark.parametrize("p", [0.0, 0.3])
@pytest.mark.parametrize("case", [*CASES, *LONG], ids=str)
def test_bands_and_parts_equal_the_reference_also_with_dropout(case, p, rng, dtype, close):
    *shape, causal, window = case
    arrays = draw(rng, *shape, dtype=dtype)
    with kernels.use("numba"):
        got = both_ways(arrays, causal, window, p, 5)
    with kernels.use("numpy"):
        expected = both_ways([x.astype(np.float64) for x in arrays], causal, window, p, 5)
    for x, y in zip(got, expected, strict=True):
        close(x, y, dtype, factor=128)


def test_dropout_is_that_of_the_whole_array_of_weights(rng):
    """With one-hot values the output is the weights themselves."""
    q, k = rng.standard_normal((2, 3, 5, 4)), rng.standard_normal((2, 3, 9, 4))
    v = np.broadcast_to(np.eye(9), (2, 3, 9, 9))
    q, k = (np.concatenate([x, np.zeros((*x.shape[:3], 5))], axis=-1) for x in (q, k))
    for backend in kernels.BACKENDS:
        with kernels.use(backend):
            plain, lse = kernels.attention(q, k, v, False, None, 0.3)
            dropped, same = kernels.attention(q, k, v, False, None, 0.3, 0.4, 11)
            np.testing.assert_allclose(dropped, kernels.dropout(plain, 0.4, 11), rtol=1e-13)
        np.testing.assert_allclose(lse, same, rtol=1e-13)
        assert 0.2 < (dropped == 0).mean() < 0.6


@pytest.mark.parametrize("case", [CASES[0], TILED[2], LONG[0]], ids=str)
def test_views_and_copies_give_the_same_bits(case, rng, dtype):
    B, H, K, T, _, D, causal, window = case
    together = rng.standard_normal((B, T, H + 2 * K, D)).astype(dtype).transpose(0, 2, 1, 3)
    q, k, v = together[:, :H], together[:, H : H + K], together[:, H + K :]
    dout = rng.standard_normal((B, T, H, D)).astype(dtype).transpose(0, 2, 1, 3)
    for x in (q, k, v, dout):
        x.flags.writeable = False
    with kernels.use("numba"):
        views = both_ways([q, k, v, dout], causal, window, 0.2, 3)
        copies = both_ways([np.ascontiguousarray(x) for x in (q, k, v, dout)], causal, window, 0.2, 3)
    for x, y in zip(views, copies, strict=True):
        np.testing.assert_array_equal(x, y)


@pytest.mark.compiled
def test_results_lie_in_memory_as_the_engine_needs_them(rng):
    B, H, K, T, D = 2, 6, 2, 40, 8
    q, k, v, dout = draw(rng, B, H, K, T, T, D, dtype=np.float32)
    with kernels.use("numba"):
        out, _, dq, dk, dv = both_ways([q, k, v, dout], True, None)
    assert out.transpose(0, 2, 1, 3).flags.c_contiguous
    assert dq.base is dk.base is dv.base and dq.base.shape == (B, T, H + 2 * K, D)
    joined = dq.base.transpose(0, 2, 1, 3)
    np.testing.assert_array_equal(joined, np.concatenate([dq, dk, dv], axis=1))


@pytest.mark.parametrize("case", LONG, ids=str)
def test_one_thread_and_two_give_the_same_bits(case, rng):
    if numba.config.NUMBA_NUM_THREADS < 2:
        pytest.skip("TINYLLM_THREADS=1 leaves nothing to compare")
    *shape, causal, window = case
    arrays, before, results = draw(rng, *shape, dtype=np.float32), numba.get_num_threads(), []
    try:
        with kernels.use("numba"):
            for count in (1, 2):
                numba.set_num_threads(count)
                results.append(both_ways(arrays, causal, window, 0.1, 1))
    finally:
        numba.set_num_threads(before)
    for x, y in zip(*results, strict=True):
        np.testing.assert_array_equal(x, y)


@pytest.mark.compiled
def test_what_lies_outside_of_the_window_is_not_even_read(rng):
    """Whole tiles away from what a query sees: a NaN there, times a weight of zero, would show."""
    q, k, v, dout = draw(rng, 1, 1, 1, 500, 500, 8, dtype=np.float32)
    k[:, :, :120] = v[:, :, :120] = np.nan
    with kernels.use("numba"):
        out, lse = kernels.attention(q, k, v, True, 40, 0.3)
        dq, _, _ = kernels.attention_backward(q, k, v, out, lse, dout, True, 40, 0.3)
    assert np.isfinite(out[:, :, 200:]).all() and np.isfinite(lse[:, :, 200:]).all()
    assert np.isfinite(dq[:, :, 200:]).all()
    assert np.isnan(out[:, :, :120]).all()


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_not_a_number_stays_where_it_is(bad, rng, dtype):
    """A query of NaN spoils its own row; a value, at once the rows that see it, as in the reference."""
    arrays = draw(rng, 1, 1, 1, 70, 70, 4, dtype=dtype)
    arrays[0][0, 0, 20, 0], arrays[2][0, 0, 66, 1] = np.nan, bad
    results = []
    for backend in kernels.BACKENDS:
        with kernels.use(backend), np.errstate(invalid="ignore"):
            results.append(kernels.attention(*arrays[:3], True, None, 0.3))
    (out, lse), (expected, expected_lse) = results[::-1]
    np.testing.assert_array_equal(np.isnan(out[0, 0, :32]).all(axis=1), np.arange(32) == 20)
    np.testing.assert_array_equal(np.isnan(lse), np.isnan(expected_lse))
    np.testing.assert_array_equal(np.isnan(out[:, :, 66:]), np.isnan(expected[:, :, 66:]))
    np.testing.assert_array_equal(np.isinf(out[:, :, 66:]), np.isinf(expected[:, :, 66:]))


@pytest.mark.parametrize(("T", "window"), [(1, None), (1, 30), (5, None), (3, 290)])
@pytest.mark.parametrize("backend", kernels.BACKENDS)
def test_decoding_is_the_last_rows_of_full_attention(backend, T, window, rng, dtype, close):
    B, H, K, S, D = 2, 6, 2, 620, 12
    q, k, v, _ = draw(rng, B, H, K, S, S, D, dtype=dtype)
    lengths = np.array([S - 20, 37])
    with kernels.use(backend):
        for b, n in enumerate(lengths):
            full, _ = kernels.attention(q[b:, :, :n][:1], k[b:, :, :n][:1], v[b:, :, :n][:1], True, window, 0.3)
            last = np.stack([q[c, :, m - T : m] for c, m in enumerate(lengths)])
            out = kernels.attention_decode(last, k, v, lengths, window, 0.3)
            close(out[b], full[0, :, n - T :], dtype)


def test_decoding_gives_the_same_bits_on_views_and_on_any_number_of_threads(rng):
    q, cache, _, _ = draw(rng, 1, 4, 2, 1, 900, 16, dtype=np.float32)
    views = np.concatenate([cache, cache[:, :, ::-1]], axis=1).transpose(0, 2, 1, 3).copy().transpose(0, 2, 1, 3)
    k, v, lengths, before = views[:, :2], views[:, 2:], np.array([850]), numba.get_num_threads()
    try:
        with kernels.use("numba"):
            one = kernels.attention_decode(q, np.ascontiguousarray(k), np.ascontiguousarray(v), lengths, None, 0.3)
            numba.set_num_threads(1)
            two = kernels.attention_decode(q, k, v, lengths, None, 0.3)
    finally:
        numba.set_num_threads(before)
    np.testing.assert_array_equal(one, two)


def test_few_queries_and_a_tile_of_them_agree(rng, dtype, close):
    """Below FEW_QUERIES the door takes the kernel of decoding."""
    for causal, window in ((True, None), (False, None), (True, 3)):
        q, k, v, _ = draw(rng, 2, 4, 2, 9, 70, 8, dtype=dtype)
        with kernels.use("numba"):
            whole = kernels.attention(q, k, v, causal, window, 0.3)
            few = kernels.attention(q[:, :, 6:], k, v, causal, window, 0.3)
        for x, y in zip(whole, few, strict=True):
            close(y, x[:, :, 6:], dtype)


def test_the_core_is_the_kernel_and_its_backward_the_derivative(rng):
    """One group, no window, no dropout: nothing is left of the kernel but attend."""
    q, k, v, dout = draw(rng, 2, 3, 3, 5, 7, 11)
    out, w = kernels.attend(q, k, v, kernels.causal_mask(5, 7), 0.3)
    with kernels.use("numpy"):
        np.testing.assert_array_equal(out, kernels.attention(q, k, v, True, None, 0.3)[0])
    np.testing.assert_allclose(w.sum(axis=-1), 1.0, rtol=1e-14)
    for x, dx in zip((q, k, v), kernels.attend_backward(q, k, v, w, dout, 0.3), strict=True):
        along = rng.standard_normal(x.shape)
        moved = [y + 1e-20j * along if y is x else y for y in (q, k, v)]
        expected = (kernels.attend(*moved, kernels.causal_mask(5, 7), 0.3)[0] * dout).sum().imag / 1e-20
        np.testing.assert_allclose((dx * along).sum(), expected, rtol=1e-12)


@pytest.mark.parametrize("window", [None, 0, 1, 3])
@pytest.mark.parametrize("sizes", [(5, 5), (3, 7), (7, 3)])
def test_visible_keys_are_those_of_the_conventions(sizes, window):
    T, S = sizes
    visible = kernels.visible_keys(T, S, True, window)
    for i, j in np.ndindex(T, S):
        position = i + S - T
        assert visible[i, j] == (j <= position and (window is None or j > position - window))
    assert kernels.visible_keys(T, S, False, None).all()
