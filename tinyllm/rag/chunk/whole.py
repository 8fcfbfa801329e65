"""No cutting: each document is one chunk."""

from __future__ import annotations

from dataclasses import dataclass

from ..types import Chunk, Document


@dataclass(frozen=True, slots=True)
class Whole:
    """Makes one chunk of a document, for short ones such as abstracts; its header is the title.

    Nothing is counted and nothing is cut: an embedder with a limit reads the beginning and no more. ``SentencePack``
    is for documents that are longer than that.

    Args:
        title: whether the title is the chunk's header.

    Example:
        >>> [chunk.full for chunk in Whole().split(Document("1", "Ducks swim. Cats do not.", title="Animals"))]
        ['Animals\\nDucks swim. Cats do not.']
    """

    title: bool = True

    def split(self, document: Document) -> list[Chunk]:
        """Return the document as a chunk; one without any text or title gives none."""
        header = " ".join(document.title.split()) if self.title else ""
        if not document.text.strip():
            return [Chunk.cut(document, 0, 0, header=header)] if header else []
        return [Chunk.cut(document, 0, len(document.text), header=header)]
