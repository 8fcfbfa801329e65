"""Softmax, the loss and dropout: what they promise beyond having the right gradient."""

from __future__ import annotations

import numpy as np
import pytest

import tinyllm as tl
from tinyllm.autograd.ops.fused import Dropout
from tinyllm.autograd.ops.loss import CrossEntropy
from tinyllm.errors import ConfigError, DataError, DTypeError, RangeError, ShapeError

BACKENDS = pytest.mark.parametrize("backend", ["numpy", "numba"])


def leaf(array):
    return tl.Tensor(np.array(array, dtype=np.float64), requires_grad=True)


@BACKENDS
def test_softmax_rows_add_up_to_one_and_do_not_see_a_shift(backend, rng):
    x = rng.normal(size=(3, 5, 7))
    with tl.kernels.use(backend):
        for axis in (0, 1, 2, -1):
            p = tl.softmax(x, axis=axis).data
            np.testing.assert_allclose(p.sum(axis=axis), 1, rtol=1e-14)
            np.testing.assert_allclose(tl.softmax(x + 1000.0, axis=axis).data, p, rtol=1e-12)
            np.testing.assert_allclose(tl.log_softmax(x, axis).data, np.log(p), rtol=1e-12)


@BACKENDS
def test_softmax_at_the_ends_of_the_numbers(backend):
    with tl.kernels.use(backend):
        assert tl.softmax(np.array([1e4, 0.0, -np.inf])).data.tolist() == [1, 0, 0]
        assert tl.log_softmax(np.array([1e4, 0.0])).data.tolist() == [0, -1e4]


def test_softmax_gradient_is_blind_to_a_constant(rng):
    """Adding the same to every dp of a row changes nothing: the row's probabilities always add up to one."""
    x, dp = rng.normal(size=(3, 7)), rng.normal(size=(3, 7))
    grads = []
    for shift in (0.0, 5.0):
        t = leaf(x)
        t.softmax().backward(dp + shift)
        grads.append(t.grad)
    np.testing.assert_allclose(grads[0], grads[1], atol=1e-14)
    np.testing.assert_allclose(grads[0].sum(axis=-1), 0, atol=1e-14)


# cross-entropy


@BACKENDS
def test_cross_entropy_is_minus_the_log_of_the_target(backend, rng):
    logits, targets = rng.normal(size=(2, 3, 5)), rng.integers(0, 5, (2, 3))
    with tl.kernels.use(backend):
        each = tl.cross_entropy(logits, targets, reduction="none").data
        picked = tl.log_softmax(logits).gather(targets[..., None], axis=-1).data[..., 0]
        np.testing.assert_allclose(each, -picked, rtol=1e-13)
        np.testing.assert_allclose(tl.cross_entropy(logits, targets).item(), each.mean(), rtol=1e-13)
        np.testing.assert_allclose(tl.cross_entropy(logits, targets, reduction="sum").item(), each.sum(), rtol=1e-13)


@BACKENDS
@pytest.mark.parametrize("ignore", [-100, -1, 2, 999])
def test_what_is_ignored_is_as_if_it_were_not_there(backend, ignore, rng):
    logits = rng.normal(size=(6, 5))
    targets = np.array([0, ignore, 4, 1, ignore, 3])
    kept = targets != ignore
    with tl.kernels.use(backend):
        x, rest = leaf(logits), leaf(logits[kept])
        loss = x.cross_entropy(targets, ignore_index=ignore)
        loss.backward()
        smaller = rest.cross_entropy(targets[kept])
        smaller.backward()
        np.testing.assert_allclose(loss.item(), smaller.item(), rtol=1e-14)  # the mean divides by the rest
        assert not x.grad[~kept].any()
        np.testing.assert_allclose(x.grad[kept], rest.grad, rtol=1e-13)
        each = tl.cross_entropy(logits, targets, ignore_index=ignore, reduction="none").data
        assert not each[~kept].any() and each[kept].all()


def test_cross_entropy_of_scores_far_apart():
    x = leaf([[1000.0, 0.0], [0.0, 1000.0]])
    loss = x.cross_entropy(np.array([0, 0]), reduction="none")
    assert loss.data.tolist() == [0, 1000]
    loss.backward(np.ones(2))
    assert x.grad.tolist() == [[0, 0], [-1, 1]]


