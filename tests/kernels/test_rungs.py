"""Every rung of every ladder equals the reference, in float32 and float64, at odd sizes, on read-only inputs."""

from __future__ import annotations

import importlib
import pkgutil
import re

import numpy as np
import pytest

from tinyllm.kernels import TABLE, jit
from tinyllm.kernels.dropout import scale_of, start_of, threshold_of
from tinyllm.kernels.jit.addresses import blocks_of, solid_arrays
from tinyllm.kernels.quantized import quantize_4, quantize_8

# with tests of their own
IN_PLACE = {"adamw", "adamw_all", "add_to", "cross_entropy_chunk", "epilogue", "gemv", "gevm", "sum_of_squares_of"}
SIZES = (1, 7, 63, 64, 65)
MODULES = [importlib.import_module(f"tinyllm.kernels.jit.{m.name}") for m in pkgutil.iter_modules(jit.__path__)]
RUNGS = {
    name: value
    for module in MODULES
    for name, value in vars(module).items()
    if re.fullmatch(r"\w+_v\d", name) and not name.startswith("_") and hasattr(value, "py_func")
}


def reference(name, *args):
    """The NumPy reference in float64, whatever the dtype of the arguments."""
    wide = [a.astype(np.float64) if isinstance(a, np.ndarray) and a.dtype.kind == "f" else a for a in args]
    result = TABLE[name]["numpy"](*wide)
    return result if isinstance(result, tuple) else (result,)


