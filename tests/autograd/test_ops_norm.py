"""Norms: the statistics they promise, what they do not see, and what they refuse."""

from __future__ import annotations

import numpy as np
import pytest

import tinyllm as tl
from tinyllm.errors import ShapeError

BACKENDS = pytest.mark.parametrize("backend", ["numpy", "numba"])


@BACKENDS
def test_layer_norm_rows_have_mean_zero_and_variance_one(backend, rng):
    x = 3 + 5 * rng.normal(size=(2, 3, 67))
    with tl.kernels.use(backend):
        y = tl.layer_norm(x, eps=0.0).data
        np.testing.assert_allclose(y.mean(axis=-1), 0, atol=1e-14)
        np.testing.assert_allclose(y.var(axis=-1), 1, rtol=1e-13)
        np.testing.assert_allclose(tl.layer_norm(7 * x - 2, eps=0.0).data, y, rtol=1e-10)
        g, b = rng.normal(size=67), rng.normal(size=67)
        np.testing.assert_allclose(tl.layer_norm(x, g, b, eps=0.0).data, y * g + b, rtol=1e-12)


@BACKENDS
def test_rms_norm_rows_have_length_sqrt_c(backend, rng):
    x = 3 + 5 * rng.normal(size=(2, 3, 67))
    with tl.kernels.use(backend):
        y = tl.rms_norm(x, eps=0.0).data
        np.testing.assert_allclose((y**2).mean(axis=-1), 1, rtol=1e-13)
        np.testing.assert_allclose(tl.rms_norm(7 * x, eps=0.0).data, y, rtol=1e-12)
        np.testing.assert_allclose(tl.rms_norm(x, np.arange(67.0), eps=0.0).data, y * np.arange(67.0), rtol=1e-13)


def test_batch_norm_channels_have_mean_zero_and_variance_one(rng):
    x = 3 + 5 * rng.normal(size=(7, 11, 3))
    y = tl.batch_norm(x, eps=0.0).data
    np.testing.assert_allclose(y.mean(axis=(0, 1)), 0, atol=1e-14)
    np.testing.assert_allclose(y.var(axis=(0, 1)), 1, rtol=1e-13)
    turned = tl.layer_norm(x.reshape(-1, 3).T, eps=0.0).data.T  # the same statistics, over the other axis
    np.testing.assert_allclose(y.reshape(-1, 3), turned, rtol=1e-10)


@BACKENDS
def test_eps_keeps_a_constant_row_finite(backend):
    x = tl.Tensor(np.full((2, 5), 3.0), requires_grad=True)
    with tl.kernels.use(backend):
        y = x.layer_norm(eps=1e-5)
        y.backward(np.arange(10.0).reshape(2, 5))
    assert not y.data.any() and np.isfinite(x.grad).all()
    zeros = tl.Tensor(np.zeros((2, 5)), requires_grad=True)
    with tl.kernels.use(backend):
        zeros.rms_norm().backward(np.ones((2, 5)))
    np.testing.assert_allclose(zeros.grad, 1e3, rtol=1e-12)  # 1 / sqrt(eps)


@BACKENDS
@pytest.mark.parametrize("name", ["layer_norm", "batch_norm"])
def test_a_shift_of_the_input_cannot_change_the_output_so_gradients_add_up_to_zero(name, backend, rng):
    x = tl.Tensor(rng.normal(size=(7, 5)), requires_grad=True)
    with tl.kernels.use(backend):
        getattr(x, name)(rng.normal(size=5)).backward(rng.normal(size=(7, 5)))
    np.testing.assert_allclose(x.grad.sum(axis=-1 if name == "layer_norm" else 0), 0, atol=1e-13)


def test_a_bias_without_a_gain(rng):
    x, b = rng.normal(size=(3, 5)), tl.Tensor(rng.normal(size=5), requires_grad=True)
    for name in ("layer_norm", "batch_norm"):
        b.zero_grad()
        y = getattr(tl.Tensor(x), name)(b=b)
        np.testing.assert_allclose(y.data, getattr(tl.Tensor(x), name)().data + b.data, rtol=1e-12, atol=1e-15)
        y.sum().backward()
        assert b.grad.tolist() == [3.0] * 5


def test_refusals():
    x = tl.Tensor(np.zeros((2, 5)))
    with pytest.raises(ShapeError, match=r"layer_norm: x \(2, C=5\), g \(C=7,\): g is not \(C=5,\)"):
        x.layer_norm(np.ones(7))
    with pytest.raises(ShapeError, match=r"rms_norm: x \(2, C=5\), g \(2, C=5\): g is not \(C=5,\)"):
        x.rms_norm(np.ones((2, 5)))
    with pytest.raises(ShapeError, match=r"batch_norm: x \(1, C=5\): 1 row has no spread; it takes at least 2"):
        tl.batch_norm(np.zeros((1, 5)))
