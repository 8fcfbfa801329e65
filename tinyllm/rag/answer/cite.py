"""Citations: what an answer claims, and whether the words it quotes stand where it says.

    supported       the quote stands in the source it cites
    misattributed   it stands in another one
    frankenquote    no source says it, but most of its words were taken from one or from several: stitched or altered
    fabricated      the words are nobody's
    missing         there is no quote, or one of fewer than four words, which proves nothing

Typography does not matter (``fold.py``), and every other letter does: a quote with a dropped "not", another number or
half a word at its edge is not found. This proves that the words are there. It does not prove that the claim follows
from them, nor that the document tells the truth: whoever shows an answer should say so (``PROVES``).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from ..types import Chunk, Citation, Document, Verdict
from .fold import Folded, fold

PROVES = "Checked: the quoted words are in the source. Not checked: that the statement follows from them."
MIN_WORDS = 4

_UNSPACED = (  # scripts that write no spaces between words
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
)
_SIGN = re.compile(f"[{_UNSPACED}]")
_WORD = re.compile(rf"(?:(?![{_UNSPACED}])\w)+(?:['-](?:(?![{_UNSPACED}])\w)+)*")
_TERM = re.compile(f"{_WORD.pattern}|{_SIGN.pattern}")
_JOINING = frozenset("-\u2010\u2011'\u2019")  # between two letters these make one word of two
_CITED = re.compile(
    r"\[(?P<number>\d{1,6})\][ \t]*+:?[ \t]*+(?:[\"\u201c\u201e\u00ab](?P<quote>.{1,4000}?)[\"\u201d\u00bb])?"
    r"(?=[ \t]*+(?:\[\d{1,6}\]|[).,;]*+[ \t]*+$))"
)
_BEFORE = re.compile(r"[\"\u201c\u201e\u00ab]([^\"\u201c\u201d\u00bb]+)[\"\u201d\u00bb][).,;]*[ \t]*$")
_OMITTED = re.compile(r"^\.{3,} ?")
_BULLET = re.compile(r"^[ \t]*(?:[-*\u2022]|\d{1,3}[.)])[ \t]+")


@dataclass(frozen=True, slots=True)
class Claim:
    """A statement with what is to prove it.

    Args:
        text: the statement.
        number: of the source it cites, from 1; 0 for none.
        quote: the words of that source; "" for none.
    """

    text: str
    number: int = 0
    quote: str = ""


def parse(text: str) -> list[Claim]:
    """Read an answer of the form the prompt asks for: a statement a line, then [number] "quote", perhaps several.

    A number in brackets counts where it stands at the end of a line or before another one, so "[3]" within a quote,
    which a document may hold, cites nothing. A quote right before its number is taken as well.

    Example:
        >>> parse('Ducks swim. [2] "most ducks can swim"')
        [Claim(text='Ducks swim.', number=2, quote='most ducks can swim')]
        >>> parse("Cats do not.")
        [Claim(text='Cats do not.', number=0, quote='')]
    """
    claims = []
    for line in text.splitlines():
        line = _BULLET.sub("", line).strip()
        if not line:
            continue
        found = list(_CITED.finditer(line))
        statement = line[: found[0].start()].strip() if found else line
        before = _BEFORE.search(statement)
        for one in found:
            quote = one["quote"] or (before[1] if before and one is found[0] else "")
            claims.append(Claim(statement, int(one["number"]), quote))
        claims += [] if found else [Claim(statement)]
    return claims


def verify(
    claims: Iterable[Claim], chunks: Sequence[Chunk], documents: Mapping[str, Document] | None = None
) -> list[Citation]:
    """Look for each claim's quote; the same input gives the same verdicts, and no model is asked.

    Args:
        claims: with the numbers of their sources.
        chunks: the sources, number 1 first.
        documents: id -> document, to look up a source's words where they came from, and quotes in what was not shown.

    Returns:
        a citation of each claim, with the quote's place in its document.

    Example:
        >>> duck = Chunk("1:40-72", "1", "Most ducks can\\u00a0swim, it is said.", 40, 72)
        >>> verify([Claim("They swim.", 1, "ducks can swim, it is")], [duck])[0].start
        45
        >>> verify([Claim("They fly.", 1, "ducks can fly, it is")], [duck])[0].verdict
        'frankenquote'
    """
    library = _Library(chunks, documents or {})
    return [library.look_up(claim) for claim in claims]


def count_words(folded: str) -> int:
    """Count the words of a folded text; two signs of a script without spaces count as one.

    Example:
        >>> count_words("it isn't so-called"), count_words("\u9d28\u306f\u6cf3\u3050")
        (3, 2)
    """
    return len(_WORD.findall(folded)) + len(_SIGN.findall(folded)) // 2


class _Library:
    """The sources of one answer, each folded when it is first needed."""

    def __init__(self, chunks: Sequence[Chunk], documents: Mapping[str, Document]) -> None:
        shown = list(chunks)
        whole = [Chunk.cut(one, 0, len(one.text)) for one in documents.values()]
        self.shown = len(shown)
        self.chunks = [self._original(chunk, documents) for chunk in shown] + whole
        self._folded: dict[int, Folded] = {}
        self._known: dict[int, tuple[set[str], set[tuple[str, ...]]]] = {}

    @staticmethod
    def _original(chunk: Chunk, documents: Mapping[str, Document]) -> Chunk:
        """Return a chunk with the words of its document, whatever was made of them on the way."""
        document = documents.get(chunk.doc_id)
        if document is None or not 0 <= chunk.start <= chunk.end <= len(document.text):
            return chunk
        return Chunk.cut(document, chunk.start, chunk.end)

    def folded(self, place: int) -> Folded:
        if place not in self._folded:
            self._folded[place] = fold(self.chunks[place].text)
        return self._folded[place]

    def look_up(self, claim: Claim) -> Citation:
        quotes = _readings(fold(claim.quote).text)
        cited = claim.number - 1 if 1 <= claim.number <= self.shown else None
        name = self.chunks[cited].id if cited is not None else ""

        def result(verdict: Verdict, place: int | None = None, span: tuple[int, int] = (0, 0)) -> Citation:
            where = name if place is None else self.chunks[place].id
            start = 0 if place is None else self.chunks[place].start
            return Citation(where, start + span[0], start + span[1], claim.quote, verdict, claim.text, claim.number)

        if not claim.number or count_words(quotes[-1]) < MIN_WORDS:
            return result("missing")
        places = [place for place in range(len(self.chunks)) if place != cited]
        for place in places if cited is None else [cited, *places]:
            span = next((span for one in quotes if (span := _find(self.folded(place), one))), None)
            if span:
                return result("supported" if place == cited else "misattributed", place, span)
        return result("frankenquote" if self._patched(quotes[-1]) else "fabricated")

    def known(self, place: int) -> tuple[set[str], set[tuple[str, ...]]]:
        """Return the words of a source, and its runs of three."""
        if place not in self._known:
            words = _terms(self.folded(place).text)
            self._known[place] = set(words), set(_runs(words))
        return self._known[place]

    def _patched(self, quote: str) -> bool:
        """Tell whether half of a quote are runs of three words that sources hold, or most of it words of one source."""
        words = _terms(quote)
        covered: set[int] = set()
        for place in range(len(self.chunks)):
            theirs, runs = self.known(place)
            covered |= {i + j for i, run in enumerate(_runs(words)) if run in runs for j in range(3)}
            if 4 * len({*words} & theirs) >= 3 * len({*words}):
                return True
        return 2 * len(covered) >= len(words)


def _readings(quote: str) -> list[str]:
    """Return a folded quote, and then without the signs that whoever quotes may have put around it, one by one.

    A sign with a space before it stays: what stood between the two may have been a number.
    """
    readings = [_OMITTED.sub("", quote.strip(" '"))]
    while readings[-1][-1:] in (*".,;:'",) and readings[-1][-2:-1].strip():
        readings.append(readings[-1][:-1])
    return readings


def _terms(folded: str) -> list[str]:
    """Return words, and signs of scripts that have no spaces, without upper case."""
    return [found[0].casefold() for found in _TERM.finditer(folded)]


def _runs(words: Sequence[str]) -> Iterator[tuple[str, ...]]:
    return zip(words, words[1:], words[2:], strict=False)


def _find(source: Folded, quote: str) -> tuple[int, int] | None:
    """Return where a quote stands in its source, as whole words and whole numbers; None if nowhere."""
    i = source.text.find(quote)
    while i >= 0:
        j = i + len(quote)
        if not _torn(source, i, -1) and not _torn(source, j - 1, 1):
            return source.begins[i], source.ends[j - 1]
        i = source.text.find(quote, i + 1)
    return None


def _torn(source: Folded, edge: int, step: int) -> bool:
    """Tell whether a word or number goes on beyond an edge: can|'t, non-|linear, -|3, 1|.5, 5|%."""
    text = source.text

    def at(distance: int) -> str:
        place = edge + step * distance
        return text[place] if 0 <= place < len(text) else ""

    inner, outer, beyond = text[edge], at(1), at(2)
    if not outer or outer == " " or not inner.isalnum():
        return False
    if outer.isalnum():
        return not (_SIGN.match(inner) or _SIGN.match(outer))
    if outer == "^" or (inner.isdigit() and outer in ".,:/-" and beyond.isdigit()):
        return True
    if inner.isdigit() and outer in ("+$\u20ac\u00a3\u00a5" if step < 0 else "%\u2030\u00b0"):
        return True
    was = source.was(edge + step)
    if inner.isdigit() and step < 0 and outer == "-" and not beyond.isalnum():
        return was != "\u2014"  # a sign, unless it is a long dash
    return was in _JOINING and beyond.isalnum() and not _SIGN.match(beyond)
