"""Chunks of whole sentences, as many as fit."""

from __future__ import annotations

from dataclasses import dataclass

from ...tokenizer.sentences import sentence_spans
from ..types import Chunk, Document, Embedder
from .header import Header
from .limit import Limit
from .packing import Packing


@dataclass(frozen=True, slots=True)
class SentencePack:
    """Fills each chunk with sentences; one that is too long alone is cut at words, and a word at characters.

    Args:
        max_tokens: the most tokens of a chunk, header and special tokens included; by default what the embedder reads.
        embedder: whose tokens are counted; without one, words and signs are.
        header: makes what is said before a chunk, such as ``contextual_header``.

    Raises:
        ConfigError: max_tokens is more than the embedder reads, or leaves no room.

    Example:
        >>> text = "Ducks swim. Cats do not. Dogs do if they must."
        >>> [chunk.text for chunk in SentencePack(8).split(Document("1", text))]
        ['Ducks swim. Cats do not.', 'Dogs do if they must.']
    """

    max_tokens: int | None = None
    embedder: Embedder | None = None
    header: Header | None = None

    def __post_init__(self) -> None:
        Limit.of(self.embedder, self.max_tokens)

    def split(self, document: Document) -> list[Chunk]:
        """Cut a document."""
        packing = Packing(document, Limit.of(self.embedder, self.max_tokens), self.header)
        return packing.chunks((span, ()) for span in packing.rows(sentence_spans(document.text)))
