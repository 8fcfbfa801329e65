"""Search: the most probable continuations of a prompt, found by a beam (beam.py)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import RangeError
from ..tokenizer import Tokenizer
from .beam import Beam, Branching, beam_search
from .decode import Decoder
from .prompts import end_ids, first_ids, unused_ids
from .reading import can_remember, last_logits, refuse
from .setting import Sampling
from .writer import Writer

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Found:
    """A continuation that was found.

    Attributes:
        text: without the prompt, and without what ended it; None where there was no tokenizer.
        beam: its tokens and how probable they are.
    """

    text: str | None
    beam: Beam


def search(
    model: Any,
    prompt: Any,
    tokenizer: Tokenizer | None = None,
    max_tokens: int = 50,
    width: int = 4,
    length_penalty: float = 1.0,
    weights: str | None = None,
) -> list[Found]:
    """Return the best continuations that a beam finds, the best first.

    Args:
        model, prompt, tokenizer, weights: as for ``generate``.
        max_tokens, width, length_penalty: as for ``beam_search``.

    Raises:
        RangeError: prompt and continuation do not fit into the model's context.
        ConfigError, DataError, DTypeError, NaNError: as for ``generate`` and ``beam_search``.

    Example:
        >>> from tinyllm.generate import generate
        >>> from tinyllm.models import GPT, GPTConfig
        >>> config = GPTConfig.preset("gpt2", vocab_size=11, block_size=8, n_layer=1, n_head=2, n_embd=8)
        >>> model = GPT(config, np.random.default_rng(0))
        >>> [greedy] = search(model, [1, 2], max_tokens=4, width=1)
        >>> list(greedy.beam.ids) == generate(model, [1, 2], max_tokens=4, temperature=0).ids
        True
    """
    config = model.config
    ids = first_ids(prompt, tokenizer, config)
    if len(ids) + max_tokens - 1 > config.block_size:
        raise RangeError(
            f"search: prompt and text have {len(ids) + max_tokens} tokens, the context {config.block_size}",
            hint="a shorter prompt, or fewer max_tokens",
        )
    ends, unused = end_ids(tokenizer, config), unused_ids(tokenizer, config.vocab_size)
    read = _reader(model, weights, width, len(ids) + max_tokens - 1)

    def possible(texts: list[list[int]]) -> Array:
        logits = np.array(read(texts))
        logits[:, unused] = -np.inf
        return logits

    beams = beam_search(possible, ids, max_tokens, width, length_penalty, ends)
    return [Found(_text(ids, beam, tokenizer, ends), beam) for beam in beams]


def _reader(model: Any, weights: str | None, width: int, length: int) -> Callable[[list[list[int]]], Array]:
    """Return what gives the logits (N, V) after N texts of one length."""
    if can_remember(model):
        return Branching(Decoder(model, weights, max(width, 1), max(1, min(length, model.config.block_size))))
    refuse(weights, model)
    return lambda texts: last_logits(model, texts)


def _text(ids: list[int], beam: Beam, tokenizer: Tokenizer | None, ends: frozenset[int]) -> str | None:
    if tokenizer is None:
        return None
    writer = Writer(ids, len(beam.ids), Sampling(temperature=0), tokenizer, ends=ends)
    return "".join(writer.add(token) for token in beam.ids)
