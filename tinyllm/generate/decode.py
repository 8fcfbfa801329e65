r"""Decoding: a GPT that reads one token at a time, and remembers what it has made of the others.

Whole texts go through a model's layers side by side: T tokens in, T predictions out. When a text is being written only
its last token is new. All it needs of the others are their keys and values, and those do not change any more: kept in a
KVCache, they save T - 1 parts of T of the work. What is left is reading every weight once for each token, so a token
takes as long as memory does, and weights in 8 or 4 bits (weights.py) take a quarter and an eighth of that.

``Decoder._read`` is the whole forward pass, on arrays: what models/gpt.py says in layers and with a graph.

Source: Radford et al. 2019 (GPT-2); Pope et al. 2022, "Efficiently Scaling Transformer Inference" (the cost of a
token).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .. import kernels
from ..errors import ConfigError, DTypeError, RangeError, ShapeError
from ..models import GPT
from .cache import KVCache
from .weights import Layer, Matrix, checked, norm, side_by_side

Array = np.ndarray[Any, np.dtype[Any]]

FEW = 8  # queries: more of them keep the processor busy, not the memory, and want the kernel that models train with


class Decoder:
    r"""A GPT with a memory: ``prefill`` a text, then ``step`` by step its continuation.

    Shapes    ids (B, T) or (B,) -> logits (B, V) of the token after the last

    Nothing is dropped out, and no graph is made. Weights in full are mostly the model's own arrays, those in 8 or 4
    bits are copies: after training on, make a new Decoder. Embeddings are looked up in full, one row for each token.

    Args:
        model: a GPT of any preset.
        weights: "float32", "int8", "int4", or "int4x8" (in which x, too, is rounded to 8 bits before each product: less
            exact by far less than the weights are, and faster); None for the model's own dtype.
        batch: B, how many texts at once.
        max_length: places for tokens in each text; ``block_size``, the most there can be, unless told otherwise.

    Raises:
        ConfigError: a parameter is out of range.

    Example:
        >>> from tinyllm.models import GPTConfig
        >>> config = GPTConfig.preset("modern", vocab_size=11, block_size=8, n_layer=2, n_head=2, n_embd=32)
        >>> model = GPT(config, np.random.default_rng(0))
        >>> decoder = Decoder(model)
        >>> first = decoder.prefill(np.array([[1, 2, 3]]))
        >>> second = decoder.step(np.array([4]))
        >>> np.allclose(second, model(np.array([[1, 2, 3, 4]])).data[:, -1], atol=1e-6)
        True
    """

    def __init__(self, model: GPT, weights: str | None = None, batch: int = 1, max_length: int | None = None) -> None:
        config = self.config = model.config
        S = config.block_size if max_length is None else max_length
        if not 1 <= S <= config.block_size:
            raise ConfigError(f"Decoder: max_length is {S}", hint=f"1 to block_size={config.block_size}")
        if batch < 1:
            raise ConfigError(f"Decoder: batch is {batch}", hint="1 or more")
        dtype = model.wte.weight.dtype if checked(weights) is None else np.dtype(np.float32)
        self.embedding = model.wte.weight.data.astype(dtype, copy=False)  # (V, C)
        self.places = None if model.wpe is None else model.wpe.weight.data.astype(dtype, copy=False)  # (block_size, C)
        self.angles = None if model.wpe is not None else self._angles(S, dtype)
        self.layers = [Layer(block, weights, dtype) for block in model.blocks]
        self.norm = norm(model.norm, dtype)
        head = model.wte if model.head is None else model.head
        self.head = Matrix(weights, dtype, head.weight.data)
        self.matrices = [matrix for layer in self.layers for matrix in layer.matrices] + [self.head]
        if weights not in (None, "float32"):
            side_by_side(self.matrices)
        K, D = config.n_kv_head, config.head_size
        self.cache = KVCache(config.n_layer, batch, K, S, D, dtype)

    def prefill(self, ids: Any, lengths: Any = None) -> Array:
        """Read several tokens of every text at once; return the logits (B, V) of the token after the last.

        Args:
            ids: (B, T).
            lengths: (B,), how many of the T tokens each text has, where they differ: what follows them is ignored.

        Raises:
            DTypeError, ShapeError, RangeError: the ids are no whole numbers, not (B, T), or not below V.
            RangeError: the tokens do not fit into the cache, or a length is not from 1 to T.
        """
        ids = self._checked(ids, axes=2)
        T, before = ids.shape[1], self.cache.lengths
        counts = np.full(len(ids), T) if lengths is None else np.asarray(lengths)
        if counts.shape != (len(ids),) or (counts < 1).any() or (counts > T).any():
            raise RangeError(f"Decoder: lengths {counts.tolist()} are not {len(ids)} numbers from 1 to T={T}")
        x = self._read(ids)  # (B, T, C)
        self.cache.truncate(before + counts)
        return self._logits(x[np.arange(len(ids)), counts - 1])

    def step(self, ids: Any) -> Array:
        """Read one more token of every text, ids (B,); return the logits (B, V) of the token after it.

        Raises:
            DTypeError, ShapeError, RangeError: as for ``prefill``.
        """
        return self._logits(self._read(self._checked(ids, axes=1)[:, None])[:, 0])

    def reset(self) -> None:
        """Forget all texts."""
        self.cache.truncate(0)

    @property
    def bytes_per_token(self) -> int:
        """The bytes of weights and of keys and values that a step reads, divided by the B tokens it makes."""
        weights = sum(matrix.nbytes for matrix in self.matrices)
        return (weights + self.cache.bytes_read(self.config.window)) // len(self.cache.lengths)

    def _read(self, ids: Array) -> Array:
        """Take the next tokens ids (B, T) through all layers; return what leaves the last one, (B, T, C)."""
        positions = self.cache.extend(ids.shape[1])  # (B, T)
        x = self.embedding[ids]  # (B, T, C)
        if self.places is not None:
            x += self.places[positions]
        for n, layer in enumerate(self.layers):
            q, k, v = self._heads(layer.qkv(layer.norm1(x)), positions)
            self.cache.append(n, k, v)
            a = self._attend(n, q)  # (B, H, T, D)
            x += layer.out(a.transpose(0, 2, 1, 3).reshape(x.shape))
            x += layer.down(layer.bend(layer.up(layer.norm2(x))))
        return x

    def _heads(self, qkv: Array, positions: Array) -> tuple[Array, Array, Array]:
        """Cut qkv (B, T, (H + 2 K) D) into q (B, H, T, D), k and v (B, K, T, D), positions applied."""
        (B, T), H, K = positions.shape, self.config.n_head, self.config.n_kv_head
        heads = qkv.reshape(B, T, H + 2 * K, -1).transpose(0, 2, 1, 3)  # (B, H + 2 K, T, D)
        turned, v = heads[:, : H + K], heads[:, H + K :]
        if self.angles is not None:
            same = bool((positions == positions[0]).all())
            cos, sin = (a[positions[0]] if same else a[positions][:, None] for a in self.angles)
            turned = kernels.rope_half(turned, cos, sin)
        return turned[:, :H], turned[:, H:], v

    def _attend(self, layer: int, q: Array) -> Array:
        """Let the queries q (B, H, T, D) of the last T tokens attend to all tokens of their text."""
        keys, values, lengths = self.cache.keys[layer], self.cache.values[layer], self.cache.lengths  # (B, K, S, D)
        scale, window = 1 / math.sqrt(q.shape[-1]), self.config.window
        if q.shape[2] <= FEW:
            return kernels.attention_decode(q, keys, values, lengths, window, scale)
        out = np.empty(q.shape, q.dtype)
        for b, S in enumerate(lengths.tolist()):
            text, there = slice(b, b + 1), slice(0, S)
            out[text] = kernels.attention(q[text], keys[text, :, there], values[text, :, there], True, window, scale)[0]
        return out

    def _logits(self, x: Array) -> Array:
        """Return the logits (B, V) of what left the last layer, (B, C)."""
        return self.head(self.norm(x))

    def _checked(self, ids: Any, axes: int) -> Array:
        ids = np.asarray(ids)
        wanted, B = ("(B,)" if axes == 1 else "(B, T)"), len(self.cache.lengths)
        if ids.dtype.kind not in "iu":
            raise DTypeError(f"Decoder: ids holds {ids.dtype}, not token ids", hint="whole numbers: np.array(ids)")
        if ids.ndim != axes or len(ids) != B or ids.size == 0:
            hint = (
                f"Decoder(model, batch={len(ids)})"
                if ids.ndim == axes and ids.size
                else "step takes (B,), prefill (B, T)"
            )
            raise ShapeError(f"Decoder: ids has shape {ids.shape}, not {wanted} with B={B}", hint=hint)
        if ids.min() < 0 or ids.max() >= len(self.embedding):
            raise RangeError(f"Decoder: ids go from {ids.min()} to {ids.max()}, and V={len(self.embedding)}")
        return ids

    def _angles(self, S: int, dtype: Any) -> tuple[Array, Array]:
        """Return cos and sin of RoPE's angles at S positions, (S, D/2) each."""
        cos, sin = kernels.rope_angles(np.arange(S), self.config.head_size, self.config.rope_theta)
        return cos.astype(dtype), sin.astype(dtype)


