"""A Llama in plain NumPy, as one writes it down first: what a token costs with nothing but array expressions.

Keys and values are kept in lists that grow, or not at all: then the whole text is read again for every token.
"""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]


class NumpyLlama:
    """A Llama's forward pass over the tensors of ``models.llama.to_arrays``, in float32."""

    def __init__(self, config: Any, tensors: dict[str, Array]) -> None:
        self.config = config
        self.tensors = tensors
        self.cos, self.sin = self._angles(config.block_size)
        self.reset()

    def reset(self) -> None:
        """Forget the text."""
        self.past: list[Any] = [None] * self.config.n_layer
        self.length = 0

    def whole(self, ids: Array) -> Array:
        """Return the logits (V,) after ids (T,), all of them read anew."""
        self.reset()
        return self.more(ids)

    def more(self, ids: Array) -> Array:
        """Return the logits (V,) after the next tokens ids (T,)."""
        c, W = self.config, self.tensors
        T, H, K, D = len(ids), c.n_head, c.n_kv_head, c.head_size
        cos, sin = (table[self.length : self.length + T] for table in (self.cos, self.sin))
        self.length += T
        x = W["model.embed_tokens.weight"][ids]  # (T, C)
        for i in range(c.n_layer):
            name = f"model.layers.{i}."
            h = self._norm(x, W[name + "input_layernorm.weight"])
            q, k, v = (
                (h @ W[f"{name}self_attn.{part}_proj.weight"].T).reshape(T, heads, D).transpose(1, 0, 2)
                for part, heads in (("q", H), ("k", K), ("v", K))
            )
            q, k = self._turn(q, cos, sin), self._turn(k, cos, sin)
            if self.past[i] is not None:
                k, v = (np.concatenate(pair, axis=1) for pair in zip(self.past[i], (k, v), strict=True))
            self.past[i] = k, v
            keys, values = np.repeat(k, H // K, axis=0), np.repeat(v, H // K, axis=0)  # (H, S, D)
            s = q @ keys.transpose(0, 2, 1) / np.float32(np.sqrt(D))  # (H, T, S)
            if T > 1:
                s = np.where(np.tril(np.ones(s.shape[1:], bool), s.shape[2] - T), s, np.float32(-np.inf))
            e = np.exp(s - s.max(axis=-1, keepdims=True))
            a = (e / e.sum(axis=-1, keepdims=True)) @ values  # (H, T, D)
            x = x + a.transpose(1, 0, 2).reshape(T, -1) @ W[name + "self_attn.o_proj.weight"].T
            h = self._norm(x, W[name + "post_attention_layernorm.weight"])
            gate, up = (h @ W[f"{name}mlp.{part}_proj.weight"].T for part in ("gate", "up"))
            x = x + (gate / (1 + np.exp(-gate)) * up) @ W[name + "mlp.down_proj.weight"].T
        head = W.get("lm_head.weight", W["model.embed_tokens.weight"])
        return self._norm(x[-1], W["model.norm.weight"]) @ head.T

    def _norm(self, x: Array, gain: Array) -> Array:
        eps = np.float32(self.config.norm_eps)
        return x / np.sqrt((x * x).mean(axis=-1, keepdims=True) + eps) * gain

    @staticmethod
    def _turn(x: Array, cos: Array, sin: Array) -> Array:
        a, b = np.split(x, 2, axis=-1)
        return np.concatenate([a * cos - b * sin, b * cos + a * sin], axis=-1)

    def _angles(self, T: int) -> tuple[Array, Array]:
        D = self.config.head_size
        angles = np.outer(np.arange(T), self.config.rope_theta ** (-np.arange(0, D, 2) / D))
        return np.cos(angles).astype(np.float32), np.sin(angles).astype(np.float32)
