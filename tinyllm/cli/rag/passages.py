"""Passages on a terminal: where they stand, what every stage said of them, and the query's words in color."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ..screen import Screen

if TYPE_CHECKING:
    from ...rag import Hit

LINES = 6  # of a passage, unless it is shown whole
_WORD = re.compile(r"\w+(?:['\u2019]\w+)*")


def as_json(hit: Hit) -> dict[str, Any]:
    """Return a hit as JSON can hold it."""
    chunk = hit.chunk
    return {
        "rank": hit.rank,
        "score": hit.score,
        "parts": dict(hit.parts),
        "chunk": chunk.id,
        "document": chunk.doc_id,
        "start": chunk.start,
        "end": chunk.end,
        "header": chunk.header,
        "text": chunk.text,
    }


def show(hits: Sequence[Hit], query: str, screen: Screen, whole: bool = False) -> None:
    """Print hits, best first, each with the scores of all stages and its text."""
    for hit in hits:
        chunk = hit.chunk
        screen.line(f"{hit.rank}  {chunk.doc_id}", style="bold cyan")
        where = f"{chunk.header}  " if chunk.header else ""
        screen.line(f"   {where}characters {chunk.start} to {chunk.end}", style="dim")
        screen.line("   " + "  ".join(f"{name} {score:.3g}" for name, score in hit.parts.items()), style="magenta")
        show_text(chunk.text, query, screen, None if whole else LINES)
        screen.line()


def show_text(text: str, query: str, screen: Screen, lines: int | None = None, indent: str = "   ") -> None:
    """Print a text broken to the width of the screen, the words that the query asks for in color.

    Args:
        text: what is printed.
        query: its words are marked, whatever their endings.
        screen: where to.
        lines: no more than so many, those with most of the query's words; all if None.
        indent: before each.
    """
    wide = min(screen.width, 100) - len(indent) - 1
    wrapped = [piece for line in text.split("\n") if line.strip() for piece in textwrap.wrap(line.strip(), wide)]
    first = 0 if lines is None else window([len(asked_for(line, query)) for line in wrapped], lines)
    last = len(wrapped) if lines is None else first + lines
    if first:
        screen.line(f"{indent}... {first} before", style="dim")
    for line in wrapped[first:last]:
        if screen.plain:
            screen.line(indent + line)
        else:
            screen.console.print(marked(indent + screen.fit(line), query), soft_wrap=True)
    if len(wrapped) > last:
        screen.line(f"{indent}... {len(wrapped) - last} more", style="dim")


def window(counts: Sequence[int], size: int) -> int:
    """Return where the first run of so many lines begins that has most of what is counted.

    Example:
        >>> window([0, 1, 0, 2, 0], 2), window([0, 0], 6)
        (2, 0)
    """
    starts = range(max(1, len(counts) - size + 1))
    return max(starts, key=lambda start: (sum(counts[start : start + size]), -start))


def asked_for(line: str, query: str) -> list[tuple[int, int]]:
    """Return where in a line the words stand that have a stem of the query's.

    Example:
        >>> asked_for("Ducks swim.", "a swimming bird")
        [(6, 10)]
    """
    from ...rag import words

    stems = set(words(query))
    return [(word.start(), word.end()) for word in _WORD.finditer(line) if stems & set(words(word[0]))]


def marked(line: str, query: str) -> Any:
    """Return a line for rich, with the words in bold that have a stem of the query's.

    Example:
        >>> line = marked("Ducks swim.", "a swimming bird")
        >>> [(line.plain[span.start : span.end], span.style) for span in line.spans]
        [('swim', 'bold yellow')]
    """
    from rich.text import Text

    found = Text(line)
    for start, end in asked_for(line, query):
        found.stylize("bold yellow", start, end)
    return found
