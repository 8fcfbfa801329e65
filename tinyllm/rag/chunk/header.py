"""What is said before a chunk about where it comes from: title, section, position.

A passage such as "It grew by 3 % over the previous year" says little without its title. The header is read by the
embedder and by the lexical index, apart from the text, and is never quoted. Whether it helps is measured, not assumed.
"""

from __future__ import annotations

from collections.abc import Callable

from ...tokenizer.truncate import smart_truncate
from ..types import Document
from .limit import Limit

Header = Callable[[Document, tuple[str, ...], int], str]


def contextual_header(document: Document, section: tuple[str, ...] = (), start: int = 0) -> str:
    """Return "title | section | position" of a chunk, as far as there is something to say.

    Args:
        document: what the chunk is cut from.
        section: the headings above the chunk, the outermost first, within the document.
        start: where the chunk begins in the text, in characters; the position is said in percent, and left out at 0.

    Example:
        >>> contextual_header(Document("1", "Ducks swim. Cats do not.", title="Animals"), ("Pets", "Cats"), start=12)
        'Animals | Pets > Cats | 50%'
    """
    position = f"{100 * start // max(len(document.text), 1)}%" if start else ""
    path = [" ".join(part.split()) for part in (*document.section, *section)]
    title = " ".join(document.title.split())
    if path[:1] == [title]:  # a text that begins with its title as a heading says it once
        path = path[1:]
    return " | ".join(part for part in (title, " > ".join(part for part in path if part), position) if part)


def fitted_header(header: str, limit: Limit) -> str:
    """Shorten a header that would take more than half of the room of a chunk.

    Example:
        >>> fitted_header("A very long title of a short text", Limit(8))
        'A very long title'
    """
    room = (limit.max_tokens - limit.frame) // 2
    return smart_truncate(header, room, limit.count).rstrip(" |>")
