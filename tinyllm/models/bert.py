r"""BERT: an encoder. Every position sees every other, and what comes out is a vector for each token, or for each text.

Three things set it apart from GPT: nothing hides the future; the norms come after each addition (post-norm), so that
there is no norm at the end but one at the start; and the GELU is the exact one, with the error function. A text's
vector is the mean of its tokens' vectors, brought to length 1: the recipe of the sentence encoders (MiniLM).

Source: Devlin et al. 2019, BERT, arXiv:1810.04805; Reimers & Gurevych 2019, Sentence-BERT, arXiv:1908.10084.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..autograd import Tensor, attention, split
from ..errors import DTypeError, ShapeError
from ..nn import MLP, Dropout, Embedding, LayerNorm, Linear, Module
from ..nn.attention import merge_heads, split_heads
from ..nn.init import Init, normal
from .bert_config import BertConfig
from .exchange.bert_names import from_theirs, to_theirs
from .formats.sharded import open_tensors
from .packing import Packing

Array = np.ndarray[Any, np.dtype[Any]]


class EncoderAttention(Module):
    r"""Attention of packed sequences, each to all of itself.

    Forward   q, k, v = x Wqkv^T + bqkv, cut into heads;  a = softmax(q k^T / sqrt(D)) v;  y = a Wout^T + bout
    Shapes    x (N, C), the tokens of all sequences -> y (N, C)
    """

    shown = ("H",)

    def __init__(self, config: BertConfig, rng: np.random.Generator, init: Init, drop: Dropout) -> None:
        C = config.n_embd
        self.H = config.n_head
        self.qkv = Linear(C, 3 * C, rng=rng, init=init)
        self.out = Linear(C, C, rng=rng, init=init)
        self.drop = drop

    def forward(self, x: Tensor, packing: Packing) -> Tensor:
        """Let each sequence in x (N, C) attend to itself; the two products are one each for all tokens."""
        gathered = []
        for together in packing.cut(self.qkv(x)):  # (n, T, 3 C)
            q, k, v = split(split_heads(together, 3 * self.H), sections=3, axis=1)  # (n, H, T, D) each
            p = self.drop.p if self.drop.training else 0.0
            seed = int(self.drop.rng.integers(2**63)) if p else 0
            gathered.append(merge_heads(attention(q, k, v, causal=False, p=p, seed=seed)))  # (n, T, C)
        return self.out(packing.join(gathered))


class EncoderLayer(Module):
    r"""One layer, post-norm: what is added is normed together with what it is added to.

    Forward   x <- norm1(x + attn(x));  x <- norm2(x + mlp(x))
    Shapes    x (N, C) -> x (N, C)
    """

    def __init__(
        self, config: BertConfig, rng: np.random.Generator, init: Init, drop: Dropout, drop_weights: Dropout
    ) -> None:
        C, F = config.n_embd, config.n_hidden
        self.attn = EncoderAttention(config, rng, init, drop_weights)
        self.norm1 = LayerNorm(C, eps=config.norm_eps)
        self.mlp = MLP(C, F, activation=config.activation, rng=rng, init=init)
        self.norm2 = LayerNorm(C, eps=config.norm_eps)
        self.drop = drop

    def forward(self, x: Tensor, packing: Packing) -> Tensor:
        """Apply the layer to the packed tokens x (N, C)."""
        x = self.norm1(x + self.drop(self.attn(x, packing)))
        return self.norm2(x + self.drop(self.mlp(x)))


class Bert(Module):
    r"""The encoder.

    Forward   x = norm(word[ids] + position[0..T-1] + type[types]);  x <- layer(x), L times
    Shapes    ids, mask, types (B, T) -> x (B, T, C), zero where the mask is

    Args:
        config: sizes and choices.
        rng: draws the initial weights; generators spawned from it draw what dropout drops.
        pooler: is there a last linear layer on the first token (BERT's own pooling, which MiniLM does not use)?
        init: how the weights are drawn; a normal distribution of standard deviation 0.02 unless told otherwise.

    Errors: ids that are not whole numbers (DTypeError), not of shape (B, T) or with T above ``block_size``, a mask or
    types of another shape, a sequence without a real token (ShapeError), ids not below V (RangeError).

    Example:
        >>> config = BertConfig(vocab_size=11, block_size=8, n_layer=2, n_head=2, n_embd=6, n_hidden=12)
        >>> model = Bert(config, np.random.default_rng(0)).eval()
        >>> ids, mask = np.array([[1, 2, 3], [5, 8, 0]]), np.array([[1, 1, 1], [1, 1, 0]])
        >>> model(ids, mask).shape, model.embed(ids, mask).shape
        ((2, 3, 6), (2, 6))
    """

    def __init__(
        self, config: BertConfig, rng: np.random.Generator, *, pooler: bool = False, init: Init | None = None
    ) -> None:
        C, init = config.n_embd, init or normal(0.02)
        ours, weights = rng.spawn(2)
        self.config = config
        self.word = Embedding(config.vocab_size, C, rng=rng, init=init)
        self.position = Embedding(config.block_size, C, rng=rng, init=init)
        self.type = Embedding(config.n_type, C, rng=rng, init=init)
        self.norm = LayerNorm(C, eps=config.norm_eps)
        self.drop = Dropout(config.dropout, rng=ours)
        drop_weights = Dropout(config.attention_dropout, rng=weights)
        self.layers = [EncoderLayer(config, rng, init, self.drop, drop_weights) for _ in range(config.n_layer)]
        self.pooler = Linear(C, C, rng=rng, init=init) if pooler else None

    def forward(self, ids: Any, mask: Any = None, types: Any = None) -> Tensor:
        """Return a vector for each token of ids (B, T): (B, T, C), zero for padding.

        Args:
            ids: token ids.
            mask: 1 for a real token, 0 for padding; all are real unless told otherwise.
            types: 0 for a token of the first text, 1 for one of the second; all 0 unless told otherwise.
        """
        x, packing = self.packed(ids, mask, types)
        return packing.unpack(x)

    def embed(self, ids: Any, mask: Any = None, types: Any = None) -> Tensor:
        """Return a vector of length 1 for each text of ids (B, T): the mean over its real tokens, (B, C)."""
        x, packing = self.packed(ids, mask, types)
        e = packing.mean(x)  # (B, C)
        square = (e * e).sum(axis=-1, keepdims=True)  # (B, 1)
        return e / square.clip(low=1e-24).sqrt()  # a length below 1e-12 counts as 1e-12

    def pooled(self, ids: Any, mask: Any = None, types: Any = None) -> Tensor:
        """Return BERT's own vector for each text, (B, C): tanh of a linear layer on the first token.

        Raises:
            ShapeError: this model has no such layer.
        """
        if self.pooler is None:
            raise ShapeError("Bert: this model has no pooler", hint="embed(ids, mask)")
        return self.pooler(self.forward(ids, mask, types)[:, 0]).tanh()

    def packed(self, ids: Any, mask: Any = None, types: Any = None) -> tuple[Tensor, Packing]:
        """Return the vectors (N, C) of the real tokens only, and what says where they belong."""
        ids, types = self._checked(ids, types)
        mask = np.ones(ids.shape, np.bool_) if mask is None else np.asarray(mask)
        if mask.shape != ids.shape:
            raise ShapeError(f"Bert: ids {ids.shape} and mask {mask.shape} differ", hint="one yes or no for each id")
        packing = Packing(mask)
        x = self.word(packing.pick(ids)) + self.type(packing.pick(types)) + self.position(packing.columns)  # (N, C)
        x = self.drop(self.norm(x))
        for layer in self.layers:
            x = layer(x, packing)
        return x, packing

    @classmethod
    def from_arrays(
        cls, config: BertConfig, arrays: Mapping[str, Array], *, skip: Sequence[str] = (), copy: bool = True
    ) -> Bert:
        """Build the model around published weights, ready for use (``train()`` switches dropout on).

        Args:
            config: their config.
            arrays: name -> array, as transformers names them, with or without ``bert.``; float32, or converted to it.
            skip: beginnings of names to leave out, such as "cls." for a head that this encoder lacks.
            copy: False lets parameters share memory with the arrays, for use without training.

        Raises:
            CheckpointError: tensors are missing, unexpected, misshapen or named twice; the message lists them.
        """
        state = from_theirs(config, arrays, skip)
        model = cls(config, np.random.default_rng(0), pooler="pooler.weight" in state, init=_unset)
        for name, p in model.named_parameters():
            p.data = np.array(state[name], np.float32) if copy else np.require(state[name], np.float32, ["C", "A"])
        return model.eval()

    @classmethod
    def from_folder(cls, path: str | os.PathLike[str], *, skip: Sequence[str] = (), copy: bool = True) -> Bert:
        """Build the model of a folder as transformers saves it: config.json, and safetensors in one file or several.

        Args:
            path: the folder.
            skip: beginnings of names to leave out.
            copy: False leaves weights in the mapped file, of which only what is used is ever read; not for training.

        Raises:
            ConfigError: the config is missing, or describes what is not built here.
            CheckpointError: the weights are missing or damaged, or do not fit the config.
        """
        config = BertConfig.from_file(Path(path) / "config.json")
        with open_tensors(path) as file:
            arrays = {name: file.read(name) if file[name].dtype == "BF16" else file.view(name) for name in file}
            return cls.from_arrays(config, arrays, skip=skip, copy=copy)

    def to_arrays(self) -> dict[str, Array]:
        """Return copies of all weights under transformers' names, so that ``from_arrays`` takes them back."""
        return to_theirs(self.config, self.state_dict())

    def _checked(self, ids: Any, types: Any) -> tuple[Array, Array]:
        ids = np.asarray(ids)
        types = np.zeros(ids.shape, np.int64) if types is None else np.asarray(types)
        for name, given in (("ids", ids), ("types", types)):
            if given.dtype.kind not in "iu":
                raise DTypeError(f"Bert: {name} holds {given.dtype}, not whole numbers", hint="np.array of ints")
        if ids.ndim != 2 or not ids.size:
            raise ShapeError(f"Bert: ids has shape {ids.shape}, not (B, T)", hint="ids[None] for a single text")
        if types.shape != ids.shape:
            raise ShapeError(f"Bert: ids {ids.shape} and types {types.shape} differ", hint="one type for each id")
        T, longest = ids.shape[1], self.config.block_size
        if longest < T:
            raise ShapeError(f"Bert: T={T} is longer than block_size={longest}", hint=f"ids[:, :{longest}]")
        return ids, types


def _unset(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """Make room for weights that are about to be replaced."""
    return np.empty(shape, np.float32)
