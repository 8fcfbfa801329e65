"""Configs in GGUF's metadata: written and read for drawn sizes and choices; numbers keep their decimals."""

from __future__ import annotations

import dataclasses

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tinyllm.models import LlamaConfig
from tinyllm.models.exchange.gguf_config import read_config, write_config
from tinyllm.models.exchange.gguf_names import gguf_names
from tinyllm.models.exchange.gpt2_config import GPT2Config
from tinyllm.nn import RopeScaling


def as_read(metadata):
    """Metadata as they come back from a file: what has a point is a float32."""
    return {key: float(np.float32(value)) if isinstance(value, float) else value for key, value in metadata.items()}


def shapes(config):
    return {name: shape for entry in gguf_names(config) for name, shape in zip(entry.theirs, entry.shapes, strict=True)}


sizes = st.fixed_dictionaries(
    {
        "vocab_size": st.integers(2, 99),
        "block_size": st.integers(1, 5000),
        "n_layer": st.integers(1, 4),
        "n_hidden": st.integers(1, 40),
        "norm_eps": st.sampled_from([1e-6, 1e-5, 1e-12, 0.1]),
        "tied": st.booleans(),
    }
)


@st.composite
def llamas(draw):
    family = draw(st.sampled_from(["llama", "mistral", "qwen2", "qwen3"]))
    K, D = draw(st.integers(1, 3)), draw(st.sampled_from([2, 6, 8]))
    H = K * draw(st.integers(1, 3))
    values = draw(sizes)
    windows = None
    if family == "mistral":
        windows = draw(st.integers(1, 99))
    elif family != "llama":
        windows = tuple(draw(st.sampled_from([None, 7])) for _ in range(values["n_layer"]))
    biased = family == "llama"
    return LlamaConfig(
        family,
        **values,
        n_head=H,
        n_kv_head=K,
        head_size=D,
        n_embd=draw(st.sampled_from([H * D, 10, 12])),
        windows=windows,
        qkv_bias=family == "qwen2" or (biased and draw(st.booleans())),
        out_bias=biased and draw(st.booleans()),
        mlp_bias=biased and draw(st.booleans()),
        qk_norm=family == "qwen3",
        rope_theta=draw(st.sampled_from([10000.0, 5e5, 1e6])),
        rope_scaling=draw(st.sampled_from([None, RopeScaling("linear", 2.5)])),
    )


@given(llamas())
def test_llamas(config):
    assert read_config(as_read(write_config(config)), shapes(config)) == config


@given(sizes, st.integers(1, 4), st.integers(1, 9))
def test_gpts(values, H, D):
    config = GPT2Config(**values, n_head=H, n_embd=H * D)
    assert read_config(as_read(write_config(config)), shapes(config)) == dataclasses.replace(config, tied=True)


def test_a_mistral_is_known_by_its_window():
    config = LlamaConfig("mistral", 11, n_layer=1, n_head=2, n_embd=8)
    metadata = write_config(config)
    assert metadata["general.architecture"] == "llama"
    assert read_config(metadata, shapes(config)) == dataclasses.replace(config, family="llama")
    metadata["llama.attention.sliding_window"] = 5
    assert read_config(metadata, shapes(config)) == dataclasses.replace(config, windows=5)
