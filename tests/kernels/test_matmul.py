"""Matrix products: rungs, doors, layouts, epilogues, and that neither cuts nor threads change a bit."""

from __future__ import annotations

import itertools

import numba
import numpy as np
import pytest

from tinyllm import kernels
from tinyllm.errors import KernelError
from tinyllm.kernels import TABLE, choice
from tinyllm.kernels.jit import matmul as ladder
from tinyllm.kernels.jit import products
from tinyllm.kernels.jit.epilogue import ACTIVATIONS, epilogue_v1, epilogue_v2
from tinyllm.kernels.jit.gemv import gemv_v1, gemv_v2, gemv_v3, gevm_v1, gevm_v2, gevm_v3

STRIDED = [ladder.matmul_v4, ladder.matmul_v5, ladder.matmul_v6]
SHAPES = [
    (1, 1, 1),
    (7, 63, 65),
    (65, 64, 7),
    (63, 7, 64),
    (13, 33, 1),
    (400, 130, 70),
    (50, 300, 1030),
    (5, 1100, 300),
]


@pytest.fixture(autouse=True)
def ours(monkeypatch):
    """Whatever this machine was measured to do best: here the products are ours."""
    monkeypatch.setattr(choice, "pick", lambda *of: "ours")


@pytest.fixture
def blas(monkeypatch):
    monkeypatch.setattr(choice, "pick", lambda *of: "blas")


def draw(rng, dtype, *shape):
    return rng.standard_normal(shape).astype(dtype)


def layouts(x):
    """The same matrix as rows, as columns, with gaps, and back to front."""
    gaps = np.zeros((2 * x.shape[0], 3 * x.shape[1]), x.dtype)[::2, ::3]
    gaps[:] = x
    back = np.ascontiguousarray(x[::-1, ::-1])[::-1, ::-1]
    return np.ascontiguousarray(x), np.asfortranarray(x), gaps, back


def wide(*arrays):
    return [None if x is None else np.asarray(x, np.float64) for x in arrays]


def tolerance(dtype, K):
    return 2 * (K + 16) * np.finfo(dtype).eps


@pytest.mark.parametrize("rung", STRIDED, ids=lambda rung: rung.py_func.__name__)
def test_rungs_read_every_layout(rung, dtype, rng):
    for M, N, K in SHAPES:
        a, b = draw(rng, dtype, M, K), draw(rng, dtype, K, N)
        expected = np.matmul(*wide(a, b))
        results = []
        for one, two in itertools.product(layouts(a), layouts(b)):
            c = np.full((M, N), np.nan, dtype)
            rung(one, two, c)
            results.append(c)
        np.testing.assert_allclose(results[0], expected, rtol=0, atol=tolerance(dtype, K))
        for c in results[1:]:
            np.testing.assert_array_equal(c, results[0])


def test_an_entry_depends_on_its_row_and_its_column_alone(dtype, rng):
    """However the rest is cut, and by whichever rung: a batch of other rows does not change what a row becomes."""
    a, b = draw(rng, dtype, 900, 1100), draw(rng, dtype, 1100, 70)
    whole = kernels.matmul(a, b)
    for first, last in ((0, 9), (100, 113), (113, 513), (800, 900)):
        np.testing.assert_array_equal(kernels.matmul(a[first:last], b), whole[first:last])
    np.testing.assert_array_equal(kernels.matmul(a, b[:, 5:50]), whole[:, 5:50])


def test_same_bits_with_one_thread_and_two(dtype, rng):
    if numba.config.NUMBA_NUM_THREADS < 2:
        pytest.skip("TINYLLM_THREADS=1 leaves nothing to compare")
    a, b = draw(rng, dtype, 700, 600), draw(rng, dtype, 600, 300)
    w, x = draw(rng, dtype, 3000, 65), draw(rng, dtype, 5, 65)
    results = []
    for count in (1, 2):
        with kernels.use_threads(count):
            results.append((kernels.matmul(a, b), kernels.matmul(b.T, a.T), kernels.linear(x, w, None, None, None)))
    for one, two in zip(*results, strict=True):
        np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize("K", [3, 40])
def test_nan_and_inf_reach_the_entries_they_reach_in_numpy(K, dtype):
    for M, N in ((2, 40), (40, 2), (40, 45), (200, 300)):  # by gemv, gemv, one thread and several
        a, b = np.ones((M, K), dtype), np.ones((K, N), dtype)
        a[1, 2], a[0, 0], b[0, 0], b[1, N - 1] = np.nan, np.inf, 0, -np.inf
        with np.errstate(invalid="ignore"):
            expected = np.matmul(a, b)
        for one, two in itertools.product((a, np.asfortranarray(a)), (b, np.asfortranarray(b))):
            np.testing.assert_array_equal(kernels.matmul(one, two), expected)


