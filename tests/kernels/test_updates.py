"""What writes or draws: AdamW, the sum of squares, scatter-add, dropout; and the matrix product's shapes."""

from __future__ import annotations

import importlib

import numba
import numpy as np
import pytest

from tinyllm import kernels
from tinyllm.errors import RangeError

threads = importlib.import_module("tinyllm.kernels.threads")  # kernels.threads itself is the function
set_blas_threads = threads.set_blas_threads
BACKENDS = pytest.mark.parametrize("backend", kernels.BACKENDS)


@BACKENDS
def test_adamw_by_hand(backend):
    """The first step moves by lr in the direction of the gradient's sign, after the decay."""
    p, m, v = np.array([1.0, -2.0]), np.zeros(2), np.zeros(2)
    with kernels.use(backend):
        kernels.adamw(p, np.array([0.5, -4.0]), m, v, 0.1, 0.9, 0.99, 0.0, 0.5, 1)
    np.testing.assert_allclose(p, [1 * 0.95 - 0.1, -2 * 0.95 + 0.1], rtol=1e-14)
    np.testing.assert_allclose(m, [0.05, -0.4], rtol=1e-14)
    np.testing.assert_allclose(v, [0.0025, 0.16], rtol=1e-14)


@BACKENDS
def test_adamw_updates_views_in_place(backend, rng):
    whole = [rng.standard_normal((4, 6)) ** 2 for _ in range(4)]
    copies = [x[:, ::2].copy() for x in whole]
    with kernels.use(backend):
        for arrays in ([x[:, ::2] for x in whole], copies):
            kernels.adamw(*arrays, 0.1, 0.9, 0.99, 1e-8, 0.1, 2)
    for view, copy in zip(whole, copies, strict=True):
        np.testing.assert_allclose(view[:, ::2], copy, rtol=1e-13)


@BACKENDS
def test_adamw_refuses_what_it_may_not_write(backend):
    p = np.ones(3)
    p.flags.writeable = False
    with kernels.use(backend), pytest.raises(ValueError, match="read-only"):
        kernels.adamw(p, np.ones(3), np.zeros(3), np.zeros(3), 0.1, 0.9, 0.99, 1e-8, 0.1, 1)


@BACKENDS
@pytest.mark.parametrize("sizes", [(5, 1, 300), (70_001, 3, 90_000)])  # below and above what the threads share
def test_adamw_for_all_gives_the_bits_of_the_steps_apart(backend, sizes, dtype, rng):
    gs = [rng.standard_normal(size).astype(dtype) for size in sizes]
    gs[0] = gs[0].reshape(1, -1)
    gs[2] = np.stack([gs[2], gs[2]])[0]
    offsets, decays = [0, sizes[0] + 4, sizes[0] + 4 + sizes[1]], [0.1, 0.0, 0.2]  # four that nobody owns
    apart = [rng.standard_normal(sum(sizes) + 4).astype(dtype) ** 2 for _ in range(3)]
    flat = [x.copy() for x in apart]
    settings = 0.1, 0.9, 0.99, 1e-8
    with kernels.use(backend):
        ps = [flat[0][offset : offset + g.size].reshape(g.shape) for g, offset in zip(gs, offsets, strict=True)]
        kernels.adamw_all(ps, gs, *flat[1:], offsets, decays, *settings, 4, 0.3)
        for g, offset, decay in zip(gs, offsets, decays, strict=True):
            p, m, v = (x[offset : offset + g.size].reshape(g.shape) for x in apart)
            kernels.adamw(p, g, m, v, *settings, decay, 4, 0.3)
    for a, b in zip(apart, flat, strict=True):
        np.testing.assert_array_equal(a, b)


