"""Attention against its definition, written out in loops; and what a position may and may not see."""

from __future__ import annotations

import math

import numpy as np
import pytest

import tinyllm as tl
from tinyllm.errors import ConfigError, ShapeError

BACKENDS = pytest.mark.parametrize("backend", ["numpy", "numba"])
CASES = [  # B, H, K, T, S, D, parameters
    (1, 1, 1, 5, 5, 3, {}),
    (2, 3, 3, 5, 5, 7, {}),
    (2, 3, 3, 5, 7, 2, {"causal": False}),
    (1, 2, 2, 7, 3, 5, {"causal": False}),
    (1, 6, 2, 5, 5, 3, {}),
    (2, 4, 1, 3, 11, 5, {}),
    (1, 2, 2, 11, 11, 3, {"window": 1}),
    (1, 2, 1, 11, 11, 3, {"window": 4}),
    (1, 2, 2, 3, 11, 5, {"window": 5}),
    (1, 2, 2, 5, 5, 3, {"window": 99, "scale": 0.7}),
    (1, 2, 2, 1, 13, 3, {"scale": -1.3}),
    (1, 1, 1, 67, 67, 5, {}),
]


def visible(t, s, T, S, causal, window):
    position = S - T + t  # the queries are the last T of the S positions
    return (not causal or s <= position) and (window is None or position - s < window)


def in_loops(q, k, v, causal=True, window=None, scale=None):
    """Forward, by the definition: for every query, the weighted mean of the values it may see."""
    (B, H, T, D), (K, S) = q.shape, k.shape[1:3]
    scale = 1 / math.sqrt(D) if scale is None else scale
    out = np.zeros(q.shape)
    for b in range(B):
        for h in range(H):
            group = h // (H // K)
            for t in range(T):
                seen = [s for s in range(S) if visible(t, s, T, S, causal, window)]
                weights = [math.exp(scale * float(q[b, h, t] @ k[b, group, s])) for s in seen]
                for s, weight in zip(seen, weights, strict=True):
                    out[b, h, t] += weight / sum(weights) * v[b, group, s]
    return out


