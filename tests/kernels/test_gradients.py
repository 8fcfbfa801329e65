"""Every backward kernel is the derivative of its forward kernel, by complex step through the references."""

from __future__ import annotations

import numpy as np
import pytest

from tinyllm import kernels
from tinyllm.kernels import TABLE

TARGETS = np.array([4, -100, 0, 6, 3])


def plain(name):
    return TABLE[name]["numpy"]


def cross_entropy_backward(logits, dlosses):
    lse = kernels.logsumexp(logits)
    return [kernels.cross_entropy_backward(logits, TARGETS, lse, dlosses, -100)]


def layer_norm_backward(x, g, b, dy):
    _, mean, rstd = kernels.layer_norm(x, g, b, 1e-3)
    return kernels.layer_norm_backward(x, g, mean, rstd, dy)


def both_ways(norm):
    """The joined norm as the one array (s, y), so that its cotangent is (ds, dy)."""
    return lambda *arrays: np.stack(plain(norm)(*arrays, 1e-3)[:2])


def add_layer_norm_backward(x, r, g, b, d):
    s, _, mean, rstd = kernels.add_layer_norm(x, r, g, b, 1e-3)
    ds, dg, db = kernels.layer_norm_backward(s, g, mean, rstd, d[1], d[0])
    return ds, ds, dg, db


def add_rms_norm_backward(x, r, g, d):
    s, _, rstd = kernels.add_rms_norm(x, r, g, 1e-3)
    ds, dg = kernels.rms_norm_backward(s, g, rstd, d[1], d[0])
    return ds, ds, dg


def cross_entropy_chunk(logits, dlosses):
    logits = logits.copy()
    kernels.cross_entropy_chunk(logits, TARGETS, -100, float(dlosses))
    return [logits]


def rms_norm_backward(x, g, dy):
    return kernels.rms_norm_backward(x, g, kernels.rms_norm(x, g, 1e-3)[1], dy)


def attention_backward(q, k, v, dout):
    out, lse = kernels.attention(q, k, v, True, 3, 0.7)
    return kernels.attention_backward(q, k, v, out, lse, dout, True, 3, 0.7)


COS, SIN = kernels.rope_angles(np.arange(5) + 2, 4, 10.0)
ROW, VECTOR, HEADS = (5, 7), (7,), (1, 2, 5, 4)

# shapes, forward through the reference, backward through the door
PAIRS = {
    "softmax": ([ROW], plain("softmax"), lambda x, d: [kernels.softmax_backward(kernels.softmax(x), d)]),
    "log_softmax": (
        [ROW],
        plain("log_softmax"),
        lambda x, d: [kernels.log_softmax_backward(kernels.log_softmax(x), d)],
    ),
    "cross_entropy": ([ROW], lambda x: plain("cross_entropy")(x, TARGETS, -100)[0], cross_entropy_backward),
    "layer_norm": ([ROW, VECTOR, VECTOR], lambda *a: plain("layer_norm")(*a, 1e-3)[0], layer_norm_backward),
    "rms_norm": ([ROW, VECTOR], lambda *a: plain("rms_norm")(*a, 1e-3)[0], rms_norm_backward),
    "silu": ([ROW], plain("silu"), lambda x, d: [kernels.silu_backward(x, d)]),
    "gelu": ([ROW], plain("gelu"), lambda x, d: [kernels.gelu_backward(x, d)]),
    "gelu_tanh": ([ROW], plain("gelu_tanh"), lambda x, d: [kernels.gelu_tanh_backward(x, d)]),
    "add_layer_norm": ([ROW, ROW, VECTOR, VECTOR], both_ways("add_layer_norm"), add_layer_norm_backward),
    "add_rms_norm": ([ROW, ROW, VECTOR], both_ways("add_rms_norm"), add_rms_norm_backward),
    "cross_entropy_chunk": ([ROW], lambda x: plain("cross_entropy")(x, TARGETS, -100)[0].sum(), cross_entropy_chunk),
    "swiglu": ([ROW, ROW], plain("swiglu"), kernels.swiglu_backward),
    "attention": ([HEADS] * 3, lambda *qkv: plain("attention")(*qkv, True, 3, 0.7)[0], attention_backward),
    "rope_half": ([HEADS], lambda x: plain("rope_half")(x, COS, SIN), lambda x, d: [kernels.rope_half(d, COS, -SIN)]),
    "rope_pairs": (
        [HEADS],
        lambda x: plain("rope_pairs")(x, COS, SIN),
        lambda x, d: [kernels.rope_pairs(d, COS, -SIN)],
    ),
    "dropout": ([ROW], lambda x: plain("dropout")(x, 0.4, 9), lambda x, d: [kernels.dropout(d, 0.4, 9)]),
}


@pytest.mark.parametrize("backend", kernels.BACKENDS)
@pytest.mark.parametrize("name", PAIRS)
def test_backward_is_the_derivative(name, backend, rng):
    shapes, forward, backward = PAIRS[name]
    arrays = [rng.standard_normal(shape) for shape in shapes]
    cotangent = rng.standard_normal(np.shape(forward(*arrays)))
    with kernels.use(backend):
        gradients = backward(*arrays, cotangent)
    for i, gradient in enumerate(gradients):
        exact = np.empty(arrays[i].shape)
        for place in np.ndindex(exact.shape):
            moved = [x.astype(complex) for x in arrays]
            moved[i][place] += 1e-20j
            exact[place] = (forward(*moved).imag / 1e-20 * cotangent).sum()
        assert np.abs(exact).max() > 1e-3  # a gradient of nothing would prove nothing
        np.testing.assert_allclose(gradient, exact, rtol=1e-10, atol=1e-12)


def test_every_backward_kernel_is_held_to_a_derivative():
    assert {name.removesuffix("_backward") for name in TABLE if name.endswith("_backward")} <= set(PAIRS)
