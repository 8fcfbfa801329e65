"""Markdown: its text as it is, the front matter taken off; the title is the front matter's or the first heading."""

from __future__ import annotations

import re
from typing import Any

from ...errors import DataError
from ..chunk.headings import markdown_headings
from ..types import Document
from .decode import decoded

_FRONT = re.compile(r"---[ \t]*\n(.*?)^(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.DOTALL | re.MULTILINE)
_SETTING = re.compile(r"([\w.-]+)[ \t]*:(?:[ \t]+(.*)|[ \t]*)")
_NESTED = re.compile(r"[ \t#-]|$")  # below a setting, a comment, an item or nothing
_OURS = {"doc_id", "page", "pages"}  # these keys say something else in a meta


def markdown(id: str, data: bytes, title: str = "") -> Document:
    r"""Read a Markdown file.

    Args:
        id: the document's.
        data: the file's bytes.
        title: what it is called if it does not say so itself.

    Returns:
        A document; each "key: value" of the front matter that stands on one line is in its meta, as a text.

    Raises:
        DataError: it is binary, or there is no text in it.

    Example:
        >>> note = markdown("a.md", b"---\nauthor: Ada\n---\n# Ducks\nThey swim.")
        >>> note.title, note.text, note.meta["author"]
        ('Ducks', '# Ducks\nThey swim.', 'Ada')
    """
    text, meta = decoded(data, id)
    settings, text = front_matter(text)
    named = settings.pop("title", "")
    if not (text.strip() or named):
        raise DataError(f"{id}: there is no text in it")
    first = next((name for _, name, _ in markdown_headings(text)[0] if name), "") if not named else ""
    return Document(id, text, named or first or title, meta={**settings, **meta})


def front_matter(text: str) -> tuple[dict[str, Any], str]:
    r"""Cut the settings between two lines of dashes off a text's beginning; nested ones are left unread.

    Example:
        >>> front_matter("---\ntitle: 'A b'\ntags:\n  - x\n---\nText"), front_matter("---\nno settings\n---\n")
        (({'title': 'A b'}, 'Text'), ({}, '---\nno settings\n---\n'))
    """
    found = _FRONT.match(text)
    if not found:
        return {}, text
    settings = {}
    for line in found[1].splitlines():
        setting = _SETTING.fullmatch(line)
        if setting:
            value = (setting[2] or "").strip()
            if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"":
                value = value[1:-1]
            if value and setting[1] not in _OURS:
                settings[setting[1]] = value
        elif not _NESTED.match(line):
            return {}, text  # a text between two lines is none of ours
    return settings, text[found.end() :]
