"""PCA: the eigenvectors of the covariance, with signs that never change."""

from __future__ import annotations

import numpy as np
import pytest

from tinyllm.errors import ConfigError, ShapeError
from tinyllm.interpret import pca


@pytest.mark.parametrize("shape", [(20, 5), (4, 9), (5, 5), (2, 1)])
def test_axes_are_the_eigenvectors_of_the_covariance(rng, shape):
    x = rng.normal(size=shape) @ np.diag(np.arange(1, shape[1] + 1)) + 3
    k = min(shape[0] - 1, shape[1])
    found = pca(x, k)
    values, vectors = np.linalg.eigh(np.cov(x.T).reshape(shape[1], shape[1]))
    values, vectors = values[::-1][:k], vectors[:, ::-1][:, :k]
    np.testing.assert_allclose(found.variance, values, rtol=1e-9)
    np.testing.assert_allclose(np.abs((found.components * vectors.T).sum(1)), 1, rtol=1e-9)
    np.testing.assert_allclose(found.share, values / x.var(axis=0, ddof=1).sum(), rtol=1e-9)
    np.testing.assert_allclose(found.points, (x - x.mean(0)) @ found.components.T, atol=1e-9)
    np.testing.assert_allclose(found.project(x), found.points, atol=1e-9)
    np.testing.assert_allclose(found.components @ found.components.T, np.eye(k), atol=1e-12)


def test_all_axes_together_give_the_points_back(rng):
    x = rng.normal(size=(6, 4))
    found = pca(x, 4)
    np.testing.assert_allclose(found.points @ found.components + found.mean, x, atol=1e-12)
    assert found.share.sum() == pytest.approx(1)


def test_signs_are_a_rule(rng):
    x = rng.normal(size=(12, 6))
    found = pca(x, 5)
    largest = np.abs(found.components).argmax(axis=1)
    assert (found.components[np.arange(5), largest] > 0).all()
    np.testing.assert_allclose(pca(2 * x.mean(0) - x, 5).components, found.components, atol=1e-9)  # mirrored points
    np.testing.assert_allclose(pca(x[::-1], 5).components, found.components, atol=1e-9)


def test_integers_and_float32_are_points_too(rng):
    x = rng.integers(0, 9, (5, 3))
    np.testing.assert_array_equal(pca(x).points, pca(x.astype(np.float32)).points)


def test_points_that_are_all_the_same_have_no_spread():
    found = pca(np.ones((3, 2)), 1)
    assert not found.points.any() and not found.share.any()


def test_bad_input():
    for x, k in ((np.ones((3, 2)), 3), (np.ones((3, 2)), 0), (np.ones((1, 2)), 1)):
        with pytest.raises(ConfigError, match="axes of"):
            pca(x, k)
    with pytest.raises(ShapeError, match=r"project: x \(3, 3\), but the axes are of C=2"):
        pca([[0.0, 1.0], [2.0, 5.0]]).project(np.ones((3, 3)))
