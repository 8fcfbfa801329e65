"""PDF, by the package pypdf (extra "pdf"): the text of its pages, and where in it each page begins."""

from __future__ import annotations

import io
from importlib import import_module
from itertools import accumulate
from typing import Any

from ...errors import ConfigError, DataError
from ...tokenizer.surrogates import without_surrogates
from ..types import Document

_BETWEEN = "\n\n"


def pdf(id: str, data: bytes, title: str = "") -> Document:
    """Read a PDF.

    Args:
        id: the document's.
        data: the file's bytes.
        title: what it is called if it does not say so itself.

    Returns:
        A document; ``meta["pages"]`` says where in its text each page begins, and ``ingest`` tells every chunk the
        number of its page, from 1.

    Raises:
        DataError: it cannot be read, wants a password, or is made of pictures only.
        ConfigError: pypdf is not installed.
    """
    try:
        pypdf: Any = import_module("pypdf")
    except ImportError as error:
        raise ConfigError(f"{id}: to read PDF takes the package pypdf", hint='pip install "tinyllm[pdf]"') from error
    try:
        reader = pypdf.PdfReader(io.BytesIO(data))
        if reader.is_encrypted and not reader.decrypt(""):
            raise DataError(f"{id}: this PDF wants a password", hint="save it without one")
        pages = [_clean(page.extract_text()) for page in reader.pages]
        named = _clean((reader.metadata.title if reader.metadata else None) or "")
    except DataError:
        raise
    except Exception as error:  # a damaged file fails anywhere in pypdf, in whatever way comes
        what = " ".join(str(error).split())[:120] or type(error).__name__
        raise DataError(f"{id}: cannot be read as PDF: {what}", hint="open it in a viewer and save it again") from error
    if not any(pages):
        raise DataError(f"{id}: there is no text on its {len(pages)} pages", hint="a scan needs OCR first")
    starts = [0, *accumulate(len(page) + len(_BETWEEN) for page in pages)][: len(pages)]
    return Document(id, _BETWEEN.join(pages), named or title, meta={"pages": starts})


def _clean(text: str) -> str:
    return without_surrogates(text).replace("\0", "\ufffd").replace("\r\n", "\n").replace("\r", "\n").strip()
