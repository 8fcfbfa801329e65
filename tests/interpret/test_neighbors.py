"""Points and their neighbors: distances as they are defined, nobody his own neighbor, and what is no cloud refused."""

from __future__ import annotations

import numpy as np
import pytest

from tinyllm.errors import ConfigError, DataError, NaNError, ShapeError
from tinyllm.interpret import analogy, nearest, nearest_tokens, neighbor_recall, pca, squared_distances, tsne, umap
from tinyllm.interpret.neighbors import cloud


def test_distances(rng):
    x = rng.normal(size=(7, 3)) + 1e6  # far from the origin, where a product of large numbers would lose digits
    d = squared_distances(x)
    np.testing.assert_allclose(d, ((x[:, None] - x) ** 2).sum(-1), rtol=1e-7, atol=1e-9)
    assert (d == d.T).all() and not d.diagonal().any()


def test_nearest(rng):
    x = rng.normal(size=(9, 2))
    ids, distances = nearest(x, 3)
    for i in range(9):
        order = [j for j in np.argsort(np.linalg.norm(x - x[i], axis=1)) if j != i]
        assert ids[i].tolist() == order[:3]
        np.testing.assert_allclose(distances[i], np.linalg.norm(x[ids[i]] - x[i], axis=1), rtol=1e-9)


def test_a_twin_is_a_neighbor_but_oneself_is_not():
    ids, distances = nearest([[1.0], [1.0], [1.0]], 2)
    assert ids.tolist() == [[1, 2], [0, 2], [0, 1]] and not distances.any()
    with pytest.raises(ConfigError, match=r"3 neighbors among 3 points\. Try: 1 to 2"):
        nearest([[1.0], [1.0], [1.0]], 3)


def test_recall(rng):
    x = rng.normal(size=(30, 4))
    assert neighbor_recall(x, 3 * x + 1, k=5) == 1
    assert neighbor_recall(x, rng.normal(size=(30, 2)), k=5) < 0.4
    with pytest.raises(ShapeError, match="30 points in x, and 29 in y"):
        neighbor_recall(x, x[1:])


CALLS = {
    "pca": pca,
    "tsne": lambda x: tsne(x, perplexity=2, steps=1),
    "umap": lambda x: umap(x, neighbors=2, epochs=1, rng=np.random.default_rng(0)),
    "nearest_tokens": lambda x: nearest_tokens(x, 0, 1),
    "analogy": lambda x: analogy(x, 0, 1, 2, 1),
}


@pytest.mark.parametrize("name", CALLS)
def test_no_cloud_is_refused_in_one_line(name, rng):
    broken = rng.normal(size=(8, 3))
    broken[[2, 5], 1] = np.nan, np.inf
    for x, error, words in (
        (broken, NaNError, f"{name}: 2 of 8 points .* the first of them point 2"),
        (np.ones(4), ShapeError, rf"{name}: x \(4,\) float64, not points \(N, C\)"),
        (np.ones((0, 4)), ShapeError, "not points"),
        (np.array([["a"]]), ShapeError, "not points"),
    ):
        with pytest.raises(error, match=words) as caught:
            CALLS[name](x)
        assert "\n" not in str(caught.value)


def test_too_many_points_are_foreseen():
    many = np.zeros((6000, 1), np.float32)
    with pytest.raises(DataError, match=r"umap: 6000 points; .* 0\.3 GB.*a random 5000"):
        umap(many, rng=np.random.default_rng(0))
    with pytest.raises(DataError, match="tsne: 6000 points"):
        tsne(many)
    assert cloud(many, "f").dtype == np.float64
