r"""Decoding: a model that reads one token at a time, and remembers what it has made of the others.

Whole texts go through a model's layers side by side: T tokens in, T predictions out. When a text is being written only
its last token is new. All it needs of the others are their keys and values, and those do not change any more: kept in a
KVCache, they save T - 1 parts of T of the work. What is left is reading every weight once for each token, so a token
takes as long as memory does, and weights in 8 or 4 bits (weights.py) take a quarter and an eighth of that.

``Decoder._read`` is the whole forward pass, on arrays: what models/gpt.py says in layers and with a graph.

Source: Radford et al. 2019 (GPT-2); Pope et al. 2022, "Efficiently Scaling Transformer Inference" (the cost of a
token).
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np

from ..errors import ConfigError, DTypeError, RangeError, ShapeError
from ..models import GPT, Llama
from .cache import KVCache
from .weights import Layer, Matrix, checked, norm, side_by_side

Array = np.ndarray[Any, np.dtype[Any]]


def decodable(model: Any) -> bool:
    """Tell whether a Decoder computes what a model does: a GPT or a Llama does, a class derived from one may not.

    Example:
        >>> decodable(np.tanh)
        False
    """
    return type(model) in (GPT, Llama)


class Decoder:
    r"""A GPT or a Llama with a memory: ``prefill`` a text, then ``step`` by step its continuation.

    Shapes    ids (B, T) or (B,) -> logits (B, V) of the token after the last

    Nothing is dropped out, and no graph is made. Weights in full are mostly the model's own arrays, those in 8 or 4
    bits are copies: after training on, make a new Decoder. Embeddings are looked up in full, one row for each token.

    Texts can be read on by themselves: ``rows`` are their places in the batch, and ids and logits then have one row for
    each of them, in their order. What is computed for a text does not depend on the others.

    Args:
        model: a GPT of any preset, or a Llama of any family.
        weights: "float32", "int8", "int4", or "int4x8" (in which x, too, is rounded to 8 bits before each product: less
            exact by far less than the weights are, and faster); None for the model's own dtype.
        batch: B, how many texts at once.
        max_length: places for tokens in each text; ``block_size``, the most there can be, unless told otherwise.

    Raises:
        ConfigError: a parameter is out of range, or the model is of another kind.

    Example:
        >>> from tinyllm.models import GPTConfig
        >>> config = GPTConfig.preset("modern", vocab_size=11, block_size=8, n_layer=2, n_head=2, n_embd=32)
        >>> model = GPT(config, np.random.default_rng(0))
        >>> decoder = Decoder(model, batch=2)
        >>> first = decoder.prefill(np.array([[1, 2, 3], [6, 7, 8]]))
        >>> second = decoder.step(np.array([4]), rows=[0])
        >>> np.allclose(second, model(np.array([[1, 2, 3, 4]])).data[:, -1], atol=1e-6)
        True
        >>> decoder.forget([1]); decoder.cache.lengths
        array([4, 0])
    """

    def __init__(
        self, model: GPT | Llama, weights: str | None = None, batch: int = 1, max_length: int | None = None
    ) -> None:
        if not isinstance(model, GPT):
            raise ConfigError(f"Decoder: a {type(model).__name__} does not write texts", hint="a GPT or a Llama")
        config: Any = model.config
        S = config.block_size if max_length is None else max_length
        if not 1 <= S <= config.block_size:
            raise ConfigError(f"Decoder: max_length is {S}", hint=f"1 to block_size={config.block_size}")
        if batch < 1:
            raise ConfigError(f"Decoder: batch is {batch}", hint="1 or more")
        dtype = model.wte.weight.dtype if checked(weights) is None else np.dtype(np.float32)
        self.config = config
        self.embedding = model.wte.weight.data.astype(dtype, copy=False)  # (V, C)
        self.places = None if model.wpe is None else model.wpe.weight.data.astype(dtype, copy=False)  # (block_size, C)
        rope = model.blocks[0].attn.rope  # all layers share one
        self.angles = None if rope is None else rope.tables(S, dtype)  # cos and sin, (S, D/2) each
        self.layers = [Layer(block, weights, dtype) for block in model.blocks]
        self.norm = norm(model.norm, dtype)
        head = model.wte if model.head is None else model.head
        self.head = Matrix(weights, dtype, head.weight.data)
        self.matrices = [matrix for layer in self.layers for matrix in layer.matrices] + [self.head]
        if weights not in (None, "float32"):
            side_by_side(self.matrices)
        self.cache = KVCache(config.n_layer, batch, config.n_kv_head, S, config.head_size, dtype)

    def prefill(self, ids: Any, lengths: Any = None, rows: Any = None) -> Array:
        """Read several tokens of every text at once; return the logits (B, V) of the token after the last.

        Args:
            ids: (B, T).
            lengths: (B,), how many of the T tokens each text has, where they differ: what follows them is ignored.
            rows: the places in the batch of the B texts that are meant; None for all.

        Raises:
            DTypeError, ShapeError, RangeError: the ids are no whole numbers, not (B, T), or not below V.
            RangeError: T tokens do not fit into the cache, a length is not from 1 to T, or ``rows`` are no places.
        """
        rows = self.cache.rows(rows)
        ids = self._checked(ids, rows, axes=2)
        T, before = ids.shape[1], self.cache.lengths[rows]
        counts = np.full(len(ids), T) if lengths is None else np.asarray(lengths)
        if counts.shape != (len(ids),) or (counts < 1).any() or (counts > T).any():
            raise RangeError(f"Decoder: lengths {counts.tolist()} are not {len(ids)} numbers from 1 to T={T}")
        x = self._read(ids, rows)  # (B, T, C)
        self.cache.truncate(before + counts, rows)
        return self._logits(x[np.arange(len(ids)), counts - 1])

    def step(self, ids: Any, rows: Any = None) -> Array:
        """Read one more token of every text, ids (B,); return the logits (B, V) of the token after it.

        Args:
            ids: (B,).
            rows: the places in the batch of the B texts that are meant; None for all.

        Raises:
            DTypeError, ShapeError, RangeError: as for ``prefill``.
        """
        rows = self.cache.rows(rows)
        return self._logits(self._read(self._checked(ids, rows, axes=1)[:, None], rows)[:, 0])

    def forget(self, rows: Any = None) -> None:
        """Forget some texts, whose places are empty then; None for all."""
        self.cache.truncate(0, rows)

    def reset(self) -> None:
        """Forget all texts."""
        self.forget()

    @property
    def bytes_per_token(self) -> int:
        """The bytes of weights and of keys and values that a step reads, divided by the B tokens it makes."""
        weights = sum(matrix.nbytes for matrix in self.matrices)
        return (weights + self.cache.bytes_read([layer.window for layer in self.layers])) // len(self.cache.lengths)

    @property
    def nbytes(self) -> int:
        """The bytes of memory of the weights, which may be the model's own, and of the whole cache."""
        tables = [] if self.embedding is self.head.arrays[0] else [self.embedding]
        tables += [] if self.places is None else [self.places]
        return sum(matrix.nbytes for matrix in self.matrices) + sum(a.nbytes for a in tables) + self.cache.nbytes

    def _read(self, ids: Array, rows: Any = None) -> Array:
        """Take the next tokens ids (B, T) of some texts through all layers; return what leaves the last, (B, T, C)."""
        rows = self.cache.rows(rows)
        B, T = ids.shape
        positions = self.cache.extend(T, rows).ravel()  # (B T,)
        x = self.embedding[ids.ravel()]  # (B T, C)
        if self.places is not None:
            x += self.places[positions]
        angles = None if self.angles is None else (self.angles[0][positions], self.angles[1][positions])  # (B T, D/2)
        runs = _runs(rows)
        for n, layer in enumerate(self.layers):
            q, k, v = layer.heads(x, B, angles)
            self.cache.append(n, k, v)
            keys, values, lengths = self.cache.keys[n], self.cache.values[n], self.cache.lengths
            parts = [layer.attend(q[here], keys[there], values[there], lengths[there]) for here, there in runs]
            x = layer.add(x, parts[0] if len(parts) == 1 else np.concatenate(parts))
        return x.reshape(B, T, -1)

    def _logits(self, x: Array) -> Array:
        """Return the logits (B, V) of what left the last layer, (B, C)."""
        return self.head(self.norm(x))

    def _checked(self, ids: Any, rows: Array, axes: int) -> Array:
        ids = np.asarray(ids)
        wanted, B = ("(B,)" if axes == 1 else "(B, T)"), len(rows)
        if ids.dtype.kind not in "iu":
            raise DTypeError(f"Decoder: ids holds {ids.dtype}, not token ids", hint="whole numbers: np.array(ids)")
        if ids.ndim != axes or len(ids) != B or ids.size == 0:
            fits = ids.ndim == axes and ids.size
            hint = f"Decoder(model, batch={len(ids)})" if fits else "step takes (B,), prefill (B, T)"
            raise ShapeError(f"Decoder: ids has shape {ids.shape}, not {wanted} with B={B}", hint=hint)
        if ids.min() < 0 or ids.max() >= len(self.embedding):
            raise RangeError(f"Decoder: ids go from {ids.min()} to {ids.max()}, and V={len(self.embedding)}")
        return ids