@BACKENDS
def test_adamw_scales_the_gradient_and_leaves_it(backend, rng):
    g, (p, m, v) = rng.standard_normal(100), np.ones((3, 100))
    scaled, before = [p.copy(), m.copy(), v.copy()], g.copy()
    with kernels.use(backend):
        kernels.adamw(p, g, m, v, 0.1, 0.9, 0.99, 1e-8, 0.1, 3, 0.25)
        kernels.adamw(scaled[0], 0.25 * g, scaled[1], scaled[2], 0.1, 0.9, 0.99, 1e-8, 0.1, 3)
    np.testing.assert_allclose([p, m, v], scaled, rtol=1e-14)
    np.testing.assert_array_equal(g, before)


@BACKENDS
def test_adamw_for_all_refuses_parts_that_do_not_fit(backend):
    m, v = np.zeros((2, 4))
    two = np.ones(2)
    with kernels.use(backend):
        for gs, offsets, decays in (
            ([two], [3], [0.0]),  # beyond the moments' end
            ([two], [0, 2], [0.0]),
            ([np.ones(3)], [0], [0.0]),  # not the parameter's gradient
        ):
            with pytest.raises(ValueError):
                kernels.adamw_all([two.copy()], gs, m, v, offsets, decays, 0.1, 0.9, 0.99, 1e-8, 1)


def test_sum_over_arrays_has_the_same_bits_with_one_thread_and_two(rng, dtype):
    xs = [rng.standard_normal(size).astype(dtype) for size in (3, 1_000_000, 70_001)]
    before, sums = numba.get_num_threads(), []
    try:
        for count in (1, min(2, before)):
            numba.set_num_threads(count)
            with kernels.use("numba"):
                sums.append(kernels.sum_of_squares_of(*xs))
    finally:
        numba.set_num_threads(before)
    assert sums[0] == sums[1] == pytest.approx(sum(kernels.sum_of_squares(x) for x in xs), rel=1e-13)


@BACKENDS
@pytest.mark.parametrize("rows", [3, 5000])  # few are left to NumPy, many shared by the threads
def test_adding_in_place_and_not(backend, rows, rng, dtype):
    x, y = rng.standard_normal((2, rows, 257)).astype(dtype)
    expected = x + y
    with kernels.use(backend):
        np.testing.assert_array_equal(kernels.add(x, y), expected)
        kernels.add_to(x, y)
        np.testing.assert_array_equal(x, expected)
        kernels.add_to(x, x)  # what is added is what is written
        np.testing.assert_array_equal(x, 2 * expected)
        kernels.add_to(x[1:], x[:-1])
        np.testing.assert_array_equal(x, np.concatenate([2 * expected[:1], 2 * expected[1:] + 2 * expected[:-1]]))
        assert kernels.add(x, y[0]).shape == x.shape


@BACKENDS
def test_sum_of_squares_is_added_up_in_float64(backend):
    x = np.full(100_000, 1 / 3, np.float32)
    with kernels.use(backend):
        total = kernels.sum_of_squares(x)
    assert type(total) is float
    assert total == pytest.approx(100_000 * float(x[0]) ** 2, rel=1e-13)


@BACKENDS
def test_scatter_add_is_the_transpose_of_looking_up(backend, rng):
    index, table, dout = rng.integers(0, 5, 40), rng.standard_normal((5, 3)), rng.standard_normal((40, 3))
    with kernels.use(backend):
        dtable = kernels.scatter_add(index, dout, 5)
    assert (dtable * table).sum() == pytest.approx((dout * table[index]).sum(), rel=1e-12)


@BACKENDS
@pytest.mark.parametrize("wrong", [3, -1])
def test_scatter_add_names_a_wrong_index(backend, wrong):
    with kernels.use(backend), pytest.raises(RangeError, match=rf"index\[1\] is {wrong}, outside of 0 .. 2"):
        kernels.scatter_add(np.array([0, wrong]), np.ones((2, 4)), 3)


@pytest.mark.parametrize("size", [65, 70_001])
def test_dropout_has_one_mask_on_both_back_ends(size, dtype):
    x = np.ones(size, dtype)
    masks = []
    for backend in kernels.BACKENDS:
        with kernels.use(backend):
            masks.append(kernels.dropout(x, 0.3, 12345))
    np.testing.assert_array_equal(*masks)


