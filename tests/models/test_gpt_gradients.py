"""The gradient of a whole GPT, for every number in every parameter; and what a step does with it."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

import tinyllm as tl
from tinyllm import nn
from tinyllm.errors import GradcheckError


def test_gradcheck_of_the_whole_model(config, noisy, batch):
    model = noisy(config)
    named = model.named_parameters()
    report = tl.gradcheck(lambda *_: model.loss(*batch), [p for _, p in named], names=[name for name, _ in named])
    assert len(report.findings) == len(named) and report.method == "complex step"


def test_every_single_entry_by_complex_step(config, noisy, batch):
    """gradcheck looks at large parameters along random directions; here each of their entries is moved by itself."""
    model = noisy(config)
    model.loss(*batch).backward()
    with tl.no_grad(), tl.kernels.use("numpy"):
        for name, p in model.named_parameters():
            own, exact = p.data, np.zeros(p.size)
            for i in range(p.size):
                moved = own.astype(np.complex128)
                moved.flat[i] += 1e-20j
                p.data = moved
                exact[i] = model.loss(*batch).data.imag / 1e-20
            p.data = own
            np.testing.assert_allclose(p.grad.ravel(), exact, rtol=1e-9, atol=1e-12, err_msg=name)


def test_the_check_would_notice_a_fault_in_one_layer(config, noisy, batch, monkeypatch):
    """Drop the residual connection's gradient in one place: the model computes the same, its gradients do not."""
    model = noisy(config)
    block = model.blocks[1]
    attn = block.attn.forward
    monkeypatch.setattr(block.attn, "forward", lambda x: attn(x.detach()), raising=False)
    with pytest.raises(GradcheckError, match=r"blocks\.1\.norm1\.gain"):
        named = model.named_parameters()
        tl.gradcheck(lambda *_: model.loss(*batch), [p for _, p in named], names=[name for name, _ in named])


@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_every_parameter_gets_a_gradient_and_moves(config, batch, backend):
    with tl.kernels.use(backend):
        model = tl.GPT(config, np.random.default_rng(0))
        before = model.state_dict()
        model.loss(*batch).backward()
        for name, p in model.named_parameters():
            assert p.grad is not None and p.grad.shape == p.shape and p.grad.dtype == p.dtype, name
            assert np.isfinite(p.grad).all() and np.abs(p.grad).max() > 1e-7, name
        nn.optim.AdamW(nn.optim.decay_groups(model), lr=0.01).step()
        for name, p in model.named_parameters():
            assert np.isfinite(p.data).all() and not np.array_equal(p.data, before[name]), name


def test_float32_gradients_agree_with_float64(config, noisy, batch):
    wide, narrow = noisy(config), noisy(config, np.float32)
    wide.loss(*batch).backward()
    for backend in tl.kernels.BACKENDS:
        narrow.zero_grad()
        with tl.kernels.use(backend):
            narrow.loss(*batch).backward()
        for (name, p), q in zip(wide.named_parameters(), narrow.parameters(), strict=True):
            assert np.linalg.norm(p.grad - q.grad) < 1e-5 * np.linalg.norm(p.grad), (name, backend)


def test_dropout_goes_through_the_check_when_its_generator_is_reset(noisy, batch):
    config = tl.GPTConfig(11, 5, 1, 2, n_embd=6, dropout=0.3)
    model = noisy(config)
    state = model.rng_state()

    def loss(*_):
        model.set_rng_state(state)
        return model.loss(*batch)

    assert tl.gradcheck(loss, model.parameters())


def test_blocks_that_are_recomputed_give_the_same_gradients(config, noisy, batch):
    """Activation checkpointing around every block, dropout included: the second time its generator is wound back."""
    model = noisy(dataclasses.replace(config, dropout=0.3))
    (rng,) = model.generators()
    state = model.rng_state()
    model.loss(*batch).backward()
    expected = [p.grad for p in model.parameters()]
    model.zero_grad()
    model.set_rng_state(state)
    x = model.embed(batch[0])
    for block in model.blocks:
        x = tl.checkpoint(block, x, rng=rng)
    head = model.wte.weight if model.head is None else model.head.weight
    tl.cross_entropy(tl.linear(model.norm(x), head), batch[1]).backward()
    for (name, p), g in zip(model.named_parameters(), expected, strict=True):
        np.testing.assert_allclose(p.grad, g, rtol=1e-12, atol=1e-15, err_msg=name)
