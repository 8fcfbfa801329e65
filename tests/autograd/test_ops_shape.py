"""Shapes: ways of calling, views, parts, casts, and the sugar on top."""

from __future__ import annotations

import numpy as np
import pytest

import tinyllm as tl
from tinyllm.autograd.ops.shape import cut, side_by_side
from tinyllm.errors import DTypeError, RangeError, ShapeError


def leaf(*shape):
    return tl.Tensor(np.arange(float(np.prod(shape))).reshape(shape), requires_grad=True)


def test_sizes_come_one_by_one_or_as_a_tuple():
    x = leaf(2, 3, 5)
    for y in (x.reshape(5, 6), x.reshape((5, 6)), x.reshape([5, -1]), tl.reshape(x, -1, 6)):
        assert y.shape == (5, 6)
    for y in (x.transpose(2, 0, 1), x.transpose((2, 0, 1)), tl.transpose(x, -1, 0, 1)):
        assert y.shape == (5, 2, 3)
    assert x.transpose().shape == x.transpose(None).shape == (5, 3, 2)
    one = leaf(3, 1)
    assert one.expand(2, 3, 5).shape == one.expand((2, -1, 5)).shape == (2, 3, 5)
    assert leaf(1).reshape(()).shape == ()


def test_nothing_is_copied_and_a_view_in_a_graph_is_read_only():
    x = leaf(2, 3)
    for y in (x.reshape(6), x.transpose(), x.expand(5, 2, 3), x.split(3, axis=1)[1]):
        assert np.shares_memory(y.data, x.data)
        with pytest.raises(ValueError, match="read-only"):
            y.data[...] = 0


def test_concat_and_stack_take_lists():
    a, b = leaf(2, 3), leaf(2, 3)
    assert tl.concat([a, b]).shape == (4, 3) and tl.concat((a, b), 1).shape == (2, 6)
    assert tl.stack([a, b]).shape == (2, 2, 3) and tl.stack([a, b], axis=-1).shape == (2, 3, 2)
    (tl.concat([a, b, a], axis=1) * np.arange(9.0)).sum().backward()
    assert a.grad.tolist() == [[6, 8, 10]] * 2 and b.grad.tolist() == [[3, 4, 5]] * 2  # a was used twice


@pytest.mark.parametrize(
    ("xs", "axis", "error", "words"),
    [
        ([], 0, ShapeError, "concat: there is nothing to join"),
        ([(2, 3), (5, 7)], 0, ShapeError, r"concat: \(2, 3\) and \(5, 7\) do not join along axis 0$"),
        ([(2, 3), (5, 3)], 1, ShapeError, r"do not join along axis 1. Try: axis=0"),
        ([(2, 3), (2, 3, 1)], 0, ShapeError, r"\(2, 3\) and \(2, 3, 1\) do not join"),
        ([(2, 3)], -3, RangeError, "no axis -3"),
    ],
)
def test_concat_says_what_does_not_join(xs, axis, error, words):
    with pytest.raises(error, match=words):
        tl.concat([np.zeros(shape) for shape in xs], axis)


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (0, 2, 1, 3), (3, 2, 1, 0)])
def test_gradients_of_parts_that_lie_side_by_side_are_joined_without_a_copy(order):
    whole = np.arange(2.0 * 6 * 3 * 5).reshape([(2, 6, 3, 5)[i] for i in order]).transpose(np.argsort(order))
    parts = cut(whole, (3, 2, 1), axis=1)  # whole is (2, 6, 3, 5), laid out in another order
    joined = side_by_side(parts, axis=1)
    assert np.shares_memory(joined, whole)
    np.testing.assert_array_equal(joined, whole)


def test_parts_that_lie_elsewhere_are_not_joined_by_mistake():
    whole = np.arange(12.0).reshape(4, 3)
    first, second = cut(whole, (2, 2), axis=0)
    for parts in (
        (second, first),
        (first, first),
        (first, second.copy()),
        (first, whole[1:3]),
        (first.copy(), second.copy()),
        (whole[:2, ::2], whole[2:, 1:]),
        (first, whole[3:, :]),
    ):
        joined = side_by_side(parts, axis=0)
        assert joined is None or np.array_equal(joined, np.concatenate(parts))
    assert side_by_side((second, first), 0) is None and side_by_side((first, second.copy()), 0) is None