def _runs(rows: Array) -> list[tuple[slice, slice]]:
    """Cut rows into runs of neighbors, which attention reads where they lie: (part of the rows, part of the cache)."""
    if len(rows) == 1:
        return [(slice(None), slice(int(rows[0]), int(rows[0]) + 1))]
    starts = [0, *(np.flatnonzero(np.diff(rows) != 1) + 1).tolist(), len(rows)]
    return [(slice(a, b), slice(int(rows[a]), int(rows[a]) + b - a)) for a, b in pairwise(starts)]


class Reading:
    r"""One text that changes: of what is asked after, only what comes after the beginning it shares with the last.

    A text that grew is read from where it grew; one whose end was taken back and replaced, from there. Where it was cut
    at the front, because it outgrew ``block_size``, every position has changed, and all of it is read again.

    Shapes    ids, a list of T token ids -> logits (V,) of the token after them

    Example:
        >>> from tinyllm.models import GPTConfig
        >>> config = GPTConfig.preset("gpt2", vocab_size=11, block_size=4, n_layer=1, n_head=2, n_embd=8)
        >>> reading = Reading(Decoder(GPT(config, np.random.default_rng(0))))
        >>> [reading(ids).shape for ids in ([1, 2], [1, 2, 3], [1, 2, 5, 4], [2, 5, 4, 5])]
        [(11,), (11,), (11,), (11,)]
    """

    def __init__(self, decoder: Decoder) -> None:
        self.decoder = decoder
        self.ids: list[int] = []

    def __call__(self, ids: list[int]) -> Array:
        """Return the logits (V,) after ids, of which there is at least one; the last of them is always read."""
        known = min(shared(self.ids, ids), len(ids) - 1)
        self.decoder.cache.truncate(known)
        self.ids = self.ids[:known]  # until the others have been read: an error leaves nothing half known
        new = np.array(ids[known:])
        logits: Array = (self.decoder.step(new) if len(new) == 1 else self.decoder.prefill(new[None]))[0]
        self.ids = list(ids)
        return logits


def shared(one: list[int], other: list[int]) -> int:
    """Return how many tokens two texts have in common at their beginning.

    Example:
        >>> shared([1, 2, 3, 4], [1, 2, 5])
        2
    """
    pairs = zip(one, other, strict=False)
    return next((i for i, (a, b) in enumerate(pairs) if a != b), min(len(one), len(other)))
