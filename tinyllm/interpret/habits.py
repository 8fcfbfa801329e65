r"""What each head looks at: the token before, the first one, many or few; and what followed the same token earlier.

Four habits are read off attention maps of any text. The fifth, induction, needs a text made for it: random tokens
that come twice. Nothing predicts them but what followed the same token the first time:

    ... A B ... A -> B      an induction head at the second A looks at the B

Source: Clark et al. 2019, "What Does BERT Look At?" (habits); Olsson et al. 2022, "In-context Learning and Induction
Heads" (the score on repeated random tokens); Xiao et al. 2023, "Efficient Streaming Language Models with Attention
Sinks" (why so many heads rest on the first token).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import ConfigError, ShapeError
from ..models import GPT
from .still import refuse_nan, still

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True)
class Habits:
    """Shares of attention, averaged over all queries with at least two tokens before them.

    Attributes:
        previous: (L, H) what goes to the token before.
        first: (L, H) what goes to the first token of the text.
        itself: (L, H) what stays where it is.
        entropy: (L, H) how widely a head looks, in nats: 0 for one token, log n for n tokens alike.
    """

    previous: Array
    first: Array
    itself: Array
    entropy: Array


def head_habits(maps: Sequence[Array]) -> Habits:
    """Measure what each head looks at.

    Args:
        maps: for each layer (B, H, T, T), rows of queries that sum to 1, as ``model.attention_maps(idx)`` gives them.

    Raises:
        ShapeError: there is no layer, they are not (B, H, T, T) all with as many heads, or T is below 3: then the first
            token, the one before and the token itself are not three.
        NaNError: a map holds NaN.

    Example:
        >>> previous = np.eye(4, k=-1); previous[0, 0] = 1
        >>> habits = head_habits([np.stack([previous, np.eye(4)])[None]])
        >>> habits.previous, habits.itself
        (array([[1., 0.]]), array([[0., 1.]]))
    """
    if not len(maps) or any(a.ndim != 4 or a.shape[2] != a.shape[3] or a.shape[1] != maps[0].shape[1] for a in maps):
        raise ShapeError(
            f"head_habits: maps {[np.shape(a) for a in maps]}, not (B, H, T, T) for each layer",
            hint="model.attention_maps(idx)",
        )
    T = maps[0].shape[-1]
    if T < 3:
        raise ShapeError(f"head_habits: T={T} tokens", hint="3 at least: the first, the one before, and one that looks")
    layers = []
    for a in maps:
        refuse_nan(a, "head_habits", "the maps")
        a = a[:, :, 2:].astype(np.float64)  # (B, H, T - 2, T)
        q = np.arange(2, T)
        logs = np.log(a, out=np.zeros_like(a), where=a > 0)
        shares = [a[..., q - 2, q - 1], a[..., 0], a[..., q - 2, q], -(a * logs).sum(axis=-1)]
        layers.append([share.mean(axis=(0, 2)) for share in shares])
    return Habits(*(np.stack(parts) for parts in zip(*layers, strict=True)))


def repeated_tokens(V: int, period: int, B: int, rng: np.random.Generator) -> Array:
    """Draw B texts (B, 2 period) of random tokens, all of them different, that come twice in the same order.

    Raises:
        ConfigError: a period below 2, or above V.

    Example:
        >>> repeated_tokens(V=5, period=3, B=1, rng=np.random.default_rng(0))
        array([[2, 4, 3, 2, 4, 3]])
    """
    if not 2 <= period <= V or B < 1:
        raise ConfigError(f"repeated_tokens: a period of {period} for {B} texts", hint=f"2 to {V} (V), 1 text or more")
    once = np.stack([rng.permutation(V)[:period] for _ in range(B)])
    return np.tile(once, 2)


def induction_scores(model: GPT, period: int = 16, B: int = 4, *, rng: np.random.Generator) -> Array:
    """Return (L, H) how much of each head's attention goes, in the second round, to what followed the same token.

    1 is a pure induction head; one that looks everywhere alike has about 1 / (1.5 period).

    Args:
        model: a GPT or a Llama.
        period: how many tokens come before the first comes again; at most half of the longest text.
        B: number of texts.
        rng: draws the tokens.

    Raises:
        ConfigError: the period does not fit the model.

    Example:
        >>> from tinyllm.interpret import induction_gpt
        >>> induction_scores(induction_gpt(V=7, T=10), period=5, rng=np.random.default_rng(0)).round(1)
        array([[0. , 0.1],
               [1. , 0.1]])
    """
    with still(model):
        V, longest = model.config.vocab_size, model.config.block_size
        if 2 * period > longest:
            raise ConfigError(
                f"induction_scores: twice a period of {period} is longer than block_size={longest}",
                hint=f"a period of 2 to {min(longest // 2, V)}",
            )
        maps = model.attention_maps(repeated_tokens(V, period, B, rng))
    q = np.arange(period, 2 * period)
    scores = [a[:, :, q, q - period + 1].mean(axis=(0, 2), dtype=np.float64) for a in maps]
    refuse_nan(np.array(scores), "induction_scores", "the maps")
    return np.stack(scores)
