"""Packing: there and back again, in an order that nobody sees from outside."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinyllm as tl
from tinyllm.errors import DTypeError, ShapeError
from tinyllm.models.packing import Packing


@st.composite
def masks(draw):
    B, T = draw(st.integers(1, 7)), draw(st.integers(1, 7))
    mask = np.array(draw(st.lists(st.booleans(), min_size=B * T, max_size=B * T))).reshape(B, T)
    mask[np.arange(B), draw(st.lists(st.integers(0, T - 1), min_size=B, max_size=B))] = True
    return mask


@given(masks())
def test_there_and_back(mask):
    packing = Packing(mask)
    entries = np.arange(1.0, mask.size + 1).reshape(mask.shape)
    flat = packing.pick(entries)  # (N,)
    assert flat.shape == (mask.sum(),) and sum(n * T for n, T in packing.groups) == len(flat)
    assert np.array_equal(packing.columns, packing.pick(np.broadcast_to(np.arange(mask.shape[1]), mask.shape)))
    x = tl.Tensor(flat[:, None])  # (N, 1)
    assert np.array_equal(packing.unpack(x).data[..., 0], np.where(mask, entries, 0))
    parts = packing.cut(x)
    assert [part.shape for part in parts] == [(n, T, 1) for n, T in packing.groups]
    assert np.array_equal(packing.join(parts).data, x.data)
    rows = [{*row[keep]} for row, keep in zip(entries, mask, strict=True)]
    assert all({*text.ravel()} in rows for part in parts for text in part.data)  # nobody's tokens are mixed
    means = [row[keep].mean() for row, keep in zip(entries, mask, strict=True)]
    np.testing.assert_allclose(packing.mean(x).data[:, 0], means, rtol=1e-14)


def test_gradients_find_their_way_back():
    packing = Packing(np.array([[1, 1, 0], [1, 1, 1], [1, 0, 0], [0, 1, 1]]))
    rng = np.random.default_rng(0)
    x, weights = rng.normal(size=(8, 2)), rng.normal(size=(4, 3, 2))
    tl.gradcheck(lambda x: packing.unpack(x) * weights, x)
    tl.gradcheck(lambda x: packing.mean(x) * weights[:, 0], x)
    tl.gradcheck(lambda x: packing.join([part * part for part in packing.cut(x)]), x)


def test_sequences_of_one_length_are_one_rectangle():
    packing = Packing(np.ones((3, 5)))
    assert packing.groups == [(3, 5)]
    x = tl.Tensor(np.arange(30.0).reshape(15, 2))
    assert np.array_equal(packing.unpack(x).data, x.data.reshape(3, 5, 2))


@pytest.mark.parametrize(
    ("mask", "kind", "message"),
    [
        (np.ones(3), ShapeError, r"\(3,\), not \(B, T\)"),
        (np.ones((0, 3)), ShapeError, r"\(0, 3\)"),
        (np.array([[1, 0], [0, 0]]), ShapeError, "sequence 1 has no real token"),
        (np.array([[1, 2]]), DTypeError, "1 for a real token"),
        (np.array([[1.0, np.nan]]), DTypeError, "1 for a real token"),
        (np.array([["1", "0"]]), DTypeError, "yes and no"),
    ],
)
def test_bad_masks(mask, kind, message):
    with pytest.raises(kind, match=message):
        Packing(mask)
