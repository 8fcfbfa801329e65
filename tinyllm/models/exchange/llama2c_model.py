"""A Llama from llama2.c's ``.bin`` and back: Meta's names, neighbors turned together, one eps and one theta for all.

The format has no words for biases, windows, norms on heads, slowed-down angles, or heads of another size than C / H.
A model that has any of these is refused before a byte is written.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import ConfigError
from ..formats.llama2c import NORM_EPS, ROPE_THETA, Llama2cConfig, read_llama2c, write_llama2c
from ..gpt import GPT
from ..llama import Llama, from_arrays
from ..llama_config import LlamaConfig
from .llama_names import llama_names
from .on_demand import OnDemand
from .permute import half_to_pairs, pairs_to_half

Array = np.ndarray[Any, np.dtype[Any]]

_OUTSIDE = {
    "tok_embeddings.weight": "model.embed_tokens.weight",
    "norm.weight": "model.norm.weight",
    "output.weight": "lm_head.weight",
}
_INSIDE = {
    "attention_norm": "input_layernorm",
    "attention.wq": "self_attn.q_proj",
    "attention.wk": "self_attn.k_proj",
    "attention.wv": "self_attn.v_proj",
    "attention.wo": "self_attn.o_proj",
    "ffn_norm": "post_attention_layernorm",
    "feed_forward.w1": "mlp.gate_proj",
    "feed_forward.w2": "mlp.down_proj",
    "feed_forward.w3": "mlp.up_proj",
}


def load_llama2c(path: str | Path, dtype: Any = np.float32) -> Llama:
    """Make a Llama of a ``.bin`` of llama2.c, version 0.

    Args:
        path: of the file.
        dtype: floating-point dtype of the model.

    Raises:
        CheckpointError: the file cannot be read, is something else, or is damaged.

    Example:
        >>> import tempfile
        >>> config = LlamaConfig(vocab_size=11, block_size=8, n_layer=1, n_head=2, n_embd=8, n_hidden=5, norm_eps=1e-5)
        >>> model = Llama(config, np.random.default_rng(0))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     save_llama2c(model, f"{folder}/toy.bin")
        ...     again = load_llama2c(f"{folder}/toy.bin")
        >>> np.array_equal(again(np.array([[1, 2]])).data, model(np.array([[1, 2]])).data)
        True
    """
    header, tensors = read_llama2c(path)

    def theirs(name: str) -> Array:
        heads = _heads(name, header)
        return pairs_to_half(tensors[name], heads) if heads else tensors[name]

    arrays = {_transformers_name(name): partial(theirs, name) for name in tensors}
    return from_arrays(config_of(header), OnDemand(arrays), dtype)


def config_of(header: Llama2cConfig) -> LlamaConfig:
    """Return in Llama's words what the header of a file says, and what its readers know besides.

    Example:
        >>> config_of(Llama2cConfig(64, 172, 5, 8, 4, 512, 512)).norm_eps
        1e-05
    """
    return LlamaConfig(
        "llama",
        vocab_size=header.vocab_size,
        block_size=header.max_seq_len,
        n_layer=header.n_layers,
        n_head=header.n_heads,
        n_kv_head=header.n_kv_heads,
        n_embd=header.dim,
        n_hidden=header.hidden_dim,
        tied=header.tied,
        rope_theta=ROPE_THETA,
        norm_eps=NORM_EPS,
    )


def save_llama2c(model: GPT, path: str | Path) -> None:
    """Write a Llama, or a GPT of the preset "modern", as a ``.bin`` of llama2.c, version 0.

    Weights are written in float32.

    Args:
        model: the model.
        path: of the file; its folder must exist.

    Raises:
        ConfigError: the model has something that the format cannot say.
        CheckpointError: the file cannot be written.
    """
    config = model.config if isinstance(model.config, LlamaConfig) else LlamaConfig.from_gpt(model.config)
    _refuse_the_unsayable(config)
    header = Llama2cConfig(
        dim=config.n_embd,
        hidden_dim=config.n_hidden,
        n_layers=config.n_layer,
        n_heads=config.n_head,
        n_kv_heads=config.n_kv_head,
        vocab_size=config.vocab_size,
        max_seq_len=config.block_size,
        tied=config.tied,
    )
    own = {name: p.data for name, p in model.named_parameters()}
    arrays = {name: part for entry in llama_names(config) for name, part in entry.parts(own[entry.ours])}

    def ours(name: str) -> Array:
        heads = _heads(name, header)
        array = arrays[_transformers_name(name)]
        return half_to_pairs(array, heads) if heads else array

    write_llama2c(path, header, OnDemand({name: partial(ours, name) for name in header.shapes()}))


def _transformers_name(name: str) -> str:
    """Return the name that transformers gives to a tensor of this name."""
    if name in _OUTSIDE:
        return _OUTSIDE[name]
    _, layer, inside = name.removesuffix(".weight").split(".", 2)
    return f"model.layers.{layer}.{_INSIDE[inside]}.weight"


def _heads(name: str, header: Llama2cConfig) -> int:
    """Return how many heads the rows of a tensor make that are turned by RoPE; 0 for all other tensors."""
    if name.endswith("attention.wq.weight"):
        return header.n_heads
    return header.n_kv_heads if name.endswith("attention.wk.weight") else 0


def _refuse_the_unsayable(config: LlamaConfig) -> None:
    plain = {
        "qkv_bias": False,
        "out_bias": False,
        "mlp_bias": False,
        "qk_norm": False,
        "windows": (None,) * config.n_layer,
        "head_size": config.n_embd // config.n_head,
        "rope_theta": ROPE_THETA,
        "rope_scaling": None,
        "norm_eps": NORM_EPS,
    }
    for name, value in plain.items():
        if getattr(config, name) != value:
            raise ConfigError(
                f"save_llama2c: {name} is {getattr(config, name)!r}, and readers of this format take it for {value!r}",
                hint="GGUF, or a folder with safetensors",
            )