def test_split_by_number_and_by_sizes():
    x = leaf(2, 6)
    assert [p.shape for p in x.split(3, axis=1)] == [(2, 2)] * 3
    first, second = x.split([4, 2], axis=-1)
    assert first.shape == (2, 4) and second.data.tolist() == [[4, 5], [10, 11]]
    second.sum().backward()  # the part that nobody used gets zeros
    assert x.grad.tolist() == [[0, 0, 0, 0, 1, 1]] * 2
    with pytest.raises(ShapeError, match="the 6 entries along axis 1 do not make 4 equal parts"):
        x.split(4, axis=1)
    with pytest.raises(ShapeError, match=r"the sizes \[4, 4\] add up to 8, not 6, which axis 1 has"):
        x.split([4, 4], axis=-1)


def test_transpose_guesses_that_two_axes_were_to_be_swapped():
    with pytest.raises(ShapeError, match=r"\(1, 2\) does not name each of the 3 axes .* Try: x.swapaxes\(1, 2\)"):
        leaf(2, 3, 5).transpose(1, 2)


def test_reshape_and_expand_say_what_they_cannot_do():
    with pytest.raises(ShapeError, match=r"reshape: the 6 entries of x \(2, 3\) do not make up \(4, -1\)"):
        leaf(2, 3).reshape(4, -1)
    with pytest.raises(
        ShapeError, match=r"expand: x \(2, 3\) does not spread out to \(2, 5\). Try: only axes of size 1"
    ):
        leaf(2, 3).expand(2, 5)


def test_astype_casts_the_gradient_back():
    x = tl.Tensor(np.array([1.0, 2.0], dtype=np.float32), requires_grad=True)
    y = x.astype(np.float64)
    assert y.dtype == np.float64
    (y * y).sum().backward()
    assert x.grad.dtype == np.float32 and x.grad.tolist() == [2, 4]
    assert x.detach().astype(np.int64).dtype == np.int64
    with pytest.raises(DTypeError, match=r"no gradient passes through int64. Try: x.detach\(\).astype\(np.int64\)"):
        x.astype(np.int64)
    with pytest.raises(DTypeError, match="'float31' is not a dtype"):
        x.astype("float31")
    assert not np.shares_memory(x.detach().astype(np.float32).data, x.data)


def test_astype_lets_the_complex_step_through():
    x = np.array([1.0 + 1e-20j])
    assert tl.Tensor(x).astype(np.float64).data.imag == 1e-20
    assert tl.Tensor(x).astype(np.float32).dtype == np.complex64


def test_sugar_shapes():
    x = leaf(2, 1, 3, 1)
    assert x.swapaxes(0, -2).shape == (3, 1, 2, 1)
    assert x.squeeze().shape == (2, 3) and x.squeeze(1).shape == (2, 3, 1) and x.squeeze((1, -1)).shape == (2, 3)
    assert x.unsqueeze(0).shape == (1, 2, 1, 3, 1) and x.unsqueeze(-1).shape == (2, 1, 3, 1, 1)
    assert x.unsqueeze(2).shape == (2, 1, 1, 3, 1) and tl.Tensor(1.0).unsqueeze(0).shape == (1,)
    assert x.flatten().shape == (6,) and x.flatten(1).shape == (2, 3) and x.flatten(0, 1).shape == (2, 3, 1)
    assert tl.Tensor(1.0).flatten().shape == (1,) and leaf(0, 3, 5).flatten(1).shape == (0, 15)
    assert leaf(2, 3).T.shape == (3, 2) and leaf(3).T.shape == (3,)


def test_sugar_has_gradients():
    x = leaf(2, 3)
    (x.T * np.arange(6.0).reshape(3, 2)).sum().backward()
    assert x.grad.tolist() == [[0, 2, 4], [1, 3, 5]]
    x = leaf(2, 3)
    (x.swapaxes(0, 1).unsqueeze(1).squeeze(1).flatten() * np.arange(6.0)).sum().backward()
    assert x.grad.tolist() == [[0, 2, 4], [1, 3, 5]]
    x = tl.Tensor(np.array([3.0, 1.0, 1.0]), requires_grad=True)
    y = x.min()
    y.backward()
    assert y.item() == 1.0 and x.grad.tolist() == [0, 0.5, 0.5]


def test_sugar_refuses():
    x = leaf(2, 1, 3)
    with pytest.raises(ShapeError, match=r"squeeze: axis 2 of x \(2, 1, 3\) has size 3, not 1"):
        x.squeeze(-1)
    with pytest.raises(ShapeError, match=r"T: x \(2, 1, 3\) has 3 axes. Try: x.swapaxes\(-1, -2\)"):
        x.T  # noqa: B018
    with pytest.raises(RangeError, match=r"swapaxes: .* has no axis 3"):
        x.swapaxes(0, 3)
    with pytest.raises(ShapeError, match="axis 2 does not come before axis 0"):
        x.flatten(2, 0)
    with pytest.raises(RangeError, match="no axis 4"):
        x.unsqueeze(4)
