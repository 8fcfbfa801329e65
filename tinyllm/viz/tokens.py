"""A text in tokens, as data, and as one HTML page: every token on a color of its own, with all there is to know of it.

``tokens_figure`` draws the same as a picture.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from ..errors import ShapeError
from .cells import BACKGROUNDS, Part, cells, escaped
from .merges import MergeTrace
from .page import attribute, page, text


class Span(NamedTuple):
    """Where a token lies in the text; a character that several tokens share belongs to each of them."""

    byte: int
    byte_end: int
    character: int
    character_end: int


@dataclass(frozen=True)
class TokenText:
    """A text, or its beginning, cut into tokens by one encoding.

    Attributes:
        encoding: its name.
        ids: of the tokens.
        tokens: the bytes of each.
        special: places of those that are special tokens.
        total: how many tokens the whole text has; by default as many as there are here.
        characters: how many characters the whole text has.
        size: how many bytes the whole text has.
        notes: more to be said, each in a few words: a price, for example.
        traces: place of a token -> how the piece that it belongs to was merged.
    """

    encoding: str
    ids: Sequence[int]
    tokens: Sequence[bytes]
    special: Collection[int] = ()
    total: int | None = None
    characters: int | None = None
    size: int | None = None
    notes: Sequence[str] = ()
    traces: Mapping[int, MergeTrace] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if len(self.ids) != len(self.tokens):
            raise ShapeError(f"TokenText: {len(self.ids)} ids for {len(self.tokens)} tokens")

    def spans(self) -> list[Span]:
        """Return where each token lies in the text.

        Example:
            >>> [tuple(span) for span in TokenText("toy", [5, 6], ["é!".encode()[:1], "é!".encode()[1:]]).spans()]
            [(0, 1, 0, 1), (1, 3, 0, 2)]
        """
        found, byte, begun = [], 0, 0
        for token in self.tokens:
            first = max(0, begun - (0x80 <= token[0] < 0xC0)) if token else begun
            begun += sum(not 0x80 <= b < 0xC0 for b in token)
            found.append(Span(byte, byte + len(token), first, begun))
            byte += len(token)
        return found

    def facts(self) -> list[str]:
        """Say how much it is, in a few words each.

        Example:
            >>> TokenText("toy", [5], [b"hey"]).facts()
            ['1 token', '3 characters', '3 bytes', '3.00 bytes per token']
        """
        total = len(self.ids) if self.total is None else self.total
        spans = self.spans()
        size = (spans[-1].byte_end if spans else 0) if self.size is None else self.size
        characters = (spans[-1].character_end if spans else 0) if self.characters is None else self.characters
        said = [f"{n:,} {unit}{'s' * (n != 1)}" for n, unit in ((total, "token"), (characters, "character"))]
        said.append(f"{size:,} byte{'s' * (size != 1)}")
        return [*said, *([f"{size / total:.2f} bytes per token"] if total else []), *self.notes]


def tokens_page(texts: TokenText | Sequence[TokenText], title: str = "Tokens") -> str:
    """Write a page that shows a text in tokens, by one encoding or several side by side.

    Whatever the text holds is shown and never obeyed: it is escaped, and the page allows no script but its own.

    Args:
        texts: the same text in different encodings.
        title: of the page.

    Returns:
        HTML, to be written as UTF-8.

    Example:
        >>> "&lt;b&gt;" in tokens_page(TokenText("toy", [5], [b"<b>"]))
        True
    """
    texts = [texts] if isinstance(texts, TokenText) else list(texts)
    panels, held = [], []
    for one in texts:
        traces: dict[tuple[bytes, bool], int] = {}
        kept: list[MergeTrace] = []
        numbers = {}
        for place, trace in one.traces.items():
            key = (trace.piece, trace.whole)
            if key not in traces:
                traces[key] = len(kept)
                kept.append(trace)
            numbers[place] = traces[key]
        panels.append(_panel(one, numbers))
        held.append({"traces": [trace.to_dict() for trace in kept]})
    body = f"<h1>{text(title)}</h1>\n<p>Point at a token, or step through them with the Tab key.</p>\n<main>\n"
    body += "\n".join(panels) + '\n</main>\n<div id="about" aria-live="polite"></div>'
    return page(title, body, {"panels": held})


def _panel(one: TokenText, numbers: Mapping[int, int]) -> str:
    special = set(one.special)
    shown = cells(one.tokens, special)
    spelled = escaped(one.tokens, special)
    spans = one.spans()
    parts = []
    for place, (cell, span) in enumerate(zip(shown, spans, strict=True)):
        kind = "special" if place in special else f"t{place % len(BACKGROUNDS)}"
        facts = [
            f"token {one.ids[place]}",
            spelled[place],
            f"{span.byte_end - span.byte} byte{'s' * (span.byte_end - span.byte != 1)}: {one.tokens[place].hex(' ')}",
            f"at byte {span.byte:,}, character {span.character:,}",
        ]
        trace = f' data-trace="{numbers[place]}"' if place in numbers else ""
        about = attribute("\n".join(facts))
        inside = "".join(map(_html_of, cell))
        parts.append(f'<span class="t {kind}" tabindex="0"{trace} title="{about}">{inside}</span>')
    left = (one.total or 0) - len(one.ids)
    more = f"<p>... and {left:,} more tokens</p>" if left > 0 else ""
    return (
        f"<section><h2>{text(one.encoding)}</h2>\n<p>{text(' · '.join(one.facts()))}</p>\n"
        f'<div class="text" dir="auto">{"".join(parts)}</div>{more}</section>'
    )


def _html_of(part: Part) -> str:
    """A sign is not copied with the text, what it stands for is."""
    inside = text(part.text)
    return (f'<i class="{"shared" if part.true else "sign"}">{inside}</i>' if part.sign else inside) + part.after
