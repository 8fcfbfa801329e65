"""Every layer against its formula, written out by hand in NumPy, and its gradients against numeric ones."""

from __future__ import annotations

import math

import numpy as np
import pytest

import tinyllm as tl
from tinyllm import nn
from tinyllm.errors import ConfigError, RangeError, ShapeError

B, T, C, F = 2, 3, 5, 7


def noisy(module, seed=1, std=0.3):
    """Move every parameter away from its start, so that gains of 1 and biases of 0 hide nothing."""
    rng = np.random.default_rng(seed)
    module.astype(np.float64)
    for p in module.parameters():
        p.data += rng.normal(0, std, p.shape)
    return module


def inputs(*shape, seed=2):
    return np.random.default_rng(seed).normal(size=shape)


def check(module, x):
    """The gradients of all parameters and of the input are derivatives."""
    tl.gradcheck(lambda x, *_: module(x), [tl.Tensor(x, requires_grad=True), *module.parameters()])


def gelu_tanh(x):
    return 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


def test_linear():
    layer, x = noisy(nn.Linear(C, F, rng=np.random.default_rng(0))), inputs(B, T, C)
    np.testing.assert_allclose(layer(x).data, x @ layer.weight.data.T + layer.bias.data, rtol=1e-12)
    check(layer, x)
    plain = noisy(nn.Linear(C, F, bias=False, rng=np.random.default_rng(0)))
    assert plain.bias is None
    np.testing.assert_allclose(plain(x).data, x @ plain.weight.data.T, rtol=1e-12)


def test_linear_of_the_wrong_width_speaks_in_axis_letters():
    with pytest.raises(ShapeError, match="linear"):
        nn.Linear(C, F, rng=np.random.default_rng(0))(np.ones((B, C + 1), dtype=np.float32))


def test_embedding():
    layer = nn.Embedding(11, C, rng=np.random.default_rng(0))
    idx = np.array([[1, 10, 1], [0, 3, 5]])
    np.testing.assert_array_equal(layer(idx).data, layer.weight.data[idx])
    layer(idx.astype(np.uint16)).sum().backward()
    np.testing.assert_array_equal(layer.weight.grad[:, 0], np.bincount(idx.ravel(), minlength=11))
    for wrong in (11, -1):
        with pytest.raises(RangeError):
            layer(np.array([wrong]))


@pytest.mark.parametrize("bias", [True, False])
def test_layer_norm(bias):
    layer, x = noisy(nn.LayerNorm(C, bias=bias, eps=0.01)), inputs(B, T, C)
    centered = x - x.mean(-1, keepdims=True)
    expected = centered / np.sqrt((centered**2).mean(-1, keepdims=True) + 0.01) * layer.gain.data
    np.testing.assert_allclose(layer(x).data, expected + (layer.bias.data if bias else 0), rtol=1e-12)
    check(layer, x)


def test_rms_norm():
    layer, x = noisy(nn.RMSNorm(C, eps=0.01)), inputs(B, T, C)
    expected = x / np.sqrt((x**2).mean(-1, keepdims=True) + 0.01) * layer.gain.data
    np.testing.assert_allclose(layer(x).data, expected, rtol=1e-12)
    check(layer, x)


def test_batch_norm_in_training_uses_the_batch_and_follows_it():
    layer, x = noisy(nn.BatchNorm(C, momentum=0.25, eps=0.01)), 3 + 2 * inputs(B, T, C)
    mean, var = x.mean((0, 1)), x.var((0, 1))
    expected = (x - mean) / np.sqrt(var + 0.01) * layer.gain.data + layer.bias.data
    np.testing.assert_allclose(layer(x).data, expected, rtol=1e-12)
    np.testing.assert_allclose(layer.running_mean, 0.25 * mean, rtol=1e-12)
    np.testing.assert_allclose(layer.running_var, 0.75 + 0.25 * var * 6 / 5, rtol=1e-12)
    check(layer, x)


def test_batch_norm_in_evaluation_uses_what_it_followed():
    layer, x = noisy(nn.BatchNorm(C, eps=0.01)), inputs(B, T, C)
    layer(3 + 2 * x)
    mean, var = layer.running_mean.copy(), layer.running_var.copy()
    layer.eval()
    expected = (x - mean) / np.sqrt(var + 0.01) * layer.gain.data + layer.bias.data
    np.testing.assert_allclose(layer(x).data, expected, rtol=1e-12)
    np.testing.assert_allclose(layer(x[:1]).data, expected[:1], rtol=1e-12)  # no neighbors needed
    np.testing.assert_array_equal(layer.running_mean, mean)
    check(layer, x)


