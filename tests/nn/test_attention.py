"""SelfAttention and RopeHalf against attention written out query by query."""

from __future__ import annotations

import cmath
import math

import numpy as np
import pytest

import tinyllm as tl
from tinyllm import nn
from tinyllm.errors import ConfigError

B, T, H, D = 2, 5, 6, 4
C = H * D


def turned(x, t, theta):
    """Turn one head's vector at position t: channel i is the real part of a complex number, i + D/2 the imaginary."""
    half = len(x) // 2
    z = [complex(x[i], x[i + half]) * cmath.exp(1j * t * theta ** (-2 * i / len(x))) for i in range(half)]
    return np.array([c.real for c in z] + [c.imag for c in z])


def by_hand(layer, x, K, causal=True, window=None, theta=None):
    """Attention in plain loops; returns the result and the weights."""
    Wq, Wk, Wv = np.split(layer.qkv.weight.data, [C, C + K * D])
    bq, bk, bv = np.split(layer.qkv.bias.data, [C, C + K * D])
    y, maps = np.zeros((B, T, C)), np.zeros((B, H, T, T))
    for b in range(B):
        q, k, v = x[b] @ Wq.T + bq, x[b] @ Wk.T + bk, x[b] @ Wv.T + bv
        for h in range(H):
            group = h // (H // K)
            qh, kh, vh = q[:, h * D : (h + 1) * D], k[:, group * D :][:, :D], v[:, group * D :][:, :D]
            if theta:
                qh = np.stack([turned(row, t, theta) for t, row in enumerate(qh)])
                kh = np.stack([turned(row, t, theta) for t, row in enumerate(kh)])
            for i in range(T):
                seen = [j for j in range(T) if (not causal or j <= i) and (window is None or j > i - window)]
                e = np.exp([qh[i] @ kh[j] / math.sqrt(D) for j in seen])
                maps[b, h, i, seen] = e / e.sum()
                y[b, i, h * D : (h + 1) * D] = maps[b, h, i] @ vh
    return y @ layer.out.weight.data.T + layer.out.bias.data, maps


