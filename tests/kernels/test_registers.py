"""The micro-kernel and its plain counterpart: c += a b for tiles of LANES columns."""

from __future__ import annotations

import numpy as np
import pytest

from tinyllm.kernels.compiler import compiled
from tinyllm.kernels.jit.registers import FUSED, LANES, _tiles, add_product, plain_tiles

ROWS = (*range(1, 14), 24, 35, 64)


def of_numpy(a, b, c, fresh):
    product = a.astype(np.float64) @ b.astype(np.float64)
    c[:] = product if fresh else c + product


@compiled
def vectors(a, b, c, fresh):
    _tiles(a, b, c, fresh)


@compiled
def plain(a, b, c, fresh):
    plain_tiles(a, b, c, fresh)


@compiled
def added(a, b, c):
    add_product(a, b, c)


def layouts(a):
    """The same numbers as rows, as columns, and with gaps both ways."""
    wide = np.zeros((2 * a.shape[0], 3 * a.shape[1]), a.dtype)
    wide[::2, ::3] = a
    return np.ascontiguousarray(a), np.asfortranarray(a), wide[::2, ::3]


BOTH = [vectors, plain] if FUSED else [plain]


@pytest.mark.parametrize("product", BOTH, ids=lambda f: f.__name__)
@pytest.mark.parametrize("K", [0, 1, 33])
def test_tiles_of_every_height(product, K, dtype, rng, close):
    for M in ROWS:
        a, b = rng.standard_normal((M, K)).astype(dtype), rng.standard_normal((K, LANES)).astype(dtype)
        before = rng.standard_normal((M, LANES)).astype(dtype)
        for fresh in (False, True):
            expected = before.astype(np.float64)
            of_numpy(a, b, expected, fresh)
            for same in layouts(a):
                around = np.full((M + 2, LANES + 2), 7, dtype)  # nothing beside c is touched
                c = around[1:-1, 1:-1]
                c[:] = np.nan if fresh else before
                product(same, b, c, fresh)
                close(c, expected, dtype)
                c[:] = 7
                assert (around == 7).all()


@pytest.mark.parametrize("product", BOTH, ids=lambda f: f.__name__)
def test_a_row_has_the_same_bits_in_every_tile(product, dtype, rng):
    row, b = rng.standard_normal((1, 65)).astype(dtype), rng.standard_normal((65, LANES)).astype(dtype)
    for M in ROWS:
        c = np.empty((M, LANES), dtype)
        product(np.repeat(row, M, axis=0), b, c, True)
        assert (c == c[0]).all()
        if M == 1:
            first = c[0].copy()
        np.testing.assert_array_equal(c[0], first)


@pytest.mark.parametrize("product", BOTH, ids=lambda f: f.__name__)
def test_nan_and_inf_stay_in_their_row_and_column(product, dtype):
    a, b, c = np.ones((13, 5), dtype), np.ones((5, LANES), dtype), np.empty((13, LANES), dtype)
    a[2, 3], a[12, 0], b[1, 7], b[4, 0] = np.nan, np.inf, -np.inf, 0
    b[0, 3] = 0  # inf * 0
    product(a, b, c, True)
    with np.errstate(invalid="ignore"):
        np.testing.assert_array_equal(c, a @ b)


def test_add_product_adds(dtype, rng, close):
    a, b = rng.standard_normal((20, 9)).astype(dtype), rng.standard_normal((9, LANES)).astype(dtype)
    c = np.ones((20, LANES), dtype)
    added(a, b, c)
    close(c, 1 + a.astype(np.float64) @ b, dtype)
