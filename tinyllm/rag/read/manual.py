"""Python's own manual, as far as CPython carries it for ``help()``: some 80 topics of real English, without network."""

from __future__ import annotations

from ...errors import DataError
from ..types import Document
from .rest import with_headings


def manual() -> list[Document]:
    """Return a document of each topic, sorted by name; another edition in each version of Python.

    Raises:
        DataError: this Python was installed without it.

    Example:
        >>> page = next(page for page in manual() if page.id == "python/assert")
        >>> page.title, page.text[:24]
        ('The "assert" statement', '# The "assert" statement')
    """
    try:
        from pydoc_data.topics import topics
    except ImportError:
        raise DataError(
            "manual: this Python was installed without pydoc_data", hint="rag.read.folder(path), with texts of yours"
        ) from None
    documents = []
    for name in sorted(topics):
        text, title = with_headings(topics[name].strip() + "\n")
        documents.append(Document(f"python/{name}", text, title or name))
    return documents
