"""Softmax and cross-entropy where it gets hard: -inf, huge scores, ignored rows, wrong targets."""

from __future__ import annotations

import numpy as np
import pytest

from tinyllm import kernels
from tinyllm.errors import RangeError

BACKENDS = pytest.mark.parametrize("backend", kernels.BACKENDS)


@BACKENDS
def test_masked_scores_are_exactly_zero(backend, dtype):
    x = np.array([[0, -np.inf, 1e4, -1e4], [-np.inf, -np.inf, -1e4, -np.inf], [-88, -87, -104, 0]], dtype)
    with kernels.use(backend):
        p, logp, lse = kernels.softmax(x), kernels.log_softmax(x), kernels.logsumexp(x)
    np.testing.assert_array_equal(p[:2], [[0, 0, 1, 0], [0, 0, 1, 0]])
    np.testing.assert_allclose(p.sum(-1), 1, rtol=1e-6)
    np.testing.assert_array_equal(logp[:2], [[-1e4, -np.inf, 0, -2e4], [-np.inf, -np.inf, 0, -np.inf]])
    np.testing.assert_array_equal(lse[:2], [1e4, -1e4])


@BACKENDS
def test_shifting_a_row_leaves_p_unchanged(backend, dtype, rng):
    x = rng.integers(-9, 9, (5, 33)).astype(dtype)  # whole numbers: the shift itself is exact
    with kernels.use(backend):
        np.testing.assert_array_equal(kernels.softmax(x + 1024), kernels.softmax(x))


@BACKENDS
@pytest.mark.parametrize("V", [1, 31, 32, 65])
def test_the_highest_score_is_found_wherever_it_is(backend, V, dtype):
    x = np.zeros((V, V), dtype)
    np.fill_diagonal(x, 1e4)
    with kernels.use(backend):
        np.testing.assert_array_equal(kernels.softmax(x), np.eye(V))
        np.testing.assert_array_equal(kernels.logsumexp(x), 1e4)


@BACKENDS
def test_nan_stays_nan(backend, dtype):
    x = np.zeros((2, 40), dtype)
    x[1, 3] = np.nan
    with kernels.use(backend):
        p, lse = kernels.softmax(x), kernels.logsumexp(x)
    assert np.isfinite(p[0]).all() and np.isnan(p[1]).all()
    assert np.isfinite(lse[0]) and np.isnan(lse[1])


def test_rows_without_entries():
    assert kernels.softmax(np.zeros((3, 0))).shape == (3, 0)


@BACKENDS
def test_cross_entropy_of_huge_logits_is_finite(backend, dtype):
    logits = np.array([[1e4, -1e4, 0], [-1e4, -np.inf, 1e4]], dtype)
    with kernels.use(backend):
        losses, lse = kernels.cross_entropy(logits, np.array([1, 2]), -100)
        dlogits = kernels.cross_entropy_backward(logits, np.array([1, 2]), lse, np.ones(2, dtype), -100)
    np.testing.assert_array_equal(losses, [2e4, 0])
    np.testing.assert_array_equal(dlogits, [[1, -1, 0], [0, 0, 0]])


@BACKENDS
@pytest.mark.parametrize("ignore_index", [-100, 0])
def test_an_ignored_row_has_no_loss_and_no_gradient(backend, ignore_index, dtype, rng):
    logits, targets = rng.standard_normal((4, 5)).astype(dtype), np.array([2, ignore_index, 1, ignore_index])
    with kernels.use(backend):
        losses, lse = kernels.cross_entropy(logits, targets, ignore_index)
        dlogits = kernels.cross_entropy_backward(logits, targets, lse, np.ones(4, dtype), ignore_index)
    assert (losses[[1, 3]] == 0).all() and (losses[[0, 2]] > 0).all()
    assert (dlogits[[1, 3]] == 0).all() and (dlogits[[0, 2]] != 0).all()
    np.testing.assert_allclose(dlogits.sum(-1), 0, atol=1e-6)


@BACKENDS
def test_cross_entropy_in_place_is_the_two_kernels_in_one(backend, dtype, rng):
    logits, targets = rng.standard_normal((6, 5000)).astype(dtype), rng.integers(0, 5000, 6)
    logits[0, :4999], targets[0], targets[4] = -np.inf, 4999, -100  # the first pieces of a row are nothing but -inf
    logits[1, 7] = 1e4
    with kernels.use(backend):
        losses, lse = kernels.cross_entropy(logits, targets, -100)
        dlogits = kernels.cross_entropy_backward(logits, targets, lse, np.full(6, 0.5, dtype), -100)
        got = kernels.cross_entropy_chunk(logits, targets, -100, 0.5)
    np.testing.assert_allclose(got, losses, rtol=1e-6)
    np.testing.assert_allclose(logits, dlogits, atol=2e-6 if dtype == np.float32 else 1e-14)
    assert not logits[4].any() and not logits[0].any() and logits[1, 7] == 0.5


@BACKENDS
def test_nan_and_nothing_but_minus_infinity_in_a_long_row(backend, dtype):
    logits = np.full((3, 5000), -np.inf, dtype)
    logits[0, 10], logits[0, 4000], logits[2, 3] = np.nan, 1.0, 0.0
    targets = np.array([4000, 0, 3])
    with kernels.use(backend), np.errstate(invalid="ignore"):
        losses, lse = kernels.cross_entropy(logits, targets, -100)
        assert np.isnan(kernels.logsumexp(logits)[:2]).all()
        in_place = kernels.cross_entropy_chunk(logits, targets, -100, 1.0)
    for found in (losses, lse, in_place):
        assert np.isnan(found[:2]).all() and found[2] == 0
    assert np.isnan(logits[:2]).all() and not logits[2].any()


@BACKENDS
def test_cross_entropy_in_place_refuses_before_it_writes(backend):
    logits = np.arange(15.0).reshape(3, 5)
    with kernels.use(backend), pytest.raises(RangeError, match=r"targets\[1\] is 5"):
        kernels.cross_entropy_chunk(logits, np.array([0, 5, 1]), -100, 1.0)
    np.testing.assert_array_equal(logits.ravel(), np.arange(15.0))
    frozen = np.zeros((3, 5))
    frozen.flags.writeable = False
    with kernels.use(backend), pytest.raises(ValueError, match="read-only"):
        kernels.cross_entropy_chunk(frozen, np.array([0, 2, 1]), -100, 1.0)


@BACKENDS
@pytest.mark.parametrize("wrong", [5, -1, 2**40])
def test_a_target_outside_of_the_vocabulary_is_named(backend, wrong):
    with kernels.use(backend), pytest.raises(RangeError, match=rf"targets\[1\] is {wrong}, outside of 0 .. 4"):
        kernels.cross_entropy(np.zeros((3, 5)), np.array([4, wrong, 0]), -100)


@BACKENDS
@pytest.mark.parametrize("kind", [np.int8, np.uint16, np.int32, np.int64])
def test_targets_of_any_integer_type(backend, kind):
    with kernels.use(backend):
        losses, _ = kernels.cross_entropy(np.zeros((2, 5)), np.array([4, 0], kind), -100)
    np.testing.assert_allclose(losses, np.log(5))
