"""The names of a Llama's tensors: ours, those of transformers, and how one becomes the other.

Ours has one matrix that makes queries, keys and values (``attn.qkv``), theirs has three; everything else differs by
its name alone. So each of our tensors is one or three of theirs, put below each other, and each of theirs is some rows
of one of ours.
"""

from __future__ import annotations

from collections.abc import Iterable

from ..llama_config import LlamaConfig
from . import names
from .names import Renamed, listed

__all__ = ["EMBEDDING", "HEAD", "Renamed", "listed", "llama_names", "refuse_other_names"]

HEAD = "lm_head.weight"
EMBEDDING = "model.embed_tokens.weight"
TABLE = ".rotary_emb.inv_freq"  # old files carry a table of RoPE's frequencies, which is computed and not learned


def llama_names(config: LlamaConfig) -> list[Renamed]:
    """List every tensor of a Llama under our name, their names and their shapes, in the order of transformers' files.

    Example:
        >>> config = LlamaConfig("qwen2", n_layer=1, n_head=4, n_kv_head=2, n_embd=32, qkv_bias=True)
        >>> for entry in llama_names(config)[2:4]:
        ...     print(entry.ours, *zip(entry.theirs, entry.shapes))
        blocks.0.attn.qkv.weight ('model.layers.0.self_attn.q_proj.weight', (32, 32))
            ('model.layers.0.self_attn.k_proj.weight', (16, 32)) ('model.layers.0.self_attn.v_proj.weight', (16, 32))
        blocks.0.attn.qkv.bias ('model.layers.0.self_attn.q_proj.bias', (32,))
            ('model.layers.0.self_attn.k_proj.bias', (16,)) ('model.layers.0.self_attn.v_proj.bias', (16,))
    """
    V, C, F, D = config.vocab_size, config.n_embd, config.n_hidden, config.head_size
    Q, K = config.n_head * D, config.n_kv_head * D
    qkv = ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj")
    layer = [
        _gain("norm1", "input_layernorm", C),
        *_linear("attn.qkv", qkv, (Q, K, K), C, config.qkv_bias),
        *_linear("attn.out", ("self_attn.o_proj",), (C,), Q, config.out_bias),
        *([_gain(f"attn.{one}_norm", f"self_attn.{one}_norm", D) for one in "qk"] if config.qk_norm else []),
        _gain("norm2", "post_attention_layernorm", C),
        *_linear("mlp.gate", ("mlp.gate_proj",), (F,), C, config.mlp_bias),
        *_linear("mlp.up", ("mlp.up_proj",), (F,), C, config.mlp_bias),
        *_linear("mlp.down", ("mlp.down_proj",), (C,), F, config.mlp_bias),
    ]
    layers = [
        Renamed(f"blocks.{i}.{one.ours}", tuple(f"model.layers.{i}.{name}" for name in one.theirs), one.shapes)
        for i in range(config.n_layer)
        for one in layer
    ]
    head = [] if config.tied else [Renamed("head.weight", (HEAD,), ((V, C),))]
    return [Renamed("wte.weight", (EMBEDDING,), ((V, C),)), *layers, _gain("norm", "model.norm", C), *head]


def _gain(ours: str, theirs: str, n: int) -> Renamed:
    """Name the gain of a norm of n channels."""
    return Renamed(f"{ours}.gain", (f"{theirs}.weight",), ((n,),))


def _linear(ours: str, theirs: tuple[str, ...], rows: tuple[int, ...], inputs: int, bias: bool) -> list[Renamed]:
    """Name the weight of a linear layer, and its bias if it has one."""
    weight = Renamed(f"{ours}.weight", tuple(f"{one}.weight" for one in theirs), tuple((n, inputs) for n in rows))
    if not bias:
        return [weight]
    return [weight, Renamed(f"{ours}.bias", tuple(f"{one}.bias" for one in theirs), tuple((n,) for n in rows))]


def refuse_other_names(entries: Iterable[Renamed], given: Iterable[str], tied: bool) -> None:
    """Refuse tensors that are missing or that nobody asked for.

    A head may be stored beside the embedding it is tied to, and so may RoPE's tables; whoever reads the tensors says
    what becomes of the first, and the second are passed over.

    Raises:
        CheckpointError: names are missing or extra; the message lists them, each extra one with the nearest of ours.
    """
    hints = {HEAD: f"tie_word_embeddings, if the head is the embedding's matrix; else {names.THEIR_CONFIG}"}
    names.refuse_other_names(
        entries, given, "Llama", lambda name: name.endswith(TABLE) or (tied and name == HEAD), hints
    )
