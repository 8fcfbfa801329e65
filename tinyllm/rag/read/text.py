"""Plain text: as it is, but for titles that are underlined as only reStructuredText has it, which become headings."""

from __future__ import annotations

from ...errors import DataError
from ..types import Document
from .decode import decoded
from .rest import with_headings


def plain(id: str, data: bytes, title: str = "") -> Document:
    r"""Read a plain text.

    Args:
        id: the document's.
        data: the file's bytes.
        title: what it is called; a plain text does not say it.

    Returns:
        A document; its meta has the encoding, and whether that was guessed.

    Raises:
        DataError: it is binary, or there is no text in it.

    Example:
        >>> plain("a.txt", b"Ducks\n*****\n\nThey swim.").text
        '# Ducks\n\nThey swim.'
    """
    text, meta = decoded(data, id)
    if not text.strip():
        raise DataError(f"{id}: there is no text in it")
    return Document(id, with_headings(text, all_marks=False)[0], title, meta=meta)
