"""The loss without all of its logits: the same as the one with them, however the rows are cut into chunks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import tinyllm as tl
from tinyllm.autograd.ops import loss
from tinyllm.models import gpt

N, V, C = 13, 11, 5
BACKENDS = pytest.mark.parametrize("backend", ["numpy", "numba"])


@pytest.fixture
def given(rng):
    targets = rng.integers(0, V, N)
    targets[[2, 7]] = -100
    return rng.standard_normal((N, C)), rng.standard_normal((V, C)), targets


def run(function, x, w, targets, dloss=1.0, **params):
    x, w = tl.Tensor(x, requires_grad=True), tl.Tensor(w, requires_grad=True)
    y = function(x, w, targets, **params)
    y.backward(dloss)
    return y.item(), x.grad, w.grad


def in_two_steps(x, w, targets, **params):
    return tl.cross_entropy(tl.linear(x, w), targets, **params)


@BACKENDS
@pytest.mark.parametrize("rows", [1, 4, N])
@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_it_is_the_loss_of_the_linear_layer(backend, rows, reduction, given, monkeypatch):
    monkeypatch.setattr(loss, "CHUNK", rows * V)
    with tl.kernels.use(backend):
        got = run(tl.linear_cross_entropy, *given, dloss=0.3, reduction=reduction)
        want = run(in_two_steps, *given, dloss=0.3, reduction=reduction)
    for a, b in zip(got, want, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-14)


def test_chunks_cover_every_row_once_and_stay_small(monkeypatch):
    for N, V in ((1, 1), (768, 50304), (0, 7), (5, 1 << 25), (100_000, 300)):
        cut = loss.chunks(N, V)
        assert [i for here in cut for i in range(here.start, here.stop)] == list(range(N))
        assert all((here.stop - here.start) * V <= loss.CHUNK or here.stop - here.start == 1 for here in cut)


def test_no_rows_have_no_loss_and_no_gradient():
    for x, targets in ((np.zeros((0, C)), np.zeros(0, int)), (np.ones((2, C)), np.full(2, -100))):
        value, dx, dw = run(tl.linear_cross_entropy, x, np.ones((V, C)), targets, reduction="sum")
        assert value == 0 and not dx.any() and dx.shape == x.shape and not dw.any()


def test_without_a_graph_no_gradient_is_made(given, monkeypatch):
    monkeypatch.setattr(loss, "_losses_and_gradients", None)
    with tl.no_grad():
        x, w, targets = given
        y = tl.linear_cross_entropy(tl.Tensor(x), tl.Tensor(w), targets).item()
    assert y == pytest.approx(in_two_steps(*given).item(), rel=1e-13)


def test_a_second_walk_makes_the_same_gradients(given):
    x, w, targets = given
    x, w = tl.Tensor(x, requires_grad=True), tl.Tensor(w, requires_grad=True)
    y = tl.linear_cross_entropy(x, w, targets)
    y.backward(retain_graph=True)
    first = x.grad.copy(), w.grad.copy()
    x.grad *= 7  # the leaf's own, to be edited
    x.zero_grad()
    w.zero_grad()
    y.backward()
    np.testing.assert_array_equal(x.grad, first[0])
    np.testing.assert_array_equal(w.grad, first[1])
    assert y.node.made is None


def test_a_gpt_with_many_logits_takes_its_loss_in_chunks(monkeypatch):
    config = tl.GPTConfig.preset("gpt2", vocab_size=17, block_size=8, n_layer=1, n_head=2, n_embd=6)
    idx = np.array([[1, 2, 3, 4], [5, 8, 10, 16]])
    results = []
    for many in (gpt.MANY_LOGITS, 8):
        monkeypatch.setattr(gpt, "MANY_LOGITS", many)
        for tied in (True, False):
            model = tl.GPT(replace(config, tied=tied), np.random.default_rng(0))
            model.astype(np.float64)
            y = model.loss(idx[:, :-1], idx[:, 1:])
            y.backward()
            results.append((y.node.name, y.item(), [p.grad for p in model.parameters()]))
    assert [name for name, _, _ in results] == ["cross_entropy"] * 2 + ["linear_cross_entropy"] * 2
    for (_, a, das), (_, b, dbs) in zip(results[:2], results[2:], strict=True):
        assert a == pytest.approx(b, rel=1e-13)
        for da, db in zip(das, dbs, strict=True):
            np.testing.assert_allclose(da, db, rtol=1e-10, atol=1e-14)
