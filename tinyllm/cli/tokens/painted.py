"""Tokens on the terminal: each on a color of its own, or with a bar between them where there are no colors."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from ...viz.cells import BACKGROUNDS, FAINT, INK, SPECIAL, SPECIAL_INK, Part, cells, columns, escaped
from ...viz.merges import MergeTrace, staircase
from ..screen import Screen

if TYPE_CHECKING:
    from rich.text import Text

_TAB = 4
_ROWS = {"frame": "dim", "part": "", "new": "bold black on #AFDCF5", "about": "dim"}


def show_tokens(screen: Screen, tokens: Sequence[bytes], special: Iterable[int] = ()) -> None:
    """Print the text that tokens spell, so that each can be told from its neighbors.

    Args:
        screen: where to.
        tokens: the bytes of each.
        special: places of those that are special tokens.
    """
    special = set(special)
    if screen.plain or not screen.unicode:
        for line in plain_lines(tokens, special, screen.unicode):
            print(line, file=screen.stream)
        return
    pieces = (_pieces(cell, place, place in special) for place, cell in enumerate(cells(tokens, special)))
    _print(screen, (piece for token in pieces for piece in token))


def plain_lines(tokens: Sequence[bytes], special: Iterable[int] = (), unicode: bool = True) -> Iterator[str]:
    r"""Write tokens with a bar between each two; a token that ends a line ends one here, too.

    A backslash spells what cannot be printed, and a bar or a backslash of the text itself.

    Example:
        >>> for line in plain_lines([b"a", b" b", b"\n", b"c|d"]):
        ...     print(line)
        a| b|\n
        c\|d
    """
    line: list[str] = []
    for token, spelled in zip(tokens, escaped(tokens, special, unicode), strict=True):
        line.append(spelled)
        if token.endswith(b"\n"):
            yield "|".join(line)
            line = []
    if line:
        yield "|".join(line)


def show_ids(screen: Screen, ids: Sequence[int], special: Iterable[int] = ()) -> None:
    """Print ids: each on the color of its token, or as a list."""
    special = set(special)
    if screen.plain:
        print("[" + ", ".join(map(str, ids)) + "]", file=screen.stream)
        return
    parts = ((Part(str(number)), place) for place, number in enumerate(ids))
    pieces = (_pieces([part], place, place in special, whole=True) for part, place in parts)
    _print(screen, (piece for token in pieces for piece in [*token, Piece(" ")]))


def show_staircase(screen: Screen, trace: MergeTrace) -> None:
    """Print how a piece was merged, with what is new in each row standing out."""
    screen.line(trace.about(screen.unicode), style="bold")
    for line in staircase(trace, screen.width, screen.unicode):
        if screen.plain:
            screen.line("".join(text for text, _ in line).rstrip())
            continue
        from rich.text import Text

        screen.console.print(Text.assemble(*((text, _ROWS[kind]) for text, kind in line)), soft_wrap=True)


class Piece(NamedTuple):
    """What is printed in one style.

    Attributes:
        text: what is printed.
        style: in rich's words.
        after: a line end or a tab that must follow.
        whole: may no line end inside of it?
    """

    text: str
    style: str = ""
    after: str = ""
    whole: bool = False


def _pieces(cell: list[Part], place: int, special: bool, whole: bool = False) -> Iterator[Piece]:
    """Yield the parts of a token with their styles; signs are whole."""
    background = SPECIAL if special else BACKGROUNDS[place % len(BACKGROUNDS)]
    for part in cell:
        ink = SPECIAL_INK if special else FAINT if part.sign else INK
        style = f"{'italic ' if part.sign else ''}{ink} on {background}"
        yield Piece(part.text, style, part.after, whole or part.sign)


def _print(screen: Screen, pieces: Iterable[Piece]) -> None:
    console = screen.console
    for line in _lines(pieces, screen.width):
        console.print(line, soft_wrap=True)


def _lines(pieces: Iterable[Piece], width: int) -> Iterator[Text]:
    """Fill lines up to the width of the screen, and end them where the text does."""
    from rich.text import Text

    line, used = Text(), 0
    for text, style, after, whole in pieces:
        if after == "\t":
            text += " " * max(_TAB - 1 - used % _TAB, 0)
        if whole and used and used + columns(text) > width:
            yield line
            line, used = Text(), 0
        while text:
            fitting = _fitting(text, width - used)
            line.append(text[:fitting], style)
            used += columns(text[:fitting])
            text = text[fitting:]
            if text:
                yield line
                line, used = Text(), 0
        if after == "\n":
            yield line
            line, used = Text(), 0
    if line:
        yield line


def _fitting(text: str, room: int) -> int:
    """Return how many characters fit into so many columns; at least one into an empty line."""
    if len(text) * 2 <= room:
        return len(text)
    used = 0
    for i, char in enumerate(text):
        used += columns(char)
        if used > room:
            return i
    return len(text)
