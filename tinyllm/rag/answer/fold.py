r"""Folding: a text as it is compared with a quote, and where each of its characters stands in the source.

Whoever copies a sentence changes its typography: curly quotes become straight ones, a dash a hyphen, a line break a
space, a ligature two letters. None of this is a misquotation. So both sides are folded alike:

1. What ``guard.strip`` takes out of a prompt is dropped, and so are the backslashes that ``guard.escape`` adds.
2. NFKC, but 10\u00b2 becomes 10^2 and not 102, and 1\u00bd becomes 1 1/2 and not 11/2.
3. Every quotation mark and apostrophe becomes ', several in a row one of them; every dash becomes a hyphen.
4. Every run of white space becomes one space.

Upper and lower case stay as they are: US and us are two words.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from .guard import ESCAPE, HIDDEN

_DROPPED = re.compile(f"{HIDDEN}|{ESCAPE}")
_PLAIN = re.compile(r"[!#-&(-\[\]-_a-~]+")  # ASCII that nothing is done to
_QUOTES = frozenset(
    "'\"`\u00b4\u2018\u2019\u201a\u201b\u201c\u201d\u201e\u201f\u2032\u2033\u2034\u2039\u203a\u00ab\u00bb\u300c\u300d\u300e\u300f\u02bc"
)
_DASHES = frozenset("-\u2010\u2011\u2012\u2013\u2014\u2015\u2212\u2e3a\u2e3b")


@dataclass(frozen=True, slots=True)
class Folded:
    """A folded text with its map back.

    Attributes:
        text: what is compared.
        begins: of each of its characters, where in the source what it came from begins.
        ends: where that ends.
        source: the text as it was.

    Example:
        >>> made = fold("The \u201cof\ufb01ce\u201d")
        >>> made.text, made.begins[6], made.ends[8]
        ("The 'office'", 6, 8)
    """

    text: str
    begins: Sequence[int]
    ends: Sequence[int]
    source: str

    def was(self, place: int) -> str:
        """Return what one of its characters was in the source."""
        return self.source[self.begins[place] : self.ends[place]]


def fold(text: str) -> Folded:
    """Fold a text.

    Example:
        >>> fold("It  isn\u2019t 10\u00b2 \u2014 is it?").text
        "It isn't 10^2 - is it?"
    """
    kept, at = _kept(text)
    out: list[str] = []
    begins: list[int] = []
    ends: list[int] = []

    def put(char: str, begin: int, end: int) -> None:
        char = " " if char.isspace() else "'" if char in _QUOTES else "-" if char in _DASHES else char
        if char in " '" and out and out[-1] == char:
            ends[-1] = end
            return
        out.append(char)
        begins.append(begin)
        ends.append(end)

    i = 0
    while i < len(kept):
        plain = _PLAIN.match(kept, i)
        if plain:
            out += plain[0]
            begins += at[i : plain.end()]
            ends += [place + 1 for place in at[i : plain.end()]]
            i = plain.end()
            continue
        first, j = i, i + 1
        if not kept[i].isascii() and i and _joins(kept[i - 1], kept[i]):  # a mark belongs to the letter before it
            while out and begins[-1] >= at[i - 1]:
                out.pop(), begins.pop(), ends.pop()
            first = i - 1
        while j < len(kept) and not kept[j].isascii() and _joins(kept[first:j], kept[j]):
            j += 1
        for char in _normal(kept[first:j], kept[first - 1 : first]):
            put(char, at[first], at[j - 1] + 1)
        i = j
    return Folded("".join(out), begins, ends, text)


def _kept(text: str) -> tuple[str, Sequence[int]]:
    """Return a text without what is dropped, and where each of its characters stood."""
    if not _DROPPED.search(text):
        return text, range(len(text))
    pieces: list[str] = []
    at: list[int] = []
    begin = 0
    for start, end in (*(found.span() for found in _DROPPED.finditer(text)), (len(text), len(text))):
        pieces.append(text[begin:start])
        at += range(begin, start)
        begin = end
    return "".join(pieces), at


def _joins(before: str, char: str) -> bool:
    """Tell whether a character changes when it is normalized together with what stands before it."""
    if unicodedata.combining(char):
        return True
    apart = unicodedata.normalize("NFKC", before) + unicodedata.normalize("NFKC", char)
    return unicodedata.normalize("NFKC", before + char) != apart


def _normal(cluster: str, before: str) -> str:
    """Return the NFKC form of some characters that belong together, numbers kept apart."""
    if len(cluster) == 1 and unicodedata.numeric(cluster, None) is not None:
        kind = unicodedata.decomposition(cluster).partition(" ")[0]
        if kind == "<super>":
            return "^" + unicodedata.normalize("NFKC", cluster)
        if kind == "<fraction>":
            return " " * before.isdigit() + unicodedata.normalize("NFKC", cluster).replace("\u2044", "/")
    return unicodedata.normalize("NFKC", cluster).replace("\u2044", "/")
