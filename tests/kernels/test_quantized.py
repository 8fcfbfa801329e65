"""Weights in 8 and 4 bits: number for number those of GGUF's Q8_0 and Q4_0, and products that know them."""

from __future__ import annotations

import importlib

import numba
import numpy as np
import pytest

from tinyllm import kernels
from tinyllm.errors import NaNError, ShapeError
from tinyllm.kernels import dequantize_4, dequantize_8, linear_4, linear_4_by_8, linear_8, quantize_4, quantize_8

BITS = pytest.mark.parametrize(
    ("quantize", "dequantize", "linear"),
    [(quantize_8, dequantize_8, linear_8), (quantize_4, dequantize_4, linear_4)],
    ids=["8 bits", "4 bits"],
)
F = np.float32


def q8_0(block):
    """One block the way ggml's reference code does it, in float32: (scale, 32 whole numbers)."""
    d = F(max(abs(v) for v in block)) / F(127)
    inverse = F(1) / d if d else F(0)
    # roundf: a half goes away from zero
    return np.float16(d), [int(np.floor(abs(v * inverse) + F(0.5)) * np.sign(v * inverse)) for v in block]


def q4_0(block):
    """One block the way ggml's reference code does it, in float32: (scale, 16 bytes)."""
    largest = F(0)
    for v in block:
        if abs(v) > abs(largest):
            largest = v
    d = largest / F(-8)
    inverse = F(1) / d if d else F(0)
    q = [min(15, int(v * inverse + F(8.5))) for v in block]
    return np.float16(d), [q[i] | q[i + 16] << 4 for i in range(16)]


def drawn(rng, N, C, scale=1.0):
    w = (scale * rng.standard_normal((N, C))).astype(F)
    w[0, :32] = 0  # a block of zeros has a scale of zero
    w[1, 3], w[1, 7] = 9.0, -9.0  # of two equally large ones the first gives the sign
    w[2, :4] = 127.0, 0.5, -0.5, 2.5  # halves
    return w


@pytest.mark.parametrize("scale", [1e-4, 0.02, 30.0])
def test_blocks_are_those_of_gguf(rng, scale):
    w = drawn(rng, 5, 96, scale)
    (q, q_scales), (p, p_scales) = quantize_8(w), quantize_4(w)
    assert (q.dtype, p.dtype, q_scales.dtype) == (np.int8, np.uint8, np.float32)
    for n in range(5):
        for k in range(3):
            block = list(w[n, 32 * k : 32 * k + 32])
            d, numbers = q8_0(block)
            assert q_scales[n, k] == d and q[n, 32 * k : 32 * k + 32].tolist() == numbers
            d, packed = q4_0(block)
            assert p_scales[n, k] == d and p[n, 16 * k : 16 * k + 16].tolist() == packed


@BITS
def test_no_weight_moves_further_than_half_a_step(rng, quantize, dequantize, linear):
    w = drawn(rng, 7, 96).astype(np.float64)
    q, scales = quantize(w)
    steps = np.abs(scales).repeat(32, axis=1)
    error = np.abs(dequantize(q, scales) - w)
    # A scale is rounded to 11 bits, which moves weights by as much again; and the largest of the other sign, 8 steps
    # away in 4 bits, has no number of its own.
    furthest = 1.0 if quantize is quantize_4 else 0.5
    assert (error <= (furthest + 127 * 2.0**-11) * steps + 1e-9).all()


@BITS
def test_what_was_quantized_stays(rng, quantize, dequantize, linear):
    w = dequantize(*quantize(drawn(rng, 4, 64)))
    once, scales = quantize(w)
    np.testing.assert_allclose(dequantize(once, scales), w, rtol=1e-3, atol=0)


@BITS
@pytest.mark.parametrize("M", [1, 3, 8, 17, 65])
@pytest.mark.parametrize(("N", "C"), [(1, 32), (7, 96), (2100, 64), (63, 40), (65, 7)])
def test_products_equal_those_with_float_weights(rng, close, dtype, quantize, dequantize, linear, M, N, C):
    w, x, b = (rng.standard_normal(shape).astype(dtype) for shape in ((N, C), (M, C), (N,)))
    q, scales = quantize(w)
    rough = dequantize(q, scales).astype(np.float64)[:, :C]
    expected = x.astype(np.float64) @ rough.T
    for backend in kernels.BACKENDS:
        with kernels.use(backend):
            close(linear(x, q, scales), expected, dtype)
            close(linear(x, q, scales, b), expected + b, dtype)
            close(linear(x.reshape(M, 1, C), q, scales), expected[:, None], dtype)


@BITS
def test_same_bits_with_one_thread_and_two(rng, quantize, dequantize, linear):
    q, scales = quantize(rng.standard_normal((4200, 64)).astype(F))
    x, before, results = rng.standard_normal((20, 64)).astype(F), numba.get_num_threads(), []
    try:
        for count in (1, 2):
            numba.set_num_threads(count)
            results.append((linear(x[:1], q, scales), linear(x[:8], q, scales), linear(x, q, scales)))
    finally:
        numba.set_num_threads(before)
    for one, two in zip(*results, strict=True):
        np.testing.assert_array_equal(one, two)


