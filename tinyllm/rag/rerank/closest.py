"""The sentence of a chunk that is closest to a query: one vector for a whole text blurs what a single sentence says.

An embedder of 256 tokens does not read the end of a long text at all, and of what it reads it gives an average. Here
the title and each sentence have a vector of their own, and a chunk counts by its best. The price is a second reading
of the corpus, and a vector (float16) for every sentence.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from ...tokenizer.sentences import sentence_spans
from ..types import Chunk, Embedder

Array = np.ndarray[Any, np.dtype[Any]]
LONGEST = 64  # words; what is longer, such as a text without capitals, is cut there
_WORD = re.compile(r"\S+")


class Closest:
    """The vectors of the sentences of chunks.

    Args:
        embedder: makes them.

    Example:
        >>> from tinyllm.rag.embed import LSA
        >>> texts = ["Ducks swim. Cats nap.", "Ducks nap."]
        >>> closest = Closest(LSA(dim=4).fit([*texts, "Cats swim."]))
        >>> closest.add([Chunk(f"{n}:0-{len(t)}", str(n), t, 0, len(t)) for n, t in enumerate(texts)])
        >>> closest.cosines(closest.embedder.embed(["ducks swim"], "query")[0]).round(1)
        array([1. , 0.7], dtype=float32)
    """

    def __init__(self, embedder: Embedder) -> None:
        self.embedder = embedder
        self._held: dict[str, Array] = {}  # chunk id -> (sentences, dim)
        self._packed: tuple[Array, Array] | None = None

    def __len__(self) -> int:
        return len(self._held)

    def add(self, chunks: Sequence[Chunk]) -> None:
        """Embed the sentences of chunks."""
        cut = [pieces(chunk) for chunk in chunks]
        vectors = self.embedder.embed([piece for each in cut for piece in each], "document").astype(np.float16)
        ends = np.cumsum([len(each) for each in cut])
        self._held |= dict(zip([chunk.id for chunk in chunks], np.split(vectors, ends[:-1]), strict=True))
        self._packed = None

    def remove(self, ids: Iterable[str]) -> None:
        """Forget chunks.

        Raises:
            KeyError: an id is not there.
        """
        for name in ids:
            del self._held[name]
        self._packed = None

    def cosines(self, asked: Array) -> Array:
        """Return the highest cosine of each chunk, float32 (N,), in the order in which they were added."""
        if not self._held:
            return np.zeros(0, np.float32)
        if self._packed is None:
            starts = np.cumsum([0, *(len(rows) for rows in self._held.values())])[:-1]
            every: Array = np.concatenate(list(self._held.values())).astype(np.float32)
            lengths = np.sqrt((every * every).sum(axis=1, keepdims=True))
            self._packed = every / np.where(lengths > 0, lengths, 1), starts
        rows, starts = self._packed
        return np.maximum.reduceat(rows @ asked.astype(np.float32), starts)


def pieces(chunk: Chunk) -> list[str]:
    """Return the header of a chunk, if it has one, and its sentences; a long one in parts. There is always one.

    Example:
        >>> pieces(Chunk("1:0-18", "1", "They swim. So far.", 0, 18, header="Ducks"))
        ['Ducks', 'They swim.', 'So far.']
    """
    found = [chunk.header] if chunk.header.strip() else []
    for start, end in sentence_spans(chunk.text):
        words = [match.span() for match in _WORD.finditer(chunk.text, start, end)]
        for place in range(0, len(words), LONGEST):
            some = words[place : place + LONGEST]
            found.append(chunk.text[some[0][0] : some[-1][1]])
    return found or [""]
