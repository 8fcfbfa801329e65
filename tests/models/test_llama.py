"""Llama, Mistral, Qwen2 and Qwen3: the gradient of every number, what each position sees, and tensors in and out."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

import tinyllm as tl
from tinyllm import nn
from tinyllm.errors import CheckpointError, GradcheckError, RangeError, ShapeError
from tinyllm.models import GPTConfig, Llama, LlamaConfig
from tinyllm.models.exchange.llama_names import Renamed, listed, llama_names, refuse_other_names
from tinyllm.models.llama import LlamaBlock, from_arrays, to_arrays

TINY = {"vocab_size": 11, "block_size": 7, "n_layer": 2, "n_embd": 12, "n_hidden": 5}
CONFIGS = {
    "llama": LlamaConfig(
        "llama",
        **TINY,
        n_head=6,
        n_kv_head=2,
        qkv_bias=True,
        out_bias=True,
        mlp_bias=True,
        rope_scaling=nn.RopeScaling("llama3", original=16),
    ),
    "mistral": LlamaConfig("mistral", **TINY, n_head=3, n_kv_head=1, head_size=6, windows=2, norm_eps=1e-3),
    "qwen2": LlamaConfig("qwen2", **TINY, n_head=2, qkv_bias=True, tied=True, windows=(None, 3)),
    "qwen3": LlamaConfig(
        "qwen3", **TINY, n_head=4, n_kv_head=2, head_size=8, qk_norm=True, rope_scaling=nn.RopeScaling("linear", 3.0)
    ),
}


@pytest.fixture(params=CONFIGS)
def config(request):
    return CONFIGS[request.param]


def noisy(config, dtype=np.float64, std=0.2):
    """A model whose every parameter was moved: with gains of 1 and biases of 0 some faults would not show."""
    rng = np.random.default_rng(7)
    model = Llama(config, rng).astype(dtype)
    for p in model.parameters():
        p.data += rng.normal(0, std, p.shape).astype(dtype)
    return model


def logits(model, idx):
    with tl.no_grad():
        return model(idx).data


# gradients


def test_gradcheck_of_the_whole_model(config, batch):
    model = noisy(config)
    named = model.named_parameters()
    report = tl.gradcheck(lambda *_: model.loss(*batch), [p for _, p in named], names=[name for name, _ in named])
    assert len(report.findings) == len(named) and report.method == "complex step"


def test_the_check_would_notice_a_fault_in_one_norm(batch, monkeypatch):
    """Cut the gradient through the norm of the keys: the model computes the same, its gradients do not."""
    model = noisy(CONFIGS["qwen3"])
    norm = model.blocks[1].attn.k_norm
    monkeypatch.setattr(norm, "forward", lambda x: tl.rms_norm(x.detach(), norm.gain, eps=norm.eps), raising=False)
    named = model.named_parameters()
    with pytest.raises(GradcheckError):
        tl.gradcheck(lambda *_: model.loss(*batch), [p for _, p in named], names=[name for name, _ in named])


def test_every_parameter_gets_a_gradient_and_moves(config, batch):
    model = Llama(config, np.random.default_rng(0))
    before = model.state_dict()
    model.loss(*batch).backward()
    for name, p in model.named_parameters():
        assert p.grad is not None and np.isfinite(p.grad).all() and np.abs(p.grad).max() > 1e-9, name
    nn.optim.AdamW(nn.optim.decay_groups(model), lr=0.01).step()
    for name, p in model.named_parameters():
        assert not np.array_equal(p.data, before[name]), name


def test_it_overfits_one_batch(config, batch):
    model = Llama(dataclasses.replace(config, init_std=0.2), np.random.default_rng(0))
    optimizer = nn.optim.AdamW(model.parameters(), lr=0.02)
    for _ in range(100):
        model.zero_grad()
        model.loss(*batch).backward()
        optimizer.step()
    assert model.loss(*batch).item() < 0.1


# what each position sees


def test_the_future_changes_nothing(config):
    model, rng = noisy(config), np.random.default_rng(1)
    idx = rng.integers(0, 11, (2, 7))
    for t in range(1, 7):
        other = idx.copy()
        other[:, t:] = (other[:, t:] + 1 + rng.integers(0, 10, other[:, t:].shape)) % 11
        before, after = logits(model, idx), logits(model, other)
        np.testing.assert_array_equal(before[:, :t], after[:, :t])
        assert (before[:, t:] != after[:, t:]).any(-1).all()


@pytest.mark.parametrize(
    ("windows", "reach"), [((2, 2), 2), ((3, None), 6), ((None, 3), 6), ((1, 4), 3), ((1, 1), 0), ((None, None), 6)]
)
def test_a_window_in_every_layer_reaches_as_far_as_their_sum(windows, reach):
    """Every layer of window w hands on what lies up to w - 1 positions back, and nothing from farther away."""
    model = noisy(dataclasses.replace(CONFIGS["mistral"], windows=windows))
    idx = np.random.default_rng(1).integers(0, 11, (1, 7))
    other = idx.copy()
    other[0, 0] = (idx[0, 0] + 5) % 11
    moved = (logits(model, idx) != logits(model, other)).any(-1)[0]
    assert moved.tolist() == [t <= reach for t in range(7)]


def test_attention_maps_show_the_windows():
    first, second = noisy(CONFIGS["qwen2"]).attention_maps(np.arange(7)[None])
    t, s = np.indices((7, 7))
    assert ((first[0, 0] > 0) == (s <= t)).all() and ((second[0, 0] > 0) == ((s <= t) & (s > t - 3))).all()


def test_bad_ids_are_refused():
    model = noisy(CONFIGS["llama"])
    with pytest.raises(ShapeError, match=r"Llama: idx \(B=1, T=8\) is longer than block_size=7"):
        model(np.zeros((1, 8), dtype=int))
    with pytest.raises(RangeError):
        model(np.array([[11]]))


# beside a GPT


def test_a_modern_gpt_is_a_llama_bit_for_bit(batch):
    sizes = {"vocab_size": 11, "block_size": 7, "n_layer": 2, "n_head": 4, "n_embd": 16}
    for more in {}, {"window": 3, "tied": False}, {"bias": True}:
        config = GPTConfig.preset("modern", **sizes, **more)
        gpt = tl.GPT(config, np.random.default_rng(3))
        llama = Llama(LlamaConfig.from_gpt(config), np.random.default_rng(4))
        llama.load_state_dict(gpt.state_dict())
        np.testing.assert_array_equal(logits(llama, batch[0]), logits(gpt, batch[0]))


def test_a_block_adds_to_what_is_there():
    config = CONFIGS["mistral"]
    rng, drop = np.random.default_rng(0), nn.Dropout(0.0, rng=np.random.default_rng(0))
    block = LlamaBlock(config, 2, rng, nn.init.constant(0.0), nn.RopeHalf(6), drop)
    x = rng.normal(size=(1, 3, 12)).astype(np.float32)
    np.testing.assert_array_equal(block(tl.Tensor(x)).data, x)


def test_dropout_is_of_attention_weights_in_training_alone(batch):
    model = Llama(dataclasses.replace(CONFIGS["mistral"], dropout=0.5), np.random.default_rng(0))
    assert not np.array_equal(logits(model, batch[0]), logits(model, batch[0]))
    model.eval()
    np.testing.assert_array_equal(logits(model, batch[0]), logits(model, batch[0]))


# tensors in and out


def test_our_names_are_the_parameters_and_their_rows_fill_them(config):
    model = noisy(config)
    entries = llama_names(config)
    shapes = {name: p.shape for name, p in model.named_parameters()}
    assert {e.ours: (sum(s[0] for s in e.shapes), *e.shapes[0][1:]) for e in entries} == shapes
    theirs = [name for e in entries for name in e.theirs]
    assert len(theirs) == len(set(theirs)) == len(to_arrays(model))


def test_queries_keys_and_values_are_the_rows_of_one_matrix():
    model = noisy(CONFIGS["llama"])
    arrays, qkv = to_arrays(model), model.blocks[1].attn.qkv
    parts = [arrays[f"model.layers.1.self_attn.{one}_proj.weight"] for one in "qkv"]
    assert [part.shape for part in parts] == [(12, 12), (4, 12), (4, 12)]
    np.testing.assert_array_equal(np.concatenate(parts), qkv.weight.data)
    assert all(np.shares_memory(part, qkv.weight.data) for part in parts)


def test_out_and_in_again_is_the_same_model(config):
    model = noisy(config)
    again = from_arrays(config, to_arrays(model), np.float64)
    for (name, p), (other, q) in zip(model.named_parameters(), again.named_parameters(), strict=True):
        assert name == other and np.array_equal(p.data, q.data) and not np.shares_memory(p.data, q.data)
    assert from_arrays(config, to_arrays(model)).wte.weight.dtype == np.float32


def test_old_tables_and_an_equal_tied_head_are_passed_over():
    config = CONFIGS["qwen2"]
    arrays = to_arrays(noisy(config))
    arrays["model.layers.0.self_attn.rotary_emb.inv_freq"] = np.ones(3)
    arrays["lm_head.weight"] = arrays["model.embed_tokens.weight"].copy()
    from_arrays(config, arrays)
    arrays["lm_head.weight"][3, 4] += 1
    with pytest.raises(CheckpointError, match=r"the head is tied.*lm_head\.weight.*differs"):
        from_arrays(config, arrays)


def without(*endings):
    return lambda arrays: {k: v for k, v in arrays.items() if not k.endswith(endings)}


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (without("1.mlp.up_proj.weight"), r"1 missing: model\.layers\.1\.mlp\.up_proj\.weight\. Try"),
        (without("lm_head.weight"), r"1 missing: lm_head\.weight.*tie_word_embeddings"),
        (without("weight"), r"21 missing: lm_head.*, .* and 16 more"),
        (lambda a: {**a, "model.layers.2.mlp.up_proj.weight": 0}, r"1 extra: .*2\.mlp\.up_proj\.weight \(nearest: "),
        (
            lambda a: {k.replace("k_proj.bias", "key.bias"): v for k, v in a.items()},
            r"2 missing: .*0\.self_attn\.k_proj\.bias.*2 extra: .*key\.bias \(nearest: .*k_proj\.bias\)",
        ),
        (lambda a: {**a, "model.norm.weight": np.ones(13)}, r"1 tensors of.*norm\.weight \(13,\) float64, not \(12,\)"),
        (lambda a: {**a, "lm_head.weight": a["lm_head.weight"].T}, r"lm_head\.weight \(12, 11\).*not \(11, 12\)"),
        (lambda a: {**a, "model.norm.weight": np.ones(12, int)}, r"norm\.weight \(12,\) int64"),
    ],
)
def test_tensors_that_do_not_fit_are_listed(change, match):
    config = CONFIGS["llama"]
    with pytest.raises(CheckpointError, match=match) as caught:
        from_arrays(config, change(to_arrays(noisy(config))))
    assert "\n" not in str(caught.value)


def test_names_alone():
    entries = [Renamed("x", ("a.weight", "b.weight"), ((1,), (2,)))]
    refuse_other_names(entries, ["a.weight", "b.weight", "lm_head.weight"], tied=True)
    with pytest.raises(CheckpointError, match=r"1 extra: lm_head\.weight"):
        refuse_other_names(entries, ["a.weight", "b.weight", "lm_head.weight"], tied=False)
    assert listed(["a", "b"]) == "a, b"
