"""Remote: an embedder that is a service, handed in as a function from texts to vectors.

    embedder = Remote(client_embed, id="some-model-3", dim=1024)

A search goes wrong without a sound if a service drops a text, mixes up their order or changes its width. So each
answer is counted and measured, and before the first one six short texts are sent, two of them twice, in an order that
neither sorting, reversing nor dropping of what is double leaves as it is: if equal texts come back as vectors that are
not alike, nothing else is believed either. Trying again after a failure is the work of the function.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ...errors import ConfigError, DataError, ShapeError
from ..types import Kind, checked_id
from .door import Array, checked_texts, unit

PROBE = ("ducks and geese", "wind", "wind", "the price of iron in 1848", "ducks and geese", "seven cubes with edges")
ALIKE = 0.05  # the distance of two vectors of one text: a service may return other last digits each time


class Remote:
    """An embedder that asks somebody else.

    Args:
        call: takes a list of texts and returns one vector for each: lists of numbers, or an array (N, dim).
        id: the model's name and version and all else that changes its vectors, so that they are never mixed.
        dim: how wide they are.
        max_tokens: the most tokens it reads; None where that is not known.
        count: how many tokens a text has for it; by default words and signs, if there is no limit to keep.
        queries: what is called for queries, where a service treats them differently.
        batch: the most texts of one call.

    Attributes:
        why: why it was chosen, where ``embedder`` chose it.

    Raises:
        ConfigError: a size below 1, or a limit that nobody can count for.
        DTypeError, DataError: the id is no name.

    Example:
        >>> letters = lambda texts: [[text.count(letter) for letter in "abcdefghijklmnopqrstuvwxyz"] for text in texts]
        >>> remote = Remote(letters, id="letters-1", dim=26)
        >>> (remote.embed(["listen", "banana"]) @ remote.embed(["silent"]).T).round(1).ravel()
        array([1. , 0.2], dtype=float32)
    """

    def __init__(
        self,
        call: Callable[[list[str]], Any],
        id: str,
        dim: int,
        max_tokens: int | None = None,
        count: Callable[[str], int] | None = None,
        *,
        queries: Callable[[list[str]], Any] | None = None,
        batch: int = 64,
    ) -> None:
        for name, size in (("dim", dim), ("batch", batch), ("max_tokens", 1 if max_tokens is None else max_tokens)):
            if isinstance(size, bool) or not isinstance(size, int) or size < 1:
                raise ConfigError(f"Remote: {name}={size!r}", hint="a whole number, 1 or more")
        if max_tokens is not None and count is None:
            raise ConfigError(
                f"Remote: max_tokens={max_tokens}, and nothing that counts tokens",
                hint="count=..., or longer texts would be cut without a word",
            )
        self.id = f"remote({checked_id(id, 'Remote: id')},dim={dim},max_tokens={max_tokens})"
        self.dim = dim
        self.max_tokens = max_tokens
        self.count = count or _words
        self.why = ""
        self._calls = {"document": call, "query": queries or call}
        self._batch = batch
        self._trusted: list[Any] = []  # functions whose order was looked at

    def embed(self, texts: Sequence[str], kind: Kind = "document") -> Array:
        """Return a vector of length 1 of each text, float32 (N, dim).

        A blank text is not sent, as many services refuse it; its vector is 0.

        Raises:
            DataError: one string instead of several, or something that is no string; the service returned NaN or inf,
                or vectors in another order than the texts.
            ShapeError: it returned more or fewer vectors than texts, or of another width.
            ConfigError: kind is neither "document" nor "query".
        """
        taken = checked_texts(texts, kind)
        call = self._calls[kind]
        sent = [i for i, text in enumerate(taken) if text.strip()]
        vectors = np.zeros((len(taken), self.dim), np.float32)
        if sent and self._batch > 1 and call not in self._trusted:
            self._probe(call)
            self._trusted.append(call)
        for first in range(0, len(sent), self._batch):
            here = sent[first : first + self._batch]
            vectors[here] = self._asked(call, [taken[i] for i in here])
        return vectors

    def _asked(self, call: Callable[[list[str]], Any], texts: list[str]) -> Array:
        answer = call(list(texts))  # a list of its own: it may do with it what it likes
        try:
            x = np.asarray(answer, np.float64)
        except (TypeError, ValueError):
            raise ShapeError(
                f"{self.id}: the answer is no array of numbers", hint=f"one list of {self.dim} numbers for each text"
            ) from None
        if x.ndim != 2 or len(x) != len(texts):
            raise ShapeError(f"{self.id}: {len(texts)} texts were sent, the answer has the shape {x.shape}")
        if x.shape[1] != self.dim:
            raise ShapeError(f"{self.id}: vectors of width {x.shape[1]} came", hint=f"dim={x.shape[1]}, if it is right")
        if not np.isfinite(x).all():
            wrong = int(np.flatnonzero(~np.isfinite(x).all(axis=1))[0])
            raise DataError(f"{self.id}: the vector of {texts[wrong][:40]!r} holds NaN or inf")
        return unit(x)

    def _probe(self, call: Callable[[list[str]], Any]) -> None:
        """Send texts of which two come twice, and look where equal vectors come back."""
        pieces = range(0, len(PROBE), self._batch)
        x = np.concatenate([self._asked(call, list(PROBE[i : i + self._batch])) for i in pieces])
        if np.linalg.norm(x[[0, 1]] - x[[4, 2]], axis=1).max() > ALIKE:
            raise DataError(
                f"{self.id}: the vectors came in another order than the texts",
                hint="a function that returns them in the order it was given",
            )


def _words(text: str) -> int:
    from ..chunk.limit import count_words

    return count_words(text)
