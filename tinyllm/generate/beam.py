r"""Beam search: the most probable continuation, looked for among a few at once.

Taking the likeliest token each time may lead to where every next token is unlikely. A beam of width W keeps the W most
probable texts so far, continues each by every token, and keeps the W most probable of those:

beams (W, T) -> log p (W, V) + log p of each beam (W, 1) -> the W largest of W V -> beams (W, T + 1)

A text is over when its token is one of ``ends``; it is put aside, and its place in the beam goes to the next. Long
texts are less probable than short ones, as every token costs: what is compared at the end is log p / length^penalty.

Source: Graves 2012, "Sequence Transduction with Recurrent Neural Networks"; Wu et al. 2016 (the length).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import ConfigError, DataError, NaNError
from ..kernels import log_softmax
from .decode import Decoder

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Beam:
    """A continuation that was found.

    Args:
        ids: the new tokens, with the one that ended it.
        log_probability: the sum of log p of them all.
        score: what the search compares: ``log_probability`` by a power of the length.
        ended: whether the last token is one of ``ends``; else ``max_tokens`` was reached.
    """

    ids: tuple[int, ...]
    log_probability: float
    score: float
    ended: bool


def beam_search(
    read: Callable[[list[list[int]]], Array],
    ids: Sequence[int],
    max_tokens: int,
    width: int = 4,
    length_penalty: float = 1.0,
    ends: Collection[int] = (),
) -> list[Beam]:
    r"""Return the best continuations that a beam of some width finds, best first, at most ``width`` of them.

    With a width of 1 that is what a temperature of 0 writes. The search stops early only where nothing better can come.

    Args:
        read: what turns N texts of T ids each into the logits (N, V) of their next tokens, such as ``Branching``.
        ids: the text to continue, at least one token.
        max_tokens: how many tokens to add at most.
        width: how many texts are followed.
        length_penalty: the power of the length that log p is divided by: 0 compares log p itself, which favors short
            texts; 1 the mean of a token; more favors long ones.
        ends: tokens that end a text.

    Raises:
        ConfigError: a parameter is out of range.
        DataError: there is nothing to continue.
        NaNError: the logits hold NaN, or leave no token possible.

    Example:
        >>> table = np.log([[0.5, 0.4, 0.1], [0.2, 0.0625, 0.7375], [0.34, 0.33, 0.33]])
        >>> [beam] = beam_search(lambda texts: table[[text[-1] for text in texts]], [0], 2, width=1)
        >>> beam.ids, round(float(np.exp(beam.log_probability)), 3)
        ((0, 0), 0.25)
        >>> best, _ = beam_search(lambda texts: table[[text[-1] for text in texts]], [0], 2, width=2)
        >>> best.ids, round(float(np.exp(best.log_probability)), 3)
        ((1, 2), 0.295)
    """
    if max_tokens < 0:
        raise ConfigError(f"beam_search: max_tokens is {max_tokens}", hint="0 or more")
    if width < 1:
        raise ConfigError(f"beam_search: width is {width}", hint="1 or more; 1 is greedy")
    if not np.isfinite(length_penalty):
        raise ConfigError(f"beam_search: length_penalty is {length_penalty}", hint="0, 1, or another finite number")
    if not len(ids):
        raise DataError("beam_search: there is no text to continue", hint="one token or more")
    start, ending = list(ids), np.array(sorted(ends), dtype=np.int64)
    beams: list[tuple[float, tuple[int, ...]]] = [(0.0, ())]
    over: list[Beam] = []
    for length in range(1, max_tokens + 1):
        total = np.array([[p] for p, _ in beams]) + _log_probabilities(read([[*start, *new] for _, new in beams]))
        for row, token in np.argwhere(np.isfinite(total[:, ending])).tolist():
            token = int(ending[token])
            p = float(total[row, token])
            over.append(Beam((*beams[row][1], token), p, p / length**length_penalty, True))
        over = _best(over, width)
        total[:, ending] = -np.inf
        beams = _widest(total, beams, width)
        if not beams or (len(over) == width and over[-1].score >= _hope(beams, length, max_tokens, length_penalty)):
            return over
    reached = [Beam(new, p, p / max(len(new), 1) ** length_penalty, False) for p, new in beams]
    return _best([*over, *reached], width)


class Branching:
    r"""Texts that grow by one token at a time, each from any of those before: keys and values follow their text.

    Shapes    N texts of T ids -> logits (N, V) of their next tokens, N at most the decoder's batch

    Args:
        decoder: of a batch as large as the beam is wide, and with a place for every token.

    Raises:
        ConfigError: there are more texts than the decoder's batch.
        RangeError: a text outgrows the decoder's cache.

    Example:
        >>> from tinyllm.models import GPT, GPTConfig
        >>> config = GPTConfig.preset("gpt2", vocab_size=11, block_size=8, n_layer=1, n_head=2, n_embd=8)
        >>> read = Branching(Decoder(GPT(config, np.random.default_rng(0)), batch=3))
        >>> [beam.ended for beam in beam_search(read, [1, 2], max_tokens=4, width=3)]
        [False, False, False]
    """

    def __init__(self, decoder: Decoder) -> None:
        self.decoder = decoder
        self.texts: list[list[int]] = []

    def __call__(self, texts: list[list[int]]) -> Array:
        """Return the logits (N, V) of the token after each of N texts of one length."""
        B = len(self.decoder.cache.lengths)
        if len(texts) > B:
            raise ConfigError(f"Branching: {len(texts)} texts for a batch of {B}", hint=f"Decoder(batch={len(texts)})")
        rows = texts + [texts[0]] * (B - len(texts))  # a decoder reads B texts, so the first stands in for the missing
        known = {tuple(text): row for row, text in enumerate(self.texts)}
        parents = [known.get(tuple(text[:-1])) for text in rows]
        self.texts = []  # until they have been read: an error leaves nothing half known
        if None in parents:
            self.decoder.reset()
            logits = self.decoder.prefill(np.array(rows))
        else:
            self._follow(np.array(parents))
            logits = self.decoder.step(np.array([text[-1] for text in rows]))
        self.texts = [list(text) for text in rows]
        return logits[: len(texts)]

    def _follow(self, parents: Array) -> None:
        """Give each row the keys and values of its parent."""
        cache = self.decoder.cache
        if (parents != np.arange(len(parents))).any():
            S = int(cache.lengths.max())
            for stored in (cache.keys, cache.values):
                stored[:, :, :, :S] = stored[:, parents, :, :S]  # indexing with an array copies before it is written


def _log_probabilities(logits: Array) -> Array:
    """Return log p (N, V) in float64."""
    wide = logits.astype(np.float64)
    if not np.isfinite(wide.max(axis=-1)).all():
        raise NaNError("beam_search: the logits hold NaN, or leave no token possible", hint="another checkpoint")
    return log_softmax(wide)


def _widest(
    total: Array, beams: list[tuple[float, tuple[int, ...]]], width: int
) -> list[tuple[float, tuple[int, ...]]]:
    """Return the most probable continuations of all beams by a token, of equal ones the first: total is (N, V)."""
    best = np.argsort(-total, axis=None, kind="stable")[:width]
    rows, tokens = np.unravel_index(best, total.shape)
    found = zip(total[rows, tokens].tolist(), rows.tolist(), tokens.tolist(), strict=True)
    return [(p, (*beams[row][1], token)) for p, row, token in found if p > -np.inf]


def _best(beams: list[Beam], width: int) -> list[Beam]:
    return sorted(beams, key=lambda beam: -beam.score)[:width]


def _hope(beams: list[tuple[float, tuple[int, ...]]], length: int, max_tokens: int, penalty: float) -> float:
    """Return a score that no continuation can exceed: as if all tokens to come were certain, at the best length."""
    highest = max(p for p, _ in beams)
    return max(highest / (length + 1) ** penalty, highest / max_tokens**penalty)