def test_cross_entropy_keeps_no_probabilities(rng):
    ctx = CrossEntropy()
    logits = rng.normal(size=(3, 7))
    ctx.forward(logits, np.array([1, 2, 3]))
    arrays = [a for a in ctx.saved if isinstance(a, np.ndarray)]
    assert sum(a.size for a in arrays if not np.shares_memory(a, logits)) == 6  # targets and log-sum-exp


def test_cross_entropy_takes_any_integers():
    x = leaf(np.eye(3))
    losses = [x.cross_entropy(np.array([0, 1, 1], dtype=t)).item() for t in (np.uint8, np.uint16, np.int32, np.int64)]
    assert len(set(losses)) == 1
    assert x.cross_entropy(tl.Tensor(np.array([0, 1, 1]))).item() == losses[0] and x.cross_entropy([0, 1, 1]).item()


def test_cross_entropy_refuses_in_words():
    x = tl.Tensor(np.zeros((2, 3, 5), dtype=np.float32))
    with pytest.raises(RangeError, match=r"targets\[1, 2\] is 5, not one of V=5 tokens. Try: .*ignore_index=-100"):
        x.cross_entropy(np.array([[0, 1, 2], [3, 4, 5]]))
    with pytest.raises(RangeError, match=r"targets\[0, 1\] is -1"):
        x.cross_entropy(np.array([[0, -1, 2], [3, 4, 4]]))
    with pytest.raises(
        ShapeError, match=r"cross_entropy: logits \(2, 3, V=5\), targets \(6,\): there must be one target"
    ):
        x.cross_entropy(np.zeros(6, dtype=int))
    with pytest.raises(DTypeError, match="targets are float32, not integers"):
        x.cross_entropy(tl.Tensor([[0, 1, 2], [3, 4, 4]]))
    with pytest.raises(ConfigError, match=r"reduction='men'. Try: mean"):
        x.cross_entropy(np.zeros((2, 3), dtype=int), reduction="men")
    with pytest.raises(DataError, match=r"all 6 targets are ignore_index=-100, so there is nothing to average"):
        x.cross_entropy(np.full((2, 3), -100))
    assert x.cross_entropy(np.full((2, 3), -100), reduction="sum").item() == 0


# dropout


@BACKENDS
@pytest.mark.parametrize("p", [0.0, 0.1, 0.5, 0.9])
def test_dropout_keeps_the_right_share_and_the_mean(p, backend):
    n = 40_000
    with tl.kernels.use(backend):
        y = tl.dropout(np.ones(n), p=p, seed=11).data
    share = (y == 0).mean()
    assert abs(share - p) <= 4 * np.sqrt(p * (1 - p) / n)  # four standard deviations
    np.testing.assert_allclose(y[y != 0], 1 / (1 - p), rtol=1e-15)


@BACKENDS
def test_dropout_is_decided_by_seed_and_place(backend):
    with tl.kernels.use(backend):
        masks = [tl.dropout(np.ones((3, 67)), 0.5, seed).data for seed in (5, 5, 6, 5 + 2**40)]
        assert np.array_equal(masks[0], masks[1])
        assert 0.3 < (masks[0] != masks[2]).mean() < 0.7 and 0.3 < (masks[0] != masks[3]).mean() < 0.7
        flat = tl.dropout(np.ones(201), 0.5, 5).data
        assert np.array_equal(masks[0].ravel(), flat)
        turned = tl.dropout(np.ones((67, 3)).T, 0.5, 5).data  # the layout in memory does not matter
        assert np.array_equal(turned, masks[0])


def test_dropout_goes_back_through_the_same_mask_and_stores_none(rng):
    x = leaf(rng.normal(size=(5, 7)))
    y = x.dropout(0.5, seed=9)
    assert all(not isinstance(kept, np.ndarray) for kept in y.node.saved)
    dy = rng.normal(size=(5, 7))
    y.backward(dy)
    np.testing.assert_allclose(x.grad, dy * (y.data / x.data), rtol=1e-14)
    ctx = Dropout()
    ctx.forward(x.data, p=0.5, seed=np.int64(9))
    assert np.array_equal(ctx.backward(dy), x.grad)


def test_dropout_refuses_a_share_of_everything():
    with pytest.raises(ConfigError, match=r"dropout: p=1.0 is the share that is set to zero, 0 <= p < 1"):
        tl.dropout(np.ones(3), p=1.0, seed=0)
    with pytest.raises(ConfigError, match=r"seed=1.5 is not an integer. Try: int\(rng.integers"):
        tl.dropout(np.ones(3), p=0.5, seed=1.5)
