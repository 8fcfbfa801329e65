"""Clipping keeps the direction and bounds the length."""

from __future__ import annotations

import math

import numpy as np
import pytest

import tinyllm as tl
from tinyllm import nn
from tinyllm.errors import ConfigError


def parameters(dtype=np.float32):
    rng = np.random.default_rng(0)
    params = [nn.Parameter(np.zeros(shape, dtype=dtype)) for shape in ((3, 5), (7,), (2,))]
    for p in params[:2]:
        p.grad = rng.normal(size=p.shape).astype(dtype)
    return params  # the last has no gradient


@pytest.mark.parametrize("backend", ["numpy", "numba"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_long_gradient_is_shortened_and_a_short_one_left_alone(dtype, backend):
    params = parameters(dtype)
    before = [p.grad.copy() for p in params[:2]]
    length = math.sqrt(sum((g.astype(np.float64) ** 2).sum() for g in before))
    with tl.kernels.use(backend):
        norm = nn.clip_grad_norm(params, 2 * length)
        assert norm == pytest.approx(length, rel=1e-6)
        for p, g in zip(params, before, strict=False):
            np.testing.assert_array_equal(p.grad, g)
        assert nn.clip_grad_norm(params, 0.5) == norm
        assert nn.clip_grad_norm(params, 0.5) == pytest.approx(0.5, rel=1e-6)
    for p, g in zip(params, before, strict=False):
        np.testing.assert_allclose(p.grad, g * (0.5 / length), rtol=1e-5)
        assert p.grad.dtype == dtype
    assert params[2].grad is None


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_norm_that_is_not_finite_changes_nothing_and_is_told(bad):
    params = parameters()
    params[0].grad[1, 1] = bad
    before = params[1].grad.copy()
    assert not math.isfinite(nn.clip_grad_norm(params, 1.0))
    np.testing.assert_array_equal(params[1].grad, before)


def test_infinity_only_measures_and_zero_is_refused():
    params = parameters()
    assert nn.clip_grad_norm(params, math.inf) > 1
    for wrong in (0.0, -1.0, math.nan):
        with pytest.raises(ConfigError, match="max_norm"):
            nn.clip_grad_norm(params, wrong)
