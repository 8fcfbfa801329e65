"""t-SNE: perplexities hit, a gradient that three witnesses agree on, and clusters that stay apart."""

from __future__ import annotations

import numpy as np
import pytest

import tinyllm as tl
from tinyllm.errors import ConfigError, DataError, GradcheckError, NaNError
from tinyllm.interpret import neighbor_recall, pca, tsne, tsne_grad, tsne_loss, tsne_objective, tsne_p
from tinyllm.interpret import tsne_gradient as gradient
from tinyllm.interpret.neighbors import squared_distances
from tinyllm.interpret.tsne_neighbors import conditional, entropy


@pytest.fixture
def problem(rng):
    return tsne_p(rng.normal(size=(9, 4)), 3.0), rng.normal(size=(9, 2))


# neighborhoods


@pytest.mark.parametrize("perplexity", [1.01, 2.0, 5.0, 18.9])
def test_every_point_has_the_perplexity(rng, perplexity):
    x = rng.normal(size=(20, 3)) * np.exp(rng.normal(size=(20, 1)) * 3)  # dense and thin places
    p = conditional(squared_distances(x), perplexity)
    np.testing.assert_allclose(np.exp(entropy(p)), perplexity, rtol=1e-6)
    np.testing.assert_allclose(p.sum(1), 1, rtol=1e-12)
    assert not p.diagonal().any()


def test_p_is_a_symmetric_distribution_over_pairs(rng):
    x = rng.normal(size=(12, 3))
    p = tsne_p(x, 4)
    assert (p == p.T).all() and not p.diagonal().any() and (p >= 0).all() and p.sum() == pytest.approx(1)
    assert (p.sum(1) > 1 / (2 * 12)).all()  # even an outlier counts
    np.testing.assert_allclose(tsne_p(1000 * x, 4), p, rtol=1e-6, atol=1e-15)  # units mean nothing


def test_twins_do_not_hinder():
    p = tsne_p([[0.0]] * 4 + [[1.0], [2.0], [5.0]], 2.0)
    assert np.isfinite(p).all() and p.sum() == pytest.approx(1)
    assert np.isfinite(tsne_p(np.zeros((5, 2)), 2.0)).all()


# the gradient


def test_the_gradient_is_the_central_difference(problem):
    P, Y = problem
    numeric = np.zeros_like(Y)
    for place in np.ndindex(Y.shape):
        step = np.zeros_like(Y)
        step[place] = 1e-5
        numeric[place] = (tsne_loss(P, Y + step) - tsne_loss(P, Y - step)) / 2e-5
    np.testing.assert_allclose(tsne_grad(P, Y), numeric, rtol=1e-6, atol=1e-10)


def test_the_engine_agrees(problem):
    P, Y = problem
    for stronger in (1.0, 4.0):  # with early exaggeration as well
        y = tl.Tensor(Y.copy(), requires_grad=True)
        loss = tsne_objective(stronger * P, y)
        assert loss.item() == pytest.approx(tsne_loss(stronger * P, Y), rel=1e-12)
        loss.backward()
        np.testing.assert_allclose(tsne_grad(stronger * P, Y), y.grad, rtol=1e-10, atol=1e-14)


def test_gradcheck_of_the_objective(problem):
    P, Y = problem
    report = tl.gradcheck(lambda y: tsne_objective(P, y), tl.Tensor(Y, requires_grad=True))
    assert report and report.method == "complex step"


@pytest.mark.parametrize("fault", ["factor 4 lost", "q not divided", "P for q"])
def test_planted_faults_are_caught(problem, fault):
    """The op whose backward is the hand-written gradient, with a fault in it, fails the same check."""
    P, Y = problem

    def wrong(P, Y):
        n = gradient.affinities(Y)
        q = n if fault == "q not divided" else n / n.sum()
        pull = (P.T - (P if fault == "P for q" else q)) * n
        dY = pull.sum(1)[:, None] * Y - pull @ Y
        return dY if fault == "factor 4 lost" else 4 * dY

    def objective(y):
        """The value of the objective, and the gradient of the fault."""
        linear = (y * tl.Tensor(wrong(P, y.data.real))).sum()
        return linear - linear.detach() + tl.Tensor(np.array(tsne_loss(P, y.data.real)))

    with pytest.raises(GradcheckError):
        tl.gradcheck(objective, tl.Tensor(Y, requires_grad=True), method="central difference")


