"""Rotary positions: two conventions that agree after a permutation, and undo themselves."""

from __future__ import annotations

import numpy as np
import pytest

from tinyllm import kernels

BACKENDS = pytest.mark.parametrize("backend", kernels.BACKENDS)


def test_angles_are_float64_and_turn_with_the_position():
    cos, sin = kernels.rope_angles(np.array([0, 1, 8191]), 8, 10000.0)
    assert cos.dtype == sin.dtype == np.float64
    assert cos.shape == (3, 4)
    angles = np.array([[p * 10000.0 ** (-2 * i / 8) for i in range(4)] for p in (0, 1, 8191)])
    np.testing.assert_allclose(cos, np.cos(angles), atol=1e-12)
    np.testing.assert_allclose(sin, np.sin(angles), atol=1e-12)


@BACKENDS
def test_pairs_and_halves_agree_after_a_permutation(backend, rng):
    x, angles = rng.standard_normal((2, 3, 5, 8)), kernels.rope_angles(np.arange(5), 8, 100.0)
    to_pairs = np.arange(8).reshape(2, 4).T.ravel()  # 0 4 1 5 2 6 3 7
    with kernels.use(backend):
        half, pairs = kernels.rope_half(x, *angles), kernels.rope_pairs(x[..., to_pairs], *angles)
    np.testing.assert_allclose(half[..., to_pairs], pairs, rtol=1e-13)
    assert np.abs(half - kernels.rope_pairs(x, *angles)).max() > 0.1


@BACKENDS
@pytest.mark.parametrize("name", ["rope_half", "rope_pairs"])
def test_a_turn_back_undoes_a_turn(name, backend, rng):
    x, (cos, sin) = rng.standard_normal((2, 3, 5, 8)), kernels.rope_angles(np.arange(5) + 40, 8, 100.0)
    with kernels.use(backend):
        turn = getattr(kernels, name)
        np.testing.assert_allclose(turn(turn(x, cos, sin), cos, -sin), x, rtol=1e-13)


@pytest.mark.parametrize("name", ["rope_half", "rope_pairs"])
def test_scores_depend_on_the_distance_alone(name, rng):
    turn, q, k = getattr(kernels, name), rng.standard_normal((1, 1, 1, 8)), rng.standard_normal((1, 1, 1, 8))

    def score(i, j):
        at = [kernels.rope_angles(np.array([p]), 8, 100.0) for p in (i, j)]
        return (turn(q, *at[0]) * turn(k, *at[1])).sum()

    assert score(7, 3) == pytest.approx(score(104, 100), rel=1e-12)
    assert abs(score(7, 3) - score(8, 3)) > 1e-3


@BACKENDS
def test_angles_of_their_own_for_each_row_of_the_batch(backend, rng):
    x = rng.standard_normal((2, 3, 5, 4))
    cos, sin = (
        np.stack(a)[:, None] for a in zip(*(kernels.rope_angles(np.arange(5) + n, 4, 9.0) for n in (0, 7)), strict=True)
    )
    with kernels.use(backend):
        turned = kernels.rope_half(x, cos, sin)
        np.testing.assert_allclose(turned[1], kernels.rope_half(x[1:], cos[1, 0], sin[1, 0])[0], rtol=1e-13)
