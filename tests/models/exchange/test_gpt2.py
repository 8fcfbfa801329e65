"""GPT-2's names and config.json: every spelling read, one written, and what cannot be expressed refused by its name."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

import tinyllm as tl
from tinyllm.errors import CheckpointError, ConfigError
from tinyllm.models.exchange.gpt2 import from_arrays, to_arrays
from tinyllm.models.exchange.gpt2_config import GPT2Config
from tinyllm.models.exchange.gpt2_json import read_json, write_json
from tinyllm.models.exchange.gpt2_names import gpt2_names, lies_on_its_side, todays_names
from tinyllm.models.exchange.names import give

CONFIG = GPT2Config(11, 7, n_layer=2, n_head=2, n_embd=6, n_hidden=13)
JSON = {"model_type": "gpt2", "vocab_size": 11, "n_positions": 7, "n_embd": 6, "n_layer": 2, "n_head": 2}
SQUARE = "transformer.h.1.attn.c_proj.weight"


@pytest.fixture
def model(noisy):
    return noisy(CONFIG, np.float32)


def same(a, b):
    return all(np.array_equal(p.data, q.data) for p, q in zip(a.parameters(), b.parameters(), strict=True))


def test_our_names_are_the_parameters_and_their_values_fill_them(noisy):
    for config in (CONFIG, dataclasses.replace(CONFIG, bias=False, tied=False)):
        shapes = {name: p.shape for name, p in noisy(config).named_parameters()}
        assert {e.ours: e.shapes[0] for e in gpt2_names(config)} == shapes


def test_matrices_lie_on_their_side_and_are_views(model):
    arrays = to_arrays(model)
    block = model.blocks[1]
    np.testing.assert_array_equal(arrays[SQUARE], block.attn.out.weight.data.T)
    assert arrays["transformer.h.1.attn.c_attn.weight"].shape == (6, 18)
    assert arrays["transformer.h.1.mlp.c_fc.weight"].shape == (6, 13)
    assert arrays["transformer.wte.weight"].shape == (11, 6)
    assert np.shares_memory(arrays[SQUARE], block.attn.out.weight.data)
    assert "lm_head.weight" not in arrays and not any(e.turned for e in gpt2_names(CONFIG, conv1d=False))


def test_out_and_in_again_is_the_same_model(model):
    again = from_arrays(CONFIG, to_arrays(model))
    assert same(again, model) and again.config is CONFIG
    assert not np.shares_memory(again.wte.weight.data, model.wte.weight.data)
    assert from_arrays(CONFIG, to_arrays(model), np.float64).wte.weight.dtype == np.float64


def test_files_of_2019_and_of_nanogpt(model):
    old = {name.removeprefix("transformer."): array for name, array in to_arrays(model).items()}
    buffers = {"h.0.attn.bias": np.ones((1, 1, 7, 7), np.uint8), "h.1.attn.masked_bias": np.float32(-1e4)}
    assert same(from_arrays(CONFIG, {**old, **buffers}), model)
    upright = {f"_orig_mod.{name}": array for name, array in to_arrays(model, conv1d=False).items()}
    upright["_orig_mod.lm_head.weight"] = model.wte.weight.data.copy()
    assert same(from_arrays(CONFIG, upright), model)
    assert lies_on_its_side(CONFIG, to_arrays(model)) and not lies_on_its_side(CONFIG, to_arrays(model, conv1d=False))


def test_nanogpt_without_biases(noisy):
    config = dataclasses.replace(CONFIG, bias=False)
    model = noisy(config, np.float32)
    upright = to_arrays(model, conv1d=False)
    assert not any(name.endswith("bias") for name in upright)
    assert same(from_arrays(config, upright), model)
    there = to_arrays(model)  # transformers has biases always
    assert len(there) == len(to_arrays(noisy(CONFIG))) and not there["transformer.ln_f.bias"].any()
    again = from_arrays(CONFIG, there)
    idx = np.array([[1, 2, 3]])
    np.testing.assert_allclose(again(idx).data, model(idx).data, rtol=1e-6)


def test_names_of_today():
    assert todays_names(["_orig_mod.transformer.wpe.weight", "h.12.attn.bias", "h.1.attn.c_attn.bias"]) == {
        "transformer.wpe.weight": "_orig_mod.transformer.wpe.weight",
        "transformer.h.1.attn.c_attn.bias": "h.1.attn.c_attn.bias",
    }
    with pytest.raises(CheckpointError, match=r"wte\.weight and transformer\.wte\.weight are one tensor"):
        todays_names(["wte.weight", "transformer.wte.weight"])


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda a: {k: v for k, v in a.items() if not k.endswith("ln_f.bias")}, r"1 missing: transformer\.ln_f\.bias"),
        (lambda a: {**a, "score.weight": a[SQUARE]}, r"1 extra: transformer\.score\.weight"),
        (lambda a: {**a, SQUARE: a[SQUARE][:5]}, r"c_proj\.weight \(5, 6\) float32, not \(6, 6\)"),
        (lambda a: {**a, SQUARE: a[SQUARE].astype(int)}, r"c_proj\.weight \(6, 6\) int64"),
        (lambda a: {**a, "lm_head.weight": a["transformer.wte.weight"] + 1}, r"head is tied.*lm_head\.weight"),
        (lambda a: {**a, "transformer.h.0.attn.c_attn.weight": np.ones((5, 4))}, r"c_attn\.weight \(5, 4\)"),
    ],
)
def test_tensors_that_do_not_fit_are_listed(model, change, match):
    with pytest.raises(CheckpointError, match=match) as caught:
        from_arrays(CONFIG, change(to_arrays(model)))
    assert "\n" not in str(caught.value)


def test_an_untied_head(noisy):
    config = dataclasses.replace(CONFIG, tied=False)
    arrays = to_arrays(noisy(config))
    assert arrays["lm_head.weight"].shape == (11, 6)
    with pytest.raises(CheckpointError, match=r"missing: lm_head\.weight.*Try: tie_word_embeddings"):
        from_arrays(config, {k: v for k, v in arrays.items() if k != "lm_head.weight"})
    assert give(noisy(config), gpt2_names(config)).keys() == arrays.keys()


# config.json


def test_what_is_read_is_written_again():
    told = {**JSON, "n_inner": 13, "eos_token_id": 5, "attn_pdrop": 0.3, "layer_norm_epsilon": 1e-6, "n_ctx": 7}
    told |= {"task_specific_params": {"a": 1}, "dtype": "bfloat16", "tie_word_embeddings": False, "resid_pdrop": 0.25}
    config = GPT2Config.from_json(told)
    assert (config.n_hidden, config.norm_eps, config.dropout, config.tied, config.dtype) == (
        13,
        1e-6,
        0.25,
        False,
        "bfloat16",
    )
    assert config.extra == {"eos_token_id": 5, "attn_pdrop": 0.3, "task_specific_params": {"a": 1}}
    values = config.to_json()
    assert values["torch_dtype"] == values["dtype"] == "bfloat16" and values["attn_pdrop"] == 0.3
    again = GPT2Config.from_json(values)
    assert dataclasses.replace(again, extra={}) == dataclasses.replace(config, extra={})
    assert config.extra.items() <= again.extra.items()


def test_what_is_absent_has_their_default():
    config = GPT2Config.from_json(JSON)
    assert (config.n_hidden, config.norm_eps, config.dropout, config.tied, config.dtype) == (
        24,
        1e-5,
        0.1,
        True,
        "float32",
    )
    other = {"max_position_embeddings": 7, "hidden_size": 6, "num_hidden_layers": 2, "num_attention_heads": 2}
    assert GPT2Config.from_json({"model_type": "gpt2", "vocab_size": 11, **other}) == config
    assert read_json(JSON)["block_size"] == 7 and write_json(config)["n_inner"] is None


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"model_type": "gptj"}, "model_type is 'gptj'"),
        ({"architectures": ["GPT2ForSequenceClassification"]}, "architecture of this gpt2 is GPT2ForSequence"),
        ({"scale_attn_by_inverse_layer_idx": True}, "scale_attn_by_inverse_layer_idx is True"),
        ({"scale_attn_weights": False}, "scale_attn_weights is False"),
        ({"add_cross_attention": True}, "add_cross_attention"),
        ({"activation_function": "relu"}, "Try: gelu_new"),
        ({"logit_scale": 0.1}, "logit_scale=0.1 changes the model"),
        ({"n_embd": None}, "there is no n_embd"),
        ({"n_layer": 2.0}, "n_layer is 2.0"),
        ({"n_inner": -1}, "n_inner is -1"),
        ({"n_head": 5}, "n_head=5 does not divide"),
        ({"layer_norm_epsilon": "small"}, "norm_eps"),
    ],
)
def test_what_cannot_be_expressed_is_refused(change, match):
    with pytest.raises(ConfigError, match=match):
        GPT2Config.from_json({**JSON, **change})
    GPT2Config.from_json({**JSON, "reorder_and_upcast_attn": True, "activation_function": "gelu_pytorch_tanh"})


@pytest.mark.parametrize("change", [{"window": 3}, {"n_head": 4, "n_embd": 8, "n_kv_head": 2}, {"mlp": "swiglu"}])
def test_a_gpt_that_is_no_gpt2(change):
    with pytest.raises(ConfigError, match=f"GPT2Config: {list(change)[-1]}=.* is no GPT-2"):
        GPT2Config.from_gpt(tl.GPTConfig(**change))


def test_a_gpt_of_the_preset_is_one():
    config = tl.GPTConfig.preset("gpt2", n_layer=2)
    described = GPT2Config.from_gpt(config)
    assert GPT2Config.from_gpt(described) is described
    assert {k: v for k, v in described.to_dict().items() if k in config.to_dict()} == config.to_dict()
    assert GPT2Config.from_dict(described.to_dict()) == described and hash(described)
