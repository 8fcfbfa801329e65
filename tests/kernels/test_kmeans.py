"""Clusters: seeded, better than where they began, and none of them empty where that can be."""

from __future__ import annotations

import numpy as np
import pytest

from tinyllm.errors import RangeError
from tinyllm.kernels.kmeans import kmeans, nearest_center


def spread_around(x, centers):
    return ((x - centers[nearest_center(x, centers)]) ** 2).sum()


def test_rounds_lower_the_distances(rng):
    x = rng.standard_normal((300, 6))
    spreads = [spread_around(x, kmeans(x, 12, seed=1, rounds=rounds)) for rounds in (0, 1, 3, 10)]
    assert spreads == sorted(spreads, reverse=True) and spreads[-1] < 0.9 * spreads[0]


def test_clusters_that_are_there_are_found(rng):
    x = np.repeat(np.eye(5) * 10, 20, axis=0) + rng.standard_normal((100, 5)) * 0.1
    found = nearest_center(x, kmeans(x, 5, seed=3)).reshape(5, 20)
    assert (found == found[:, :1]).all() and len(set(found[:, 0].tolist())) == 5


def test_one_seed_one_result_and_no_empty_cluster(rng):
    x = rng.standard_normal((40, 3))
    assert (kmeans(x, 30, seed=2) == kmeans(x, 30, seed=2)).all()
    assert not np.array_equal(kmeans(x, 30, seed=2), kmeans(x, 30, seed=5))
    assert len(set(nearest_center(x, kmeans(x, 40, seed=2)).tolist())) == 40
    assert np.isfinite(kmeans(np.ones((6, 2)), 4, seed=0)).all()  # fewer different vectors than centers


def test_how_many():
    for k in (0, 3):
        with pytest.raises(RangeError, match=f"{k} centers"):
            kmeans(np.ones((2, 2)), k, seed=0)