@BITS
def test_a_row_of_x_does_not_see_the_others(rng, quantize, dequantize, linear):
    for M, N in ((8, 70), (15, 70), (7, 700), (40, 70)):  # by one thread, by all, and by floats
        q, scales = quantize(rng.standard_normal((N, 64)).astype(F))
        x = rng.standard_normal((M, 64)).astype(F)
        x[3, 5] = np.nan
        y = linear(x, q, scales)
        assert np.isnan(y[3]).all() and np.isfinite(np.delete(y, 3, axis=0)).all()
        if M < 40:
            np.testing.assert_array_equal(y[4:], np.concatenate([linear(row[None], q, scales) for row in x[4:]]))


@BITS
def test_the_error_of_a_product_is_that_of_its_weights(rng, quantize, dequantize, linear):
    w, x = rng.normal(0, 0.02, (96, 768)).astype(F), rng.standard_normal((5, 768)).astype(F)
    wrong = linear(x, *quantize(w)) - x @ w.T
    share = np.sqrt((wrong**2).mean() / ((x @ w.T) ** 2).mean())
    assert 0.002 < share < 0.009 if quantize is quantize_8 else 0.05 < share < 0.12


@BITS
def test_what_does_not_fit_is_refused(quantize, dequantize, linear):
    name = "quantize_8" if quantize is quantize_8 else "quantize_4"
    with pytest.raises(ShapeError, match=rf"{name}: w has shape \(3,\).*Try: "):
        quantize(np.ones(3))
    for bad in (np.nan, np.inf):
        with pytest.raises(NaNError, match=rf"{name}: w holds NaN or inf"):
            quantize(np.array([[1.0, bad]]))
    q, scales = quantize(np.ones((2, 64), F))
    for C in (32, 65):
        with pytest.raises(ShapeError, match=r"does not fit weights for C=64"):
            linear(np.ones((1, C), F), q, scales)


def test_weights_beyond_float16_do_not_become_infinite():
    q, scales = quantize_8(np.full((1, 32), 1e9, F))
    assert np.isfinite(dequantize_8(q, scales)).all()


# x in 8 bits, too


@pytest.mark.parametrize("M", [1, 3, 9])
@pytest.mark.parametrize(("N", "C"), [(7, 128), (2100, 256), (63, 96), (65, 7)])
def test_products_of_whole_numbers_equal_those_of_rounded_x(rng, close, dtype, M, N, C):
    w, x, b = (rng.standard_normal(shape).astype(dtype) for shape in ((N, C), (M, C), (N,)))
    x[0, :5] = 0, 1, -1, 127, -127
    p, scales = quantize_4(w)
    blocks = np.pad(x.astype(np.float64), [(0, 0), (0, -C % 32)]).reshape(M, -1, 32)
    steps = np.abs(blocks).max(axis=-1, keepdims=True) / 127
    whole = np.rint(blocks / np.where(steps == 0, 1, steps))
    expected = (whole * steps).reshape(M, -1) @ dequantize_4(p, scales).astype(np.float64).T
    for backend in kernels.BACKENDS:
        with kernels.use(backend):
            close(linear_4_by_8(x, p, scales), expected, dtype)
            close(linear_4_by_8(x, p, scales, b), expected + b, dtype)


def test_rounding_x_adds_little_to_the_error_of_weights(rng):
    w, x = rng.normal(0, 0.02, (96, 768)).astype(F), rng.standard_normal((5, 768)).astype(F)
    p, scales = quantize_4(w)
    exact, by_float, by_whole = x @ w.T, linear_4(x, p, scales), linear_4_by_8(x, p, scales)
    size, added = np.sqrt((exact**2).mean()), np.sqrt(((by_whole - by_float) ** 2).mean())
    assert 0.002 < added / size < 0.009
    assert added < 0.1 * np.sqrt(((by_float - exact) ** 2).mean())


def test_whole_numbers_do_not_hide_what_is_none(rng):
    p, scales = quantize_4(rng.standard_normal((70, 128)).astype(F))
    x = rng.standard_normal((4, 128)).astype(F)
    x[1, 70], x[2, 3], x[3] = np.nan, np.inf, 0
    with np.errstate(invalid="ignore"):
        for backend in kernels.BACKENDS:
            with kernels.use(backend):
                y = linear_4_by_8(x, p, scales)
            assert np.isfinite(y[0]).all() and np.isnan(y[1:3]).all() and not y[3].any()


@pytest.mark.parametrize("has", [True, False])
def test_machines_without_the_instruction_get_the_same(rng, monkeypatch, has):
    vectors = importlib.import_module("tinyllm.kernels.jit.vectors")
    if not has:
        monkeypatch.setattr(vectors, "_has_byte_products", lambda: False)
    nibble_products, total = vectors.nibble_products, vectors.total

    @numba.njit
    def product(p, low, high):
        return total(nibble_products(p, 0, low, high, 1.0))

    p = rng.integers(0, 256, 64, np.uint8)
    low, high = (rng.integers(-127, 128, 64, np.int8) for _ in range(2))
    assert product(p, low, high) == ((p & 15) * low.astype(int)).sum() + ((p >> 4) * high.astype(int)).sum()