CASES = [
    {"K": 6},
    {"K": 3},
    {"K": 1, "window": 2},
    {"K": 2, "causal": False},
    {"K": 3, "theta": 100.0},
    {"K": 6, "window": 3, "theta": 10000.0},
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_attention_is_its_formula(case):
    rope = nn.RopeHalf(D, case["theta"]) if "theta" in case else None
    options = {name: case[name] for name in ("causal", "window") if name in case}
    rng = np.random.default_rng(0)
    layer = nn.SelfAttention(C, H, case["K"], rope=rope, rng=rng, **options).astype(np.float64)
    for p in layer.parameters():
        p.data += rng.normal(0, 0.3, p.shape)
    x = rng.normal(size=(B, T, C))
    y, maps = by_hand(layer, x, **case)
    np.testing.assert_allclose(layer(x).data, y, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(layer.weights(tl.Tensor(x)), maps, rtol=1e-9, atol=1e-12)
    tl.gradcheck(lambda x, *_: layer(x), [tl.Tensor(x, requires_grad=True), *layer.parameters()])


def test_heads_that_do_not_divide_are_refused():
    rng = np.random.default_rng(0)
    with pytest.raises(ConfigError, match="5 heads do not divide a width of 24"):
        nn.SelfAttention(24, 5, rng=rng)
    with pytest.raises(ConfigError, match="4 key/value heads do not divide 6 heads"):
        nn.SelfAttention(24, 6, 4, rng=rng)


def test_rope_sees_only_distances():
    rope, rng = nn.RopeHalf(8, 100.0), np.random.default_rng(0)
    q, k = rng.normal(size=(2, 1, 1, 1, 8)).repeat(11, axis=3)  # the same vector at 11 positions
    scores = rope(tl.Tensor(q)).data[0, 0] @ rope(tl.Tensor(k)).data[0, 0].T
    for distance in range(-3, 4):
        np.testing.assert_allclose(np.diagonal(scores, distance), np.diagonal(scores, distance)[0], rtol=1e-10)
    assert np.ptp(scores[0]) > 0.1


def test_rope_tables_are_exact_whatever_came_before():
    rope = nn.RopeHalf(6, 10000.0)
    short = rope.tables(3, np.dtype(np.float32))[0].copy()
    cos, sin = rope.tables(2001, np.dtype(np.float32))
    assert cos.dtype == np.float32 and cos.shape == (2001, 3)
    np.testing.assert_array_equal(cos[:3], short)
    np.testing.assert_array_equal(rope.tables(3, np.dtype(np.float32))[0], short)
    angle = 2000 * 10000.0 ** (-2 / 6)
    assert cos[2000, 1] == np.float32(math.cos(angle)) and sin[2000, 1] == np.float32(math.sin(angle))
    assert rope.tables(5, np.dtype(np.float64))[0].dtype == np.float64


def test_rope_refuses_an_odd_head_size():
    with pytest.raises(ConfigError, match="7 is odd"):
        nn.RopeHalf(7)


def test_dropout_of_the_weights_is_the_dropout_layers_and_rests_in_evaluation():
    def layer(p):
        drop = nn.Dropout(p, rng=np.random.default_rng(5))
        return nn.SelfAttention(C, H, dropout=drop, rng=np.random.default_rng(0)).astype(np.float64)

    x = np.random.default_rng(1).normal(size=(B, T, C))
    plain = nn.SelfAttention(C, H, rng=np.random.default_rng(0)).astype(np.float64)(x).data
    one, two = layer(0.5), layer(0.5)
    first = one(x).data
    assert np.abs(first - plain).max() > 1e-3
    np.testing.assert_array_equal(first, two(x).data)  # the same generator
    assert (one(x).data != first).any()  # the next seed
    np.testing.assert_array_equal(one.eval()(x).data, plain)
    np.testing.assert_array_equal(layer(0.0)(x).data, plain)
    seed = int(np.random.default_rng(5).integers(2**63))
    q, k, v = two.heads(tl.Tensor(x))
    a = tl.attention(q, k, v, p=0.5, seed=seed)
    np.testing.assert_allclose(two.out(a.transpose(0, 2, 1, 3).reshape(B, T, C)).data, first, rtol=1e-12)


def test_heads_are_split_and_merged_alike_for_tensors_and_arrays():
    x = np.random.default_rng(0).normal(size=(2, 3, 20))
    heads = nn.attention.split_heads(x, 5)
    for h in range(5):
        np.testing.assert_array_equal(heads[:, h], x[:, :, 4 * h : 4 * h + 4])
    np.testing.assert_array_equal(nn.attention.merge_heads(heads), x)
    np.testing.assert_array_equal(nn.attention.split_heads(tl.Tensor(x), 5).data, heads)
    np.testing.assert_array_equal(nn.attention.merge_heads(tl.Tensor(heads)).data, x)


# the options of other models


def test_a_head_size_of_its_own():
    layer = nn.SelfAttention(10, H=3, K=1, D=4, rng=np.random.default_rng(0), out_bias=False)
    assert (layer.qkv.weight.shape, layer.out.weight.shape, layer.out.bias) == ((20, 10), (10, 12), None)
    assert layer.qkv.bias.shape == (20,) and layer(np.ones((2, 5, 10), dtype=np.float32)).shape == (2, 5, 10)
    with pytest.raises(ConfigError, match="a head size of 0"):
        nn.SelfAttention(10, H=3, D=0, rng=np.random.default_rng(0))


def test_queries_and_keys_are_normed_head_by_head_before_they_are_turned():
    rng = np.random.default_rng(0)
    layer = nn.SelfAttention(12, H=3, K=1, rope=nn.RopeHalf(4), qk_norm=0.1, rng=rng)
    layer.q_norm.gain.data[:] = 1, 2, 3, 4
    x = rng.normal(size=(2, 5, 12)).astype(np.float32)
    q, k, v = layer.heads(tl.Tensor(x))
    rows = np.split(layer.qkv(x).data, [12, 16], axis=-1)

    def normed(z, gain):
        return z / np.sqrt((z**2).mean(-1, keepdims=True) + 0.1) * gain

    for t in range(5):
        for h in range(3):
            expected = turned(normed(rows[0][1, t, 4 * h : 4 * h + 4], [1, 2, 3, 4]), t, 10000.0)
            np.testing.assert_allclose(q.data[1, h, t], expected, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(k.data[1, 0, t], turned(normed(rows[1][1, t], 1), t, 10000.0), rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(v.data[:, 0], rows[2])


def llama3_by_cases(f, factor, low, high, n):
    """One frequency, slowed down as the published recipe says it: by its wavelength, in three cases."""
    wavelength = 2 * math.pi / f
    if wavelength < n / high:
        return f
    if wavelength > n / low:
        return f / factor
    s = (n / wavelength - low) / (high - low)
    return (1 - s) * f / factor + s * f


@pytest.mark.parametrize(
    ("factor", "low", "high", "n"), [(8.0, 1.0, 4.0, 8192), (32.0, 1.0, 4.0, 64), (3.0, 2.0, 5.0, 9)]
)
def test_llama3_slows_each_frequency_by_its_wavelength(factor, low, high, n):
    f = 5e5 ** (-np.arange(0, 64, 2) / 64)
    slowed = nn.RopeScaling("llama3", factor, low, high, n).slowed(f)
    np.testing.assert_allclose(slowed, [llama3_by_cases(one, factor, low, high, n) for one in f], rtol=1e-13)
    assert slowed.dtype == np.float64 and (slowed[-1] < f[-1]) and (n < 100 or slowed[0] == f[0])


def test_scaled_angles_are_those_of_slower_frequencies():
    rope = nn.RopeHalf(4, 100.0, nn.RopeScaling("linear", 2.0))
    cos, sin = rope.tables(3)
    angles = np.outer(np.arange(3), [0.5, 0.05])
    np.testing.assert_allclose(cos, np.cos(angles), rtol=1e-15)
    np.testing.assert_allclose(sin, np.sin(angles), rtol=1e-15)
    plain, unscaled = nn.RopeHalf(4, 100.0), nn.RopeHalf(4, 100.0, nn.RopeScaling("linear", 1.0))
    np.testing.assert_array_equal(plain.tables(9), unscaled.tables(9))
    np.testing.assert_array_equal(plain.angles(np.arange(9)), plain.tables(9))


@pytest.mark.parametrize(
    ("values", "match"),
    [
        (("yarn",), "no kind 'yarn'"),
        (("linear", 0.0), r"factor is 0\.0"),
        (("linear", "2"), "factor is '2'"),
        (("llama3", 8.0, 4.0, 4.0), r"low=4\.0 is not below high=4\.0"),
        (("llama3", 8.0, 1.0, 4.0, -5), "original is -5"),
    ],
)
def test_scaling_that_cannot_be_is_refused(values, match):
    with pytest.raises(ConfigError, match=match):
        nn.RopeScaling(*values)
