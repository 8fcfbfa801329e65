r"""Writer: one text while it is being written: which token comes next, what it spells, and whether the text is over.

logits -> without tokens that stand for nothing, or break the constraint -> Sampling -> a token
token -> bytes -> whole characters -> what no stop sequence can take back -> a piece of text
"""

from __future__ import annotations

import codecs
from collections.abc import Collection, Sequence
from typing import Any

import numpy as np

from ..tokenizer import Tokenizer
from .constraint import Constraint, forbidden
from .setting import Sampling
from .stops import Stops

Array = np.ndarray[Any, Any]


class Writer:
    r"""A text that grows by one token at a time.

    Args:
        prompt: the tokens it begins with.
        max_tokens: how many to add at most.
        setting: how they are chosen.
        tokenizer: what spells them; None leaves the text unspelled.
        stop: strings that end the text.
        ends: tokens that end it.
        unused: tokens that are never chosen.
        constraint: what the text has to be; None for anything.
        rng: what draws.
        seed: of ``rng``, to be told.

    Attributes:
        text: the tokens so far, those of the prompt included.
        pieces: what they spell, apart from the prompt, as ``add`` returned it.
        finish: why the text is over; None as long as it is not.

    Example:
        >>> from tinyllm.tokenizer import ByteTokenizer
        >>> writer = Writer([65], 3, Sampling(temperature=0), ByteTokenizer(), stop="B!")
        >>> [writer.add(token) for token in b"ABA"], writer.finish, writer.ids
        (['A', '', 'BA'], 'length', [65, 66, 65])
    """

    def __init__(
        self,
        prompt: Sequence[int],
        max_tokens: int,
        setting: Sampling,
        tokenizer: Tokenizer | None = None,
        stop: str | Sequence[str] | None = (),
        ends: frozenset[int] = frozenset(),
        unused: Collection[int] = (),
        constraint: Constraint | None = None,
        rng: np.random.Generator | None = None,
        seed: int | None = None,
    ) -> None:
        self.text, self.prompt, self.max_tokens = list(prompt), list(prompt), max_tokens
        self.setting, self.tokenizer, self.ends, self.unused = setting, tokenizer, ends, list(unused)
        self.constraint, self.rng, self.seed = constraint, rng, seed
        self.pieces: list[str] = []
        self.state = constraint.start() if constraint else None
        self.finish: str | None = None
        self._stops = Stops(stop)
        self._utf8 = codecs.getincrementaldecoder("utf-8")("replace")
        if max_tokens == 0:
            self.finish = "length"
        elif constraint and constraint.must_end(self.state):
            self.finish = "end"

    @property
    def ids(self) -> list[int]:
        """The new tokens."""
        return self.text[len(self.prompt) :]

    def possible(self, logits: Array) -> Array:
        """Return the logits (..., V) with minus infinity for all tokens that may not come next."""
        if self.constraint:
            out = forbidden(self.constraint, self.state, self.ends, logits.shape[-1])
            out[self.unused] = True
            return np.where(out, -np.inf, logits)
        if self.unused:
            logits = np.array(logits)
            logits[..., self.unused] = -np.inf
        return logits

    def choose(self, logits: Array, ids: Sequence[int] | None = None) -> int:
        """Choose the token after a text from its logits (V,).

        Args:
            logits: as the model says them.
            ids: the text, where it is not the writer's own.

        Raises:
            NaNError: the logits hold NaN, or leave no token possible.
            DataError: the constraint leaves none.
        """
        return self.setting.choose(self.possible(logits), self.text if ids is None else ids, self.rng)

    def add(self, token: int) -> str:
        """Take a token that was chosen; return what can be said for certain of the text that has not been yet."""
        piece = self._piece(token)
        self.pieces.append(piece)
        return piece

    def _piece(self, token: int) -> str:
        before = self.text[-1]
        self.text.append(token)
        if token in self.ends:
            self.finish = "end"
            return self._last_piece("")
        if self.constraint:
            self.state = self.constraint.advance(self.state, token)
            if self.constraint.must_end(self.state):
                self.finish = "end"
        if self.finish is None and len(self.text) == len(self.prompt) + self.max_tokens:
            self.finish = "length"
        piece = self._utf8.decode(self._spelled(before, token))
        return self._last_piece(piece) if self.finish else self._certain(piece)

    def _spelled(self, before: int, token: int) -> bytes:
        """Return the bytes that a token adds; some tokenizers spell it otherwise at the start of a text than inside."""
        if self.tokenizer is None:
            return b""
        return self.tokenizer.decode_bytes([before, token])[len(self.tokenizer.decode_bytes([before])) :]

    def _certain(self, piece: str) -> str:
        certain = self._stops.push(piece)
        if self._stops.found is not None:
            self.finish = "stop"
        return certain

    def _last_piece(self, piece: str) -> str:
        """Return the rest: beginnings of characters that never came become U+FFFD, beginnings of stops were none."""
        return self._certain(piece + self._utf8.decode(b"", final=True)) + self._stops.finish()