class Case:
    """Arguments for the rungs of one ladder: inputs, then outputs to be filled; and what these must then hold."""

    def __init__(self, dtype, rng, size):
        self.dtype, self.rng, self.size = dtype, rng, size
        self.N = 3 if size > 7 else 37  # both sides of a block of rows

    def draw(self, *shape, scale=1.0):
        return (scale * self.rng.standard_normal(shape)).astype(self.dtype)

    def empty(self, *shapes):
        return [np.full(shape, np.nan, self.dtype) for shape in shapes]

    def rows(self, name, inputs):
        x = [self.draw(self.N, self.size, scale=3.0) for _ in range(inputs)]
        return x, self.empty(x[0].shape), reference(name, *x)

    def line(self, name, inputs, outputs=1):
        x = [self.draw(self.size * 67, scale=3.0) for _ in range(inputs)]
        return x, self.empty(*[x[0].shape] * outputs), reference(name, *x)

    def softmax(self):
        return self.rows(self.name, 1)

    log_softmax = softmax

    def softmax_backward(self):
        return self.rows(self.name, 2)

    def gelu(self):
        return self.line(self.name, 1)

    erf = sigmoid = silu = gelu_tanh = gelu

    def gelu_backward(self):
        return self.line(self.name, 2)

    silu_backward = gelu_tanh_backward = swiglu = add = gelu_backward

    def log_softmax_backward(self):
        x = [-np.abs(self.draw(self.N, self.size)), self.draw(self.N, self.size)]
        return x, self.empty(x[0].shape), reference(self.name, *x)

    def logsumexp(self):
        x = self.draw(self.N, self.size, scale=3.0)
        return [x], self.empty(self.N), reference(self.name, x)

    def swiglu_backward(self):
        return self.line(self.name, 3, outputs=2)

    def targets(self):
        targets = self.rng.integers(0, self.size, self.N)
        targets[::5] = -100
        return targets

    def cross_entropy(self):
        args = [self.draw(self.N, self.size), self.targets(), -100]
        return args, self.empty(self.N, self.N), reference(self.name, *args)

    def cross_entropy_backward(self):
        args = [self.draw(self.N, self.size), self.targets(), 4 + self.draw(self.N), self.draw(self.N), -100]
        return args, self.empty(args[0].shape), reference(self.name, *args)

    def layer_norm(self):
        x, g, b = self.draw(self.N, self.size) + 2, self.draw(self.size), self.draw(self.size)
        return [x, g, b, 1e-2], self.empty(x.shape, self.N, self.N), reference(self.name, x, g, b, 1e-2)

    def add_layer_norm(self):
        x, r = self.draw(self.N, self.size) + 2, self.draw(self.N, self.size)
        args = [x, r, self.draw(self.size), self.draw(self.size), 1e-2]
        return args, self.empty(x.shape, x.shape, self.N, self.N), reference(self.name, *args)

    def add_rms_norm(self):
        x, r, g = self.draw(self.N, self.size) + 2, self.draw(self.N, self.size), self.draw(self.size)
        return [x, r, g, 1e-2], self.empty(x.shape, x.shape, self.N), reference(self.name, x, r, g, 1e-2)

    def along(self):
        """What came back past the norm; in one case nothing, which the rungs are told by no rows."""
        return self.draw(0 if self.size == 63 else self.N, self.size)

    def layer_norm_backward(self):
        x, dy, g = self.draw(self.N, self.size), self.draw(self.N, self.size), self.draw(self.size)
        args = [x, g, self.draw(self.N), self.draw(self.N), dy, self.along()]
        return args, self.empty(x.shape, g.shape, g.shape), reference(self.name, *args[:-1], present(args[-1]))

    def rms_norm(self):
        x, g = self.draw(self.N, self.size) + 2, self.draw(self.size)
        return [x, g, 1e-2], self.empty(x.shape, self.N), reference(self.name, x, g, 1e-2)

    def rms_norm_backward(self):
        x, dy, g = self.draw(self.N, self.size), self.draw(self.N, self.size), self.draw(self.size)
        args = [x, g, self.draw(self.N), dy, self.along()]
        return args, self.empty(x.shape, g.shape), reference(self.name, *args[:-1], present(args[-1]))

    def heads(self):
        """T queries of S positions, two query heads to a key/value head; in the second case some see nothing."""
        T, S, D = {1: (1, 1, 5), 7: (9, 5, 7), 63: (63, 150, 3), 64: (64, 64, 32), 65: (65, 65, 33)}[self.size]
        causal, window = {7: (True, 3), 63: (True, None), 64: (True, None)}.get(self.size, (False, None))
        p = {63: 0.3, 65: 0.5}.get(self.size, 0.0)
        q, dout = self.draw(2, 4, T, D), self.draw(2, 4, T, D)
        k, v = self.draw(2, 2, S, D), self.draw(2, 2, S, D)
        back, ahead = T + S if window is None else window - 1, 0 if causal else T + S
        settings = back, ahead, 0.4, start_of(7), threshold_of(p), scale_of(p)
        return q, k, v, dout, (causal, window, 0.4, p, 7), settings

    def attention(self):
        q, k, v, _, asked, settings = self.heads()
        return [q, k, v, *settings], self.empty(q.shape, q.shape[:3]), reference("attention", q, k, v, *asked)

    def attention_backward(self):
        q, k, v, dout, asked, settings = self.heads()
        out, lse = (x.astype(self.dtype) for x in reference("attention", q, k, v, *asked))
        expected = reference("attention_backward", q, k, v, out, lse, dout, *asked)
        return [q, k, v, out, lse, dout, *settings], self.empty(q.shape, k.shape, v.shape), expected

    def attention_decode(self):
        """Caches filled differently, by T queries too few even for themselves, or beyond a chunk."""
        T, S, D = {1: (1, 1, 5), 7: (2, 9, 7), 63: (3, 600, 3), 64: (1, 64, 32), 65: (5, 65, 33)}[self.size]
        q, k, v = self.draw(2, 6, T, D), self.draw(2, 2, S, D), self.draw(2, 2, S, D)
        lengths, window = np.array([S, 1]), {7: 3, 63: 290}.get(self.size)
        k[1, :, 1:], v[1, :, 1:] = np.nan, np.nan  # what is not filled yet is not looked at
        back = T + S if window is None else window - 1
        (out,) = reference("attention_decode", q, k, v, lengths, window, 0.4)
        filled = [[x[b : b + 1] for x in (q, k[:, :, :n], v[:, :, :n])] for b, n in enumerate(lengths)]
        lse = np.concatenate([reference("attention", *arrays, True, window, 0.4)[1] for arrays in filled])
        return [q, k, v, lengths, back, 0, 0.4], self.empty(q.shape, q.shape[:3]), (out, lse)

    def rope_half(self):
        x, cos, sin = self.draw(5, 3, 2 * self.size), self.draw(3, self.size), self.draw(3, self.size)
        return [x, cos, sin], self.empty(x.shape), reference(self.name, x, cos, sin)

    rope_pairs = rope_half

    def matmul(self):
        a, b = self.draw(self.N, self.size), self.draw(self.size, self.size + 2)
        return [a, b], self.empty((self.N, self.size + 2)), reference(self.name, a, b)

    def quantized(self, quantize):
        """Weights (size, 64 or 96) and 3 rows of x for them."""
        return self.draw(3, 64 + 32 * (self.size % 2)), *quantize(self.draw(self.size, 64 + 32 * (self.size % 2)))

    def linear_8(self):
        args = list(self.quantized(quantize_8))
        return args, [np.zeros((3, self.size), self.dtype)], reference(self.name, *args)

    def linear_4(self):
        args = list(self.quantized(quantize_4))
        return args, [np.zeros((3, self.size), self.dtype)], reference(self.name, *args)

    def linear_4_by_8(self):
        w = self.draw(self.size, 128 if self.size % 2 else 256)
        args = [self.draw(3, w.shape[1]), *quantize_4(w)]
        return args, [np.zeros((3, self.size), self.dtype)], reference(self.name, *args)

    def dequantize_8(self):
        x, *args = self.quantized(quantize_8)
        return args, self.empty((self.size, x.shape[1])), reference(self.name, *args)

    def dequantize_4(self):
        x, *args = self.quantized(quantize_4)
        return args, self.empty((self.size, x.shape[1])), reference(self.name, *args)

    def scatter_add(self):
        index, src = self.rng.integers(0, 11, self.N), self.draw(self.N, self.size)
        return [index, src], [np.zeros((11, self.size), self.dtype)], reference(self.name, index, src, 11)

    def dropout(self):
        x = self.draw(self.size * 67)
        args = [x, start_of(-3), 0, threshold_of(0.3), scale_of(0.3)]
        return args, self.empty(x.shape), reference(self.name, x, 0.3, -3)

    def sum_of_squares(self):
        x = self.draw(self.size * 67)
        return [x], [], reference(self.name, x)


