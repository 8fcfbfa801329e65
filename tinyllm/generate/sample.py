r"""Sampling: from logits to a token, and token by token to a text.

logits = read(ids)                  what may come next
logits / temperature                sharper below 1, flatter above
keep the k largest                  the unlikely tail is cut off
softmax, and draw                   one token, appended to ids; again
"""

from __future__ import annotations

import codecs
import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from ..autograd import no_grad
from ..errors import ConfigError, DataError, NaNError
from ..kernels import softmax
from ..models import GPT, GPTConfig
from ..tokenizer import Encoding, Tokenizer
from .decode import Decoder, Reading

Array = np.ndarray[Any, Any]


def apply_temperature(logits: Array, temperature: float) -> Array:
    """Divide logits (..., V) by the temperature.

    Example:
        >>> apply_temperature(np.array([1.0, 2.0]), 0.5)
        array([2., 4.])
    """
    return logits / temperature


def top_k(logits: Array, k: int) -> Array:
    """Keep the k largest logits (V,) and set all others to minus infinity; of equal ones the first are kept.

    Example:
        >>> top_k(np.array([1.0, 3.0, 2.0, 2.0]), 2)
        array([-inf,   3.,   2., -inf])
    """
    if k >= len(logits):
        return logits
    threshold = np.partition(logits, -k)[-k]
    above = np.flatnonzero(logits > threshold)
    equal = np.flatnonzero(logits == threshold)[: k - len(above)]
    kept = np.full_like(logits, -np.inf)
    kept[above] = logits[above]
    kept[equal] = threshold
    return kept


def sample(rng: np.random.Generator, p: Array) -> int:
    """Draw an index with probabilities p (V,): the first at which their running sum passes a random number.

    Example:
        >>> sample(np.random.default_rng(0), np.array([0.0, 1.0, 0.0]))
        1
    """
    running = np.cumsum(p)
    drawn = rng.random() * running[-1]
    return int(np.searchsorted(running[:-1], drawn, side="right"))  # never past the last, however sums round


def next_token(
    logits: Array, temperature: float = 1.0, k: int | None = None, rng: np.random.Generator | None = None
) -> int:
    """Choose the next token from its logits.

    Args:
        logits: (V,).
        temperature: 0 takes the likeliest token, and needs no ``rng``.
        k: draw among the k likeliest only; None among all.
        rng: what draws.

    Raises:
        NaNError: the logits hold NaN.

    Example:
        >>> next_token(np.array([0.1, 0.9, 0.5]), temperature=0.0)
        1
    """
    if np.isnan(logits).any():
        raise NaNError("generate: the model's logits hold NaN", hint="another checkpoint; this one diverged")
    if temperature == 0:
        return int(logits.argmax())
    if rng is None:
        raise ConfigError("generate: drawing needs a random generator", hint="rng=np.random.default_rng(0)")
    wide = logits.astype(np.float64)
    with np.errstate(over="ignore"):  # a tiny temperature sends all but the largest to minus infinity, as it should
        wide = apply_temperature(wide - wide.max(), temperature)
    if k is not None:
        wide = top_k(wide, k)
    return sample(rng, softmax(wide))


def stream(
    model: GPT,
    tokenizer: Tokenizer,
    prompt: str,
    max_tokens: int,
    temperature: float = 1.0,
    top_k: int | None = None,
    rng: np.random.Generator | None = None,
    weights: str | None = None,
) -> Iterator[str]:
    """Yield the continuation of a prompt piece by piece, as soon as its characters are complete.

    A piece never ends inside a character: bytes that may be the beginning of one wait for the rest. Bytes that turn out
    to be no UTF-8 become U+FFFD. The pieces joined are ``tokenizer.decode`` of all the new ids. Ids that stand for no
    token are never chosen.

    Args:
        model: reads the last ``block_size`` tokens only, however long the text gets.
        tokenizer: the one the model was trained with.
        prompt: what to continue; an empty one begins after a newline. Special tokens in it are plain text.
        max_tokens: how many tokens to add.
        temperature: 0 takes the likeliest token each time; 1 draws as the model says; above 1 more daring.
        top_k: draw among the k likeliest tokens only; None among all.
        rng: what draws; needed unless the temperature is 0.
        weights: "int8", "int4" or "int4x8" for speed and a little noise; "float32"; None for the model's own.

    Raises:
        ConfigError: a parameter is out of range, or ``rng`` is missing; or the tokenizer is of another model.
        DataError: the prompt holds a character that the tokenizer does not know.
        NaNError: the model's logits hold NaN.
    """
    _check(model, tokenizer, max_tokens, temperature, top_k, rng)
    ids = prompt_ids(tokenizer, prompt) or [_beginning(tokenizer)]
    if type(model) is not GPT and weights is not None:
        raise ConfigError(f"generate: weights={weights!r} is for a GPT, not for {type(model).__name__}", hint="None")
    # A model of another kind than ours is asked for all of its logits again at every token.
    read = Reading(Decoder(model, weights)) if type(model) is GPT else lambda ids: _last_logits(model, ids)
    return _pieces(read, model.config, tokenizer, ids, max_tokens, temperature, top_k, rng)


