"""The references against another library, where it is installed."""

from __future__ import annotations

import numpy as np
import pytest

from tinyllm import kernels

pytestmark = pytest.mark.oracle


@pytest.fixture
def torch():
    return pytest.importorskip("torch", reason="the oracle library is not installed")


def compare(torch, rng, theirs, function, arrays):
    """Hold a kernel and its backward, given as a pair, to a function of torch and its gradients."""
    forward, backward = function
    tensors = [torch.tensor(a, requires_grad=True) for a in arrays]
    expected = theirs(*tensors)
    cotangent = rng.standard_normal(expected.shape)
    expected.backward(torch.tensor(cotangent))
    np.testing.assert_allclose(forward(*arrays), expected.detach().numpy(), rtol=1e-10, atol=1e-12)
    for dx, tensor in zip(backward(*arrays, cotangent), tensors, strict=True):
        np.testing.assert_allclose(dx, tensor.grad.numpy(), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("backend", kernels.BACKENDS)
def test_rows_and_curves(torch, rng, backend):
    F, x, g, b = torch.nn.functional, 3 * rng.standard_normal((5, 7)), rng.standard_normal(7), rng.standard_normal(7)

    def layer_norm_backward(x, g, b, dy):
        _, mean, rstd = kernels.layer_norm(x, g, b, 1e-5)
        return kernels.layer_norm_backward(x, g, mean, rstd, dy)

    def rms_norm_backward(x, g, dy):
        return kernels.rms_norm_backward(x, g, kernels.rms_norm(x, g, 1e-6)[1], dy)

    pairs = [
        (lambda x: F.softmax(x, -1), kernels.softmax, lambda x, dp: [kernels.softmax_backward(kernels.softmax(x), dp)]),
        (
            lambda x: F.log_softmax(x, -1),
            kernels.log_softmax,
            lambda x, dy: [kernels.log_softmax_backward(kernels.log_softmax(x), dy)],
        ),
        (F.gelu, kernels.gelu, lambda x, dy: [kernels.gelu_backward(x, dy)]),
        (
            lambda x: F.gelu(x, approximate="tanh"),
            kernels.gelu_tanh,
            lambda x, dy: [kernels.gelu_tanh_backward(x, dy)],
        ),
        (F.silu, kernels.silu, lambda x, dy: [kernels.silu_backward(x, dy)]),
    ]
    with kernels.use(backend):
        for theirs, forward, backward in pairs:
            compare(torch, rng, theirs, (forward, backward), [x])
        compare(
            torch,
            rng,
            lambda x, g, b: F.layer_norm(x, (7,), g, b, 1e-5),
            (lambda x, g, b: kernels.layer_norm(x, g, b, 1e-5)[0], layer_norm_backward),
            [x, g, b],
        )
        compare(
            torch,
            rng,
            lambda x, g: F.rms_norm(x, (7,), g, 1e-6),
            (lambda x, g: kernels.rms_norm(x, g, 1e-6)[0], rms_norm_backward),
            [x, g],
        )
        compare(
            torch,
            rng,
            lambda gate, up: F.silu(gate) * up,
            (kernels.swiglu, kernels.swiglu_backward),
            [x, rng.standard_normal((5, 7))],
        )


@pytest.mark.parametrize("backend", kernels.BACKENDS)
def test_cross_entropy(torch, rng, backend):
    logits, targets = rng.standard_normal((11, 7)), rng.integers(0, 7, 11)
    targets[3] = -100

    def backward(logits, dlosses):
        _, lse = kernels.cross_entropy(logits, targets, -100)
        return [kernels.cross_entropy_backward(logits, targets, lse, dlosses, -100)]

    with kernels.use(backend):
        compare(
            torch,
            rng,
            lambda x: torch.nn.functional.cross_entropy(x, torch.tensor(targets), ignore_index=-100, reduction="none"),
            (lambda x: kernels.cross_entropy(x, targets, -100)[0], backward),
            [logits],
        )


@pytest.mark.parametrize("backend", kernels.BACKENDS)
@pytest.mark.parametrize(("T", "S", "window"), [(5, 5, None), (3, 11, None), (40, 70, 13)])
def test_attention(torch, rng, backend, T, S, window):
    q, k, v = rng.standard_normal((2, 6, T, 5)), rng.standard_normal((2, 3, S, 5)), rng.standard_normal((2, 3, S, 5))
    i, j = np.arange(T)[:, None] + S - T, np.arange(S)
    mask = (j <= i) & (j > i - (window or S + T))

    def theirs(q, k, v):
        return torch.nn.functional.scaled_dot_product_attention(
            q, k, v, attn_mask=torch.tensor(mask), enable_gqa=True, scale=0.4
        )

    def backward(q, k, v, dout):
        out, lse = kernels.attention(q, k, v, True, window, 0.4)
        return kernels.attention_backward(q, k, v, out, lse, dout, True, window, 0.4)

    with kernels.use(backend):
        compare(torch, rng, theirs, (lambda *qkv: kernels.attention(*qkv, True, window, 0.4)[0], backward), [q, k, v])


@pytest.mark.parametrize("backend", kernels.BACKENDS)
def test_adamw_over_twenty_steps(torch, rng, backend):
    start, gradients = rng.standard_normal(31), rng.standard_normal((20, 31))
    theirs = torch.nn.Parameter(torch.tensor(start))
    optimizer = torch.optim.AdamW([theirs], lr=0.01, betas=(0.9, 0.95), eps=1e-8, weight_decay=0.1)
    p, m, v = start.copy(), np.zeros(31), np.zeros(31)
    with kernels.use(backend):
        for step, gradient in enumerate(gradients, start=1):
            theirs.grad = torch.tensor(gradient)
            optimizer.step()
            kernels.adamw(p, gradient, m, v, 0.01, 0.9, 0.95, 1e-8, 0.1, step)
    np.testing.assert_allclose(p, theirs.detach().numpy(), rtol=1e-13)
