"""Matrix products: one large product wherever there can be one, NumPy's rules, and errors in letters."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import tinyllm as tl
from tinyllm.autograd import OPS
from tinyllm.autograd.ops import linalg
from tinyllm.errors import ShapeError

SHAPES = [
    ((5,), (5,)),
    ((5,), (5, 7)),
    ((3, 5), (5,)),
    ((2, 3, 5), (5,)),
    ((5,), (2, 5, 7)),
    ((3, 5), (2, 5, 7)),
    ((2, 3, 5), (5, 7)),
    ((2, 1, 3, 5), (11, 5, 7)),
    ((11, 2, 3, 5), (2, 5, 7)),
]


@pytest.mark.parametrize(("a", "b"), SHAPES, ids=str)
def test_matmul_follows_numpy(a, b, rng):
    a, b = rng.normal(size=a), rng.normal(size=b)
    got = tl.Tensor(a) @ tl.Tensor(b)
    assert got.shape == np.matmul(a, b).shape
    np.testing.assert_allclose(got.data, np.matmul(a, b), rtol=1e-12)


def recorded(monkeypatch):
    """Note the shapes of every product the ops ask for."""
    calls = []

    def noted(real):
        def product(a, b, *rest):
            calls.append((a.shape, b.shape))
            return real(a, b, *rest)

        return product

    for name in ("matmul", "linear"):
        monkeypatch.setattr(linalg.kernels, name, noted(getattr(linalg.kernels, name)))
    return calls


def test_a_stack_times_one_matrix_is_one_product_each_way(monkeypatch, rng):
    calls = recorded(monkeypatch)
    x = tl.Tensor(rng.normal(size=(2, 3, 5)), requires_grad=True)
    w = tl.Tensor(rng.normal(size=(7, 5)), requires_grad=True)
    x.linear(w).backward(rng.normal(size=(2, 3, 7)))
    assert calls == [((2, 3, 5), (7, 5)), ((2, 3, 7), (7, 5)), ((7, 6), (6, 5))]
    calls.clear()
    b = tl.Tensor(rng.normal(size=(5, 7)), requires_grad=True)
    (x @ b).backward(rng.normal(size=(2, 3, 7)))
    assert calls == [((2, 3, 5), (5, 7)), ((2, 3, 7), (7, 5)), ((5, 6), (6, 7))]


def test_no_product_is_made_for_a_gradient_that_nobody_wants(monkeypatch, rng):
    calls = recorded(monkeypatch)
    x, w = tl.Tensor(rng.normal(size=(3, 5))), tl.Tensor(rng.normal(size=(7, 5)), requires_grad=True)
    x.linear(w).sum().backward()
    (x @ tl.Tensor(rng.normal(size=(5, 2)), requires_grad=True)).sum().backward()
    assert len(calls) == 4


def test_linear_is_matmul_and_a_bias(rng):
    x, w, b = rng.normal(size=(2, 3, 5)), rng.normal(size=(7, 5)), rng.normal(size=7)
    np.testing.assert_allclose(tl.linear(x, w, b).data, x @ w.T + b, rtol=1e-12)
    np.testing.assert_allclose(tl.linear(x, w).data, x @ w.T, rtol=1e-12)
    before = x.copy(), w.copy(), b.copy()
    tl.linear(x, w, b)
    assert all(np.array_equal(one, two) for one, two in zip((x, w, b), before, strict=True))


def test_by_hand_only_what_was_given_gets_a_gradient(rng):
    """Called outside of a graph, backward returns one gradient per array, None for those that were left out."""
    ctx = OPS["linear"]()
    ctx.forward(rng.normal(size=(3, 5)), rng.normal(size=(7, 5)))
    dx, dw, db = ctx.backward(rng.normal(size=(3, 7)))
    assert dx.shape == (3, 5) and dw.shape == (7, 5) and db is None
    for name in ("layer_norm", "batch_norm", "rms_norm"):
        ctx = OPS[name]()
        ctx.forward(rng.normal(size=(3, 5)))
        dx, *others = ctx.backward(rng.normal(size=(3, 5)))
        assert dx.shape == (3, 5) and set(others) == {None}


def message(f, *shapes):
    with pytest.raises(ShapeError) as caught:
        f(*(tl.Tensor(np.zeros(shape)) for shape in shapes))
    return str(caught.value)


def test_misfits_in_letters():
    assert message(tl.matmul, (2, 4, 6, 8), (2, 4, 6, 8)) == (
        "E-SHAPE matmul: a (2, 4, M=6, K=8), b (2, 4, K=6, N=8): inner sizes K=8 and K=6 differ. "
        "Try: b.swapaxes(-1, -2)"
    )
    assert message(tl.matmul, (6, 8), (6, 3)).endswith("K=8 and K=6 differ. Try: a.swapaxes(-1, -2)")
    assert message(tl.matmul, (3, 5), (7, 11)).endswith("inner sizes K=5 and K=7 differ")
    assert message(tl.matmul, (5,), (7,)) == "E-SHAPE matmul: a (K=5,), b (K=7,): inner sizes K=5 and K=7 differ"
    assert message(tl.matmul, (2, 3, 5), (3, 5, 7)).endswith("(2,) and (3,) in front do not broadcast")
    assert message(tl.matmul, (), (3,)) == "E-SHAPE matmul: a single number is no matrix. Try: a * b"
    assert message(tl.linear, (2, 3), (3, 5)) == (
        "E-SHAPE linear: x (2, C=3), w (N=3, C=5): C=3 and C=5 differ. "
        "Try: w.swapaxes(0, 1): a weight is (outputs, inputs)"
    )
    assert message(tl.linear, (2, 3), (5, 3), (3,)).endswith("b (N=3,): N=5 and N=3 differ")
    assert message(tl.linear, (2, 3), (5, 3), (1, 5)).endswith("b has 2 axes, not 1")


# einsum

SUBSCRIPTS = [
    ("bij,bjk->bik", [(2, 3, 5), (2, 5, 7)]),
    ("ij,kj", [(3, 5), (7, 5)]),
    ("btd,bsd->bts", [(2, 3, 5), (2, 7, 5)]),
    ("ii->i", [(5, 5)]),
    ("ii", [(5, 5)]),
    ("iij->j", [(3, 3, 5)]),
    ("iji->ij", [(3, 5, 3)]),
    ("iii->i", [(3, 3, 3)]),
    ("ij->", [(3, 5)]),
    ("ij,k->", [(3, 5), (7,)]),
    ("ii,jj->", [(3, 3), (5, 5)]),
    ("ii,ij->j", [(3, 3), (3, 5)]),
    ("a,b,c->cab", [(2,), (3,), (5,)]),
    ("ab,bc,cd,de->ae", [(2, 3), (3, 5), (5, 7), (7, 2)]),
    (",ij->ji", [(), (3, 5)]),
    ("ij,ij->ij", [(3, 5), (3, 5)]),
    ("zyx->xyz", [(2, 3, 5)]),
    ("A b , b c -> A c", [(2, 3), (3, 5)]),
]


@pytest.mark.parametrize(("subscripts", "shapes"), SUBSCRIPTS, ids=[s for s, _ in SUBSCRIPTS])
def test_einsum_is_numpys_and_has_its_gradient(subscripts, shapes, rng):
    arrays = [rng.normal(size=shape) for shape in shapes]
    got = tl.einsum(subscripts, *arrays)
    want = np.einsum(subscripts, *arrays)
    assert got.shape == want.shape
    np.testing.assert_allclose(got.data, want, rtol=1e-12, atol=1e-14)
    leaves = [tl.Tensor(a, requires_grad=True) for a in arrays]
    assert tl.gradcheck(lambda *xs: tl.einsum(subscripts, *xs), leaves)


def test_einsum_against_the_sum_written_out(rng):
    a, b, dy = rng.normal(size=(3, 3, 2)), rng.normal(size=(3, 5)), rng.normal(size=(2,))
    want, da, db = np.zeros(2), np.zeros(a.shape), np.zeros(b.shape)
    for i, k, j in itertools.product(range(3), range(2), range(5)):
        want[k] += a[i, i, k] * b[i, j]
        da[i, i, k] += dy[k] * b[i, j]
        db[i, j] += dy[k] * a[i, i, k]
    ta, tb = tl.Tensor(a, requires_grad=True), tl.Tensor(b, requires_grad=True)
    y = tl.einsum("iik,ij->k", ta, tb)
    y.backward(dy)
    for got, expected in ((y.data, want), (ta.grad, da), (tb.grad, db)):
        np.testing.assert_allclose(got, expected, rtol=1e-12)


def test_einsum_refuses_in_words():
    def words(subscripts, *shapes):
        return message(lambda *xs: tl.einsum(subscripts, *xs), *shapes)

    assert words("ij,jk->ik", (3, 5), (7, 2)) == "E-SHAPE einsum 'ij,jk->ik': j is 5 in operand 1 and 7 in operand 2"
    assert "the result's k is in no operand" in words("ij->ik", (3, 5))
    assert words("...ij->ij", (3, 5)).endswith("an ellipsis is not taken. Try: a letter for every axis")
    assert "j is 5 in operand 1 and 1 in operand 2" in words("ij,j->i", (3, 5), (1,))
    assert "is about 2 operands, and 3 were given" in words("i,i", (3,), (3,), (3,))
    assert "'-' is not a letter" in words("i-j", (3, 5))
