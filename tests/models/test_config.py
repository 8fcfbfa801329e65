"""GPTConfig: what it fills in, and how it refuses."""

from __future__ import annotations

import dataclasses
import json

import pytest

from tinyllm.errors import ConfigError
from tinyllm.models import GPTConfig


def test_the_defaults_are_gpt2_small():
    config = GPTConfig()
    assert config == GPTConfig.preset("gpt2")
    assert (config.n_layer, config.n_head, config.n_embd, config.block_size, config.vocab_size) == (
        12,
        12,
        768,
        1024,
        50257,
    )
    assert (config.n_kv_head, config.n_hidden, config.head_size) == (12, 3072, 64)
    assert (config.position, config.norm, config.mlp, config.tied, config.bias) == (
        "learned",
        "layer",
        "gelu",
        True,
        True,
    )


def test_modern_is_a_llama():
    config = GPTConfig.preset("modern")
    assert (config.position, config.norm, config.mlp, config.bias) == ("rope", "rms", "swiglu", False)
    assert (config.n_kv_head, config.n_hidden, config.norm_eps) == (6, 2048, 1e-6)


@pytest.mark.parametrize(("heads", "shared"), [(4, 2), (6, 3), (5, 5), (1, 1)])
def test_two_query_heads_share_where_their_number_is_even(heads, shared):
    assert GPTConfig.preset("modern", n_head=heads, n_embd=120).n_kv_head == shared
    assert GPTConfig.preset("modern", n_head=heads, n_embd=120, n_kv_head=1).n_kv_head == 1


@pytest.mark.parametrize(("width", "hidden"), [(24, 64), (128, 344), (768, 2048), (30, 80), (2, 8)])
def test_swiglu_is_as_large_as_its_gelu_twin(width, hidden):
    config = GPTConfig.preset("modern", n_embd=width, n_head=1)
    assert config.n_hidden == hidden and hidden % 8 == 0
    assert 0 <= 3 * hidden - 8 * width < 24


def test_it_is_frozen_and_goes_around_through_json():
    config = GPTConfig.preset("modern", n_layer=3, window=7, dropout=0.1)
    with pytest.raises(dataclasses.FrozenInstanceError):
        config.n_layer = 4
    assert GPTConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config
    assert hash(config) == hash(GPTConfig.from_dict(config.to_dict()))


@pytest.mark.parametrize(
    ("fields", "match"),
    [
        ({"n_head": 5}, r"n_head=5 does not divide n_embd=768\. Try: n_embd=770"),
        ({"n_kv_head": 5}, r"n_kv_head=5 does not divide n_head=12\. Try: n_kv_head=4"),
        ({"n_kv_head": 24}, r"n_kv_head=24 does not divide n_head=12\. Try: n_kv_head=12"),
        ({"position": "rope", "n_embd": 36}, r"36/12 has 3\. Try: n_embd=48"),
        ({"vocab_size": 1}, "nothing to predict"),
        ({"vocab_size": 0}, r"vocab_size is 0\. Try: a whole number, 1 or more"),
        ({"n_layer": 2.0}, r"n_layer is 2\.0"),
        ({"n_layer": True}, "n_layer is True"),
        ({"n_embd": "128"}, "n_embd is '128'"),
        ({"n_hidden": -1}, "n_hidden is -1"),
        ({"window": 0}, "window is 0"),
        ({"dropout": 1.0}, r"dropout is 1\.0"),
        ({"dropout": -0.5}, r"dropout is -0\.5"),
        ({"dropout": "0.1"}, "dropout is '0.1'"),
        ({"bias": 1}, r"bias is 1\. Try: True or False"),
        ({"position": "rotary"}, "position is 'rotary'.*learned or rope"),
        ({"norm": "layers"}, r"norm is 'layers'\. Try: layer"),
        ({"mlp": "swigl"}, r"mlp is 'swigl'\. Try: swiglu"),
        ({"rope_theta": 0}, "rope_theta is 0"),
        ({"norm_eps": 0.0}, r"norm_eps is 0\.0"),
        ({"norm_eps": None}, "norm_eps is None"),
    ],
    ids=str,
)
def test_what_cannot_be_is_refused_in_one_line(fields, match):
    with pytest.raises(ConfigError, match=match) as caught:
        GPTConfig(**fields)
    assert "\n" not in str(caught.value)


def test_misspellings_name_the_nearest():
    with pytest.raises(ConfigError, match=r"no field 'n_layers'\. Try: n_layer"):
        GPTConfig.from_dict({"n_layers": 3})
    with pytest.raises(ConfigError, match=r"no field 'n_emb'\. Try: n_embd"):
        GPTConfig.preset("gpt2", n_emb=3)
    with pytest.raises(ConfigError, match=r"no preset 'gpt-2'\. Try: gpt2"):
        GPTConfig.preset("gpt-2")
    with pytest.raises(ConfigError, match=r"no field 'xyz'\. Try: one of vocab_size"):
        GPTConfig.from_dict({"xyz": 3})