def test_the_gradient_is_zero_where_the_picture_is_right(rng):
    Y = rng.normal(size=(6, 2))
    n = gradient.affinities(Y)
    P = n / n.sum()
    assert np.abs(tsne_grad(P, Y)).max() < 1e-15 and tsne_loss(P, Y) == pytest.approx(0, abs=1e-12)


# the picture


def test_it_separates_three_clusters(clusters):
    x, which = clusters
    found = tsne(x, perplexity=6, steps=300)
    centers = np.stack([found.points[which == c].mean(0) for c in range(3)])
    widest = max(np.linalg.norm(found.points[which == c] - centers[c], axis=1).max() for c in range(3))
    nearest = min(np.linalg.norm(centers[a] - centers[b]) for a, b in ((0, 1), (0, 2), (1, 2)))
    assert nearest > 2.5 * widest
    assert neighbor_recall(x, found.points, 6) > neighbor_recall(x, pca(x).points, 6)


def test_the_loss_falls_and_is_measured_as_said(clusters):
    x, _ = clusters
    found = tsne(x, perplexity=6, steps=95, every=10)
    assert found.steps == [*range(0, 91, 10), 95] and found.exaggerated == 23
    assert found.losses[-1] < 0.3 * found.losses[0]
    assert found.losses[-1] == pytest.approx(tsne_loss(tsne_p(x, 6), found.points))
    np.testing.assert_allclose(found.points.mean(0), 0, atol=1e-9)


def test_nothing_is_random_and_the_start_is_pca(clusters):
    x, _ = clusters
    one, other = tsne(x, perplexity=6, steps=20), tsne(x.copy(), perplexity=6, steps=20)
    np.testing.assert_array_equal(one.points, other.points)
    start = tsne(x, perplexity=6, steps=0).points
    np.testing.assert_allclose(start, pca(x).points * (1e-4 / pca(x).points[:, 0].std()))


def test_a_start_of_ones_own_and_a_callback(clusters, rng):
    x, _ = clusters
    seen = []
    start = rng.normal(size=(36, 3))
    kept = start.copy()
    found = tsne(x, 6, k=3, steps=20, start=start, exaggeration=1, on_step=lambda n, Y: seen.append((n, Y.shape)))
    assert seen == [(10, (36, 3)), (20, (36, 3))] and found.exaggerated == 0
    np.testing.assert_array_equal(start, kept)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"perplexity": 35}, "a perplexity of 35 for 36 points. Try: above 1 and below 35; about 9"),
        ({"perplexity": 1}, "a perplexity of 1 for"),
        ({"perplexity": float("nan")}, "a perplexity of nan"),
        ({"steps": -1}, "steps=-1"),
        ({"exaggeration": 0.5}, "exaggeration=0.5"),
        ({"every": 0}, "every=0"),
        ({"learning_rate": 0.0}, "a learning rate of 0.0"),
        ({"start": np.ones((35, 2))}, r"start \(35, 2\) for 36 points in 2 dimensions"),
    ],
)
def test_bad_settings(clusters, options, words):
    with pytest.raises(ConfigError, match=words) as caught:
        tsne(clusters[0], **{"perplexity": 6, **options})
    assert "\n" not in str(caught.value)


def test_bad_points(clusters):
    with pytest.raises(ConfigError, match=r"a perplexity of 2 for 3 points\. Try: four points at least"):
        tsne(np.eye(3), perplexity=2)
    with pytest.raises(DataError, match="all points are the same"):
        tsne(np.ones((9, 2)), perplexity=3)
    with pytest.raises(NaNError, match="flew apart by step"), np.errstate(all="ignore"):
        tsne(clusters[0], perplexity=6, learning_rate=1e200, steps=30)