def present(ds):
    """The cotangent for the reference, where there is one."""
    return ds.astype(np.float64) if len(ds) else None


def test_every_rung_has_a_case_and_every_case_a_rung():
    ladders = {name[:-3] for name in RUNGS} - IN_PLACE
    cases = {name for name, value in vars(Case).items() if callable(value) and name in TABLE}
    assert ladders == cases
    assert len(RUNGS) >= 70


@pytest.mark.parametrize("name", [name for name in RUNGS if name[:-3] not in IN_PLACE and name != "matmul_v7"])
def test_rung_equals_reference(name, dtype, rng, close):
    for size in SIZES:
        case = Case(dtype, rng, size)
        case.name = name[:-3]
        inputs, outputs, expected = getattr(case, case.name)()
        before = [x.copy() if isinstance(x, np.ndarray) else x for x in inputs]
        for x in inputs:
            if isinstance(x, np.ndarray):
                x.flags.writeable = False
        returned = RUNGS[name](*inputs, *outputs)
        if outputs:
            for got, want in zip(outputs, expected, strict=True):
                close(got, want, dtype, factor=64)
        else:
            assert returned == pytest.approx(expected[0], rel=1e-13)
        for x, was in zip(inputs, before, strict=True):
            np.testing.assert_array_equal(x, was)


SETTINGS = 0.9, 0.99, 0.01 / (1 - 0.9**3), (1 - 0.99**3) ** -0.5, 1e-8, 0.7  # beta1, beta2, rate, root, eps, scale