def generate(
    model: GPT,
    tokenizer: Tokenizer,
    prompt: str,
    max_tokens: int,
    temperature: float = 1.0,
    top_k: int | None = None,
    rng: np.random.Generator | None = None,
    weights: str | None = None,
) -> str:
    """Return the continuation of a prompt, without the prompt: the pieces of ``stream`` in one, with its parameters."""
    return "".join(stream(model, tokenizer, prompt, max_tokens, temperature, top_k, rng, weights))


def prompt_ids(tokenizer: Tokenizer, prompt: str) -> list[int]:
    """Turn a prompt into ids. Special tokens in it are plain text: whoever writes a prompt need not know of them.

    Raises:
        DataError: the prompt holds a character that the tokenizer does not know.
    """
    return tokenizer.encode_ordinary(prompt) if isinstance(tokenizer, Encoding) else tokenizer.encode(prompt)


def _pieces(
    read: Callable[[list[int]], Array],
    config: GPTConfig,
    tokenizer: Tokenizer,
    ids: list[int],
    max_tokens: int,
    temperature: float,
    k: int | None,
    rng: np.random.Generator | None,
) -> Iterator[str]:
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    unused = _unused(tokenizer, config.vocab_size)
    for _ in range(max_tokens):
        ids = ids[-config.block_size :]  # positions beyond the last block are unknown to the model
        logits = read(ids)
        if len(unused):
            logits = np.array(logits)
            logits[unused] = -np.inf
        token = next_token(logits, temperature, k, rng)
        ids.append(token)
        if piece := decoder.decode(tokenizer.decode_bytes([token])):
            yield piece
    if rest := decoder.decode(b"", final=True):
        yield rest


def _unused(tokenizer: Tokenizer, vocab_size: int) -> Array:
    """Ids that the model knows and that stand for no token: holes of a published vocabulary, and what lies beyond."""
    used: Any = range(tokenizer.n_vocab)
    if isinstance(tokenizer, Encoding):
        used = [*tokenizer.ranks.values(), *tokenizer.specials.ids.values()]
    return np.setdiff1d(np.arange(vocab_size), used)


def _last_logits(model: GPT, ids: list[int]) -> Array:
    """Run the model on one row of ids, without dropout and without a graph; return the logits (V,) after the last."""
    was_training = model.training
    model.eval()
    try:
        with no_grad():  # entered anew for each token: a block left open across a yield would reach into the caller
            logits: Array = model(np.array([ids])).data[0, -1]
    finally:
        model.train(was_training)
    return logits


def _beginning(tokenizer: Tokenizer) -> int:
    """The token that an empty prompt stands for: a newline, where texts begin; else the first of the vocabulary."""
    try:
        return tokenizer.encode("\n")[-1]
    except DataError:
        return 0


def _check(
    model: GPT,
    tokenizer: Tokenizer,
    max_tokens: int,
    temperature: float,
    k: int | None,
    rng: np.random.Generator | None,
) -> None:
    if max_tokens < 0:
        raise ConfigError(f"generate: max_tokens is {max_tokens}", hint="0 or more")
    if not 0 <= temperature < math.inf:
        raise ConfigError(
            f"generate: temperature is {temperature}", hint="0 for the likeliest token, or a number above"
        )
    if k is not None and k < 1:
        raise ConfigError(f"generate: top_k is {k}", hint="1 or more, or None for all tokens")
    if temperature > 0 and rng is None:
        raise ConfigError(
            "generate: drawing needs a random generator", hint="rng=np.random.default_rng(0), or temperature=0"
        )
    if tokenizer.n_vocab > model.config.vocab_size:
        raise ConfigError(
            f"generate: the tokenizer has {tokenizer.n_vocab} tokens, the model {model.config.vocab_size}",
            hint="load both from one run folder",
        )
