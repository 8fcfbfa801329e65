"""Prompts: the tokens that a text begins with, those that end it, and those that are never in it."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import ConfigError, DataError, DTypeError, RangeError
from ..tokenizer import Encoding, ScoredBPE, Tokenizer
from ..tokenizer.scores import BOS, EOS

Array = np.ndarray[Any, Any]

# how the vocabularies of published models spell the token that ends a text, or the model's turn in a conversation
END_NAMES = ("<|endoftext|>", "<|end_of_text|>", "<|eot_id|>", "<|im_end|>", "<|return|>", "</s>")


def prompt_ids(tokenizer: Tokenizer, prompt: str) -> list[int]:
    """Turn a prompt into ids. Special tokens in it are plain text: whoever writes a prompt need not know of them.

    Raises:
        DataError: the prompt holds a character that the tokenizer does not know.

    Example:
        >>> from tinyllm.tokenizer import ByteTokenizer
        >>> prompt_ids(ByteTokenizer(), "to be")
        [116, 111, 32, 98, 101]
    """
    return tokenizer.encode_ordinary(prompt) if isinstance(tokenizer, Encoding) else tokenizer.encode(prompt)


def first_ids(prompt: Any, tokenizer: Tokenizer | None, config: Any) -> list[int]:
    """Return the tokens that a text begins with: those of its prompt, or the one that stands for an empty prompt.

    Args:
        prompt: a string, or token ids.
        tokenizer: the one the model was trained with; None where the prompt is ids.
        config: of the model.

    Raises:
        ConfigError: a string without a tokenizer, or a tokenizer of another model.
        DataError: no ids at all, or a character that the tokenizer does not know.
        DTypeError, RangeError: ids that are no whole numbers, or not below V, or that the tokenizer cannot spell.

    Example:
        >>> from tinyllm.models import GPTConfig
        >>> from tinyllm.tokenizer import ByteTokenizer
        >>> config = GPTConfig.preset("gpt2", vocab_size=256)
        >>> [first_ids(prompt, ByteTokenizer(), config) for prompt in ("to", "", [7])]
        [[116, 111], [10], [7]]
    """
    V = config.vocab_size
    if tokenizer is not None and tokenizer.n_vocab > V:
        raise ConfigError(
            f"generate: the tokenizer has {tokenizer.n_vocab} tokens, the model {V}",
            hint="load both from one folder",
        )
    if isinstance(prompt, str):
        if tokenizer is None:
            raise ConfigError("generate: a prompt in letters needs a tokenizer", hint="tokenizer=..., or token ids")
        return prompt_ids(tokenizer, prompt) or [_beginning(tokenizer, config)]
    ids = np.asarray(prompt)
    if ids.ndim == 1 and ids.size == 0:
        raise DataError("generate: the prompt has no tokens", hint='one or more; "" with a tokenizer begins a text')
    if ids.ndim != 1 or ids.dtype.kind not in "iu":
        raise DTypeError(f"generate: the prompt is {_short(prompt)}", hint="a string, or token ids in one row")
    if ids.min() < 0 or ids.max() >= V:
        wrong = ids[(ids < 0) | (ids >= V)][0]
        raise RangeError(f"generate: the prompt holds {wrong}, which is no token", hint=f"ids from 0 to {V - 1}")
    text = [int(i) for i in ids]
    if tokenizer is not None:
        tokenizer.decode_bytes(text)  # one that spells nothing is refused here, not in the middle of a text
    return text


def end_ids(tokenizer: Tokenizer | None, config: Any) -> frozenset[int]:
    """Return the tokens that end a text: those that the config names (eos_token_id), and the tokenizer's.

    A tokenizer's are the one that its settings name (eos_token), and those with the names that published ones have.

    Example:
        >>> from tinyllm.models import LlamaConfig
        >>> sorted(end_ids(None, LlamaConfig(extra={"eos_token_id": [2, 5]})))
        [2, 5]
    """
    named = getattr(config, "extra", {}).get("eos_token_id")
    found = {i for i in (named if isinstance(named, list) else [named]) if isinstance(i, int)}
    if isinstance(tokenizer, Encoding):
        names = {*END_NAMES, str(tokenizer.settings.get("eos_token"))}
        found |= {i for name, i in tokenizer.specials.ids.items() if name in names}
    elif isinstance(tokenizer, ScoredBPE):
        found |= {BOS, EOS}  # llama2.c has trained its models to begin the next story where one ends
    return frozenset(i for i in found if 0 <= i < config.vocab_size)


def unused_ids(tokenizer: Tokenizer | None, vocab_size: int) -> Array:
    """Return the ids that the model knows and that stand for no token: holes of a vocabulary, and what lies beyond it.

    Example:
        >>> from tinyllm.tokenizer import ByteTokenizer
        >>> unused_ids(ByteTokenizer(), 259)
        array([256, 257, 258])
    """
    if tokenizer is None:
        return np.arange(0)
    n = tokenizer.n_vocab
    if isinstance(tokenizer, Encoding):
        specials = set(tokenizer.specials.ids.values())
        if len(tokenizer.ranks) + len(specials) < n:
            return np.setdiff1d(np.arange(vocab_size), [*tokenizer.ranks.values(), *specials])
    return np.arange(n, vocab_size)


def _beginning(tokenizer: Tokenizer, config: Any) -> int:
    """The token that an empty prompt stands for: the config's, or a newline, or the first of the vocabulary."""
    named = getattr(config, "extra", {}).get("bos_token_id")
    if isinstance(named, int) and 0 <= named < config.vocab_size:
        return named
    try:
        return tokenizer.encode("\n")[-1]
    except DataError:
        return 0


def _short(prompt: Any) -> str:
    text = repr(prompt)
    return text if len(text) <= 40 else text[:37] + "..."