def of_ops(q, k, v, causal=True, window=None, scale=None):
    """The same in plain ops of the engine, which have gradients of their own."""
    (B, H, T, D), (K, S) = q.shape, k.shape[1:3]
    scale = 1 / math.sqrt(D) if scale is None else scale
    grouped = [x.reshape(B, K, 1, S, D).expand(B, K, H // K, S, D).reshape(B, H, S, D) for x in (k, v)]
    hidden = np.array([[not visible(t, s, T, S, causal, window) for s in range(S)] for t in range(T)])
    s = (q @ grouped[0].swapaxes(-1, -2)) * scale
    return s.masked_fill(hidden, -np.inf).softmax() @ grouped[1]


def drawn(case, rng):
    B, H, K, T, S, D, _ = case
    return rng.normal(size=(B, H, T, D)), rng.normal(size=(B, K, S, D)), rng.normal(size=(B, K, S, D))


@BACKENDS
@pytest.mark.parametrize("case", CASES, ids=str)
def test_forward_is_the_loops(case, backend, rng):
    q, k, v = drawn(case, rng)
    with tl.kernels.use(backend):
        got = tl.attention(q, k, v, **case[-1]).data
    np.testing.assert_allclose(got, in_loops(q, k, v, **case[-1]), rtol=1e-11, atol=1e-13)


@BACKENDS
@pytest.mark.parametrize("case", CASES, ids=str)
def test_backward_is_that_of_matmul_softmax_matmul(case, backend, rng):
    arrays = drawn(case, rng)
    fused, plain = ([tl.Tensor(a, requires_grad=True) for a in arrays] for _ in range(2))
    dout = rng.normal(size=arrays[0].shape)
    with tl.kernels.use(backend):
        tl.attention(*fused, **case[-1]).backward(dout)
    with tl.kernels.use("numpy"):
        of_ops(*plain, **case[-1]).backward(dout)
    for one, two in zip(fused, plain, strict=True):
        np.testing.assert_allclose(one.grad, two.grad, rtol=1e-10, atol=1e-12)


@BACKENDS
@pytest.mark.parametrize("window", [None, 1, 3])
@pytest.mark.parametrize(("T", "S"), [(7, 7), (3, 7)])
def test_what_is_hidden_changes_nothing_and_what_is_visible_does(T, S, window, backend, rng):
    """Disturb one key and its value at a time, and see which outputs move; gradients must agree with that."""
    q, k, v = rng.normal(size=(1, 1, T, 5)), rng.normal(size=(1, 1, S, 5)), rng.normal(size=(1, 1, S, 5))
    with tl.kernels.use(backend):
        before = tl.attention(q, k, v, window=window).data
        for s in range(S):
            k2, v2 = k.copy(), v.copy()
            k2[:, :, s] = 100.0
            v2[:, :, s] = -100.0
            moved = (tl.attention(q, k2, v2, window=window).data != before).any(axis=-1)[0, 0]
            assert moved.tolist() == [visible(t, s, T, S, True, window) for t in range(T)]
        for t in range(T):
            keys, values = tl.Tensor(k, requires_grad=True), tl.Tensor(v, requires_grad=True)
            tl.attention(q, keys, values, window=window)[0, 0, t].sum().backward()
            seen = [visible(t, s, T, S, True, window) for s in range(S)]
            assert values.grad[0, 0].any(axis=-1).tolist() == seen
            assert not keys.grad[0, 0][~np.array(seen)].any()


@BACKENDS
def test_scores_may_be_huge(backend, rng):
    q, v = rng.normal(size=(1, 2, 5, 3)), rng.normal(size=(1, 2, 5, 3))
    with tl.kernels.use(backend):
        x = tl.Tensor(1e3 * q, requires_grad=True)
        out = tl.attention(x, x, v)
        out.sum().backward()
    assert np.isfinite(out.data).all() and np.isfinite(x.grad).all()


def test_equal_scores_give_the_mean_of_the_past(rng):
    v = rng.normal(size=(1, 1, 6, 3))
    out = tl.attention(np.zeros((1, 1, 6, 3)), rng.normal(size=(1, 1, 6, 3)), v).data
    np.testing.assert_allclose(out[0, 0], np.cumsum(v[0, 0], axis=0) / np.arange(1, 7)[:, None], rtol=1e-13)


@pytest.mark.parametrize(
    ("q", "k", "params", "error", "words"),
    [
        ((2, 6, 5, 3), (2, 4, 5, 3), {}, ShapeError, "H=6 query heads do not share K=4 key/value heads evenly"),
        ((2, 6, 5, 3), (2, 3, 5, 7), {}, ShapeError, "D=3 and D=7 differ"),
        ((2, 6, 5, 3), (3, 6, 5, 3), {}, ShapeError, "B=2 and B=3 differ"),
        (
            (2, 6, 5, 3),
            (2, 6, 4, 3),
            {},
            ShapeError,
            "T=5 queries cannot be the last of S=4 positions. Try: causal=False",
        ),
        ((6, 5, 3), (6, 5, 3), {}, ShapeError, "each has four axes"),
        ((2, 6, 5, 3), (2, 6, 5, 3), {"window": 0}, ConfigError, "window=0 would hide everything"),
        ((2, 6, 5, 3), (2, 6, 5, 3), {"window": 2, "causal": False}, ConfigError, "at odds"),
    ],
)
def test_misfits(q, k, params, error, words):
    with pytest.raises(error, match=words):
        tl.attention(np.zeros(q), np.zeros(k), np.zeros(k), **params)


def test_keys_and_values_have_one_shape():
    with pytest.raises(ShapeError, match=r"k \(B=2, K=6, S=5, D=3\), v \(B=2, K=6, S=5, D=7\): k and v must have one"):
        tl.attention(np.zeros((2, 6, 5, 3)), np.zeros((2, 6, 5, 3)), np.zeros((2, 6, 5, 7)))
