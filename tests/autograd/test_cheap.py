"""What cheap ops make is not kept for the way back, but made again; and sums of gradients reuse memory safely."""

from __future__ import annotations

import weakref

import numpy as np
import pytest

import tinyllm as tl
from tinyllm.autograd import OPS
from tinyllm.autograd.op import Again
from tinyllm.errors import TwiceError


def leaf(rng, *shape):
    return tl.Tensor(rng.standard_normal(shape), requires_grad=True)


def mlp(x, gain, bias, up, down):
    """A norm, two layers, a curve between them: three results that only layers need on the way back."""
    return tl.linear(tl.gelu(tl.linear(tl.layer_norm(x, gain, bias), up)), down)


@pytest.fixture
def weights(rng):
    return leaf(rng, 5, 3), leaf(rng, 3), leaf(rng, 3), leaf(rng, 11, 3), leaf(rng, 3, 11)


def test_what_a_cheap_op_made_is_gone_until_it_is_needed(rng):
    x, w = leaf(rng, 5, 3), leaf(rng, 7, 3)
    h = x.gelu()
    made = weakref.ref(h.data)
    y = tl.linear(h, w)
    assert any(isinstance(value, Again) for value in y.node.saved)
    del h
    assert made() is None
    y.backward(np.ones((5, 7)))
    np.testing.assert_array_equal(w.grad, np.ones((7, 5)) @ tl.gelu(x.data).data)


def test_gradients_are_the_same_bits_as_with_everything_kept(weights, monkeypatch):
    y = mlp(*weights)
    y.backward(np.sin(y.data), retain_graph=True)
    forgetful = [w.grad.copy() for w in weights]
    for w in weights:
        w.zero_grad()
    y.backward(np.sin(y.data))  # a second walk makes them again once more
    assert all(np.array_equal(w.grad, g) for w, g in zip(weights, forgetful, strict=True))
    for w in weights:
        w.zero_grad()
    for op in OPS.values():
        monkeypatch.setattr(op, "cheap", False)
    y = mlp(*weights)
    assert not y.node.forgot
    y.backward(np.sin(y.data))
    assert all(np.array_equal(w.grad, g) for w, g in zip(weights, forgetful, strict=True))


def test_two_results_of_a_graph_that_is_freed(rng):
    x, w = leaf(rng, 5, 3), leaf(rng, 7, 3)
    h = x.gelu()
    first, second = tl.linear(h, w).sum(), tl.linear(h, w).sum()
    first.backward()
    with pytest.raises(TwiceError, match="gelu a second time"):
        second.backward()


def test_every_cheap_op_keeps_what_it_was_given_anyway(rng):
    """Else nothing would be saved: its inputs stay so that its result need not."""
    cheap = {name for name, op in OPS.items() if op.cheap}
    assert cheap == {"gelu", "gelu_tanh", "silu", "swiglu", "layer_norm", "rms_norm"}
    for name in cheap:
        op = OPS[name]
        args = [rng.standard_normal((5, 3) if i == 0 or name == "swiglu" else 3) for i in range(len(op.arguments))]
        ctx = op()
        ctx.forward(*args)
        assert any(args[0] is saved for saved in ctx.saved), name


# sums of gradients in place


def test_a_gradient_that_is_passed_on_is_not_written_to(rng):
    """y = x + x sends one array along two paths; a third path must not be added into it while the others hold it."""
    x = leaf(rng, 4)
    middle = (x * 1.0).retain_grad()
    other = (x * 1.0).retain_grad()
    ((middle + other) + middle.exp()).backward(np.ones(4))
    np.testing.assert_array_equal(other.grad, np.ones(4))
    np.testing.assert_allclose(middle.grad, 1 + np.exp(x.data), rtol=1e-15)
    np.testing.assert_allclose(x.grad, 2 + np.exp(x.data), rtol=1e-15)


def test_walking_twice_gives_the_same_twice(rng):
    x, w = leaf(rng, 5, 3), leaf(rng, 3, 3)
    h = tl.linear(x, w)
    y = (h + tl.linear(h.gelu(), w) * h).sum()
    y.backward(retain_graph=True)
    first = x.grad, w.grad
    x.zero_grad()
    w.zero_grad()
    y.backward()
    np.testing.assert_array_equal(x.grad, first[0])
    np.testing.assert_array_equal(w.grad, first[1])


def test_the_gradient_of_a_leaf_belongs_to_it_alone(rng):
    a, b = leaf(rng, 3), leaf(rng, 3)
    (a + b).backward(np.ones(3))
    a.grad *= 7
    np.testing.assert_array_equal(b.grad, np.ones(3))
    dy = np.ones(3)
    a.zero_grad()
    (a + 1.0).backward(dy)
    a.grad *= 7
    np.testing.assert_array_equal(dy, np.ones(3))
