"""Self-attention: every position looks at the ones before it and takes a weighted mean of what they offer."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .. import kernels
from ..autograd import Tensor, attention, split
from ..errors import ConfigError
from .dropout import Dropout
from .init import Init
from .linear import Linear
from .module import Module
from .norm import RMSNorm
from .rope import RopeHalf

Array = np.ndarray[Any, np.dtype[Any]]


def split_heads(x: Any, H: int) -> Any:
    """Give each of H heads its own part of every vector: x (B, T, H D) -> (B, H, T, D), of a Tensor or an array.

    Example:
        >>> split_heads(np.arange(6).reshape(1, 1, 6), 2)[0, :, 0]
        array([[0, 1, 2],
               [3, 4, 5]])
    """
    B, T, C = x.shape
    return x.reshape(B, T, H, C // H).transpose(0, 2, 1, 3)


def merge_heads(x: Any) -> Any:
    """Put what the heads have made side by side again: x (B, H, T, D) -> (B, T, H D), of a Tensor or an array.

    Example:
        >>> x = np.arange(12).reshape(1, 2, 6)
        >>> np.array_equal(merge_heads(split_heads(x, 3)), x)
        True
    """
    B, H, T, D = x.shape
    return x.transpose(0, 2, 1, 3).reshape(B, T, H * D)


class SelfAttention(Module):
    r"""Attention of a sequence to itself, with several heads.

    Forward   q, k, v = x Wqkv^T + bqkv, cut into heads;  a = softmax(q k^T / sqrt(D)) v;  y = a Wout^T + bout
    Shapes    x (B, T, C) -> q (B, H, T, D), k and v (B, K, T, D) -> y (B, T, C), with D = C / H or as told
    Source    Vaswani et al. 2017; Ainslie et al. 2023 (grouped heads); Henry et al. 2020 (normed queries and keys)

    One matrix makes q, k and v: its rows are those of all query heads, then all key heads, then all value heads.
    Query head h reads key/value head h // (H / K).

    Args:
        C: size of the vectors.
        H: number of query heads; it divides C, unless D is given.
        K: number of key/value heads; it divides H, and is H unless told otherwise. K = 1 is multi-query attention.
        bias: do the linear layers have one?
        causal: is the future hidden?
        window: how many positions a query sees, itself included; None for all. It implies ``causal``.
        rope: turns q and k by their positions; None for attention that does not know positions.
        dropout: while training, drops attention weights with its p, and draws from its generator; None for never.
        rng: draws the initial weights.
        init, init_out: how those of ``qkv`` and ``out`` are drawn.
        D: head size; C / H unless told otherwise. Then ``out`` maps H D numbers to C.
        out_bias: does ``out`` have a bias, where that differs from ``bias``?
        qk_norm: eps of an RMSNorm for the queries and one for the keys, each head by itself, before ``rope``; None for
            none.

    Example:
        >>> layer = SelfAttention(12, H=3, rng=np.random.default_rng(0))
        >>> layer(np.ones((2, 5, 12), dtype=np.float32)).shape
        (2, 5, 12)
    """

    shown = ("H", "K", "D", "window")

    def __init__(
        self,
        C: int,
        H: int,
        K: int | None = None,
        bias: bool = True,
        causal: bool = True,
        window: int | None = None,
        rope: RopeHalf | None = None,
        dropout: Dropout | None = None,
        *,
        rng: np.random.Generator,
        init: Init | None = None,
        init_out: Init | None = None,
        D: int | None = None,
        out_bias: bool | None = None,
        qk_norm: float | None = None,
    ) -> None:
        K = H if K is None else K
        if H < 1 or (D is None and C % H):
            raise ConfigError(f"SelfAttention: {H} heads do not divide a width of {C}", hint="a divisor of the width")
        if K < 1 or H % K:
            raise ConfigError(
                f"SelfAttention: {K} key/value heads do not divide {H} heads", hint="a divisor of the heads"
            )
        if D is not None and D < 1:
            raise ConfigError(f"SelfAttention: a head size of {D}", hint="D=None for C / H, or 1 and more")
        self.H, self.K, self.D = H, K, C // H if D is None else D
        self.causal = causal
        self.window = window
        self.rope = rope
        self.dropout = dropout
        self.qkv = Linear(C, (H + 2 * K) * self.D, bias, rng=rng, init=init)
        self.out = Linear(H * self.D, C, bias if out_bias is None else out_bias, rng=rng, init=init_out or init)
        self.q_norm = None if qk_norm is None else RMSNorm(self.D, eps=qk_norm)
        self.k_norm = None if qk_norm is None else RMSNorm(self.D, eps=qk_norm)

    def forward(self, x: Tensor) -> Tensor:
        """Let x (B, T, C) attend to itself."""
        q, k, v = self.heads(x)
        p, seed = 0.0, 0
        if self.dropout is not None and self.dropout.training and self.dropout.p:
            p, seed = self.dropout.p, int(self.dropout.rng.integers(2**63))
        a = attention(q, k, v, causal=self.causal, window=self.window, p=p, seed=seed)  # (B, H, T, D)
        return self.out(merge_heads(a))  # (B, T, C)

    def heads(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return q (B, H, T, D), k and v (B, K, T, D) of x (B, T, C), norms and positions applied."""
        together = split_heads(self.qkv(x), self.H + 2 * self.K)  # (B, H + 2 K, T, D)
        q, k, v = split(together, sections=(self.H, self.K, self.K), axis=1)
        if self.q_norm is not None and self.k_norm is not None:
            q, k = self.q_norm(q), self.k_norm(k)
        if self.rope is not None:
            q, k = self.rope(q), self.rope(k)
        return q, k, v

    def weights(self, x: Tensor) -> Array:
        """Return how much each query of x (B, T, C) takes from each key, (B, H, T, T), for pictures; rows sum to 1."""
        q, k, _ = self.heads(x)
        keys = np.repeat(k.data, self.H // self.K, axis=1)  # (B, H, T, D)
        scores = q.data @ keys.swapaxes(-1, -2) / math.sqrt(self.D)  # (B, H, T, T)
        T = scores.shape[-1]
        visible = kernels.visible_keys(T, T, self.causal, self.window)
        return kernels.softmax(np.where(visible, scores, -np.inf))
