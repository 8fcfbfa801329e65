r"""A model made by hand, whose inside is known: something to hold against every instrument of this room.

It has two layers of two heads, and no training. Its vectors have a place for every token, for every position, and for
every token once more:

    [ token now (V) | position (T) | token before (V) ]

    layer 0, head 0   at position t looks at position t - 1, and writes the token found there into the third part
    layer 1, head 0   looks at the place whose "token before" is the token now, and adds the token found there
    head 1 of both    says nothing, and the MLPs neither

So the second layer says: after this token, the last time, came that one. That is induction, the simplest way in which
a transformer learns from its context.

Source: Elhage et al. 2021, "A Mathematical Framework for Transformer Circuits" (the two heads in composition).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import ConfigError
from ..models import GPT, GPTConfig

SHARP = 8.0  # how large queries and keys are: large enough that a softmax of their products is nearly one-hot


def induction_gpt(V: int, T: int) -> GPT:
    """Make the model, in float64.

    Args:
        V: number of tokens.
        T: the longest text.

    Raises:
        ConfigError: there are fewer than two of either.

    Example:
        >>> model = induction_gpt(V=5, T=6)
        >>> model(np.array([[3, 1, 4, 3]])).data[0, -1].argmax()  # 1 came after 3
        np.int64(1)
    """
    if V < 2 or T < 2:
        raise ConfigError(f"induction_gpt: V={V}, T={T}", hint="2 at least of both")
    D = max(V + -(-T // 2), T)  # two heads share the width
    config = GPTConfig.preset("gpt2", vocab_size=V, block_size=T, n_layer=2, n_head=2, n_embd=2 * D)
    model = GPT(config, np.random.default_rng(0)).astype(np.float64)
    for name, p in model.named_parameters():
        p.data[...] = 1.0 if name.endswith("gain") else 0.0
    token, place, before = np.arange(V), V + np.arange(T), V + T + np.arange(V)  # where each part lies
    model.wte.weight.data[token, token] = 1.0
    if model.wpe is not None:
        model.wpe.weight.data[np.arange(T), place] = 1.0
    ones = 2 / config.n_embd  # the share of ones in what enters layer 0
    spread = np.sqrt(ones - ones * ones)  # what its norm divides by
    first, second = (block.attn for block in model.blocks)
    _head(first.qkv.weight.data, D, asks=place[1:], knows=place[:-1], tells=token)
    first.out.weight.data[before, token] = spread  # so that the third part is made of ones as well
    _head(second.qkv.weight.data, D, asks=token, knows=before, tells=token)
    second.qkv.weight.data[2 * D : 2 * D + V, place[0]] = -2 * SHARP  # no token is before the first, which saw itself
    second.out.weight.data[token, token] = 2.0  # louder than the token that is there already
    return model


def _head(qkv: np.ndarray[Any, Any], D: int, asks: Any, knows: Any, tells: Any) -> None:
    """Write head 0 of two into qkv (6 D, C): which channels ask, which answer them, and which are handed on."""
    n, m = np.arange(len(asks)), np.arange(len(tells))
    qkv[n, asks] = qkv[2 * D + n, knows] = SHARP
    qkv[4 * D + m, tells] = 1.0
