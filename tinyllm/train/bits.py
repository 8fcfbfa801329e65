"""Bits per byte: what a text costs by a model's probabilities, in a unit that does not depend on the tokenizer.

A loss in nats per token says nothing beside the loss of a model with other tokens: longer tokens are harder to guess,
and fewer. Over the same text

    bits per byte = (nats of all tokens / ln 2) / (bytes of all tokens) = loss / ln 2 / bytes per token

is what it would cost to compress the text with the model; uncompressed it costs 8.

Source: Gao et al., "The Pile: An 800GB Dataset of Diverse Text for Language Modeling" (2020), section 3.1.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..tokenizer import Encoding, Tokenizer
from .stream import blocks_at, evenly

Array = np.ndarray[Any, Any]


def lengths(words: Tokenizer) -> Array:
    """Return how many bytes of text each id stands for, int64 (V,).

    Special tokens stand for none: they have to be guessed as well, but tell nothing of the text.

    Example:
        >>> from tinyllm.tokenizer import CharTokenizer
        >>> lengths(CharTokenizer("né€"))
        array([1, 2, 3])
    """
    if not isinstance(words, Encoding):
        return np.array([len(words.decode_bytes([i])) for i in range(words.n_vocab)], np.int64)
    found = np.zeros(words.n_vocab, np.int64)
    found[list(words.ranks.values())] = [len(token) for token in words.ranks]
    return found


def bytes_per_token(tokens: Array, lengths: Array, batch_size: int, block_size: int, batches: int) -> float:
    """Return how many bytes a token stands for, over exactly those tokens that ``estimate_loss`` has to guess.

    Args:
        tokens: ids (N,).
        lengths: bytes of each id, (V,).
        batch_size, block_size, batches: as for ``estimate_loss``.
    """
    total = count = 0
    for starts in evenly(tokens, batch_size, block_size, batches):
        _, y = blocks_at(tokens, starts, block_size)
        total += int(lengths[y].sum())
        count += y.size
    return max(total, 1) / count


def bits_per_byte(loss: float, bytes_per_token: float) -> float:
    """Turn nats per token into bits per byte.

    Example:
        >>> bits_per_byte(math.log(256), bytes_per_token=1.0)
        8.0
    """
    return loss / math.log(2) / bytes_per_token