@pytest.mark.parametrize("who", ["ours", "blas"])
def test_stacks_rows_and_columns_as_in_numpy(who, dtype, rng, monkeypatch):
    monkeypatch.setattr(choice, "pick", lambda *of: who)
    pairs = [
        ((5,), (5,)),
        ((5,), (5, 7)),
        ((3, 5), (5,)),
        ((5,), (2, 5, 7)),
        ((2, 3, 5), (5,)),
        ((2, 3, 5), (5, 7)),
        ((2, 1, 9, 5), (11, 5, 9)),
        ((9, 5), (2, 5, 9)),
        ((3, 129, 200), (3, 200, 130)),
    ]
    for one, two in pairs:
        a, b = draw(rng, dtype, *one), draw(rng, dtype, *two)
        got = kernels.matmul(a, b)
        assert got.dtype == dtype
        np.testing.assert_allclose(got, np.matmul(*wide(a, b)), rtol=0, atol=tolerance(dtype, one[-1]), strict=False)
    a, b = draw(rng, dtype, 4, 3, 20, 30), draw(rng, dtype, 4, 3, 25, 30)
    turned = kernels.matmul(a.swapaxes(0, 1), b.swapaxes(0, 1).swapaxes(-1, -2))
    np.testing.assert_allclose(turned, np.einsum("xhik,xhjk->hxij", *wide(a, b)), rtol=0, atol=tolerance(dtype, 30))


def test_what_does_not_fit_is_refused_as_in_numpy():
    for one, two in (((3, 4), (5, 3)), ((2, 3, 4), (3, 4, 2)), ((4,), (3, 4))):
        with pytest.raises(ValueError):
            kernels.matmul(np.ones(one), np.ones(two))
    assert kernels.matmul(np.ones((2, 3), np.float32), np.ones((3, 2), int)).dtype == np.float64


def test_unaligned_numbers_are_read(dtype, rng):
    raw = np.zeros(20 * 30 * dtype.itemsize + 1, np.uint8)
    a, b = raw[1:].view(dtype).reshape(20, 30), draw(rng, dtype, 30, 40)
    a[:] = draw(rng, dtype, 20, 30)
    np.testing.assert_array_equal(kernels.matmul(a, b), kernels.matmul(a.copy(), b))


@pytest.mark.parametrize("who", ["ours", "blas"])
def test_matmul_into_adds(who, dtype, rng, monkeypatch):
    monkeypatch.setattr(choice, "pick", lambda *of: who)
    for M, N, K in [*SHAPES, (300, 200, 600)]:
        a, b, c = draw(rng, dtype, K, M).T, draw(rng, dtype, K, N), draw(rng, dtype, M, N)
        expected = wide(c)[0] + np.matmul(*wide(a, b))
        assert kernels.matmul_into(a, b, c) is c
        np.testing.assert_allclose(c, expected, rtol=0, atol=tolerance(dtype, K))
    part = np.zeros((6, 8), dtype)
    kernels.matmul_into(np.ones((3, 2), dtype), np.ones((2, 4), dtype), part[::2, ::2])  # by the reference
    assert part.sum() == 24


@pytest.mark.parametrize("who", ["ours", "blas"])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_linear_with_all_that_can_follow(activation, who, dtype, rng, close, monkeypatch):
    monkeypatch.setattr(choice, "pick", lambda *of: who)
    for rows, N, C in (((3,), 65, 7), ((2, 20), 33, 65), ((1000,), 130, 33), ((5, 180), 70, 40), ((), 9, 5)):
        x, w, b, residual = draw(rng, dtype, *rows, C), draw(rng, dtype, N, C), draw(rng, dtype, N), None
        for bias in (None, b):
            for residual in (None, draw(rng, dtype, *rows, N)):
                got = kernels.linear(x, w, bias, residual, activation)
                expected = TABLE["linear"]["numpy"](*wide(x, w, bias, residual), activation)
                close(got, expected, dtype, factor=64)


def test_linear_refuses_and_broadcasts_as_the_reference():
    x, w = np.ones((3, 2)), np.ones((4, 2))
    with pytest.raises(KernelError, match=r"no activation 'relu'.*gelu_tanh"):
        kernels.linear(x, w, None, None, "relu")
    with pytest.raises(ValueError):
        kernels.linear(x, np.ones((4, 3)), None, None, None)
    assert kernels.linear(x, w, None, np.ones(4), None)[0, 0] == 3


