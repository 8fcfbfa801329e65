"""The randomized SVD beside NumPy's own of the dense matrix."""

from __future__ import annotations

import numpy as np
import pytest

from tinyllm import kernels
from tinyllm.errors import ConfigError, ShapeError
from tinyllm.rag.embed.svd import randomized_svd


@pytest.fixture(autouse=True)
def numpy_kernels():
    with kernels.use("numpy"):
        yield


def sparse(dense):
    at, columns = np.nonzero(dense)
    starts = np.concatenate([[0], np.cumsum(np.bincount(at, minlength=len(dense)))])
    return starts, columns.astype(np.int32), dense[at, columns]


def falling(rng, N, V, ratio):
    """A matrix whose singular values are 1, ratio, ratio^2, ..."""
    u, v = (np.linalg.qr(rng.standard_normal((n, min(N, V))))[0] for n in (N, V))
    return (u * ratio ** np.arange(min(N, V))) @ v.T


@pytest.mark.parametrize(("N", "V"), [(60, 90), (90, 60)])
def test_equals_the_exact_one(N, V, rng):
    dense = falling(rng, N, V, 0.8)
    u, s, v = randomized_svd(sparse(dense), V, 12)
    exact_u, exact_s, exact_v = np.linalg.svd(dense, full_matrices=False)
    np.testing.assert_allclose(s, exact_s[:12], rtol=1e-6)
    np.testing.assert_allclose(u.T @ u, np.eye(12), atol=1e-12)
    np.testing.assert_allclose(v.T @ v, np.eye(12), atol=1e-12)
    np.testing.assert_allclose(np.abs((v * exact_v[:12].T).sum(0)), 1, atol=1e-6)
    np.testing.assert_allclose((u * s) @ v.T, (exact_u[:, :12] * exact_s[:12]) @ exact_v[:12], atol=1e-4)


def test_powers_are_what_slowly_falling_values_need(rng):
    dense = falling(rng, 120, 150, 0.985)
    exact = (np.linalg.svd(dense, compute_uv=False)[:20] ** 2).sum()
    missed = [1 - (randomized_svd(sparse(dense), 150, 20, powers=p)[1] ** 2).sum() / exact for p in (0, 1, 2, 4, 8)]
    assert missed == sorted(missed, reverse=True)
    assert missed[0] > 0.2 and 0 < missed[3] < 0.02 and missed[4] < 0.005


def test_signs_and_seeds(rng):
    rows = sparse(falling(rng, 30, 40, 0.7))
    _, s, v = randomized_svd(rows, 40, 5, seed=1)
    assert (v[np.abs(v).argmax(0), np.arange(5)] > 0).all()
    np.testing.assert_array_equal(v, randomized_svd(rows, 40, 5, seed=1)[2])
    again = randomized_svd(rows, 40, 5, seed=2)
    np.testing.assert_allclose(again[2], v, atol=1e-5)  # another start, the same signs
    assert not np.array_equal(again[2], v) and (np.diff(s) < 0).all()


def test_a_low_rank_gives_fewer(rng):
    dense = rng.standard_normal((20, 3)) @ rng.standard_normal((3, 25))
    u, s, v = randomized_svd(sparse(dense), 25, 10)
    assert u.shape == (20, 3) and s.shape == (3,) and v.shape == (25, 3)
    np.testing.assert_allclose((u * s) @ v.T, dense, atol=1e-10)
    assert randomized_svd(sparse(np.zeros((4, 5))), 5, 2)[1].size == 0
    assert randomized_svd(sparse(np.eye(3)), 3, 9)[1].tolist() == pytest.approx([1, 1, 1])


def test_what_makes_no_sense_is_refused():
    rows = sparse(np.eye(3))
    for bad in ({"k": 0}, {"k": 1, "oversampling": -1}, {"k": 1, "powers": -1}):
        with pytest.raises(ConfigError, match="randomized_svd"):
            randomized_svd(rows, 3, **bad)
    with pytest.raises(ShapeError):
        randomized_svd(rows, 2, 1)