def test_batch_norm_refuses_a_single_vector():
    layer = nn.BatchNorm(C)
    with pytest.raises(ShapeError, match="single vector"):
        layer(np.ones((1, C), dtype=np.float32))
    np.testing.assert_array_equal(layer.running_mean, 0)


def test_dropout_keeps_a_share_scales_it_and_sends_gradients_the_same_way():
    layer = nn.Dropout(0.25, rng=np.random.default_rng(0))
    x = tl.Tensor(np.ones((101, 103), dtype=np.float32), requires_grad=True)
    y = layer(x)
    kept = y.data != 0
    np.testing.assert_allclose(y.data[kept], 1 / 0.75, rtol=1e-6)
    assert abs(kept.mean() - 0.75) < 0.02
    y.sum().backward()
    np.testing.assert_array_equal(x.grad != 0, kept)
    assert not np.array_equal(layer(x).data, y.data)  # another call, another seed


def test_dropout_does_nothing_in_evaluation_and_at_zero_and_then_draws_nothing():
    for layer in (
        nn.Dropout(0.5, rng=np.random.default_rng(0)).eval(),
        nn.Dropout(0.0, rng=np.random.default_rng(0)),
    ):
        x = tl.Tensor([1.0, 2.0])
        state = layer.rng_state()
        assert layer(x) is x
        assert layer.rng_state() == state


@pytest.mark.parametrize("p", [-0.1, 1.0, math.nan])
def test_dropout_refuses_what_is_no_probability(p):
    with pytest.raises(ConfigError, match="Dropout: p is"):
        nn.Dropout(p, rng=np.random.default_rng(0))


def test_mlp():
    layer, x = noisy(nn.MLP(C, F, rng=np.random.default_rng(0))), inputs(B, T, C)
    hidden = gelu_tanh(x @ layer.up.weight.data.T + layer.up.bias.data)
    np.testing.assert_allclose(layer(x).data, hidden @ layer.down.weight.data.T + layer.down.bias.data, rtol=1e-10)
    check(layer, x)


@pytest.mark.parametrize(
    ("name", "formula"),
    [
        ("gelu", lambda x: 0.5 * x * (1 + np.vectorize(math.erf)(x / math.sqrt(2)))),
        ("relu", lambda x: np.where(x > 0, x, 0)),
        ("silu", lambda x: x / (1 + np.exp(-x))),
    ],
)
def test_mlp_activations(name, formula):
    layer, x = noisy(nn.MLP(C, F, bias=False, activation=name, rng=np.random.default_rng(0))), inputs(B, C)
    expected = formula(x @ layer.up.weight.data.T) @ layer.down.weight.data.T
    np.testing.assert_allclose(layer(x).data, expected, rtol=1e-6, atol=1e-9)


def test_mlp_names_the_nearest_activation():
    with pytest.raises(ConfigError, match=r"'gelutanh'\. Try: gelu_tanh"):
        nn.MLP(C, F, activation="gelutanh", rng=np.random.default_rng(0))


@pytest.mark.parametrize("bias", [True, False])
def test_swiglu(bias):
    layer, x = noisy(nn.SwiGLU(C, F, bias=bias, rng=np.random.default_rng(0))), inputs(B, T, C)

    def apply(linear, x):
        return x @ linear.weight.data.T + (linear.bias.data if bias else 0)

    gate = apply(layer.gate, x)
    expected = apply(layer.down, gate / (1 + np.exp(-gate)) * apply(layer.up, x))
    np.testing.assert_allclose(layer(x).data, expected, rtol=1e-10)
    check(layer, x)


def test_layers_start_in_float32_and_from_their_generator_alone():
    def build():
        rng = np.random.default_rng(3)
        return [nn.Linear(C, F, rng=rng), nn.Embedding(F, C, rng=rng), nn.MLP(C, F, rng=rng), nn.SwiGLU(C, F, rng=rng)]

    for one, two in zip(build(), build(), strict=True):
        for p, q in zip(one.parameters(), two.parameters(), strict=True):
            assert p.dtype == np.float32
            np.testing.assert_array_equal(p.data, q.data)
