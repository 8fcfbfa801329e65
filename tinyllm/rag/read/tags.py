"""HTML's tags and texts, one after the other, in time that grows with the length of the page and no faster.

The standard library's html.parser takes seconds for 30 kB of unclosed comments or quotes, and minutes for 300 kB, in
several versions of Python; some pages make it fail an assertion. What a reader needs of it is this much.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape
from typing import Literal, NamedTuple

_NAME = re.compile(r"<(/?)([a-zA-Z][^\s/>]*)")
_REST = re.compile(r"""(?:[^"'>=]++|=\s*+(?:"[^"]*"|'[^']*')?+|["'])*+>""")  # a ">" within a quoted value ends no tag
_NUMBER = re.compile(r"&#[0-9]{10,};?")  # beyond Unicode; Python refuses to read numbers of thousands of digits
_RAW = {"script", "style", "title", "textarea", "iframe", "xmp", "noembed", "noframes"}  # no tag counts within


class Token(NamedTuple):
    """A piece of a page: a text, a tag that opens or closes, or all that stands in an element without tags."""

    kind: Literal["text", "open", "close", "raw"]
    name: str  # of the element, in small letters
    text: str = ""


def tokens(page: str) -> Iterator[Token]:
    """Yield the pieces of a page, comments and declarations left out.

    A comment that is not closed takes all that follows, a tag that is not closed ends at the next ">", and a "<" that
    begins nothing is text.

    Example:
        >>> [tuple(token) for token in tokens("<P class='a>b'>1 &lt; 2<!-- no --></p><script>if (a<b)</script>")]
        [('open', 'p', ''), ('text', '', '1 < 2'), ('close', 'p', ''), ('raw', 'script', 'if (a<b)')]
    """
    at, begin, last = 0, 0, page.rfind(">")
    quotes = True  # once a quote has run to the end of the page, they are no longer believed
    while 0 <= (at := page.find("<", at)) < last:
        found = _NAME.match(page, at)
        if not found and page[at + 1] not in "!?/":
            at += 1
            continue
        if begin < at:
            yield Token("text", "", unescaped(page[begin:at]))
        if not found:
            at = begin = _after(page, "-->", at + 2) if page.startswith("<!--", at) else _after(page, ">", at)
            continue
        closed = _REST.match(page, found.end()) if quotes else None
        quotes = closed is not None
        at = begin = closed.end() if closed else _after(page, ">", found.end())
        name = found[2].lower()
        if found[1]:
            yield Token("close", name)
        elif name in _RAW and page[at - 2] != "/":
            end = re.compile(rf"</{name}(?=[\s/>])|\Z", re.IGNORECASE).search(page, at)
            stop = end.start() if end else len(page)
            inner = page[at:stop]
            yield Token("raw", name, unescaped(inner) if name in ("title", "textarea") else inner)
            at = begin = _after(page, ">", stop)
        else:
            yield Token("open", name)
    if begin < len(page):
        yield Token("text", "", unescaped(page[begin:]))


def unescaped(text: str) -> str:
    """Read the entities of a text.

    Example:
        >>> unescaped("&lt;b&gt; &#8364; &eacute; &nosuch; &#" + "9" * 5000 + ";")
        '<b> € é &nosuch; \ufffd'
    """
    return unescape(_NUMBER.sub("\ufffd", text)) if "&" in text else text


def _after(page: str, what: str, at: int) -> int:
    found = page.find(what, at)
    return len(page) if found < 0 else found + len(what)
