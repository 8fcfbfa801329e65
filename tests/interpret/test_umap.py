"""UMAP: the graph has the properties it is defined by, the forces are derivatives, and clusters stay together."""

from __future__ import annotations

import numpy as np
import pytest

from tinyllm.errors import ConfigError, DataError
from tinyllm.interpret import local_scales, nearest, neighbor_recall, umap, umap_graph
from tinyllm.interpret.umap import attraction, curve, repulsion, spectral
from tinyllm.interpret.umap_graph import memberships

# the graph


def test_the_graph_is_symmetric_with_memberships_between_0_and_1(rng):
    x = rng.normal(size=(25, 4)) * np.exp(rng.normal(size=(25, 1)))
    w = umap_graph(x, 5)
    assert (w == w.T).all() and not w.diagonal().any() and w.min() == 0 and w.max() <= 1
    ids, _ = nearest(x, 5)
    np.testing.assert_allclose(w[np.arange(25), ids[:, 0]], 1)  # nobody is alone
    assert (np.take_along_axis(w, ids, 1) > 0).all()
    assert ((w > 0).sum(1) >= 5).all()
    tied = np.zeros((25, 25), bool)
    np.put_along_axis(tied, ids, True, 1)
    np.testing.assert_array_equal(w > 0, tied | tied.T)


def test_memberships_sum_to_log2_k(rng):
    distances = nearest(rng.normal(size=(30, 3)), 8)[1]
    rho, sigma = local_scales(distances)
    np.testing.assert_array_equal(rho, distances[:, 0])
    np.testing.assert_allclose(memberships(distances, rho, sigma).sum(1), 3, rtol=1e-9)


def test_the_union_of_both_views(rng):
    """What each of two points thinks of the other, joined as probabilities of independent events are."""
    x = rng.normal(size=(10, 2))
    ids, distances = nearest(x, 4)
    one_way = np.zeros((10, 10))
    np.put_along_axis(one_way, ids, memberships(distances, *local_scales(distances)), 1)
    both = (one_way > 0.05) & (one_way < 0.95) & (one_way.T > 0.05) & (one_way.T < 0.95)
    assert both.sum() >= 4
    np.testing.assert_allclose(umap_graph(x, 4), 1 - (1 - one_way) * (1 - one_way.T), atol=1e-15)


def test_twins_and_distances_all_alike():
    rho, sigma = local_scales(np.array([[0.0, 0.0, 2.0], [0.0, 0.0, 0.0], [1.0, 1.0, 1.0]]))
    assert rho.tolist() == [2, 0, 1] and (sigma > 0).all()
    w = umap_graph([[0.0], [0.0], [0.0], [1.0]], 2)
    assert np.isfinite(w).all() and w[0, 1] == 1


def test_the_scale_of_the_points_means_nothing(rng):
    x = rng.normal(size=(12, 3))
    np.testing.assert_allclose(umap_graph(1e6 * x, 4), umap_graph(x, 4), rtol=1e-6)


# the forces


@pytest.mark.parametrize(("a", "b"), [(1.577, 0.895), (0.5, 1.3)])
def test_forces_are_derivatives(a, b):
    d = np.array([0.3, 1.0, 2.5])
    h = 1e-6

    def pull(d):
        return np.log(1 + a * d ** (2 * b))

    def push(d):
        return pull(d) - np.log(a * d ** (2 * b))

    np.testing.assert_allclose(-attraction(d**2, a, b) * d, (pull(d + h) - pull(d - h)) / (2 * h), rtol=1e-6)
    soft = (1e-3 + d**2) / d**2  # what keeps the push finite
    np.testing.assert_allclose(-repulsion(d**2, a, b) * d * soft, (push(d + h) - push(d - h)) / (2 * h), rtol=1e-6)
    assert attraction(np.zeros(1), a, b) == 0 and np.isfinite(repulsion(np.zeros(1), a, b)).all()


def test_the_curve_is_the_known_one_and_fits():
    assert curve(0.1) == pytest.approx((1.57694, 0.89506), rel=2e-3)
    assert curve(0.001) == pytest.approx((1.92909, 0.79149), rel=1e-2)
    for min_dist in (0.0, 0.5, 0.99):
        a, b = curve(min_dist)
        d = np.linspace(0.01, 3, 100)
        wanted = np.where(d < min_dist, 1, np.exp(-(d - min_dist)))
        assert np.abs(1 / (1 + a * d ** (2 * b)) - wanted).max() < 0.15


# the picture


def test_clusters_are_kept(clusters):
    x, which = clusters
    for init in ("pca", "spectral"):
        neighbors = 6 if init == "pca" else 14  # above 12 the clusters are tied to each other
        Y = umap(x, neighbors=neighbors, epochs=60, init=init, rng=np.random.default_rng(0)).points
        near, _ = nearest(Y, 3)
        assert (which[near] == which[:, None]).all(), init
    assert neighbor_recall(x, Y, 8) > 0.4


def test_the_same_seed_gives_the_same_picture(clusters):
    def picture(seed):
        return umap(clusters[0], neighbors=5, epochs=5, rng=np.random.default_rng(seed))

    one = picture(0)
    np.testing.assert_array_equal(one.points, picture(0).points)
    assert not np.allclose(one.points, picture(1).points)
    np.testing.assert_array_equal(one.graph, umap_graph(clusters[0], 5))
    assert (one.a, one.b) == curve(0.1)


def test_a_ring_stays_a_ring():
    """Its spectral start is a circle: the eigenvectors of a ring are a cosine and a sine."""
    angle = np.arange(16) * 2 * np.pi / 16
    graph = umap_graph(np.stack([np.cos(angle), np.sin(angle)], 1), 2)
    Y = spectral(graph, 2)
    np.testing.assert_allclose(np.linalg.norm(Y, axis=1), np.sqrt(2 / 16), rtol=1e-6)
    turned = np.sort(np.angle(Y[:, 0] + 1j * Y[:, 1]))
    np.testing.assert_allclose(np.diff(turned), 2 * np.pi / 16, rtol=1e-6)


def test_bad_input(clusters):
    x, rng = clusters[0], np.random.default_rng(0)
    for options, words in (
        ({"neighbors": 36}, "36 neighbors among 36 points. Try: 1 to 35"),
        ({"neighbors": 1}, "1 neighbors. Try: two at least"),
        ({"epochs": 0}, "epochs=0"),
        ({"negatives": -1}, "negatives=-1"),
        ({"learning_rate": 0}, "learning_rate=0"),
        ({"min_dist": 1.5}, "min_dist is 1.5"),
        ({"init": "random"}, "init is 'random'"),
        ({"init": "spectral", "neighbors": 5}, "the graph is in pieces"),
        ({"k": 7}, "7 axes of 36 points"),
    ):
        with pytest.raises(ConfigError, match=words) as caught:
            umap(x, **{"neighbors": 6, **options}, rng=rng)
        assert "\n" not in str(caught.value)
    with pytest.raises(DataError, match="all points are the same"):
        umap(np.ones((5, 2)), neighbors=2, rng=rng)
    with pytest.raises(ConfigError, match="dimensions for"):
        spectral(np.ones((2, 2)), 2)
