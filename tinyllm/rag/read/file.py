"""One file to one document: the reader that its name asks for, and how large it may be."""

from __future__ import annotations

import stat
from collections.abc import Callable
from os import PathLike
from pathlib import Path

from ...errors import ConfigError, DataError
from ..types import Document
from .html import html
from .markdown import markdown
from .pdf import pdf
from .rest import rest
from .text import plain

MAX_BYTES = 32_000_000  # some seven Bibles: a document is held, cut and shown as a whole

READERS: dict[str, Callable[[str, bytes, str], Document]] = {
    ".md": markdown,
    ".markdown": markdown,
    ".html": html,
    ".htm": html,
    ".xhtml": html,
    ".rst": rest,
    ".pdf": pdf,
}


def read(path: str | PathLike[str], id: str | None = None, max_bytes: int = MAX_BYTES) -> Document:
    """Read a file: Markdown, HTML, reStructuredText or PDF by the end of its name, anything else as plain text.

    Args:
        path: the file.
        id: the document's; the file's name if not given.
        max_bytes: the most that is read. A larger file is refused and not cut: a search that silently knows the
            beginning only is worse than one that says what it lacks.

    Returns:
        The document, with a title: its own, or the file's name without its end.

    Raises:
        DataError: there is no such file, it cannot be read, is too large, binary or without text.
        ConfigError: max_bytes is no positive number, or a PDF's reader is not installed.
    """
    if isinstance(max_bytes, bool) or not isinstance(max_bytes, int) or max_bytes <= 0:
        raise ConfigError(f"read: max_bytes={max_bytes!r}", hint="a number of bytes above 0")
    path = Path(path)
    name = path.name if id is None else id
    try:
        state = path.stat()
        if not stat.S_ISREG(state.st_mode):
            what = "is a folder" if stat.S_ISDIR(state.st_mode) else "is no regular file"
            raise DataError(f"{path}: {what}", hint="folder(path)" if stat.S_ISDIR(state.st_mode) else None)
        with path.open("rb") as file:
            data = file.read(max_bytes + 1) if state.st_size <= max_bytes else b""
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {(error.strerror or str(error)).lower()}") from error
    except ValueError as error:  # a NUL in the name
        raise DataError(f"{path!r}: cannot be read: {error}") from error
    size = max(state.st_size, len(data))
    if size > max_bytes:
        raise DataError(
            f"{name}: {size:,} bytes are more than a document may have, {max_bytes:,}",
            hint="split it into files, or say max_bytes",
        )
    reader = pdf if data.startswith(b"%PDF-") else READERS.get(path.suffix.lower(), plain)
    return reader(name, data, path.stem)
