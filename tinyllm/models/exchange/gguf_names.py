"""The names of a model's tensors in a GGUF file: ours, GGUF's, and which of them change the order of their rows.

    gpt2     one matrix for q, k and v (``attn_qkv``), as in our blocks; the head is always written
    llama    Llama and Mistral; the rows of ``attn_q`` and ``attn_k`` are in the order of ``rope_pairs``
    qwen2    Qwen2; rows stay in the order of ``rope_half``
    qwen3    Qwen3, likewise, with ``attn_q_norm`` and ``attn_k_norm``

Matrices are (outputs, inputs), as ours; it is transformers' GPT-2 that has them the other way around.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from ...errors import CheckpointError, nearest
from ..config import GPTConfig
from ..llama_config import LlamaConfig
from .gpt2_names import gpt2_names
from .llama_names import llama_names
from .names import Renamed, Shape, listed

HEAD, EMBEDDING, ROPE = "output.weight", "token_embd.weight", "rope_freqs.weight"
# family -> general.architecture
ARCHITECTURES = {"gpt2": "gpt2", "llama": "llama", "mistral": "llama", "qwen2": "qwen2", "qwen3": "qwen3"}

_OUTSIDE = {
    "transformer.wte": "token_embd",
    "transformer.wpe": "position_embd",
    "transformer.ln_f": "output_norm",
    "model.embed_tokens": "token_embd",
    "model.norm": "output_norm",
    "lm_head": "output",
}
_INSIDE = {
    "ln_1": "attn_norm",
    "attn.c_attn": "attn_qkv",
    "attn.c_proj": "attn_output",
    "ln_2": "ffn_norm",
    "mlp.c_fc": "ffn_up",
    "mlp.c_proj": "ffn_down",
    "input_layernorm": "attn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "self_attn.q_norm": "attn_q_norm",
    "self_attn.k_norm": "attn_k_norm",
    "post_attention_layernorm": "ffn_norm",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}


def gguf_names(config: GPTConfig | LlamaConfig) -> list[Renamed]:
    """List every tensor of a model under our name, GGUF's names and their shapes.

    A GPT is taken for GPT-2, with all biases; the head is listed if it is not tied.

    Example:
        >>> for entry in gguf_names(GPTConfig(n_layer=1))[:4]:
        ...     print(entry.ours, *entry.theirs, *entry.shapes)
        wte.weight token_embd.weight (50257, 768)
        wpe.weight position_embd.weight (1024, 768)
        blocks.0.norm1.gain blk.0.attn_norm.weight (768,)
        blocks.0.norm1.bias blk.0.attn_norm.bias (768,)
        >>> gguf_names(LlamaConfig(n_layer=1, n_head=4, n_kv_head=2, n_embd=32))[2].theirs
        ('blk.0.attn_q.weight', 'blk.0.attn_k.weight', 'blk.0.attn_v.weight')
    """
    if isinstance(config, LlamaConfig):
        entries = llama_names(config)
    else:
        entries = gpt2_names(dataclasses.replace(config, bias=True), conv1d=False)
    return [Renamed(entry.ours, tuple(map(_renamed, entry.theirs)), entry.shapes) for entry in entries]


def turned_heads(name: str, config: GPTConfig | LlamaConfig) -> int:
    """Return how many heads a tensor's rows make whose order the file changes; 0 for all that stay as they are.

    Example:
        >>> config = LlamaConfig(n_head=4, n_kv_head=2, n_embd=32)
        >>> [turned_heads(f"blk.0.attn_{one}.weight", config) for one in ("q", "k", "v", "output")]
        [4, 2, 0, 0]
        >>> turned_heads("blk.0.attn_q.weight", LlamaConfig("qwen2", n_head=4, n_kv_head=2, n_embd=32))
        0
    """
    if isinstance(config, LlamaConfig) and ARCHITECTURES[config.family] == "llama":
        if ".attn_q." in name:
            return config.n_head
        if ".attn_k." in name:
            return config.n_kv_head
    return 0


def refuse_other_tensors(wanted: Mapping[str, Shape], found: Mapping[str, Shape]) -> None:
    """Refuse tensors that are missing, that nobody asked for, or that have another shape.

    Raises:
        CheckpointError: there are such; the message lists them, each extra one with the nearest of ours.

    Example:
        >>> refuse_other_tensors({"a.weight": (2, 3)}, {"a.weight": (3, 2)})
        Traceback (most recent call last):
            ...
        tinyllm.errors.CheckpointError: E-CHECKPOINT the tensors do not fit: 1 of another shape: a.weight (3, 2), ...
    """
    missing = [name for name in wanted if name not in found]
    extra = []
    for name in found.keys() - wanted.keys():
        close = nearest(name, missing or wanted)
        extra.append(f"{name!r} (nearest: {close})" if close else repr(name))
    unfit = [f"{name} {found[name]}, not {shape}" for name, shape in wanted.items() if found.get(name, shape) != shape]
    kinds = (("missing", missing), ("extra", sorted(extra)), ("of another shape", unfit))
    if faults := [f"{len(names)} {what}: {listed(names)}" for what, names in kinds if names]:
        raise CheckpointError(
            f"the tensors do not fit: {'; '.join(faults)}", hint="a file made by a converter that knows this model"
        )


def _renamed(name: str) -> str:
    """Return GGUF's name for one of transformers'."""
    stem, _, kind = name.rpartition(".")
    if stem in _OUTSIDE:
        return f"{_OUTSIDE[stem]}.{kind}"
    _, _, layer, inside = stem.split(".", 3)
    return f"blk.{layer}.{_INSIDE[inside]}.{kind}"
