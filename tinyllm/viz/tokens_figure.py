"""The picture of a text in tokens: lines of boxes, each token on a color of its own, with its id below where asked."""

from __future__ import annotations

from collections.abc import Iterator

from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from .cells import BACKGROUNDS, FAINT, INK, SPECIAL, SPECIAL_INK, Part, cells
from .lettering import MONO, drawable, width_of
from .style import GRAY, WIDTH, figure, note, styled
from .tokens import TokenText

MOST = 800  # more tokens than this make no picture
_SIZE = 11.0  # points of the text; ids are smaller
_SMALL = 6.5
_MARGIN = 0.1
_LINE = 0.27  # inches from one line to the next, without ids


@styled
def draw_tokens(data: TokenText, ids: bool = False, title: str = "") -> Figure:
    """Draw a text in tokens; past 800 tokens the first 800, and the picture says so.

    Args:
        data: the tokens.
        ids: write the id of each below it.
        title: of the picture.

    Example:
        >>> fig = draw_tokens(TokenText("toy", [5, 6], [b"to", b"ken"]), ids=True)
        >>> [text.get_text() for text in fig.axes[0].texts]
        ['to', '5', 'ken', '6']
    """
    tokens = data.tokens[:MOST]
    special = {place for place in data.special if place < len(tokens)}
    shown = [[_drawable(part) for part in cell] for cell in cells(tokens, special)]
    lines = list(_lines(shown, [str(i) if ids else "" for i in data.ids[:MOST]]))
    step = _LINE * (1.6 if ids else 1.0)
    subtitle = ", ".join(data.facts())
    if len(tokens) < (data.total or len(data.ids)):
        subtitle += f"; the first {len(tokens):,} tokens"
    fig = figure(max(1.2, 0.75 + step * max(len(lines), 1)), title or data.encoding, subtitle, alt=_in_words(data))
    ax = fig.subplots()
    ax.set_axis_off()
    ax.set_xlim(0, WIDTH - 2 * _MARGIN)
    ax.set_ylim(-step * max(len(lines), 1), 0)
    if not lines:
        note(ax, "no token")
    for row, line in enumerate(lines):
        top = -step * row
        for place, x, width, parts, begins in line:
            color = SPECIAL if place in special else BACKGROUNDS[place % len(BACKGROUNDS)]
            ax.add_patch(Rectangle((x, top - 0.85 * _LINE), width, 0.85 * _LINE, facecolor=color, edgecolor="none"))
            for part in parts:
                ink = SPECIAL_INK if place in special else FAINT if part.sign else INK
                ax.text(
                    x, top - 0.42 * _LINE, part.text, family=MONO, fontsize=_SIZE, color=ink, va="center_baseline",
                )  # fmt: skip
                x += _width(part.text)
            if ids and begins:
                left = x - sum(_width(part.text) for part in parts)
                ax.text(left, top - 1.1 * _LINE, str(data.ids[place]), fontsize=_SMALL, color=GRAY, va="center")
    return fig


Box = tuple[int, float, float, list[Part], bool]  # token, x, width, what is in it, whether the token begins here


def _lines(shown: list[list[Part]], below: list[str]) -> Iterator[list[Box]]:
    """Fill lines with boxes; a token that ends a line of the text ends one here, and a long one goes on in the next."""
    room = WIDTH - 2 * _MARGIN
    line: list[Box] = []
    x = 0.0
    for place, cell in enumerate(shown):
        least = width_of(below[place], _SMALL) + 0.04 if below[place] else 0.0
        parts: list[Part] = []
        begins = True

        def box(parts: list[Part], x: float, place: int = place, begins: bool = True, least: float = least) -> Box:
            return place, x, max(sum(_width(part.text) for part in parts), least if begins else 0.0), parts, begins

        for part in cell:
            text = part.text
            while text:
                used = x + sum(_width(other.text) for other in parts)
                fitting = int((room - used) / _width("M") + 1e-9)
                if fitting <= 0:
                    if parts:
                        line.append(box(parts, x, begins=begins))
                        begins = False
                    yield line
                    line, x, parts = [], 0.0, []
                    continue
                parts.append(Part(text[:fitting], part.sign))
                text = text[fitting:]
            if part.after == "\n":
                yield [*line, box(parts, x, begins=begins)]
                line, x, parts, begins = [], 0.0, [], False
        if parts:
            line.append(box(parts, x, begins=begins))
            x += line[-1][2]
    if line:
        yield line


def _width(text: str) -> float:
    return width_of(text, _SIZE)


def _drawable(part: Part) -> Part:
    text = drawable(part.text)
    return part if text == part.text else Part(text, sign=True, after=part.after)


def _in_words(data: TokenText) -> str:
    first = " | ".join(part for cell in cells(data.tokens[:20]) for part in ["".join(p.text for p in cell)])
    return f"A text cut into tokens by {data.encoding}: {', '.join(data.facts())}. It begins: {first}"
