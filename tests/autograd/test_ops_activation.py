"""Activations far out, at zero, and beside the formulas they are named after."""

from __future__ import annotations

import math

import numpy as np
import pytest

import tinyllm as tl
from tinyllm.errors import ShapeError

NAMES = ["tanh", "sigmoid", "relu", "gelu", "gelu_tanh", "silu"]
FAR_LEFT = {"tanh": -1.0}
FAR_RIGHT = {"tanh": 1.0, "sigmoid": 1.0}


@pytest.mark.parametrize("backend", ["numpy", "numba"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", NAMES)
def test_far_out_there_is_no_overflow(name, dtype, backend):
    """Warnings are errors here; and float32 has run out of exponents long before 1e4."""
    x = tl.Tensor(np.array([-1e4, -200.0, 200.0, 1e4], dtype=dtype), requires_grad=True)
    with tl.kernels.use(backend):
        y = getattr(x, name)()
        y.sum().backward()
    left, right = FAR_LEFT.get(name, 0.0), FAR_RIGHT.get(name, 0.0)
    np.testing.assert_allclose(y.data, [left, left, right or 200.0, right or 1e4], atol=1e-30)
    slope = 0.0 if name in FAR_RIGHT else 1.0
    np.testing.assert_allclose(x.grad, [0, 0, slope, slope], atol=1e-30)


@pytest.mark.parametrize("name", NAMES)
def test_a_nan_stays_one(name):
    assert np.isnan(getattr(tl.Tensor(np.array([np.nan])), name)().data).all()


def test_formulas():
    x = np.array([-2.0, -0.5, 0.0, 0.3, 3.0])
    phi = np.array([(1 + math.erf(v / math.sqrt(2))) / 2 for v in x])
    sigmoid = 1 / (1 + np.exp(-x))
    t = tl.Tensor(x)
    np.testing.assert_allclose(t.gelu().data, x * phi, rtol=1e-14)
    np.testing.assert_allclose(t.sigmoid().data, sigmoid, rtol=1e-14)
    np.testing.assert_allclose(t.silu().data, x * sigmoid, rtol=1e-14)
    np.testing.assert_allclose(t.swiglu(np.full(5, 3.0)).data, 3 * x * sigmoid, rtol=1e-14)
    difference = np.abs(t.gelu().data - t.gelu_tanh().data)
    assert 0 < difference.max() < 5e-4
    assert t.relu().data.tolist() == [0, 0, 0, 0.3, 3.0]


def test_swiglu_does_not_broadcast():
    with pytest.raises(ShapeError, match=r"swiglu: gate \(2, C=3\), up \(C=3,\): the two must have one shape"):
        tl.swiglu(np.zeros((2, 3)), np.zeros(3))
