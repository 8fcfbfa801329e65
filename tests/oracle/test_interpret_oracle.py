"""t-SNE, PCA and head importance beside scikit-learn and PyTorch, each skipped where it is not installed."""

from __future__ import annotations

import numpy as np
import pytest

from tinyllm import interpret, kernels
from tinyllm.interpret.neighbors import squared_distances

pytestmark = pytest.mark.oracle


@pytest.fixture
def torch():
    return pytest.importorskip("torch", reason="the oracle tests need torch: pip install -e '.[oracle]'")


@pytest.fixture
def theirs():
    reason = "scikit-learn is not installed: pip install scikit-learn"
    return pytest.importorskip("sklearn.manifold._t_sne", reason=reason)


@pytest.mark.parametrize("perplexity", [2.0, 5.0, 15.0])
def test_neighborhoods_beside_scikit_learn(theirs, rng, perplexity):
    x = rng.normal(size=(40, 6))
    p = theirs._joint_probabilities(squared_distances(x).astype(np.float32), perplexity, 0)
    whole = np.zeros((40, 40))
    whole[np.triu_indices(40, 1)] = p
    np.testing.assert_allclose(interpret.tsne_p(x, perplexity), whole + whole.T, rtol=2e-3, atol=1e-9)


def test_loss_and_gradient_beside_scikit_learn(theirs, rng):
    P, Y = interpret.tsne_p(rng.normal(size=(15, 4)), 4), rng.normal(size=(15, 2))
    loss, gradient = theirs._kl_divergence(Y.ravel(), P[np.triu_indices(15, 1)], 1, 15, 2)
    assert interpret.tsne_loss(P, Y) == pytest.approx(loss, rel=1e-9)
    np.testing.assert_allclose(interpret.tsne_grad(P, Y).ravel(), gradient, rtol=1e-5, atol=1e-12)


def test_a_picture_is_as_good_as_scikit_learns(theirs, rng):
    manifold = pytest.importorskip("sklearn.manifold")
    x = np.concatenate([rng.normal(size=(30, 8)) + 4 * center for center in rng.normal(size=(4, 8))])
    other = manifold.TSNE(perplexity=10, method="exact", max_iter=750, random_state=0).fit(x)
    own = interpret.tsne(x, perplexity=10)
    assert own.losses[-1] < 1.05 * other.kl_divergence_
    assert interpret.neighbor_recall(x, own.points) > interpret.neighbor_recall(x, other.embedding_) - 0.03


def test_pca_beside_scikit_learn(theirs, rng):
    decomposition = pytest.importorskip("sklearn.decomposition")
    x = rng.normal(size=(30, 5)) * np.arange(1, 6)
    other, own = decomposition.PCA(3).fit(x), interpret.pca(x, 3)
    np.testing.assert_allclose(own.variance, other.explained_variance_, rtol=1e-9)
    np.testing.assert_allclose(own.share, other.explained_variance_ratio_, rtol=1e-9)
    np.testing.assert_allclose(np.abs(own.components), np.abs(other.components_), atol=1e-9)


def test_the_gradient_beside_torch(torch, rng):
    P, Y = interpret.tsne_p(rng.normal(size=(25, 4)), 6), rng.normal(size=(25, 2))
    y, p = torch.tensor(Y, requires_grad=True), torch.tensor(P)
    n = 1 / (1 + ((y[:, None] - y[None]) ** 2).sum(-1))
    n = n * (1 - torch.eye(25))
    q = n / n.sum()
    there = p > 0
    loss = (p[there] * (p[there] / q[there]).log()).sum()
    loss.backward()
    assert interpret.tsne_loss(P, Y) == pytest.approx(loss.item(), rel=1e-10)
    np.testing.assert_allclose(interpret.tsne_grad(P, Y), y.grad.numpy(), rtol=1e-9, atol=1e-13)


def test_gate_slopes_beside_torch(torch):
    """The second layer of the handmade model written once more in torch, with a gate on each head."""
    model = interpret.induction_gpt(V=7, T=10)
    ids = np.tile([3, 1, 4, 0, 2], 2)[None]
    idx, targets = ids[:, :-1], ids[:, 1:]
    with kernels.use("numpy"):
        own = interpret.gate_slopes(model, idx, targets)[0, 1]
        x = torch.tensor(model.blocks[0](model.embed(idx)).data)[0]  # (T, C)
        (a,) = (block.attn for block in model.blocks[1:])
        maps = torch.tensor(model.attention_maps(idx)[1][0])  # (H, T, T)
    C = x.shape[1]

    def norm(x):
        return torch.nn.functional.layer_norm(x, (C,), eps=1e-5)

    v = (norm(x) @ torch.tensor(a.qkv.weight.data).T)[:, 2 * C :].reshape(-1, 2, a.D)  # (T, H, D)
    gates = torch.ones(2, dtype=torch.float64, requires_grad=True)
    heads = torch.einsum("hts,shd->thd", maps, v) * gates[:, None]
    x = x + heads.reshape(-1, C) @ torch.tensor(a.out.weight.data).T
    logits = norm(x) @ torch.tensor(model.wte.weight.data).T
    torch.nn.functional.cross_entropy(logits, torch.tensor(targets[0])).backward()
    np.testing.assert_allclose(own, gates.grad.numpy(), rtol=1e-6, atol=1e-12)
    assert abs(own[0]) > 1e-3
