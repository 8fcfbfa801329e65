"""Chunks of a fixed number of tokens, one after the other, with an overlap: the simplest cut, and the first to beat."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ...errors import ConfigError
from ...tokenizer.truncate import Span, furthest, word_spans
from ..types import Chunk, Document, Embedder
from .header import Header
from .limit import Limit
from .packing import Packing, character_spans


@dataclass(frozen=True, slots=True)
class FixedTokens:
    """Cuts at words, wherever the number of tokens is reached; sentences are cut in two.

    Args:
        max_tokens: the most tokens of a chunk, header and special tokens included; by default what the embedder reads.
        overlap: the most tokens at the end of a chunk that the next one begins with.
        embedder: whose tokens are counted; without one, words and signs are.
        header: makes what is said before a chunk, such as ``contextual_header``.

    Raises:
        ConfigError: max_tokens is more than the embedder reads, or leaves no room; the overlap is negative or as long
            as a chunk.

    Example:
        >>> [chunk.text for chunk in FixedTokens(4, overlap=1).split(Document("1", "to be or not to be"))]
        ['to be or not', 'not to be']
    """

    max_tokens: int | None = None
    overlap: int = 0
    embedder: Embedder | None = None
    header: Header | None = None

    def __post_init__(self) -> None:
        most = Limit.of(self.embedder, self.max_tokens).max_tokens
        if not isinstance(self.overlap, int) or not 0 <= self.overlap < most:
            raise ConfigError(
                f"FixedTokens: an overlap of {self.overlap!r} of {most} tokens makes no sense",
                hint=f"from 0 to {most - 1}",
            )

    def split(self, document: Document) -> list[Chunk]:
        """Cut a document."""
        packing = Packing(document, Limit.of(self.embedder, self.max_tokens), self.header)
        return packing.chunks((span, ()) for span in self._windows(packing))

    def _windows(self, packing: Packing) -> Iterator[Span]:
        text = packing.document.text
        words = word_spans(text, 0, len(text))
        begin, done, guess = 0, 0, 1  # the word a window begins with; how many words are in some window
        while done < len(words):
            best = packing.furthest(words, begin, guess=guess)
            if begin + best > done:
                done, guess = begin + best, best
                yield words[begin][0], words[done - 1][1]
                begin = done - self._shared(packing, words, done, best - 1)
            elif begin < done:  # with all of the overlap the next word does not fit
                begin += 1
            else:
                yield from packing.apart(words[done], finer=(character_spans,))
                begin = done = done + 1

    def _shared(self, packing: Packing, words: list[Span], done: int, most: int) -> int:
        """Return how many of the words before ``done`` the next window begins with."""
        text, end = packing.document.text, words[done - 1][1]
        if not self.overlap or most < 1:
            return 0
        return furthest(most, lambda i: packing.limit.count(text[words[done - i][0] : end]) <= self.overlap)
