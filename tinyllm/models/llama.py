r"""Llama, Mistral, Qwen2 and Qwen3: one decoder, whose families differ only in fields of its config.

                Llama               Mistral       Qwen2                 Qwen3
    positions   RoPE, slowed down   RoPE          RoPE                  RoPE
    window      none                every layer   in the layers named   in the layers named
    biases      all or none         none          q, k, v               none
    q and k     as they are         as they are   as they are           normed, each head by itself

All of them have RMSNorm before each half of a block, SwiGLU, and heads that may share keys and values. It is a GPT
around other blocks: the residual stream, the head, the loss and the attention maps are those of gpt.py.

Source: Touvron et al. 2023 (Llama); Jiang et al. 2023 (Mistral 7B); Yang et al. 2024 and 2025 (Qwen2, Qwen3).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import numpy as np

from ..autograd import Tensor
from ..nn import Dropout, Embedding, Linear, Module, RMSNorm, RopeHalf, SelfAttention, SwiGLU
from ..nn.init import Init, normal
from .exchange.llama_names import EMBEDDING, HEAD, llama_names, refuse_other_names
from .exchange.names import blank, give, refuse_another_head, refuse_other_shapes, take
from .gpt import GPT
from .llama_config import LlamaConfig
from .memory import refuse_unloadable

Array = np.ndarray[Any, np.dtype[Any]]


class LlamaBlock(Module):
    r"""One layer: the positions exchange what they know, then each thinks by itself; both add to what is there.

    Forward   x <- x + attn(norm1(x));  x <- x + mlp(norm2(x))
    Shapes    x (B, T, C) -> x (B, T, C)
    """

    def __init__(
        self,
        config: LlamaConfig,
        window: int | None,
        rng: np.random.Generator,
        init: Init,
        rope: RopeHalf,
        drop: Dropout,
    ) -> None:
        C = config.n_embd
        self.norm1 = RMSNorm(C, eps=config.norm_eps)
        self.attn = SelfAttention(
            C,
            H=config.n_head,
            K=config.n_kv_head,
            D=config.head_size,
            bias=config.qkv_bias,
            out_bias=config.out_bias,
            qk_norm=config.norm_eps if config.qk_norm else None,
            window=window,
            rope=rope,
            dropout=drop,
            rng=rng,
            init=init,
        )
        self.norm2 = RMSNorm(C, eps=config.norm_eps)
        self.mlp = SwiGLU(C, config.n_hidden, config.mlp_bias, rng=rng, init=init)

    def forward(self, x: Tensor) -> Tensor:
        """Apply the block to the residual stream x (B, T, C)."""
        x = x + self.attn(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class Llama(GPT):
    r"""A decoder-only transformer of Llama's kind, with all that a GPT can do.

    Forward   x = wte[idx];  x <- block(x), L times;  logits = norm(x) head^T, with head = wte when tied
    Shapes    idx (B, T) token ids -> logits (B, T, V)

    Args:
        config: sizes and choices.
        rng: draws the initial weights; a generator spawned from it draws what dropout drops.
        init: how every matrix is drawn; normal, with ``init_std``, unless told otherwise.

    Errors: those of a GPT.

    Example:
        >>> config = LlamaConfig("mistral", 11, 8, n_layer=2, n_head=2, n_embd=6, head_size=4, n_hidden=16, windows=3)
        >>> model = Llama(config, np.random.default_rng(0))
        >>> idx = np.array([[1, 2, 3], [5, 8, 10]])
        >>> model(idx).shape, round(model.loss(idx[:, :-1], idx[:, 1:]).item(), 1)
        ((2, 3, 11), 2.4)
    """

    config: LlamaConfig  # type: ignore[assignment]
    blocks: list[Any]  # each a LlamaBlock

    def __init__(self, config: LlamaConfig, rng: np.random.Generator, init: Init | None = None) -> None:
        V, C = config.vocab_size, config.n_embd
        start = init or normal(config.init_std)
        rope = RopeHalf(config.head_size, config.rope_theta, config.rope_scaling)
        inside, outside = Dropout(config.dropout, rng=rng.spawn(1)[0]), Dropout(0.0, rng=rng)
        self.config = config
        self.wte = Embedding(V, C, rng=rng, init=start)
        self.wpe = None
        self.drop = outside
        self.blocks = [LlamaBlock(config, window, rng, start, rope, inside) for window in config.layer_windows]
        self.norm = RMSNorm(C, eps=config.norm_eps)
        self.head = None if config.tied else Linear(C, V, bias=False, rng=rng, init=start)


def from_arrays(config: LlamaConfig, arrays: Mapping[str, Any], dtype: Any = np.float32) -> Llama:
    """Make a Llama of tensors under the names that transformers gives them.

    Every tensor of the model must be there, and no other: but a head that is stored although it is tied must equal the
    embedding, and the table of frequencies in old files is passed over. Numbers are copied, one tensor at a time, so
    ``arrays`` may be a mapping that reads them from a file only when they are asked for; where it has ``private``, see
    names.take.

    Args:
        config: what the tensors were saved with.
        arrays: name -> array.
        dtype: floating-point dtype of the model.

    Raises:
        CheckpointError: tensors are missing, extra, of another shape or of whole numbers; the message lists them.
        MemoryShortError: the model does not fit into the memory that is free.

    Example:
        >>> config = LlamaConfig("qwen2", 11, 8, n_layer=2, n_head=2, n_embd=8, n_hidden=16, qkv_bias=True)
        >>> model = Llama(config, np.random.default_rng(0))
        >>> again = from_arrays(config, to_arrays(model))
        >>> np.array_equal(again(np.array([[1, 2]])).data, model(np.array([[1, 2]])).data)
        True
    """
    entries = llama_names(config)
    refuse_other_names(entries, arrays, config.tied)
    refuse_other_shapes(entries, arrays, "Llama")
    refuse_unloadable(config, dtype)
    model = blank(Llama, config, dtype)
    take(model, entries, arrays)
    if config.tied:
        refuse_another_head(arrays, HEAD, EMBEDDING, "Llama")
    return model


def to_arrays(model: GPT, config: LlamaConfig | None = None) -> dict[str, Array]:
    """Return the tensors of a Llama under the names that transformers gives them; views, so copy what should stay.

    A tied head is not among them.

    Args:
        model: a Llama, or a GPT that is one but for its name.
        config: what describes it, where its own does not: ``LlamaConfig.from_gpt`` of a GPT's.

    Example:
        >>> config = LlamaConfig("qwen3", 11, 8, n_layer=1, n_head=2, n_embd=8, n_hidden=16, qk_norm=True, tied=True)
        >>> arrays = to_arrays(Llama(config, np.random.default_rng(0)))
        >>> len(arrays), arrays["model.layers.0.self_attn.k_proj.weight"].shape
        (13, (8, 8))
    """
    return give(model, llama_names(config or cast(LlamaConfig, model.config)))
