"""Readers: a file, a folder, or Python's own manual, as documents.

    from tinyllm.rag.read import folder, read

    note = read("notes/ducks.md")
    for document in folder("notes", patterns=["*.md", "*.html"]):
        ...

Whatever a file's format, its headings come out as Markdown has them, which is what ``chunk.Headings`` finds.
"""

from __future__ import annotations

from .file import MAX_BYTES, READERS, read
from .folder import Folder, Skipped, folder
from .html import html
from .manual import manual
from .markdown import markdown
from .pdf import pdf
from .rest import rest
from .text import plain

__all__ = [
    "MAX_BYTES",
    "READERS",
    "Folder",
    "Skipped",
    "folder",
    "html",
    "manual",
    "markdown",
    "pdf",
    "plain",
    "read",
    "rest",
]
