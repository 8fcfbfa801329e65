r"""Continuous batching: texts of unequal length written side by side, where who is done makes room for who waits.

A step of a decoder reads every weight once, for one text or for many. Texts that are written together share that cost;
but if a batch waited for its longest text, most of its places would soon be empty. So the places are filled anew at
every step:

queue            e f g           texts that wait
places     a b c d               one step: a token for each
b ends     a   c d               its place is empty ...
next step  a e c d               ... and e is read into it, while the others go on

Each text is read in by itself, is chosen from its own logits by its own function, and looks at its own keys only. So
what becomes of it does not depend on who is there beside it.

Source: Yu et al. 2022, "Orca: A Distributed Serving System for Transformer-Based Generative Models".
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..errors import ConfigError, DataError, RangeError
from .decode import Decoder

Array = np.ndarray[Any, np.dtype[Any]]
UNKNOWN = -1
Choose = Callable[[Array, list[int]], int]


@dataclass(eq=False)
class _Text:
    """A text that is being written: its tokens, of which the last are new, and how it goes on."""

    ticket: int
    ids: list[int]
    choose: Choose
    max_tokens: int
    ends: frozenset[int]
    prompt: int = field(init=False)
    row: int | None = None  # its place in the batch; None as long as it waits
    known: int = 0  # how many of its tokens have been read

    def __post_init__(self) -> None:
        self.prompt = len(self.ids)

    @property
    def new(self) -> list[int]:
        return self.ids[self.prompt :]

    @property
    def over(self) -> bool:
        return len(self.ids) - self.prompt >= self.max_tokens or (
            len(self.ids) > self.prompt and self.ids[-1] in self.ends
        )


class Batch:
    r"""Texts that are written side by side, as many at once as the decoder has places; the others wait.

    Args:
        decoder: with a ``batch`` of as many places as wanted. What it remembers is forgotten, and until the batch is
            done nobody else may use it.

    Example:
        >>> from tinyllm.models import GPT, GPTConfig
        >>> config = GPTConfig.preset("gpt2", vocab_size=11, block_size=8, n_layer=1, n_head=2, n_embd=8)
        >>> batch = Batch(Decoder(GPT(config, np.random.default_rng(0)), batch=2))
        >>> likeliest = lambda logits, ids: int(logits.argmax())
        >>> tickets = [batch.add([1, 2, 3][:n], likeliest, max_tokens=n) for n in (1, 2, 3)]
        >>> [[ticket for ticket, token in batch.step()] for _ in range(4)]  # the third begins when the first is done
        [[0, 1], [1, 2], [2], [2]]
    """

    def __init__(self, decoder: Decoder) -> None:
        self.decoder = decoder
        decoder.reset()
        self._texts: dict[int, _Text] = {}  # all that are not over, by their tickets
        self._waiting: deque[_Text] = deque()
        self._places: list[_Text | None] = [None] * len(decoder.cache.lengths)
        self._chosen_from: deque[tuple[_Text, Array]] = deque()  # logits that no token has been chosen from yet
        self._said: list[tuple[int, int]] = []
        self._tickets = 0

    def add(self, ids: Sequence[int], choose: Choose, max_tokens: int, ends: Collection[int] = frozenset()) -> int:
        """Put a text into the queue; return its ticket, by which its tokens are told from those of others.

        Args:
            ids: its tokens so far, one or more. Of one longer than the decoder's places only the last tokens are read,
                and so it is, at every token, with one that outgrows them.
            choose: takes the logits (V,) of the next token and all ids so far, and returns that token.
            max_tokens: how many to add at most.
            ends: tokens after which there is no other.

        Raises:
            ConfigError: ``max_tokens`` is below 0.
            DataError: there is nothing to continue.
            RangeError: an id is not below V.
        """
        if max_tokens < 0:
            raise ConfigError(f"Batch: max_tokens is {max_tokens}", hint="0 or more")
        if not len(ids):
            raise DataError("Batch: there is no text to continue", hint="one token or more")
        text = _Text(self._tickets, [self._checked(token) for token in ids], choose, max_tokens, frozenset(ends))
        self._tickets += 1
        self._texts[text.ticket] = text
        self._waiting.append(text)
        return text.ticket

    def step(self) -> list[tuple[int, int]]:
        """Fill the empty places from the queue, and give every text one more token; return (ticket, token) of each.

        An error of a text's own ``choose`` is passed on and ends that text; the others are as they were, and what they
        have said in this step is returned by the next.
        """
        if not self._chosen_from:
            try:
                self._chosen_from.extend(self._read())
            except BaseException:  # such as an interrupt: who has been read how far is not known
                for text in self._texts.values():
                    text.known = UNKNOWN
                raise
        while self._chosen_from:
            text, logits = self._chosen_from.popleft()
            try:
                token = self._checked(text.choose(logits, text.ids))
            except BaseException:
                self.cancel(text.ticket)
                raise
            text.ids.append(token)
            self._said.append((text.ticket, token))
            if text.over:
                self.cancel(text.ticket)
        said, self._said = self._said, []
        return said

    def run(self) -> dict[int, list[int]]:
        """Write all texts to their ends; return the new ids of each, by ticket, those of earlier steps among them."""
        texts = dict(self._texts)
        while self._texts:
            self.step()
        return {ticket: text.new for ticket, text in texts.items()}

    def cancel(self, ticket: int) -> None:
        """End a text before it is over, wherever it stands; nothing happens if it is over already."""
        text = self._texts.pop(ticket, None)
        if text is None:
            return
        if text.row is None:
            self._waiting.remove(text)
            return
        self.decoder.forget([text.row])
        self._places[text.row] = None
        self._chosen_from = deque(pair for pair in self._chosen_from if pair[0] is not text)

    def __contains__(self, ticket: int) -> bool:
        """Tell whether a text waits or is being written: not if it is over."""
        return ticket in self._texts

    def __len__(self) -> int:
        """Return how many texts wait or are being written."""
        return len(self._texts)

    def _read(self) -> list[tuple[_Text, Array]]:
        """Read what is new of every text that has a place; return the logits after it."""
        self._admit()
        texts, S = [text for text in self._places if text is not None], self.decoder.cache.keys.shape[3]
        going = [text for text in texts if text.known == len(text.ids) - 1 < S]  # one token is new
        found: list[tuple[_Text, Array]] = []
        if going:
            logits = self.decoder.step(np.array([text.ids[-1] for text in going]), [text.row for text in going])
            found += zip(going, logits, strict=True)
        found += [(text, self._anew(text)) for text in texts if text not in going]
        for text in texts:
            text.known = len(text.ids)
        return found

    def _admit(self) -> None:
        """Give the empty places to texts that wait, in the order in which they came."""
        while self._waiting and (None in self._places or self._waiting[0].over):
            text = self._waiting.popleft()
            if text.over:  # it was not to have any token at all
                del self._texts[text.ticket]
            else:
                text.row = self._places.index(None)
                self._places[text.row] = text

    def _anew(self, text: _Text) -> Array:
        """Read a text from its beginning, or as many of its last tokens as there are places; return logits (V,)."""
        rows, S = [text.row], self.decoder.cache.keys.shape[3]
        self.decoder.forget(rows)
        logits: Array = self.decoder.prefill(np.array([text.ids[-S:]]), rows=rows)[0]
        return logits

    def _checked(self, token: int) -> int:
        V = len(self.decoder.embedding)
        if not 0 <= token < V:
            raise RangeError(f"Batch: there is no token {token}", hint=f"0 to {V - 1}")
        return int(token)
