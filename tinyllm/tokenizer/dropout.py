"""BPE-dropout: the same text in other tokens every time, so that a model sees how words are put together.

Source: Provilkov, Emelianenko, Voita, "BPE-Dropout: Simple and Effective Subword Regularization" (2020).
"""

from __future__ import annotations

import heapq
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from ..errors import ConfigError, DTypeError
from .split import split

if TYPE_CHECKING:
    from .bytepair import Rank
    from .encoding import Encoding


def encode_with_dropout(encoding: Encoding, text: str, dropout: float, rng: np.random.Generator) -> list[int]:
    """Turn a text into token ids; at every step, each pair that could merge is passed over with some probability.

    ``decode`` gives the text back, whatever was dropped. Special tokens in it are plain text.

    Args:
        encoding: whose ids are meant.
        text: any str.
        dropout: the probability. 0 gives the ids of ``encode_ordinary``, 1 single bytes; 0.1 is usual for training.
            Above 0 no piece is taken whole for being a token: it has to be merged.
        rng: what decides.

    Raises:
        ConfigError: dropout is no probability.
        DTypeError: text is no str, or rng no Generator.

    Example:
        >>> from tinyllm.tokenizer import Encoding
        >>> ranks = {bytes((i,)): i for i in range(256)} | {b"he": 256, b"ll": 257, b"hell": 258}
        >>> toy = Encoding("toy", pat_str="gpt2", mergeable_ranks=ranks)
        >>> rng = np.random.default_rng(0)
        >>> [encode_with_dropout(toy, "hell", 0.5, rng) for _ in range(3)]
        [[256, 108, 108], [104, 101, 108, 108], [258]]
    """
    if not isinstance(dropout, int | float | np.floating) or not 0 <= dropout <= 1:
        raise ConfigError(
            f"encode_with_dropout: dropout is {dropout!r}, not a probability", hint="a number from 0 to 1"
        )
    if not isinstance(rng, np.random.Generator):
        raise DTypeError(f"encode_with_dropout: rng is a {type(rng).__name__}", hint="np.random.default_rng(seed)")
    if dropout == 0:
        return encoding.encode_ordinary(text)
    pieces = split(encoding.clean(text), encoding.pattern)
    return [
        encoding.ranks[part] for piece in pieces for part in _merge(piece.encode(), encoding.rank, float(dropout), rng)
    ]


def _merge(piece: bytes, rank: Rank, dropout: float, rng: np.random.Generator) -> list[bytes]:
    """Merge bytes until no pair is left, or all that are left are dropped in one step.

    A step takes the first pair, in the order of ranks and then of places, that is not dropped: so only the pairs before
    it need a throw of the dice, and what is dropped waits for the next step.
    """
    parts: list[bytes] = [bytes((byte,)) for byte in piece]
    following = [*range(1, len(parts)), -1]
    previous = list(range(-1, len(parts) - 1))
    alive = [True] * len(parts)
    pairs = [(r, i, a, b) for i, (a, b) in enumerate(pairwise(parts)) if (r := rank(a, b)) is not None]
    heapq.heapify(pairs)
    while pairs:
        dropped = []
        while pairs:
            _, i, left, right = pair = heapq.heappop(pairs)
            j = following[i]
            if not alive[i] or j < 0 or parts[i] != left or parts[j] != right:
                continue  # one of the two has merged with another since
            if rng.random() >= dropout:
                break
            dropped.append(pair)
        else:
            break
        parts[i], alive[j] = left + right, False
        following[i] = following[j]
        if following[j] >= 0:
            previous[following[j]] = i
        for first, second in ((i, following[i]), (previous[i], i)):
            if first >= 0 <= second and (r := rank(parts[first], parts[second])) is not None:
                heapq.heappush(pairs, (r, first, parts[first], parts[second]))
        for pair in dropped:
            heapq.heappush(pairs, pair)
    return [part for part, there in zip(parts, alive, strict=True) if there]
