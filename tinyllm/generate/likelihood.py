r"""Likelihood: how well a model foretells a text, in nats: for the whole, for each token, for each byte.

log p(text) = sum_t log p(x_t | x_<t)           perplexity = exp(-log p(text) / tokens)

A text longer than the model's context is read through a window that slides. Each window scores only what the one
before did not, so every token is scored once; the rest of the window is there to be looked back at. Small steps give
each token more to look back at and take longer: a step of one is what the model would say while writing, a step of a
whole window makes it forget everything at each border.

Perplexities per token can be compared between models with the same tokenizer only. Nats per byte can always be.

Source: Jelinek et al. 1977, "Perplexity: a Measure of the Difficulty of Speech Recognition Tasks".
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..autograd import no_grad
from ..errors import ConfigError, DataError, NaNError
from ..kernels import log_softmax
from ..tokenizer import Tokenizer
from .prompts import prompt_ids

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Likelihood:
    """The log-likelihood of a text, with what it is to be divided by.

    Args:
        nats: minus log p of all tokens that were scored: the surprise in all.
        tokens: how many were scored.
        bytes: how many bytes of text they spell.

    Example:
        >>> Likelihood(nats=6 * math.log(2), tokens=3, bytes=12)
        Likelihood(nats=4.158..., tokens=3, bytes=12)
        >>> round(_.perplexity, 6)
        4.0
        >>> round(Likelihood(nats=6 * math.log(2), tokens=3, bytes=12).bits_per_byte, 6)
        0.5
    """

    nats: float
    tokens: int
    bytes: int

    @property
    def nats_per_token(self) -> float:
        """The mean surprise at a token: what training calls the loss."""
        return self.nats / self.tokens

    @property
    def nats_per_byte(self) -> float:
        """The surprise at a byte: the same question whatever the tokens are."""
        return self.nats / self.bytes

    @property
    def bits_per_byte(self) -> float:
        """The bits that a compressor led by this model would spend on each byte."""
        return self.nats_per_byte / math.log(2)

    @property
    def perplexity(self) -> float:
        """The number of equally likely tokens that would be as surprising; infinite where it is beyond a float."""
        return math.exp(self.nats_per_token) if self.nats_per_token < 709 else math.inf


def token_log_probabilities(
    model: Any, ids: Sequence[int], step: int | None = None, block_size: int | None = None
) -> Array:
    r"""Return log p (T - 1,) in float64 of each of ids (T,) but the first, which nothing comes before.

    Args:
        model: what turns ids (1, T) into logits (1, T, V): a GPT, or another model of the kind.
        ids: the text, at least two tokens.
        step: how far the window moves. Every token but those of the first window sees ``block_size - step`` or more of
            those before it. None moves by half a window.
        block_size: tokens in a window; the model's own, unless told otherwise.

    Raises:
        ConfigError: ``step`` is not from 1 to ``block_size``, or ``block_size`` is larger than the model's.
        DataError: there are fewer than two tokens.
        NaNError: the logits hold NaN.
        DTypeError, RangeError: as the model's, where an id is none.

    Example:
        >>> from tinyllm.models import GPT, GPTConfig
        >>> config = GPTConfig.preset("gpt2", vocab_size=11, block_size=4, n_layer=1, n_head=2, n_embd=8)
        >>> token_log_probabilities(GPT(config, np.random.default_rng(0)), range(9)).round(0)  # about -log 11
        array([-2., -2., -2., -2., -2., -2., -2., -2.])
    """
    longest: int | None = getattr(model.config, "block_size", block_size)
    T = longest if block_size is None else block_size
    if T is None or longest is None or not 1 <= T <= longest:
        raise ConfigError(f"likelihood: block_size is {T}", hint=f"1 to {longest or 'what the model can read'}")
    step = max(1, T // 2) if step is None else step
    if not 1 <= step <= T:
        raise ConfigError(f"likelihood: step is {step}", hint=f"1 to block_size={T}")
    text = np.asarray(ids)
    if len(text) < 2:
        raise DataError(
            f"likelihood: a text of {len(text)} tokens has nothing to foretell",
            hint="2 tokens or more, or a beginning",
        )
    scores = np.empty(len(text) - 1)
    done, was_training = 0, model.training
    model.eval()
    try:
        with no_grad():
            while done < len(scores):
                end = min(done + (T if done == 0 else step), len(scores))  # the last token that is read, and one more
                begin = max(0, end - T)
                logits = model(text[None, begin:end]).data[0, done - begin :]  # (end - done, V)
                scores[done:end] = _chosen(logits, text[done + 1 : end + 1])
                done = end
    finally:
        model.train(was_training)
    return scores


def likelihood(
    model: Any,
    tokenizer: Tokenizer,
    text: str,
    beginning: int | None = None,
    step: int | None = None,
    block_size: int | None = None,
) -> Likelihood:
    """Measure how well a model foretells a text.

    Args:
        model: what turns ids (1, T) into logits (1, T, V).
        tokenizer: the one the model was trained with. Special tokens in the text are plain text.
        text: what to measure; it is not changed in any way.
        beginning: a token to put before the text, such as the one that separates training texts. Without one the first
            token of the text is not scored, as nothing comes before it, and its bytes are not counted.
        step, block_size: of the window, as for ``token_log_probabilities``.

    Raises:
        ConfigError, NaNError: as for ``token_log_probabilities``.
        DataError: the text has no token to score, or a character the tokenizer does not know.

    Example:
        >>> from tinyllm.models import GPT, GPTConfig
        >>> from tinyllm.tokenizer import ByteTokenizer
        >>> config = GPTConfig.preset("gpt2", vocab_size=256, block_size=8, n_layer=1, n_head=2, n_embd=8)
        >>> found = likelihood(GPT(config, np.random.default_rng(0)), ByteTokenizer(), "a text", beginning=10)
        >>> found.tokens, found.bytes, round(found.bits_per_byte)
        (6, 6, 8)
    """
    ids = prompt_ids(tokenizer, text)
    if not ids:
        raise DataError("likelihood: the text is empty", hint="a text of one token or more")
    scored = ids[1:] if beginning is None else ids
    scores = token_log_probabilities(model, ids if beginning is None else [beginning, *ids], step, block_size)
    return Likelihood(nats=-float(scores.sum()), tokens=len(scored), bytes=len(tokenizer.decode_bytes(scored)))


def perplexity(model: Any, tokenizer: Tokenizer, text: str, beginning: int | None = None) -> float:
    """Return the perplexity per token of a text: ``likelihood`` with its own window, in one number."""
    return likelihood(model, tokenizer, text, beginning).perplexity


def _chosen(logits: Array, targets: Array) -> Array:
    """Return log p (T,) of the targets (T,) under logits (T, V), in float64."""
    if np.isnan(logits).any():
        raise NaNError("likelihood: the model's logits hold NaN", hint="another checkpoint; this one diverged")
    logp = log_softmax(logits.astype(np.float64))
    return logp[np.arange(len(targets)), targets]
