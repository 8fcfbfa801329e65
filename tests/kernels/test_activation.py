"""erf and the activations: against the C library's erf, far out, and at their limits."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tinyllm import kernels
from tinyllm.kernels import TABLE

BACKENDS = pytest.mark.parametrize("backend", kernels.BACKENDS)
UNARY = ["erf", "sigmoid", "silu", "gelu", "gelu_tanh"]


@BACKENDS
def test_erf_is_accurate(backend, dtype):
    x = np.concatenate([np.linspace(-7, 7, 4001), [0.46875, 4.0, 1e-30, 30.0]]).astype(dtype)
    expected = np.array([math.erf(float(a)) for a in x])
    with kernels.use(backend):
        got = kernels.erf(x)
    np.testing.assert_allclose(got, expected, rtol=5 * np.finfo(dtype).eps, atol=0)


def test_derivative_of_erf_by_complex_step_is_its_density():
    x = np.concatenate([np.linspace(-6, 6, 1001), [0.46875, 4.0]])
    slope = TABLE["erf"]["numpy"](x + 1e-20j).imag / 1e-20
    np.testing.assert_allclose(slope, 2 / math.sqrt(math.pi) * np.exp(-x * x), rtol=1e-13)


@BACKENDS
@pytest.mark.parametrize("name", UNARY)
def test_far_out(name, backend, dtype):
    """Limits are met without a warning (which would be an error here), out to 1e4."""
    x = np.array([-1e4, -200.0, -40.0, 0.0, 40.0, 200.0, 1e4], dtype)
    with kernels.use(backend):
        y = getattr(kernels, name)(x)
    high = {"erf": np.ones(3), "sigmoid": np.ones(3)}.get(name, x[4:])
    low = -1.0 if name == "erf" else 0.0
    np.testing.assert_array_equal(y[4:], high)
    np.testing.assert_allclose(y[:3], low, atol=2e-16)


@BACKENDS
@pytest.mark.parametrize("name", UNARY)
def test_nan_stays_nan_and_zero_dimensions_stay(name, backend, dtype):
    with kernels.use(backend):
        y = getattr(kernels, name)(np.array([np.nan, 1.0], dtype))
        assert np.isnan(y[0]) and np.isfinite(y[1])
        assert np.shape(getattr(kernels, name)(np.array(1.0, dtype))) == ()


@BACKENDS
def test_gelu_and_its_approximation_are_close_but_not_the_same(backend):
    x = np.linspace(-5, 5, 101)
    with kernels.use(backend):
        apart = np.abs(kernels.gelu(x) - kernels.gelu_tanh(x)).max()
    assert 1e-4 < apart < 5e-4


@BACKENDS
@pytest.mark.parametrize("name", ["silu", "gelu", "gelu_tanh"])
def test_backward_is_the_slope(name, backend, dtype):
    """Held against the complex step through the float64 reference."""
    x = np.linspace(-9, 9, 1001)
    slope = TABLE[name]["numpy"](x + 1e-20j).imag / 1e-20
    with kernels.use(backend):
        dx = getattr(kernels, f"{name}_backward")(x.astype(dtype), np.ones(1001, dtype))
    np.testing.assert_allclose(dx, slope, atol=32 * np.finfo(dtype).eps)