@pytest.mark.parametrize("name", ["adamw_v1", "adamw_v2"])
def test_rung_of_adamw_equals_reference(name, dtype, rng, close):
    for size in SIZES:
        p, g, m = (rng.standard_normal(size * 67).astype(dtype) for _ in range(3))
        v = (g * g * 0.5).astype(dtype)
        wide = [x.astype(np.float64) for x in (p, g, m, v)]
        TABLE["adamw"]["numpy"](*wide, 0.01, 0.9, 0.99, 1e-8, 0.1, 3, 0.7)
        g.flags.writeable = False
        RUNGS[name](p, g, m, v, 1 - 0.01 * 0.1, *SETTINGS)
        for got, want in zip((p, m, v), (wide[0], *wide[2:]), strict=True):
            close(got, want, dtype)


@pytest.mark.parametrize("name", ["adamw_all_v1", "adamw_all_v2"])
def test_rung_of_adamw_for_all_equals_the_one_for_each_parameter_bit_for_bit(name, dtype, rng):
    ps, gs = ([rng.standard_normal(n).astype(dtype) for n in (*SIZES, 4096, 4097, 10_000)] for _ in range(2))
    offsets = np.cumsum([2, *(p.size + 1 for p in ps[:-1])])  # with places between them that belong to nobody
    m, v = (rng.standard_normal(offsets[-1] + ps[-1].size).astype(dtype) for _ in range(2))
    v *= v
    expected_ps, expected = [p.copy() for p in ps], (m.copy(), v.copy())
    decays = 1 - 0.01 * rng.random(len(ps))
    for p, g, offset, decay in zip(expected_ps, gs, offsets, decays, strict=True):
        here, slope = slice(offset, offset + p.size), g.copy()
        slope.flags.writeable = False
        RUNGS["adamw_v1"](p, slope, expected[0][here], expected[1][here], decay, *SETTINGS)
    (_, table), (_, slopes) = solid_arrays(ps), solid_arrays(gs)
    blocks = [blocks_of(table[:, 1], 4096)] if name.endswith("2") else []
    RUNGS[name](table, slopes, m, v, offsets, decays, *SETTINGS, *blocks)
    for got, want in zip((*ps, m, v), (*expected_ps, *expected), strict=True):
        np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("name", ["sum_of_squares_of_v1", "sum_of_squares_of_v2"])
def test_rung_of_the_sum_over_arrays_equals_reference(name, dtype, rng):
    xs = [rng.standard_normal(size).astype(dtype) for size in (*SIZES, 4096, 10_000)]
    alive, table = solid_arrays(xs)
    blocks = [blocks_of(table[:, 1], 4096)] if name.endswith("2") else []
    total = RUNGS[name](table, dtype.type(0), *blocks)
    assert total == pytest.approx(reference("sum_of_squares_of", *alive)[0], rel=1e-13)


@pytest.mark.parametrize("name", ["add_to_v1", "add_to_v2"])
def test_rung_of_adding_in_place_equals_reference(name, dtype, rng):
    for size in SIZES:
        x, y = (rng.standard_normal(size * 211).astype(dtype) for _ in range(2))
        expected = x + y
        y.flags.writeable = False
        RUNGS[name](x, y)
        np.testing.assert_array_equal(x, expected)


@pytest.mark.parametrize("name", ["cross_entropy_chunk_v1", "cross_entropy_chunk_v2"])
def test_rung_of_cross_entropy_in_place_equals_reference(name, dtype, rng, close):
    for V in (*SIZES, 2048, 4099):  # one piece of a row, and several
        logits, targets = (3 * rng.standard_normal((9, V))).astype(dtype), rng.integers(0, V, 9)
        logits[1, : V // 2], logits[2, V // 2 + 1 :], targets[3] = -np.inf, -100, -100
        targets[1] = V - 1
        expected = logits.astype(np.float64)
        losses = TABLE["cross_entropy_chunk"]["numpy"](expected, targets, -100, 0.3)
        got, targets.flags.writeable = np.empty(9, dtype), False
        RUNGS[name](logits, targets, -100, 0.3, got)
        close(got, losses, dtype, factor=64)
        close(logits, expected, dtype)
