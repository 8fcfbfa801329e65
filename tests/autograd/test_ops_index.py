"""Indexing: NumPy's rules for what is picked, and a gradient that counts how often it was."""

from __future__ import annotations

import numpy as np
import pytest

import tinyllm as tl
from tinyllm.errors import DTypeError, RangeError, ShapeError

KEYS = [
    1,
    -1,
    slice(None, None, -1),
    (slice(1, None), 0),
    (0, slice(None), [4, 4, -1]),
    ...,
    (..., 2),
    None,
    (slice(None), None, 1),
    [1, 1, 0],
    np.array([[0, 1], [1, 1]]),
    ([1, 0], [2, 2]),
    (np.array([True, False]), slice(None)),
    (slice(None), [2, 0], slice(None, None, 2)),
    np.int64(1),
    np.array(1),
    (np.newaxis, 1, ..., np.array([0, 0])),
    [],
]


@pytest.mark.parametrize("key", KEYS, ids=str)
def test_any_key_of_numpy(key, rng):
    x = tl.Tensor(rng.normal(size=(2, 3, 5)), requires_grad=True)
    numpy_key = np.array([], dtype=int) if isinstance(key, list) and not key else key
    want = x.data[numpy_key]
    y = x[key]
    assert y.shape == want.shape and np.array_equal(y.data, want)
    dy = rng.normal(size=want.shape)
    y.backward(dy)
    counted = np.zeros(x.shape)
    places = np.arange(x.size).reshape(x.shape)[numpy_key]
    for place, value in zip(np.ravel(places), np.ravel(dy), strict=True):  # one by one, so that repeats must add up
        counted.reshape(-1)[place] += value
    np.testing.assert_allclose(x.grad, counted, rtol=1e-15)


def test_a_mask_and_tensors_as_keys():
    x = tl.Tensor(np.arange(6.0).reshape(2, 3), requires_grad=True)
    x[x > 2].sum().backward()
    assert x.grad.tolist() == [[0, 0, 0], [1, 1, 1]]
    rows = tl.Tensor(np.array([1, 1]))
    assert x[rows].shape == (2, 3) and x[rows, 0].data.tolist() == [3, 3] and x[(0, rows)].data.tolist() == [1, 1]
    with pytest.raises(DTypeError, match="a key cannot be float32"):
        x[tl.Tensor([0, 1])]


def test_rows_can_be_looped_over_and_unpacked():
    x = tl.Tensor(np.arange(6.0).reshape(2, 3), requires_grad=True)
    first, second = x
    (second * 2.0 - first).sum().backward()
    assert x.grad.tolist() == [[-1, -1, -1], [2, 2, 2]]


def test_keys_that_are_refused():
    x = tl.Tensor(np.zeros((3, 7)))
    with pytest.raises(RangeError, match=r"index: x \(3, 7\): index 7 is out of bounds for axis 1 with size 7"):
        x[0, 7]
    with pytest.raises(RangeError, match="index -4 is out of bounds"):
        x[[0, -4]]
    with pytest.raises(ShapeError, match="too many indices"):
        x[0, 0, 0]
    with pytest.raises(ShapeError, match="boolean"):
        x[np.array([True, False])]
    with pytest.raises(ShapeError, match=r"broadcast"):
        x[[0, 1], [0, 1, 2]]
    with pytest.raises(DTypeError, match="a key cannot be str"):
        x["first"]
    with pytest.raises(DTypeError, match="a key cannot be float"):
        x[1.0]


@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_take_adds_up_what_was_looked_up_twice(backend, rng):
    table = tl.Tensor(rng.normal(size=(7, 3)), requires_grad=True)
    index = rng.integers(0, 7, (5, 11))
    with tl.kernels.use(backend):
        y = table.take(index)
        assert np.array_equal(y.data, table.data[index])
        dy = rng.normal(size=y.shape)
        y.backward(dy)
    onehot = np.eye(7)[index.ravel()]
    np.testing.assert_allclose(table.grad, onehot.T @ dy.reshape(-1, 3), rtol=1e-12)


def test_take_accepts_numbers_lists_and_any_integers():
    table = tl.Tensor(np.arange(6.0).reshape(3, 2))
    assert table.take(2).data.tolist() == [4, 5] and tl.take(table, [[0], [2]]).shape == (2, 1, 2)
    for dtype in (np.uint16, np.int32, np.int64, np.uint64):
        assert table.take(np.array([1, 1], dtype=dtype)).data.tolist() == [[2, 3]] * 2
    assert table.take(tl.Tensor(np.array([1]))).shape == (1, 2) and table.take([]).shape == (0, 2)


def test_take_names_the_id_and_the_number_of_rows():
    table = tl.Tensor(np.zeros((5, 2)))
    with pytest.raises(RangeError, match=r"E-RANGE take: index\[0, 2\] is 5, and x has 5 rows: 0 to 4"):
        table.take([[1, 2, 5]])
    with pytest.raises(RangeError, match=r"index is -1"):  # it would count from the end, silently
        table.take(-1)
    with pytest.raises(DTypeError, match="take: index is float32, and only integers"):
        table.take(tl.Tensor([1, 2]))


def test_gather_is_take_along_axis(rng):
    x = tl.Tensor(rng.normal(size=(2, 3, 5)), requires_grad=True)
    for axis, shape in ((0, (7, 3, 5)), (1, (2, 1, 5)), (-1, (2, 3, 11))):
        index = rng.integers(0, x.shape[axis], shape)
        y = x.gather(index, axis)
        assert np.array_equal(y.data, np.take_along_axis(x.data, index, axis))
    x.gather(np.zeros((2, 3, 4), dtype=int), axis=2).sum().backward()
    assert x.grad[..., 0].tolist() == [[4, 4, 4]] * 2 and not x.grad[..., 1:].any()
    with pytest.raises(
        RangeError, match=r"gather: index\[1, 0, 0\] is -1, and axis 2 of x \(2, 3, 5\) counts from 0 to 4"
    ):
        x.gather(np.array([[[0]] * 3, [[-1]] * 3]), axis=-1)
