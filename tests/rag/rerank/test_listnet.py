"""The loss by hand, its gradient, and that padding has no say."""

from __future__ import annotations

import numpy as np
import pytest

from tinyllm import kernels
from tinyllm.autograd import Tensor, gradcheck
from tinyllm.errors import DataError, ShapeError
from tinyllm.rag.rerank.linear import objective
from tinyllm.rag.rerank.listnet import listnet, padded


@pytest.fixture(autouse=True)
def numpy_kernels():
    with kernels.use("numpy"):
        yield


def lists(rng, sizes=(5, 2, 3), features=4):
    rows = [rng.normal(size=(n, features)) for n in sizes]
    grades = [rng.integers(0, 4, n).astype(float) for n in sizes]
    for grade in grades:
        grade[0] = 1.0
    x, real = padded(rows)
    return x, padded(grades)[0], real


def by_hand(scores, grades, real):
    total = 0.0
    for s, g, r in zip(scores, grades, real, strict=True):
        p = np.exp(s[r]) / np.exp(s[r]).sum()
        total -= (g[r] / g[r].sum() * np.log(p)).sum()
    return total / len(scores)


def test_the_loss_by_hand(rng):
    x, grades, real = lists(rng)
    scores = x.sum(axis=-1)
    assert listnet(Tensor(scores), grades, real).item() == pytest.approx(by_hand(scores, grades, real), rel=1e-12)


def test_a_shift_of_a_list_changes_nothing_and_padding_has_no_say(rng):
    x, grades, real = lists(rng)
    scores = x.sum(axis=-1)
    before = listnet(Tensor(scores), grades, real).item()
    moved = scores + np.array([[5.0], [-300.0], [0.0]])
    assert listnet(Tensor(moved), grades, real).item() == pytest.approx(before, rel=1e-9)
    assert listnet(Tensor(np.where(real, scores, 1e6)), grades, real).item() == pytest.approx(before, rel=1e-12)


def test_gradients(rng):
    x, grades, real = lists(rng)
    scores = Tensor(x.sum(axis=-1), requires_grad=True)
    assert gradcheck(lambda s: listnet(s, grades, real), scores)
    w = Tensor(rng.normal(size=x.shape[-1]), requires_grad=True)
    assert gradcheck(lambda w: objective(w, x, grades, real, 0.3), w)


def test_what_is_refused(rng):
    x, grades, real = lists(rng)
    scores = Tensor(x.sum(axis=-1))
    with pytest.raises(ShapeError, match="listnet"):
        listnet(scores, grades[:2], real)
    for bad in (grades * 0, -grades, np.where(real, grades, 1.0)):
        with pytest.raises(DataError, match="relevant item"):
            listnet(scores, bad, real)


def test_padded():
    filled, real = padded([np.ones((2, 3)), np.ones((1, 3))])
    assert filled.shape == (2, 2, 3) and filled.sum() == 9 and real.tolist() == [[True, True], [True, False]]
