"""LlamaConfig: every spelling of config.json is read, both are written, and what is not understood is refused."""

from __future__ import annotations

import dataclasses
import json

import pytest

from tinyllm.errors import ConfigError
from tinyllm.models import GPTConfig, LlamaConfig
from tinyllm.models.exchange.llama_json import CLASSES, read_json, write_json
from tinyllm.nn import RopeScaling

SIZES = {"vocab_size": 97, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 3}
SIZES |= {"num_attention_heads": 4, "num_key_value_heads": 2}
SMALL = {"vocab_size": 97, "n_embd": 32, "n_hidden": 48, "n_layer": 3, "n_head": 4, "n_kv_head": 2}
LLAMA3 = {"factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 512}


def read(family="llama", **values):
    return LlamaConfig.from_json({"model_type": family, **SIZES, **values})


def test_what_is_absent_is_the_familys():
    llama, mistral, qwen2, qwen3 = (read(family) for family in CLASSES)
    assert [c.block_size for c in (llama, mistral, qwen2, qwen3)] == [2048, 131072, 32768, 32768]
    assert [c.head_size for c in (llama, mistral, qwen2, qwen3)] == [8, 8, 8, 128]
    assert [c.windows for c in (llama, mistral, qwen2, qwen3)] == [(None,) * 3, (4096,) * 3, (None,) * 3, (None,) * 3]
    assert [c.qkv_bias for c in (llama, mistral, qwen2, qwen3)] == [False, False, True, False]
    assert [c.qk_norm for c in (llama, mistral, qwen2, qwen3)] == [False, False, False, True]
    assert not any(c.out_bias or c.mlp_bias or c.tied for c in (llama, mistral, qwen2, qwen3))
    assert (llama.rope_theta, llama.rope_scaling, llama.norm_eps, llama.dtype) == (10000.0, None, 1e-6, "float32")
    without = {key: value for key, value in SIZES.items() if key != "num_key_value_heads"}
    assert LlamaConfig.from_json({"model_type": "llama", **without}).n_kv_head == 4
    assert read("mistral", num_key_value_heads=None).n_kv_head == 4


NEWER = {"rope_theta": 5e5, "rope_type": "llama3", **LLAMA3}


@pytest.mark.parametrize(
    "values",
    [
        {"rope_parameters": NEWER},
        {"rope_theta": 5e5, "rope_scaling": {"rope_type": "llama3", **LLAMA3}},
        {"rope_theta": 500000, "rope_scaling": {"type": "llama3", **LLAMA3}, "rope_parameters": NEWER},
        {"rope_parameters": NEWER, "rope_scaling": None},
        {
            "rope_parameters": {k: v for k, v in NEWER.items() if k != "original_max_position_embeddings"},
            "max_position_embeddings": 512,
        },
        {"rope_parameters": {**NEWER, "partial_rotary_factor": 1.0}, "partial_rotary_factor": 1.0},
    ],
    ids=["newer", "older", "both", "newer and null", "the original length left out", "all channels turn"],
)
def test_every_spelling_of_the_angles(values):
    config = read(**values)
    assert (config.rope_theta, config.rope_scaling) == (5e5, RopeScaling("llama3", 8.0, 1.0, 4.0, 512))


def test_both_spellings_of_the_windows():
    newer = {"layer_types": ["full_attention", "sliding_attention", "sliding_attention"]}
    for spelling in newer, {"max_window_layers": 1}:
        assert read("qwen2", use_sliding_window=True, sliding_window=7, **spelling).windows == (None, 7, 7)
    assert read("qwen2", use_sliding_window=False, sliding_window=7, max_window_layers=1).windows == (None,) * 3
    assert read("mistral", sliding_window=7).windows == (7, 7, 7)
    assert read("mistral", sliding_window=None).windows == (None,) * 3


def test_both_spellings_of_the_type_and_what_is_kept():
    for key in "dtype", "torch_dtype":
        assert read(**{key: "bfloat16"}).dtype == "bfloat16"
    values = read(bos_token_id=1, eos_token_id=[2, 3], torch_dtype="float16", use_cache=True).to_json()
    assert (values["dtype"], values["torch_dtype"]) == ("float16", "float16")
    assert (values["bos_token_id"], values["eos_token_id"], values["use_cache"]) == (1, [2, 3], True)
    assert values["architectures"] == ["LlamaForCausalLM"]


CONFIGS = {
    "llama": LlamaConfig("llama", **SMALL, qkv_bias=True, out_bias=True, mlp_bias=True, tied=True, norm_eps=1e-5),
    "llama3": LlamaConfig("llama", **SMALL, rope_theta=5e5, rope_scaling=RopeScaling("llama3", original=64)),
    "linear": LlamaConfig("llama", **SMALL, rope_scaling=RopeScaling("linear", 2.0), extra={"pad_token_id": 0}),
    "mistral": LlamaConfig("mistral", **SMALL, head_size=16, windows=8, dropout=0.1, init_std=0.01),
    "qwen2": LlamaConfig("qwen2", **SMALL, qkv_bias=True, windows=(None, 8, 8)),
    "qwen3": LlamaConfig("qwen3", **SMALL, head_size=16, qk_norm=True, windows=(8, None, 8), dtype="bfloat16"),
}


@pytest.mark.parametrize("name", CONFIGS)
def test_what_is_written_reads_the_same(name):
    config = CONFIGS[name]
    values = json.loads(json.dumps(config.to_json()))
    assert values == write_json(config) and LlamaConfig(**read_json(values)) == config
    assert LlamaConfig.from_json(values) == config and hash(LlamaConfig.from_json(values)) == hash(config)
    if name != "qwen3":  # whose windows only the newer spelling can say
        older = {k: v for k, v in values.items() if k not in ("rope_parameters", "dtype", "layer_types")}
        assert LlamaConfig.from_json(older) == config
    newer = {k: v for k, v in values.items() if k not in ("rope_theta", "rope_scaling", "torch_dtype")}
    assert LlamaConfig.from_json(newer) == config


@pytest.mark.parametrize(
    ("family", "values", "match"),
    [
        ("lama", {}, r"model_type is 'lama'.*Try: llama"),
        ("gpt2", {}, r"model_type is 'gpt2'"),
        ("llama", {"architectures": ["LlamaForSequenceClassification"]}, "LlamaForSequenceClassification"),
        ("llama", {"hidden_size": None, "hidden_sizes": 32}, r"no hidden_size\. Try: hidden_sizes looks like it"),
        ("llama", {"num_hidden_layers": "3"}, "num_hidden_layers is '3'"),
        ("llama", {"hidden_act": "gelu"}, "hidden_act is 'gelu'"),
        ("llama", {"sliding_window": 8}, "llama has no sliding_window"),
        ("llama", {"layer_types": ["full_attention"]}, "layer_types does not name"),
        ("mistral", {"layer_types": ["full_attention"] * 3}, "layers are all alike"),
        ("mistral", {"attention_bias": True}, "mistral has no attention_bias"),
        ("qwen3", {"mlp_bias": True}, "qwen3 has no mlp_bias"),
        ("qwen2", {"layer_types": ["sliding_attention"] * 3}, "sliding_attention with a window of None"),
        ("qwen2", {"layer_types": ["full_attention", "linear_attention", "full_attention"]}, "linear_attention"),
        ("llama", {"rope_scaling": {"type": "yarn", "factor": 4.0}}, "'yarn' is not known"),
        ("llama", {"rope_scaling": {"rope_type": "dynamic", "factor": 4.0}}, "'dynamic' is not known"),
        ("llama", {"rope_parameters": {"rope_type": "longrope"}}, "'longrope' is not known"),
        ("llama", {"rope_parameters": {"full_attention": {"rope_type": "default"}}}, "full_attention=.*not understood"),
        ("llama", {"rope_scaling": {"type": "linear"}}, "lacks factor"),
        ("llama", {"rope_scaling": {"type": "llama3", "factor": 8.0, "low_freq_factor": 1}}, "lacks high_freq_factor"),
        ("llama", {"rope_scaling": {"type": "linear", "factor": 2.0, "beta_fast": 32}}, "beta_fast=32"),
        ("llama", {"rope_theta": 1e4, "rope_parameters": {"rope_theta": 1e6}}, "contradict"),
        (
            "llama",
            {"rope_scaling": {"type": "linear", "factor": 2.0}, "rope_parameters": {"factor": 1.0}},
            "contradict",
        ),
        ("llama", {"rope_scaling": [1, 2]}, "named values"),
        ("llama", {"rope_theta": [1e4]}, r"rope_theta is \[\[10000"),
        ("llama", {"partial_rotary_factor": 0.5}, "partial_rotary_factor=0.5 changes the model"),
        ("llama", {"final_logit_softcapping": 30.0}, "final_logit_softcapping"),
        ("llama", {"num_local_experts": 8}, "num_local_experts"),
        ("llama", {"residual_multiplier": 0.22}, "residual_multiplier"),
        ("llama", {"quantization_config": {"bits": 4}}, "quantization_config"),
        ("qwen2", {"is_causal": False}, "is_causal=False"),
        ("llama", {"num_key_value_heads": 3}, "n_kv_head=3 does not divide"),
        ("llama", {"head_dim": 7}, "head_size=7 is odd"),
        ("mistral", {"sliding_window": 0}, "windows is 0"),
    ],
    ids=str,
)
def test_what_is_not_understood_is_refused_in_one_line(family, values, match):
    with pytest.raises(ConfigError, match=match) as caught:
        read(family, **values)
    assert "\n" not in str(caught.value)


def test_keys_that_change_nothing_are_kept():
    harmless = {"_name_or_path": "x", "chunk_size_feed_forward": 0, "pretraining_tp": 1, "quantization_config": None}
    assert read(**harmless).extra == harmless


@pytest.mark.parametrize(
    ("fields", "match"),
    [
        ({"family": "llama", "windows": 8}, "windows=.8, 8, 8."),
        ({"family": "llama", "qkv_bias": True}, "qkv_bias=True|out_bias=False"),
        ({"family": "mistral", "qk_norm": True}, "qk_norm=True"),
        ({"family": "qwen2", "qkv_bias": False}, "qkv_bias=False"),
        ({"family": "qwen2", "qkv_bias": True, "windows": (8, 9, None)}, "windows=.8, 9, None."),
        ({"family": "llama", "extra": {"vocab_size": 5}}, "extra="),
    ],
    ids=str,
)
def test_what_a_family_cannot_say_is_not_written(fields, match):
    with pytest.raises(ConfigError, match=f"cannot say .*({match})"):
        LlamaConfig(**SMALL, **fields).to_json()


@pytest.mark.parametrize(
    ("fields", "match"),
    [
        ({"family": "qwen"}, r"family 'qwen'\. Try: qwen"),
        ({"n_embd": 30}, "n_head=4 does not divide n_embd=30"),
        ({"n_layer": 0}, "n_layer is 0"),
        ({"windows": (1, 2)}, "2 windows for n_layer=3"),
        ({"tied": 1}, "tied is 1"),
        ({"rope_theta": -1.0}, "rope_theta is -1.0"),
        ({"rope_scaling": {"factor": 2}}, "rope_scaling is"),
        ({"norm_eps": 0.0}, "norm_eps is 0.0"),
        ({"dropout": 1.0}, "dropout is 1.0"),
        ({"init_std": None}, "init_std is None"),
    ],
    ids=str,
)
def test_fields_out_of_range(fields, match):
    with pytest.raises(ConfigError, match=match):
        LlamaConfig(**{**SMALL, **fields})


def test_it_is_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        LlamaConfig(**SMALL).n_layer = 4


def test_a_modern_gpt_in_llamas_words():
    config = GPTConfig.preset("modern", n_layer=2, n_head=4, n_embd=32, vocab_size=97)
    llama = LlamaConfig.from_gpt(config)
    assert (llama.family, llama.n_kv_head, llama.n_hidden, llama.tied) == ("llama", 2, config.n_hidden, True)
    assert LlamaConfig.from_json(llama.to_json()) == llama
    assert LlamaConfig.from_gpt(dataclasses.replace(config, window=5)).windows == (5, 5)
    with pytest.raises(ConfigError, match="a GPT with learned, layer, gelu is no Llama"):
        LlamaConfig.from_gpt(GPTConfig.preset("gpt2"))


def test_a_type_of_scaling_that_is_no_name():
    values = {**LlamaConfig(n_layer=2).to_json(), "rope_scaling": {"rope_type": ["default"]}}
    with pytest.raises(ConfigError, match=r"RoPE scaling of type \['default'\] is not known"):
        LlamaConfig.from_json(values)
