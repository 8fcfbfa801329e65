r"""GPT: a stack of blocks that reads tokens from left to right and says, at each, what may come next.

Read it from the inside out: a Block, then the model around L of them. The two presets of GPTConfig differ in four
places, each of which is one line here:

                gpt2                                    modern
    position    a learned vector, added at the start    queries and keys turned in every layer (RoPE)
    norm        LayerNorm                               RMSNorm
    mlp         two matrices and a GELU                 three matrices, one of which gates (SwiGLU)
    heads       as many for keys as for queries         two queries share a key (grouped heads)

Source: Radford et al. 2019 (GPT-2); Touvron et al. 2023 (Llama).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..autograd import Tensor, cross_entropy, linear, linear_cross_entropy, no_grad
from ..errors import DTypeError, ShapeError
from ..nn import MLP, Dropout, Embedding, LayerNorm, Linear, Module, RMSNorm, RopeHalf, SelfAttention, SwiGLU
from ..nn.init import Init, normal
from .config import GPTConfig

Array = np.ndarray[Any, np.dtype[Any]]
GELU = {"gelu": "gelu_tanh", "gelu_exact": "gelu"}  # what a config calls it -> what an MLP does
MANY_LOGITS = 1 << 24  # above this many (64 MB in float32) the loss is taken without ever holding them all


class Block(Module):
    r"""One layer: the positions exchange what they know, then each thinks by itself; both add to what is there.

    Forward   x <- x + attn(norm1(x));  x <- x + mlp(norm2(x))
    Shapes    x (B, T, C) -> x (B, T, C)
    """

    def __init__(
        self,
        config: GPTConfig,
        rng: np.random.Generator,
        rope: RopeHalf | None,
        drop: Dropout,
        init: Init | None = None,
    ) -> None:
        C, F, bias = config.n_embd, config.n_hidden, config.bias
        start, start_residual = (init, init) if init else initial(config)
        self.norm1 = norm(config)
        self.attn = SelfAttention(
            C,
            H=config.n_head,
            K=config.n_kv_head,
            bias=bias,
            window=config.window,
            rope=rope,
            rng=rng,
            init=start,
            init_out=start_residual,
        )
        self.norm2 = norm(config)
        self.mlp: MLP | SwiGLU
        if config.mlp == "swiglu":
            self.mlp = SwiGLU(C, F, bias, rng=rng, init=start, init_down=start_residual)
        else:
            self.mlp = MLP(C, F, bias, GELU[config.mlp], rng=rng, init=start, init_down=start_residual)
        self.drop = drop

    def forward(self, x: Tensor) -> Tensor:
        """Apply the block to the residual stream x (B, T, C)."""
        x = x + self.drop(self.attn(self.norm1(x)))
        return x + self.drop(self.mlp(self.norm2(x)))


class GPT(Module):
    r"""A decoder-only transformer.

    Forward   x = wte[idx] (+ wpe);  x <- block(x), L times;  logits = norm(x) head^T, with head = wte when tied
    Shapes    idx (B, T) token ids -> logits (B, T, V)

    Args:
        config: sizes and choices.
        rng: draws the initial weights; a generator spawned from it draws what dropout drops.
        init: how every matrix is drawn; as GPT-2's are (``initial``), unless told otherwise.

    Errors: token ids that are not whole numbers (DTypeError), not of shape (B, T) or with T above ``block_size``
    (ShapeError), or not below V (RangeError).

    Example:
        >>> config = GPTConfig.preset("gpt2", vocab_size=11, block_size=8, n_layer=2, n_head=2, n_embd=6)
        >>> model = GPT(config, np.random.default_rng(0))
        >>> idx = np.array([[1, 2, 3], [5, 8, 10]])
        >>> model(idx).shape, round(model.loss(idx[:, :-1], idx[:, 1:]).item(), 1), round(math.log(11), 1)
        ((2, 3, 11), 2.4, 2.4)
    """

    def __init__(self, config: GPTConfig, rng: np.random.Generator, init: Init | None = None) -> None:
        V, T, C = config.vocab_size, config.block_size, config.n_embd
        start = init or initial(config)[0]
        learned = config.position == "learned"
        rope = None if learned else RopeHalf(config.head_size, config.rope_theta)
        self.config = config
        self.wte = Embedding(V, C, rng=rng, init=start)
        self.wpe = Embedding(T, C, rng=rng, init=start) if learned else None
        self.drop = Dropout(config.dropout, rng=rng.spawn(1)[0])
        self.blocks = [Block(config, rng, rope, self.drop, init) for _ in range(config.n_layer)]
        self.norm = norm(config)
        self.head = None if config.tied else Linear(C, V, bias=False, rng=rng, init=start)

    def forward(self, idx: Any) -> Tensor:
        """Return the logits (B, T, V) of the token after each of idx (B, T)."""
        return linear(self.hidden(idx), self.head_weight, None)

    def hidden(self, idx: Any) -> Tensor:
        """Return what the logits are made of: the last block's vectors, normed, (B, T, C) for idx (B, T)."""
        x = self.embed(idx)  # (B, T, C)
        for block in self.blocks:
            x = block(x)
        return self.norm(x)

    @property
    def head_weight(self) -> Tensor:
        """One vector (C,) for each of V tokens, which the logits are products with; wte's own when tied."""
        return self.wte.weight if self.head is None else self.head.weight

    def embed(self, idx: Any) -> Tensor:
        """Return what enters the first block: a vector (B, T, C) for each token of idx (B, T), with its position."""
        idx = np.asarray(idx)
        if idx.dtype.kind not in "iu":
            raise DTypeError(
                f"{type(self).__name__}: idx holds {idx.dtype}, not token ids", hint="whole numbers: np.array(ids)"
            )
        if idx.ndim != 2:
            raise ShapeError(
                f"{type(self).__name__}: idx has shape {idx.shape}, not (B, T)", hint="idx[None] for a single sequence"
            )
        T, longest = idx.shape[1], self.config.block_size
        if longest < T:
            raise ShapeError(
                f"{type(self).__name__}: idx (B={len(idx)}, T={T}) is longer than block_size={longest}",
                hint=f"idx[:, -{longest}:]",
            )
        x = self.wte(idx)  # (B, T, C)
        if self.wpe is not None:
            places = self.wpe.weight
            x = x + (places[:T] if longest > T else places)  # (T, C), the same for every sequence
        return self.drop(x)

    def loss(self, idx: Any, targets: Any) -> Tensor:
        """Return the mean cross-entropy of targets (B, T), the tokens that came next; one of -100 does not count."""
        if np.size(targets) * self.config.vocab_size > MANY_LOGITS:
            return linear_cross_entropy(self.hidden(idx), self.head_weight, targets)
        return cross_entropy(self(idx), targets)

    def attention_maps(self, idx: Any) -> list[Array]:
        """Return for every layer how much each query takes from each key, (B, H, T, T), for pictures: no dropout."""
        maps = []
        were = [(module, module.training) for module in self.modules()]
        self.eval()
        with no_grad():
            try:
                x = self.embed(idx)
                for block in self.blocks:
                    maps.append(block.attn.weights(block.norm1(x)))
                    x = block(x)
            finally:
                for module, training in were:
                    module.training = training
        return maps


def norm(config: GPTConfig) -> LayerNorm | RMSNorm:
    """Make the kind of norm that the config asks for."""
    if config.norm == "layer":
        return LayerNorm(config.n_embd, bias=config.bias, eps=config.norm_eps)
    return RMSNorm(config.n_embd, eps=config.norm_eps)


def initial(config: GPTConfig) -> tuple[Init, Init]:
    r"""GPT-2's initialization: a standard deviation of 0.02 for every matrix, and of 0.02 / sqrt(2 L) for some.

    Those are the 2 L matrices whose results are added to the residual stream: a sum of 2 L independent terms is
    sqrt(2 L) times as large as one of them.

    Returns:
        The initializer of most matrices, and that of the residual projections (``attn.out``, ``mlp.down``).
    """
    return normal(0.02), normal(0.02 / math.sqrt(2 * config.n_layer))
