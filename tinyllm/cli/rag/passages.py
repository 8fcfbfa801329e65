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
        lines: no more than so many; all if None.
        indent: before each.
    """
    wide = min(screen.width, 100) - len(indent) - 1
    wrapped = [piece for line in text.split("\n") if line.strip() for piece in textwrap.wrap(line.strip(), wide)]
    for line in wrapped if lines is None else wrapped[:lines]:
        if screen.plain:
            screen.line(indent + line)
        else:
            screen.console.print(marked(indent + screen.fit(line), query), soft_wrap=True)
    if lines is not None and len(wrapped) > lines:
        screen.line(f"{indent}... {len(wrapped) - lines} more lines", style="dim")


def marked(line: str, query: str) -> Any:
    """Return a line for rich, with the words in bold that have a stem of the query's.

    Example:
        >>> line = marked("Ducks swim.", "a swimming bird")
        >>> [(line.plain[span.start : span.end], span.style) for span in line.spans]
        [('swim', 'bold yellow')]
    """
    from rich.text import Text

    from ...rag import words

    stems = set(words(query))
    found = Text(line)
    for word in _WORD.finditer(line):
        if stems & set(words(word[0])):
            found.stylize("bold yellow", word.start(), word.end())
    return found
