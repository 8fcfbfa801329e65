"""A form as a constraint: which tokens may come next, so that a text of the wanted form can still be had.

An automaton reads bytes, a model writes tokens of several bytes. So each token is walked through the automaton's table
from the state that the text has reached, all tokens at once, one byte after the other; those that do not fall out of it
may come. That is done once for every state that a text comes to, and kept.

Source: Willard and Louf 2023, "Efficient Guided Generation for Large Language Models".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ...errors import ConfigError
from ...tokenizer import Tokenizer
from .pattern import pattern
from .regular import Language, table
from .schema import schema_language

Array = np.ndarray[Any, np.dtype[Any]]
_OUT = 256  # instead of a byte, where a token has ended


class Form:
    """A form that a text has to have, over the tokens of a vocabulary: a constraint of ``generate`` and ``stream``.

    Args:
        language: the texts that are wanted, whole.
        tokenizer: whose tokens they are made of.

    Raises:
        ConfigError: no text is of this form, or its automaton is too large.

    Example:
        >>> from tinyllm.tokenizer import ByteTokenizer
        >>> tokenizer = ByteTokenizer()
        >>> yes_or_no = matching("yes|no", tokenizer)
        >>> state = yes_or_no.start()
        >>> tokenizer.decode(np.flatnonzero(yes_or_no.allowed(state)).tolist())
        'ny'
        >>> state = yes_or_no.advance(yes_or_no.advance(state, ord("n")), ord("o"))
        >>> yes_or_no.may_end(state), yes_or_no.must_end(state)
        (True, True)
    """

    def __init__(self, language: Language, tokenizer: Tokenizer) -> None:
        following, self._ends = table(language)
        # one more state, out of which nothing leads; and one more sign, the end of a token, which leads nowhere else
        states = len(following)
        self._next = np.full((states + 1, 257), states, np.int32)
        self._next[:states, :256] = np.where(following < 0, states, following)
        self._next[:, _OUT] = np.arange(states + 1)
        self._spelled = _spelled(tokenizer)
        self._reached: dict[int, Array] = {}

    def start(self) -> int:
        """Return the state of an empty text."""
        return 0

    def allowed(self, state: int) -> Array:
        """Return which tokens may come next, (V,) of bool.

        Raises:
            ConfigError: none may, and the text cannot end here: the vocabulary cannot spell what is wanted.
        """
        fits: Array = self._after(state) < len(self._ends)
        if not fits.any() and not self.may_end(state):
            raise ConfigError(
                "constraint: no token of the vocabulary can go on from here", hint="a form that its tokens can spell"
            )
        return fits

    def advance(self, state: int, token: int) -> int:
        """Return the state after one more token.

        Raises:
            ConfigError: that token was not allowed.
        """
        after = int(self._after(state)[token]) if 0 <= token < len(self._spelled) else len(self._ends)
        if after == len(self._ends):
            raise ConfigError(f"constraint: token {token} does not fit here", hint="one that allowed() names")
        return after

    def may_end(self, state: int) -> bool:
        """Is the text whole?"""
        return bool(self._ends[state])

    def must_end(self, state: int) -> bool:
        """Is it whole, and nothing can be added?"""
        return self.may_end(state) and bool((self._after(state) == len(self._ends)).all())

    def _after(self, state: int) -> Array:
        """Return the state after each token, (V,)."""
        if state not in self._reached:
            states = np.full(len(self._spelled), state, np.int32)
            for column in self._spelled.T:  # the first byte of every token, then the second
                states = self._next[states, column]
            states[self._spelled[:, 0] == _OUT] = len(self._ends)  # a token without bytes would not lead anywhere
            self._reached[state] = states
        return self._reached[state]


def matching(wanted: str, tokenizer: Tokenizer) -> Form:
    """Return the constraint that a text fits a regular expression, whole; see pattern.py for what it may hold.

    Raises:
        ConfigError: it is no regular expression, or uses what is not known here.
    """
    return Form(pattern(wanted), tokenizer)


def following(schema: Mapping[str, Any], tokenizer: Tokenizer) -> Form:
    """Return the constraint that a text is JSON as a schema wants it; see schema.py for what it may hold.

    Raises:
        ConfigError: it is no schema, or uses a keyword that cannot be kept to.
    """
    return Form(schema_language(schema), tokenizer)


def _spelled(tokenizer: Tokenizer) -> Array:
    """Return the bytes of every token, (V, longest), with 256 behind the last; of ids without a token nothing else."""
    texts = []
    for token in range(tokenizer.n_vocab):
        try:
            texts.append(tokenizer.decode_bytes([token]))
        except (KeyError, IndexError):  # a hole in a published vocabulary
            texts.append(b"")
    special = getattr(getattr(tokenizer, "specials", None), "ids", {})
    for token in special.values():  # they are no text
        texts[token] = b""
    spelled = np.full((len(texts), max(1, *map(len, texts))), _OUT, np.int16)
    for row, text in zip(spelled, texts, strict=True):
        row[: len(text)] = np.frombuffer(text, np.uint8)
    return spelled
