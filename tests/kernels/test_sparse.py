"""Products of sparse matrices: every rung against a dense product, at odd sizes, with empty rows and columns."""

from __future__ import annotations

import numpy as np
import pytest

from tinyllm import kernels
from tinyllm.errors import ShapeError
from tinyllm.kernels.sparse import reference, sparse_dot, transposed


def drawn(rng, N, V, dtype):
    """A matrix, dense and sparse, one entry in five of which is not zero."""
    dense = rng.standard_normal((N, V)).astype(dtype) * (rng.random((N, V)) < 0.2)
    at, columns = np.nonzero(dense)
    starts = np.concatenate([[0], np.cumsum(np.bincount(at, minlength=N))])
    return dense, (starts, columns.astype(np.int32), dense[at, columns])


@pytest.mark.parametrize("N", [1, 7, 63, 64, 65])
def test_products_from_both_sides(N, rng, dtype, close):
    V, R = 41, 33  # a strip of x's columns, and one more
    dense, rows = drawn(rng, N, V, dtype)
    x, y = rng.standard_normal((2 * R, V)).astype(dtype).T[:, ::2], rng.standard_normal((N, R)).astype(dtype)
    for backend in kernels.BACKENDS:
        with kernels.use(backend):
            close(sparse_dot(rows, x), dense @ x, dtype)
            close(sparse_dot(transposed(rows, V), y), dense.T @ y, dtype)


def test_every_rung(rng, dtype, close):
    from tinyllm.kernels.sparse import products

    _, rows = drawn(rng, 130, 41, dtype)
    x = np.ascontiguousarray(rng.standard_normal((41, 65)).astype(dtype))
    expected = np.zeros((130, 65), dtype)
    reference.sparse_dot(*rows, x, expected)
    for rung in (products.sparse_dot_v1, products.sparse_dot_v2):
        out = np.zeros_like(expected)
        rung(*rows, x, out)
        close(out, expected, dtype)


@pytest.mark.parametrize("backend", kernels.BACKENDS)
def test_a_row_does_not_depend_on_its_neighbors(backend, rng):
    _, (starts, columns, values) = drawn(rng, 70, 41, np.float32)
    x = rng.standard_normal((41, 33)).astype(np.float32)
    with kernels.use(backend):
        together = sparse_dot((starts, columns, values), x)
        for n in (0, 63, 69):
            one = slice(starts[n], starts[n + 1])
            alone = sparse_dot((starts[n : n + 2] - starts[n], columns[one], values[one]), x)
            np.testing.assert_array_equal(alone[0], together[n])


def test_transposed_twice_is_the_same(rng):
    _, rows = drawn(rng, 20, 31, np.float64)
    for a, b in zip(transposed(transposed(rows, 31), 20), rows, strict=True):
        np.testing.assert_array_equal(a, b)


def test_what_does_not_fit_is_refused():
    rows = np.array([0, 1]), np.array([3], np.int32), np.ones(1)
    with pytest.raises(ShapeError, match=r"x \(3, 2\) has no row for column 3"):
        sparse_dot(rows, np.ones((3, 2)))
    with pytest.raises(ShapeError, match="no row"):
        sparse_dot(rows, np.ones(4))
    with pytest.raises(ShapeError, match="column 3 of a matrix with V=3"):
        transposed(rows, 3)
