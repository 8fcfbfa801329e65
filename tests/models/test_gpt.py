"""GPT as a whole: against its formula, its past against its future, how it starts, and that it learns."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

import tinyllm as tl
from tinyllm import nn
from tinyllm.errors import DTypeError, RangeError, ShapeError


def by_hand(model, config, idx):
    """The forward pass in plain NumPy, one sequence and one head at a time."""
    W = model.state_dict()
    T = idx.shape[1]
    C, H, K, D = config.n_embd, config.n_head, config.n_kv_head, config.head_size

    def linear(x, name):
        return x @ W[f"{name}.weight"].T + W.get(f"{name}.bias", 0)

    def norm(x, name):
        if config.norm == "layer":
            x = x - x.mean(-1, keepdims=True)
        return x / np.sqrt((x**2).mean(-1, keepdims=True) + config.norm_eps) * W[f"{name}.gain"] + W.get(
            f"{name}.bias", 0
        )

    def turn(x):  # (T, D)
        z = (x[:, : D // 2] + 1j * x[:, D // 2 :]) * np.exp(
            1j * np.outer(np.arange(T), config.rope_theta ** (-2 * np.arange(D // 2) / D))
        )
        return np.concatenate([z.real, z.imag], axis=-1)

    def attention(x, name):
        q, k, v = np.split(linear(x, f"{name}.qkv"), [C, C + K * D], axis=-1)
        heads = []
        for h in range(H):
            g = h // (H // K)
            qh, kh, vh = q[:, h * D : (h + 1) * D], k[:, g * D : (g + 1) * D], v[:, g * D : (g + 1) * D]
            if config.position == "rope":
                qh, kh = turn(qh), turn(kh)
            far = np.arange(T)[:, None] - np.arange(T)
            seen = (far >= 0) & (far < (config.window or T))
            e = np.where(seen, np.exp(qh @ kh.T / math.sqrt(D)), 0)
            heads.append(e / e.sum(-1, keepdims=True) @ vh)
        return linear(np.concatenate(heads, axis=-1), f"{name}.out")

    def mlp(x, name):
        up = linear(x, f"{name}.up")
        if config.mlp == "gelu":
            bent = 0.5 * up * (1 + np.tanh(math.sqrt(2 / math.pi) * (up + 0.044715 * up**3)))
        else:
            gate = linear(x, f"{name}.gate")
            bent = gate / (1 + np.exp(-gate)) * up
        return linear(bent, f"{name}.down")

    logits = []
    for row in idx:
        x = W["wte.weight"][row] + (W["wpe.weight"][:T] if config.position == "learned" else 0)
        for i in range(config.n_layer):
            x = x + attention(norm(x, f"blocks.{i}.norm1"), f"blocks.{i}.attn")
            x = x + mlp(norm(x, f"blocks.{i}.norm2"), f"blocks.{i}.mlp")
        logits.append(norm(x, "norm") @ W["wte.weight" if config.tied else "head.weight"].T)
    return np.stack(logits)


@pytest.mark.parametrize("T", [1, 3, 5])
def test_logits_and_loss_are_their_formulas(config, noisy, batch, T):
    model, (idx, targets) = noisy(config), (batch[0][:, :T], batch[1][:, :T])
    logits = by_hand(model, config, idx)
    np.testing.assert_allclose(model(idx).data, logits, rtol=1e-10, atol=1e-12)
    logp = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    expected = -np.take_along_axis(logp, targets[..., None], -1).mean()
    assert model.loss(idx, targets).item() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_float32_agrees_with_float64(config, noisy, batch, backend):
    with tl.kernels.use(backend):
        wide, narrow = noisy(config)(batch[0]).data, noisy(config, np.float32)(batch[0]).data
    assert narrow.dtype == np.float32
    np.testing.assert_allclose(narrow, wide, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_the_future_does_not_change_the_past(config, noisy, batch, backend):
    idx = batch[0]
    with tl.kernels.use(backend), tl.no_grad():
        model = noisy(config, np.float32)
        before = model(idx).data
        for t in range(5):
            changed = idx.copy()
            changed[:, t] = (changed[:, t] + 1) % config.vocab_size
            after = model(changed).data
            np.testing.assert_array_equal(after[:, :t], before[:, :t])  # to the bit
            assert (np.abs(after[:, t] - before[:, t]).max(-1) > 1e-3).all()


def test_a_window_reaches_as_far_as_it_says(noisy, batch):
    config = tl.GPTConfig.preset("modern", vocab_size=11, block_size=5, n_layer=1, n_head=2, n_embd=8, window=2)
    model, idx = noisy(config), batch[0]
    changed = idx.copy()
    changed[:, 1] = (changed[:, 1] + 1) % 11
    moved = np.abs(model(changed).data - model(idx).data).max((0, 2))
    assert (moved > 0).tolist() == [False, True, True, False, False]


def test_rope_makes_a_model_that_sees_only_distances():
    """One layer with rope and a window of 2: the same two tokens give the same logits wherever they stand."""
    config = tl.GPTConfig.preset("modern", vocab_size=11, block_size=9, n_layer=1, n_head=2, n_embd=8, window=2)
    model = tl.GPT(config, np.random.default_rng(0)).astype(np.float64)
    logits = model(np.array([[3, 7, 3, 7, 3, 7]])).data[0]
    np.testing.assert_allclose(logits[1], logits[5], rtol=1e-12)


def test_the_start_is_gpt2s(config):
    large = dataclasses.replace(config, vocab_size=101, block_size=53, n_embd=48, n_hidden=96)
    model = tl.GPT(large, np.random.default_rng(0))
    for name, p in model.named_parameters():
        if name.endswith("gain"):
            assert (p.data == 1).all()
        elif name.endswith("bias"):
            assert (p.data == 0).all()
        else:
            residual = name.endswith(("attn.out.weight", "mlp.down.weight"))
            assert p.data.std() == pytest.approx(0.02 / math.sqrt(4) if residual else 0.02, rel=0.05), name
        assert p.dtype == np.float32


def test_before_training_every_token_is_as_likely_as_another(config):
    config = dataclasses.replace(config, vocab_size=97, n_embd=48)
    tokens = np.random.default_rng(0).integers(0, 97, (8, 6))
    loss = tl.GPT(config, np.random.default_rng(0)).loss(tokens[:, :-1], tokens[:, 1:]).item()
    assert abs(loss - math.log(97)) < 0.1


def test_the_same_generator_gives_the_same_model(config):
    one, two, other = (tl.GPT(config, np.random.default_rng(seed)).state_dict() for seed in (0, 0, 1))
    for name in one:
        np.testing.assert_array_equal(one[name], two[name])
    assert not np.array_equal(one["wte.weight"], other["wte.weight"])


@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_it_overfits_one_batch(config, batch, backend):
    with tl.kernels.use(backend):
        config = dataclasses.replace(config, n_embd=24, n_hidden=48, n_kv_head=config.n_head)
        model = tl.GPT(config, np.random.default_rng(0))
        optimizer = nn.optim.AdamW(nn.optim.decay_groups(model), lr=0.01, weight_decay=0.0)
        for _ in range(120):
            loss = model.loss(*batch)
            model.zero_grad()
            loss.backward()
            optimizer.step()
    assert loss.item() < 0.05


def test_a_tied_head_is_the_embedding(batch):
    tied = tl.GPT(tl.GPTConfig(11, 5, 1, 1, n_embd=6), np.random.default_rng(0))
    untied = tl.GPT(tl.GPTConfig(11, 5, 1, 1, n_embd=6, tied=False), np.random.default_rng(0))
    assert "head.weight" not in tied.state_dict() and untied.head is not None
    untied.load_state_dict({**tied.state_dict(), "head.weight": tied.wte.weight.data})
    np.testing.assert_array_equal(tied(batch[0]).data, untied(batch[0]).data)
    tied.loss(*batch).backward()
    untied.loss(*batch).backward()
    both = untied.wte.weight.grad + untied.head.weight.grad
    np.testing.assert_allclose(tied.wte.weight.grad, both, rtol=1e-5, atol=1e-7)


def test_dropout_acts_in_training_only_and_can_be_replayed(config, batch):
    model = tl.GPT(dataclasses.replace(config, dropout=0.5), np.random.default_rng(0))
    plain = tl.GPT(config, np.random.default_rng(0))
    state = model.rng_state()
    assert len(state) == 1  # one generator for all layers
    first, second = model(batch[0]).data, model(batch[0]).data
    assert not np.array_equal(first, second)
    model.set_rng_state(state)
    np.testing.assert_array_equal(model(batch[0]).data, first)
    np.testing.assert_array_equal(model.eval()(batch[0]).data, plain(batch[0]).data)


def test_every_branch_is_dropped_out(noisy, config, batch):
    """With nearly everything dropped, and the scale of the rest taken out, next to nothing is left of the logits."""
    model = noisy(dataclasses.replace(config, dropout=0.999999))
    with tl.no_grad():
        x = model.embed(batch[0])
        assert not x.data.any()
        assert not model.blocks[0](x).data.any()  # whatever the biases say, both branches are dropped


def test_attention_maps_are_those_of_the_model(config, noisy, batch):
    model, idx = noisy(config), batch[0]
    model.train()
    model.blocks[0].eval()
    maps = model.attention_maps(idx)
    assert [a.shape for a in maps] == [(3, config.n_head, 5, 5)] * 2
    for weights in maps:
        np.testing.assert_allclose(weights.sum(-1), 1, rtol=1e-12)
        assert not np.triu(weights, 1).any()
        if config.window:
            assert not np.tril(weights, -config.window).any()
    assert model.training and not model.blocks[0].training  # left as it was
    x = model.blocks[0].norm1(model.embed(idx))
    v = model.blocks[0].attn.heads(x)[2].data.repeat(config.n_head // config.n_kv_head, axis=1)
    mixed = (maps[0] @ v).transpose(0, 2, 1, 3).reshape(3, 5, config.n_embd)
    np.testing.assert_allclose(
        model.blocks[0].attn.out(mixed).data, model.blocks[0].attn(x).data, rtol=1e-9, atol=1e-12
    )


def test_ignored_targets_do_not_count(config, noisy, batch):
    model, (idx, targets) = noisy(config), batch
    masked = targets.copy()
    masked[:, 3:] = -100
    assert model.loss(idx, masked).item() == pytest.approx(model.loss(idx[:, :3], targets[:, :3]).item(), rel=1e-12)


@pytest.mark.parametrize(
    ("idx", "error", "match"),
    [
        (np.zeros((2, 6), dtype=int), ShapeError, r"idx \(B=2, T=6\) is longer than block_size=5\. Try: idx\[:, -5:\]"),
        (np.zeros(5, dtype=int), ShapeError, r"shape \(5,\), not \(B, T\)"),
        (np.zeros((2, 3)), DTypeError, "float64, not token ids"),
        ([["a", "b"]], DTypeError, "not token ids"),
        (np.array([[0, 11]]), RangeError, "11"),
        (np.array([[0, -1]]), RangeError, "-1"),
    ],
)
def test_tokens_that_make_no_sense_are_refused(config, idx, error, match):
    with pytest.raises(error, match=match):
        tl.GPT(config, np.random.default_rng(0))(idx)
