"""Reductions: which axes are meant, what ties and infinities do, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

import tinyllm as tl
from tinyllm.errors import RangeError, ShapeError


def leaf(array):
    return tl.Tensor(np.array(array, dtype=np.float64), requires_grad=True)


@pytest.mark.parametrize("name", ["sum", "mean", "max", "var"])
@pytest.mark.parametrize("axis", [None, 0, -1, (0, 2), (-1, 1), [2, 0], ()])
@pytest.mark.parametrize("keepdims", [False, True])
def test_axes_mean_what_they_mean_in_numpy(name, axis, keepdims, rng):
    x = rng.normal(size=(2, 3, 5))
    if name == "max" and axis == ():
        return  # NumPy's max over no axes is x itself; so is ours, and its gradient is all that is of interest
    want = getattr(np, name)(x, axis=tuple(axis) if isinstance(axis, list) else axis, keepdims=keepdims)
    got = getattr(tl.Tensor(x), name)(axis=axis, keepdims=keepdims)
    assert got.shape == want.shape
    np.testing.assert_allclose(got.data, want, rtol=1e-14)


def test_positions_and_names_both_work():
    x = tl.Tensor(np.arange(6.0).reshape(2, 3))
    assert tl.sum(x, 0, True).shape == x.sum(axis=0, keepdims=True).shape == (1, 3)
    assert x.logsumexp(0).shape == (3,) and x.cumsum(1).data[1].tolist() == [3.0, 7.0, 12.0]


def test_ties_share_equally():
    x = leaf([[1.0, 7.0, 7.0], [7.0, 2.0, 7.0]])
    x.max().backward()
    assert x.grad.tolist() == [[0, 0.25, 0.25], [0.25, 0, 0.25]]
    x = leaf([[1.0, 7.0, 7.0], [7.0, 2.0, 3.0]])
    x.max(axis=1).backward(np.array([6.0, 5.0]))
    assert x.grad.tolist() == [[0, 3, 3], [5, 0, 0]]
    x = leaf([-np.inf, -np.inf])
    x.max().backward()
    assert x.grad.tolist() == [0.5, 0.5]


def test_max_is_an_entry_itself_and_passes_a_nan_on():
    thirds = np.full(3, 1 / 3, dtype=np.float32)
    assert tl.Tensor(thirds).max().item() == thirds[0]
    x = leaf([1.0, np.nan])
    y = x.max()
    assert np.isnan(y.item())
    y.backward()
    assert x.grad.tolist() == [0, 0]


def test_var_corrections(rng):
    x = rng.normal(size=(3, 7))
    for correction in (0, 1, 2):
        got = tl.Tensor(x).var(axis=1, correction=correction).data
        np.testing.assert_allclose(got, x.var(axis=1, ddof=correction), rtol=1e-14)
    with pytest.raises(ShapeError, match=r"var: 7 entries are too few for correction=7. Try: correction=0"):
        tl.Tensor(x).var(axis=1, correction=7)


def test_logsumexp_neither_overflows_nor_vanishes():
    x = tl.Tensor(np.array([[1e4, 1e4], [-1e4, -1e4], [0.0, -np.inf]]))
    np.testing.assert_allclose(x.logsumexp().data, [1e4 + np.log(2), -1e4 + np.log(2), 0.0], rtol=1e-15)


def test_a_sum_of_nothing_is_zero_but_there_is_no_mean_of_nothing():
    nothing = tl.Tensor(np.zeros((0, 3)))
    assert nothing.sum().item() == 0 and nothing.sum(axis=0).data.tolist() == [0, 0, 0]
    for name in ("mean", "max", "var"):
        with pytest.raises(ShapeError, match=rf"{name}: there are no entries in x \(0, 3\) along axes \(0, 1\)"):
            getattr(nothing, name)()
        assert getattr(nothing, name)(axis=1).shape == (0,)


def test_an_axis_that_is_not_there():
    x = tl.Tensor(np.zeros((3, 7)))
    with pytest.raises(RangeError, match=r"E-RANGE sum: x \(3, 7\) has no axis 2. Try: axis=-2 to axis=1"):
        x.sum(axis=2)
    with pytest.raises(ShapeError, match=r"mean: axis=\(1, -1\) names an axis of x \(3, 7\) twice"):
        x.mean(axis=(1, -1))
    with pytest.raises(ShapeError, match="sum needs at least one axis"):
        tl.Tensor(1.0).sum(axis=0)
    with pytest.raises(TypeError):
        x.sum(axis=0.5)
