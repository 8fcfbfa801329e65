"""The peer that decodes: torch_gpt's GPT with biases, one token at a time, with a key/value cache."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional


class TorchDecoder:
    """Random weights of GPT-2's shape; the cache is allocated once, and a step writes one place of it."""

    def __init__(self, n_layer: int, n_head: int, n_embd: int, block_size: int, vocab_size: int, batch: int) -> None:
        C = n_embd
        self.heads, self.layers = n_head, n_layer
        self.tokens, self.positions = _draw(vocab_size, C), _draw(block_size, C)
        self.weights: list[list[tuple[Tensor, Tensor]]] = [
            [(_draw(n, k), torch.zeros(n)) for n, k in ((3 * C, C), (C, C), (4 * C, C), (C, 4 * C))]
            for _ in range(n_layer)
        ]
        self.gain, self.bias = torch.ones(C), torch.zeros(C)
        self.keys = torch.zeros(n_layer, batch, n_head, block_size, C // n_head)
        self.values = torch.zeros_like(self.keys)
        self.length = 0

    @torch.inference_mode()
    def step(self, ids: Tensor) -> Tensor:
        """Read one more token of each sequence, ids (B,); return the logits (B, V) of the next."""
        B, now = len(ids), self.length
        x = self.tokens[ids] + self.positions[now]  # (B, C)
        for layer, (qkv, out, up, down) in enumerate(self.weights):
            q, k, v = functional.linear(self._norm(x), *qkv).view(B, 3, self.heads, 1, -1).unbind(1)  # (B, H, 1, D)
            self.keys[layer, :, :, now : now + 1] = k
            self.values[layer, :, :, now : now + 1] = v
            seen = self.keys[layer, :, :, : now + 1], self.values[layer, :, :, : now + 1]
            x = x + functional.linear(functional.scaled_dot_product_attention(q, *seen).reshape(B, -1), *out)
            x = x + functional.linear(functional.gelu(functional.linear(self._norm(x), *up), approximate="tanh"), *down)
        self.length += 1
        return functional.linear(self._norm(x), self.tokens)

    def _norm(self, x: Tensor) -> Tensor:
        return functional.layer_norm(x, self.gain.shape, self.gain, self.bias)


def _draw(*shape: int) -> Tensor:
    return torch.randn(shape) * 0.02


def huggingface(config: dict[str, int]) -> Any:
    """Make the same model of transformers, with random weights."""
    from transformers import GPT2Config, GPT2LMHeadModel
    from transformers.utils import logging

    logging.set_verbosity_error()
    return GPT2LMHeadModel(
        GPT2Config(
            n_layer=config["n_layer"], n_head=config["n_head"], n_embd=config["n_embd"],
            n_positions=config["block_size"], vocab_size=config["vocab_size"],
        )
    ).eval()  # fmt: skip
