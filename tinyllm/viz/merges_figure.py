"""The picture of a word's merges: its bytes at the bottom, each merge a box above the two that it joins."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from ..errors import ShapeError
from .cells import BACKGROUNDS, INK
from .lettering import MONO, drawable, width_of
from .merges import MergeTrace, labels, named, tree
from .style import GRAY, PALE, WIDTH, figure, note, styled

MOST = 40  # bytes
_LEVEL = 0.36  # inches
_SIZE, _SMALL = 12.0, 8.5  # points


@styled
def draw_merges(data: MergeTrace, title: str = "") -> Figure:
    """Draw how a piece was merged; the tokens that are left have colors.

    Raises:
        ShapeError: the piece has more than 40 bytes.

    Example:
        >>> from tinyllm.viz import Merge
        >>> fig = draw_merges(MergeTrace(b"he", [Merge(0, 256, 7)], [256], "toy"))
        >>> [text.get_text() for text in fig.axes[0].texts]
        ['h', 'e', 'he', 'bytes', 'h + e', 'rank 256', '7 times']
    """
    if len(data.piece) > MOST:
        raise ShapeError(f"draw_merges: a piece of {len(data.piece)} bytes", hint=f"a word of at most {MOST} bytes")
    beside = [("bytes", "", ""), *(tuple(map(drawable, row)) for row in labels(data))]
    tabs = [0.2]  # inches from the last byte to each of the three
    for i in range(3):
        tabs.append(tabs[-1] + width_of(max((row[i] for row in beside), key=len), _SMALL) + 0.15)
    edges, size = _columns(data, WIDTH - 0.2 - tabs[-1])
    fig = figure(0.95 + _LEVEL * len(beside), title or _title(data), _subtitle(data), alt=_in_words(data))
    ax = fig.subplots()
    ax.set_axis_off()
    ax.set_xlim(-0.05, WIDTH - 0.2)
    ax.set_ylim(-0.05, _LEVEL * len(beside))
    if not data.piece:
        note(ax, "no byte")
        return fig
    _boxes(ax, data, edges, size)
    for level, row in enumerate(beside):
        for tab, text in zip(tabs, row, strict=False):
            if text:
                y = _LEVEL * (level + 0.4)
                ax.text(edges[-1] + tab, y, text, family=MONO, fontsize=_SMALL, va="center", color=GRAY)
    return fig


def _columns(data: MergeTrace, room: float) -> tuple[list[float], float]:
    """Return where the columns of the bytes begin and end, in inches, and the size of the letters in them."""
    names = [named(data.piece[i : i + 1]) for i in range(len(data.piece))]
    wanted = [max(0.3, width_of(name, _SIZE) + 0.12) for name in names]
    scale = min(1.3, room / max(sum(wanted), 1e-9))
    edges = [0.0]
    for width in wanted:
        edges.append(edges[-1] + width * scale)
    return edges, _SIZE * min(scale, 1.0)


def _boxes(ax: Axes, data: MergeTrace, edges: list[float], size: float) -> None:
    left_over = data.levels()[-1]
    for begin, end, level, halves in tree(data):
        x, width, y = edges[begin], edges[end] - edges[begin], _LEVEL * level
        for a, b, below in halves:  # a stem from each half up to what it became a part of
            middle = (edges[a] + edges[b]) / 2
            ax.plot([middle, middle], [_LEVEL * (below + 0.8), y], color=GRAY, linewidth=0.9, zorder=1)
        final = (begin, end) in left_over
        color = BACKGROUNDS[left_over.index((begin, end)) % len(BACKGROUNDS)] if final else "white" if level else PALE
        box = Rectangle((x + 0.015, y), width - 0.03, _LEVEL * 0.8, facecolor=color, edgecolor=GRAY, zorder=2)
        box.set_linewidth(1.6 if final else 0.8)
        ax.add_patch(box)
        text = drawable(named(data.piece[begin:end]))
        fit = min(size, (width - 0.06) / width_of(text, 1.0))
        ax.text(
            x + width / 2, y + _LEVEL * 0.4, text, family=MONO, fontsize=fit, color=INK, ha="center",
            va="center_baseline", zorder=3, fontweight="bold" if final else "normal",
        )  # fmt: skip


def _title(data: MergeTrace) -> str:
    word = _cut(drawable(named(data.piece)), 32)
    return f"{word} in {_cut(data.encoding, 20)}" if data.encoding else word


def _subtitle(data: MergeTrace) -> str:
    ids = ", ".join(map(str, data.ids))
    return _cut(f"{data.about().rpartition(': ')[2]}: id{'s' * (len(data.ids) != 1)} {ids}", 110)


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


def _in_words(data: MergeTrace) -> str:
    steps = "; ".join(f"{named(left)} and {named(right)}" for left, right in data.pairs())
    return f"Merges of {data.about()}. Joined in order: {steps or 'nothing'}."
