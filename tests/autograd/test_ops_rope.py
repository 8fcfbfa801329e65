"""Rotary positions: lengths stay, only distances count, and the two conventions are one up to the order of channels."""

from __future__ import annotations

import numpy as np
import pytest

import tinyllm as tl
from tinyllm.kernels import rope_angles

BOTH = pytest.mark.parametrize("name", ["rope_half", "rope_pairs"])
BACKENDS = pytest.mark.parametrize("backend", ["numpy", "numba"])


@BACKENDS
@BOTH
def test_a_turn_keeps_lengths_and_the_way_back_undoes_it(name, backend, rng):
    x = tl.Tensor(rng.normal(size=(2, 3, 5, 8)), requires_grad=True)
    cos, sin = rope_angles(np.arange(5), 8, 10000.0)
    with tl.kernels.use(backend):
        y = getattr(tl, name)(x, cos, sin)
        np.testing.assert_allclose((y.data**2).sum(axis=-1), (x.data**2).sum(axis=-1), rtol=1e-13)
        y.backward(y.data)
    np.testing.assert_allclose(x.grad, x.data, rtol=1e-13)  # a rotation's transpose turns back


@BOTH
def test_a_score_depends_on_the_distance_alone(name, rng):
    q, k = rng.normal(size=(1, 1, 1, 8)), rng.normal(size=(1, 1, 1, 8))

    def score(at, other):
        turned = [getattr(tl, name)(x, *rope_angles(np.array([p]), 8, 100.0)).data for x, p in ((q, at), (k, other))]
        return float((turned[0] * turned[1]).sum())

    np.testing.assert_allclose(score(9, 4), score(105, 100), rtol=1e-11)
    assert abs(score(9, 4) - score(9, 5)) > 1e-3


@BACKENDS
def test_the_conventions_differ_by_the_order_of_channels(backend, rng):
    x, (cos, sin) = rng.normal(size=(2, 3, 5, 8)), rope_angles(np.arange(5), 8, 10000.0)
    order = [0, 4, 1, 5, 2, 6, 3, 7]  # channels i and i + D/2 side by side
    with tl.kernels.use(backend):
        half, pairs = tl.rope_half(x, cos, sin).data, tl.rope_pairs(x[..., order], cos, sin).data
    np.testing.assert_allclose(half[..., order], pairs, rtol=1e-13)
    assert not np.allclose(half, tl.rope_pairs(x, cos, sin).data)


@BOTH
def test_position_zero_is_left_alone(name, rng):
    x, (cos, sin) = rng.normal(size=(1, 2, 3, 6)), rope_angles(np.arange(3), 6, 10000.0)
    y = getattr(tl, name)(x, cos, sin).data
    assert np.array_equal(y[:, :, 0], x[:, :, 0]) and not np.allclose(y[:, :, 1], x[:, :, 1])


@BOTH
def test_float64_angles_adopt_the_dtype_of_a_float32_tensor(name, rng):
    x = tl.Tensor(rng.normal(size=(1, 2, 3, 6)).astype(np.float32), requires_grad=True)
    y = getattr(x, name)(*rope_angles(np.arange(3), 6, 10000.0))
    assert y.dtype == np.float32