@BACKENDS
def test_dropout_drops_as_often_as_asked(backend):
    x = np.ones(1_000_000, np.float32)
    with kernels.use(backend):
        for p in (0.1, 0.5):
            y = kernels.dropout(x, p, 7)
            assert (y == 0).mean() == pytest.approx(p, abs=4 * (p * (1 - p) / x.size) ** 0.5)
            assert np.unique(y).tolist() == [0, np.float32(1 / (1 - p))]
        np.testing.assert_array_equal(kernels.dropout(x, 0.0, 7), x)
        assert not kernels.dropout(x, 1.0, 7).any()


def test_dropout_masks_of_neighboring_seeds_are_unrelated():
    x = np.ones(100_000)
    a, b = kernels.dropout(x, 0.5, 1) > 0, kernels.dropout(x, 0.5, 2) > 0
    assert (a == b).mean() == pytest.approx(0.5, abs=0.01)
    assert (a[1:] == b[:-1]).mean() == pytest.approx(0.5, abs=0.01)
    assert (a[1:] == a[:-1]).mean() == pytest.approx(0.5, abs=0.01)


def test_dropout_is_pinned():
    """The mask is part of what a run can be reproduced from: it must never change."""
    kept = np.flatnonzero(kernels.dropout(np.ones(24), 0.5, 2024)).tolist()
    assert kept == [0, 4, 5, 7, 11, 12, 13, 15, 16, 18, 20, 21]


@BACKENDS
@pytest.mark.parametrize(
    ("a", "b"),
    [
        ((3, 5), (5, 7)),
        ((2, 3, 5), (5, 7)),
        ((2, 3, 5), (2, 5, 7)),
        ((2, 1, 3, 5), (4, 5, 7)),
        ((5,), (5, 7)),
        ((3, 5), (5,)),
    ],
)
def test_matmul_follows_numpy(a, b, backend, rng, dtype):
    a, b = rng.standard_normal(a).astype(dtype), rng.standard_normal(b).astype(dtype)
    with kernels.use(backend):
        np.testing.assert_allclose(kernels.matmul(a, b), np.matmul(a, b), rtol=1e-4 if dtype == np.float32 else 1e-12)


@pytest.mark.parametrize("transposed", [False, True])
def test_long_sums_have_the_same_bits_with_one_thread_of_blas_and_two(transposed, rng):
    if not set_blas_threads(threads.threads()):
        pytest.skip("NumPy's BLAS is not OpenBLAS: nobody here can set its threads")
    for M, K, N in [(146, 459, 52), (780, 514, 750), (89, 656, 120), (3, 1333, 700), (128, 756, 384)]:
        a = rng.standard_normal((M, K)).astype(np.float32)
        b = rng.standard_normal((N, K)).astype(np.float32).T
        b = b if transposed else np.ascontiguousarray(b)
        products = []
        try:
            for count in (1, 2):
                set_blas_threads(count)
                with kernels.use("numba"):
                    products.append([kernels.matmul(a, b), kernels.matmul(np.stack([a, a]), b)[1]])
        finally:
            set_blas_threads(threads.threads())
        np.testing.assert_array_equal(*products)
        np.testing.assert_allclose(products[0][0], a.astype(np.float64) @ b, atol=1e-3)


@BACKENDS
def test_matmul_of_transposed_and_empty(backend, rng):
    a, b = rng.standard_normal((4, 3, 2)), rng.standard_normal((4, 5))
    with kernels.use(backend):
        np.testing.assert_allclose(kernels.matmul(a.T, b), np.matmul(a.T, b), rtol=1e-12)
        assert kernels.matmul(np.ones((2, 3, 0)), np.ones((0, 4))).tolist() == np.zeros((2, 3, 4)).tolist()
        assert kernels.matmul(np.ones((0, 3, 5)), np.ones((5, 4))).shape == (0, 3, 4)
