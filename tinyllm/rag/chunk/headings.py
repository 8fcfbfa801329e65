"""Chunks that stay within a section: Markdown's headings, or the chapters of a plain text.

No chunk reaches over a heading. A fenced block of code stays whole as long as it fits into one chunk, and nothing in it
is a heading. The path of headings above a chunk goes into its header.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from ...tokenizer.sentences import sentence_spans
from ...tokenizer.truncate import Span
from ..types import Chunk, Document, Embedder
from .header import Header, contextual_header
from .limit import Limit
from .packing import WORDS, Packing

_LINE = re.compile(r"[^\n]+")
_FENCE = re.compile(r" {0,3}(`{3,}(?=[^`]*$)|~{3,})(.*)")
_ATX = re.compile(r" {0,3}(#{1,6})((?:[ \t].*)?)")
_UNDERLINE = re.compile(r" {0,3}(=+|-{3,})[ \t]*")
_CHAPTER = re.compile(r"(part|book|chapter|appendix|section)\s+([ivxlcdm]+|\d+|[a-z])\b.{0,70}", re.IGNORECASE)
_NUMBERED = re.compile(r"(\d{1,3}(?:\.\d{1,3})*)\.?[ \t]+[^\W\d_].{0,70}(?<![.,;:])")
_LEVELS = {"part": 1, "book": 1, "chapter": 2, "appendix": 2, "section": 3}


@dataclass(slots=True)
class Stretch:
    """A section without its subsections: the headings above it and its units, which are spans of the text."""

    path: tuple[str, ...]
    units: list[Span] = field(default_factory=list)


def line_spans(text: str, begin: int, end: int) -> list[Span]:
    r"""Find the lines of ``text[begin:end]`` that are not blank, without white space at their ends.

    Example:
        >>> line_spans("a\n\n  b c\n", 0, 9)
        [(0, 1), (5, 8)]
    """
    spans = []
    for found in _LINE.finditer(text, begin, end):
        line = found[0]
        first, last = found.start() + len(line) - len(line.lstrip()), found.start() + len(line.rstrip())
        if first < last:
            spans.append((first, last))
    return spans


def stretches(text: str) -> list[Stretch]:
    r"""Cut a text at its headings: Markdown's, or, where there are none, lines such as "Chapter 3" or "2.1 Birds".

    Returns:
        Every stretch with its path; the units of a stretch are its heading, its sentences and its fenced blocks.

    Example:
        >>> [(part.path, len(part.units)) for part in stretches("# Ducks\nThey swim. They fly.\n## Food\nBread.")]
        [(('Ducks',), 3), (('Ducks', 'Food'), 2)]
    """
    headings, fences = markdown_headings(text)
    headings = headings or _plain(text)
    marks = sorted([(span, "", 0) for span in fences] + headings)
    made = [Stretch(())]
    path: list[tuple[int, str]] = []
    at = 0
    for span, title, level in [*marks, ((len(text), len(text)), "", 0)]:
        made[-1].units += [(at + begin, at + end) for begin, end in sentence_spans(text[at : span[0]])]
        if level:
            path = [*(above for above in path if above[0] < level), (level, title)]
            made.append(Stretch(tuple(name for _, name in path if name)))
        if span[0] < span[1]:
            made[-1].units.append(span)
        at = span[1]
    return [stretch for stretch in made if stretch.units]


def markdown_headings(text: str) -> tuple[list[tuple[Span, str, int]], list[Span]]:
    r"""Find headings, each with its span, title and level, and fenced blocks; one that nothing closes ends the text.

    Example:
        >>> markdown_headings("# Ducks\n~~~\n# no\n~~~")
        ([((0, 7), 'Ducks', 1)], [(8, 20)])
    """
    headings: list[tuple[Span, str, int]] = []
    fences: list[Span] = []
    fence, opened, at = "", 0, 0
    before, paragraph = (0, 0), 0  # the line before, and how many lines its paragraph has
    for line in text.splitlines(keepends=True):
        bare = line.rstrip()
        begin, end = at + len(bare) - len(bare.lstrip()), at + len(bare)
        mark = _FENCE.fullmatch(bare)
        if fence:
            if mark and mark[1].startswith(fence) and not mark[2].strip():
                fences.append((opened, end))
                fence = ""
        elif mark:
            fence, opened, paragraph = mark[1], begin, 0
        elif found := _ATX.fullmatch(bare):
            headings.append(((begin, end), _unclosed(found[2].strip()), len(found[1])))
            paragraph = 0
        elif paragraph == 1 and (found := _UNDERLINE.fullmatch(bare)):
            headings.append(((before[0], end), text[slice(*before)], 1 if found[1][0] == "=" else 2))
            paragraph = 0
        else:
            paragraph = paragraph + 1 if bare.strip() else 0
        before = (begin, end)
        at += len(line)
    if fence:
        fences.append((opened, len(text.rstrip())))
    return headings, fences


def _unclosed(title: str) -> str:
    """Leave out the signs that may close a heading, as in "# Ducks #"."""
    short = title.rstrip("#")
    return short.rstrip() if not short or short[-1].isspace() else title


def _plain(text: str) -> list[tuple[Span, str, int]]:
    """Find lines that stand alone and look like the title of a chapter or of a numbered section."""
    headings = []
    lines = text.splitlines(keepends=True)
    blank = [not line.strip() for line in ["", *lines, ""]]
    at = 0
    for number, line in enumerate(lines, 1):
        bare = line.strip()
        begin = at + len(line) - len(line.lstrip())
        if bare and blank[number - 1] and blank[number + 1]:
            if found := _CHAPTER.fullmatch(bare):
                headings.append(((begin, begin + len(bare)), bare, _LEVELS[found[1].lower()]))
            elif found := _NUMBERED.fullmatch(bare):
                headings.append(((begin, begin + len(bare)), bare, 2 + found[1].count(".")))
        at += len(line)
    return headings


@dataclass(frozen=True, slots=True)
class Headings:
    """Packs the sentences of each section by themselves.

    Args:
        max_tokens: the most tokens of a chunk, header and special tokens included; by default what the embedder reads.
        embedder: whose tokens are counted; without one, words and signs are.
        header: makes what is said before a chunk; None for nothing.

    Raises:
        ConfigError: max_tokens is more than the embedder reads, or leaves no room.

    Example:
        >>> note = Document("1", "# Ducks\\nThey swim.\\n## Food\\nBread.", title="Birds")
        >>> [chunk.header for chunk in Headings().split(note)]
        ['Birds | Ducks', 'Birds | Ducks > Food | 57%']
    """

    max_tokens: int | None = None
    embedder: Embedder | None = None
    header: Header | None = contextual_header

    def __post_init__(self) -> None:
        Limit.of(self.embedder, self.max_tokens)

    def split(self, document: Document) -> list[Chunk]:
        """Cut a document."""
        packing = Packing(document, Limit.of(self.embedder, self.max_tokens), self.header)
        return packing.chunks(
            (span, part.path)
            for part in stretches(document.text)
            for span in packing.rows(part.units, part.path, (line_spans, *WORDS))
        )
