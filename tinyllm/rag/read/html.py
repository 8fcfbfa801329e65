"""HTML: what a reader of the page reads, headings as Markdown has them, so that the chunker sees them.

Scripts, styles, navigation and controls are left out, and, where a page says which part of it is the main one, all
that stands around that; preformatted text is fenced; a row of a table is a line. Nothing
here recurses and no stack is kept: a page of a million open tags is read like any other.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from ...errors import DataError
from ..types import Document
from .decode import decoded
from .marks import fenced, heading, unmarked
from .tags import tokens

_DROPPED = {"nav", "template", "noscript", "svg", "object", "canvas", "audio", "video", "select", "button", "datalist"}
_BLOCKS = {
    *("address", "article", "aside", "blockquote", "body", "caption", "center", "details", "dd", "dialog", "div"),
    *("dl", "dt", "fieldset", "figcaption", "figure", "footer", "form", "head", "header", "hgroup", "hr", "html"),
    *("legend", "li", "main", "menu", "ol", "p", "section", "summary", "tbody", "tfoot", "thead", "ul"),
}
_LEVELS = {f"h{level}": level for level in range(1, 7)}
_CHARSET = re.compile(rb"""<meta[^>]{0,200}?charset\s*=\s*["']?\s*([\w.:-]{1,40})""", re.IGNORECASE)
_XML = re.compile(rb"""<\?xml[^>]{0,200}?encoding\s*=\s*["']([\w.:-]{1,40})""")
_BREAK = "\0"  # a line break within a block; no page holds this character


def html(id: str, data: bytes, title: str = "") -> Document:
    """Read a page.

    Args:
        id: the document's.
        data: the file's bytes.
        title: what it is called if it has neither a title nor a heading.

    Raises:
        DataError: it is binary, or there is no text in it.

    Example:
        >>> page = html("a.html", b"<title>Birds</title><h2>Ducks</h2><p>They <b>swim</b>.<script>x</script>")
        >>> page.title, page.text
        ('Birds', '## Ducks\\n\\nThey swim.')
    """
    found = _CHARSET.search(data, 0, 2048) or _XML.match(data)
    page, meta = decoded(data, id, found[1].decode() if found else None)
    lines = _Lines()
    for kind, name, text in tokens(page):
        lines.token(kind, name, text)
    text, first = lines.whole()
    if not (text or lines.title):
        raise DataError(f"{id}: there is no text in this page")
    return Document(id, text, lines.title or first or title, meta=meta)


class _Lines:
    """The text of a page, as its tags come by."""

    def __init__(self) -> None:
        self.title = ""
        self._done: list[tuple[str, str]] = []  # blocks, each with what sort it is
        self._main: list[int] = []  # at which of them the element main begins, and at which it ends
        self._open: list[str] = []  # the texts of the block that is open
        self._level = 0  # of the heading that is open
        self._code = self._item = False  # within preformatted text; at the beginning of a list's item
        self._cells: list[str] | None = None  # of the row that is open
        self._dropped, self._depth = "", 0  # the element whose texts are left out, and how many of them are open

    def token(self, kind: str, name: str, text: str) -> None:
        """Take the next piece of the page."""
        if self._dropped:
            if name == self._dropped and kind != "text":
                self._depth += 1 if kind == "open" else -1
                self._dropped = self._dropped if self._depth else ""
        elif kind == "text":
            self._open.append(text)
        elif kind == "raw":
            if name == "title" and not self.title:
                self.title = " ".join(text.split())
            elif name == "xmp":
                self._flush()
                self._add("code", fenced(text))
        elif kind == "open" and name in _DROPPED:
            self._dropped, self._depth = name, 1
        elif name == "br":
            self._open.append("\n" if self._code else _BREAK)
        elif name == "pre":
            self._end_row()
            self._flush()
            self._code = kind == "open"
        elif not self._code:
            self._tag(kind, name)

    def _tag(self, kind: str, name: str) -> None:
        if name in _LEVELS:
            self._end_row()
            self._flush()
            self._level = _LEVELS[name] if kind == "open" else 0
        elif name in ("tr", "table"):
            self._end_row()
            self._flush()
            self._cells = [] if (kind, name) == ("open", "tr") else None
        elif name in ("td", "th"):
            self._end_cell()
        elif name in _BLOCKS and self._cells is not None:
            self._open.append(" ")  # a row is one line, whatever its cells are made of
        elif name in _BLOCKS:
            self._flush()
            if name == "main" and len(self._main) == (kind == "close"):
                self._main.append(len(self._done))
            self._item = kind == "open" and (name == "li" or (self._item and name not in ("ul", "ol")))

    def _end_cell(self) -> None:
        if self._cells is None:
            self._flush()
        else:
            self._cells.append(_joined(self._open))
            self._open.clear()

    def _end_row(self) -> None:
        if self._cells is not None:
            self._end_cell()
            row = " | ".join(cell.replace("\n", " ") for cell in self._cells if cell)
            self._add("row", unmarked(row))
            self._cells = None

    def _flush(self) -> None:
        """Close the block that is open, if there is any text in it."""
        if self._code:
            code = "".join(self._open)
            self._add("code", fenced(code) if code.strip() else "")
            self._code = False
        elif text := _joined(self._open):
            if self._level:
                self._add("heading", heading(self._level, text))
            elif self._item:
                self._add("item", "- " + text.replace("\n", "\n  "))
            else:
                self._add("paragraph", "\n".join(map(unmarked, text.split("\n"))))
            self._level, self._item = 0, False
        self._open.clear()

    def _add(self, sort: str, text: str) -> None:
        if text:
            self._done.append((sort, text))

    def whole(self) -> tuple[str, str]:
        """Return all that there is and its first heading: rows and items on lines of their own, others apart."""
        self._end_row()
        self._flush()
        begin, end = [*self._main, None, None][:2]
        blocks = self._done[begin:end] or self._done  # an empty main would hide the page
        parts: list[str] = []
        before = ""
        for sort, text in blocks:
            parts += ["\n" if sort == before and sort in ("row", "item") else "\n\n", text]
            before = sort
        first = next((text.lstrip("#").strip() for sort, text in blocks if sort == "heading"), "")
        return "".join(parts[1:]), first


def _joined(texts: list[str], clean: Callable[[str], str] = lambda line: " ".join(line.split())) -> str:
    """Join the texts of a block; white space is one space, as a browser has it, and hidden hyphens go."""
    lines = "".join(texts).replace("\u00ad", "").split(_BREAK)
    return "\n".join(filter(None, map(clean, lines)))