class Reading:
    r"""One text that grows at its end: of what is asked after, only what is new is read.

    Where a text no longer begins as before (it was cut at the front, because it outgrew ``block_size``) every position
    has changed, and all of it is read again.

    Shapes    ids, a list of T token ids -> logits (V,) of the token after them

    Example:
        >>> from tinyllm.models import GPTConfig
        >>> config = GPTConfig.preset("gpt2", vocab_size=11, block_size=4, n_layer=1, n_head=2, n_embd=8)
        >>> reading = Reading(Decoder(GPT(config, np.random.default_rng(0))))
        >>> [reading(ids).shape for ids in ([1, 2], [1, 2, 3], [1, 2, 3, 4], [2, 3, 4, 5])]
        [(11,), (11,), (11,), (11,)]
    """

    def __init__(self, decoder: Decoder) -> None:
        self.decoder = decoder
        self.ids: list[int] = []

    def __call__(self, ids: list[int]) -> Array:
        """Return the logits (V,) after ids, of which there is at least one."""
        known = len(self.ids)
        if not known < len(ids) or ids[:known] != self.ids:
            self.decoder.reset()
            known = 0
        self.ids = list(ids)
        new = np.array(ids[known:])
        logits: Array = (self.decoder.step(new) if len(new) == 1 else self.decoder.prefill(new[None]))[0]
        return logits