@pytest.mark.parametrize("rung", [epilogue_v1, epilogue_v2], ids=lambda rung: rung.py_func.__name__)
def test_epilogue_over_odd_sizes(rung, dtype, rng, close):
    for M, N in ((1, 1), (7, 63), (130, 65), (64, 64)):
        for name, number in ACTIVATIONS.items():
            c, bias, residual = draw(rng, dtype, M, N), draw(rng, dtype, N), draw(rng, dtype, 1, M, N)
            expected = wide(c + bias)[0]
            if name:
                expected = TABLE[name]["numpy"](expected)
            rung(c, bias, residual, number)
            close(c, expected + residual[0], dtype, factor=64)


@pytest.mark.parametrize("rung", [gemv_v1, gemv_v2, gemv_v3], ids=lambda rung: rung.py_func.__name__)
def test_gemv(rung, dtype, rng):
    for M, N, K in itertools.product((1, 3, 8), (1, 65, 130), (1, 7, 63, 64, 65, 1000)):
        w, x = draw(rng, dtype, N, K), draw(rng, dtype, M, K)
        w.flags.writeable = x.flags.writeable = False
        c = np.full((M, N), np.nan, dtype)
        rung(w, x, c)
        np.testing.assert_allclose(c, np.matmul(*wide(x, w.T)), rtol=0, atol=tolerance(dtype, K))


@pytest.mark.parametrize("rung", [gevm_v1, gevm_v2, gevm_v3], ids=lambda rung: rung.py_func.__name__)
def test_gevm(rung, dtype, rng):
    for M, N, K in itertools.product((1, 3, 8), (1, 65, 1030), (1, 7, 8, 63, 64, 65, 1000)):
        w, x = draw(rng, dtype, K, N), draw(rng, dtype, M, K)
        w.flags.writeable = x.flags.writeable = False
        c = np.full((M, N), np.nan, dtype)
        rung(x, w, c)
        np.testing.assert_allclose(c, np.matmul(*wide(x, w)), rtol=0, atol=tolerance(dtype, K))


def test_gevm_has_the_same_bits_however_the_columns_are_cut(dtype, rng):
    x, w = draw(rng, dtype, 3, 67), draw(rng, dtype, 67, 5000)
    one, two = np.empty((3, 5000), dtype), np.empty((3, 5000), dtype)
    gevm_v2(x, w, one)
    gevm_v3(x, w, two)
    np.testing.assert_array_equal(one, two)


def test_few_rows_or_columns_times_weights_however_they_lie(dtype, rng):
    for x, w in (
        (draw(rng, dtype, 3, 70), draw(rng, dtype, 70, 90)),
        (draw(rng, dtype, 90, 70), draw(rng, dtype, 70, 3)),
    ):
        expected, atol = np.matmul(*wide(x, w)), tolerance(dtype, 70)
        steps = np.repeat(np.repeat(w, 2, axis=0), 2, axis=1)[::2, ::2]
        for one, two in itertools.product((x, np.asfortranarray(x)), (w, np.asfortranarray(w), steps)):
            np.testing.assert_allclose(kernels.matmul(one, two), expected, rtol=0, atol=atol)


def test_a_row_alone_has_the_bits_it_has_among_a_few(dtype, rng):
    w, x = draw(rng, dtype, 3000, 65), draw(rng, dtype, 8, 65)
    together = kernels.linear(x, w, None, None, None)
    for i in range(8):
        np.testing.assert_array_equal(kernels.linear(x[i], w, None, None, None), together[i])


def test_which_way_a_product_goes(monkeypatch, rng):
    asked = []
    monkeypatch.setattr(choice, "pick", lambda *of: asked.append(of) or "ours")
    a, b = np.ones((200, 300), np.float32), np.ones((30, 9000))
    kernels.matmul(a, a.T)
    kernels.matmul(a.T.astype(float), np.ones((200, 120)))
    kernels.matmul(np.ones((10, 30)), b)
    kernels.matmul(np.ones((400, 300), np.float32).T, np.ones((4, 400, 30), np.float32))
    assert asked == [("f", "nt", "even"), ("d", "tn", "even"), ("d", "nn", "wide"), ("f", "tn", "even")]
    asked.clear()
    kernels.matmul(a[:20, :30], a[:30, :20])  # little: not worth asking
    asked.clear()
    kernels.matmul(np.ones((8, 30)), np.ones((9, 30)).T)  # gemv: nobody is asked
    assert asked == []


def test_blas_keeps_its_bits_for_sums_of_any_length(blas, rng):
    a, b = draw(rng, np.float32, 64, 777), draw(rng, np.float32, 777, 96)
    np.testing.assert_array_equal(kernels.matmul(a, b), products._by_blas(a, b))
