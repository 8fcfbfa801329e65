"""Packing: as many units of a text in a row as one chunk holds, and the chunks that come of it.

A unit is a span: a sentence, a word, a fenced block. What is too long by itself is taken apart into finer units.
Whether a row of units fits is always asked of the joined text with its header, since token counts do not add up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache

from ...errors import ConfigError
from ...tokenizer.truncate import Span, furthest, word_spans
from ..types import Chunk, Document
from .header import Header, fitted_header
from .limit import Limit

Finer = Callable[[str, int, int], list[Span]]
Section = tuple[str, ...]


def character_spans(text: str, begin: int, end: int) -> list[Span]:
    """Return every character as a unit, white space left out.

    Example:
        >>> character_spans("a bc", 0, 4)
        [(0, 1), (2, 3), (3, 4)]
    """
    return [(i, i + 1) for i in range(begin, end) if not text[i].isspace()]


WORDS: tuple[Finer, ...] = (word_spans, character_spans)


class Packing:
    """Cuts one document into chunks of at most so many tokens.

    Args:
        document: what is cut.
        limit: the most tokens of a chunk.
        header: makes the header of a chunk; None for none.

    Example:
        >>> packing = Packing(Document("1", "to be or not to be"), Limit(4), None)
        >>> [chunk.text for chunk in packing.chunks((span, ()) for span in packing.rows([(0, 18)]))]
        ['to be or not', 'to be']
    """

    def __init__(self, document: Document, limit: Limit, header: Header | None) -> None:
        self.document = document
        self.limit = limit

        @cache
        def header_at(start: int, section: Section) -> str:
            return fitted_header(header(document, section, start), limit) if header else ""

        self._header_at = header_at

    def fits(self, begin: int, end: int, section: Section = ()) -> bool:
        """Tell whether a span makes a chunk that is short enough."""
        return self.limit.fits(self._header_at(begin, section), self.document.text[begin:end])

    def rows(self, units: Sequence[Span], section: Section = (), finer: Sequence[Finer] = WORDS) -> Iterator[Span]:
        """Yield spans that fit, of as many units in a row as possible; a unit too long alone is taken apart.

        Raises:
            ConfigError: not one character fits.
        """
        at, guess = 0, 1
        while at < len(units):
            best = self.furthest(units, at, section, guess)
            if best:
                yield units[at][0], units[at + best - 1][1]
                at, guess = at + best, best
            else:
                yield from self.apart(units[at], section, finer)
                at += 1

    def furthest(self, units: Sequence[Span], at: int, section: Section = (), guess: int = 1) -> int:
        """Return how many units in a row fit from the one at ``at`` on."""
        begin = units[at][0]
        return furthest(len(units) - at, lambda i: self.fits(begin, units[at + i - 1][1], section), guess)

    def apart(self, unit: Span, section: Section = (), finer: Sequence[Finer] = WORDS) -> Iterator[Span]:
        """Yield spans that fit of a unit that does not."""
        if not finer:
            raise ConfigError(
                f"document {self.document.id!r}: with its header, not one character fits "
                f"{self.limit.max_tokens} tokens",
                hint="a greater max_tokens",
            )
        yield from self.rows(finer[0](self.document.text, *unit), section, finer[1:])

    def chunks(self, spans: Iterable[tuple[Span, Section]]) -> list[Chunk]:
        """Return the chunks of spans with their sections; of a title without any text, one with an empty span."""
        document, limit = self.document, self.limit
        made = []
        for ordinal, ((begin, end), section) in enumerate(spans):
            header = self._header_at(begin, section)
            n_tokens = limit.tokens(header, document.text[begin:end])
            made.append(Chunk.cut(document, begin, end, header=header, ordinal=ordinal, n_tokens=n_tokens))
        if not made and document.title.strip():
            title = fitted_header(document.title, Limit(2 * (limit.max_tokens - limit.frame), limit.count))
            made.append(Chunk.cut(document, 0, 0, header=title, n_tokens=limit.tokens(title, "")))
        return made
