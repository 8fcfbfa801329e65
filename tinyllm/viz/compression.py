"""The compression picture: how much text a token stands for, by language or file and by encoding."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..errors import ShapeError
from .layers import spread
from .style import BLACK, BLUE, GRAY, GREEN, ORANGE, PALE, PURPLE, VERMILION, WIDTH, figure, note, styled

_MARKS = ((BLUE, "o"), (VERMILION, "D"), (GREEN, "s"), (PURPLE, "^"), (ORANGE, "v"), (GRAY, "P"), (BLACK, "X"))
MOST = len(_MARKS)  # encodings
_ROW = 0.34  # inches


@dataclass(frozen=True)
class Compression:
    """How much text a token stands for.

    Attributes:
        names: of languages or files.
        encodings: their names.
        values: for each name one value for each encoding; NaN where there is none.
        measure: what the values are.
        title: of the picture.
        subtitle: one line below the title.
    """

    names: Sequence[str]
    encodings: Sequence[str]
    values: Sequence[Sequence[float]]
    measure: str = "bytes per token"
    title: str = "Text per token"
    subtitle: str = ""

    def __post_init__(self) -> None:
        if len(self.values) != len(self.names) or any(len(row) != len(self.encodings) for row in self.values):
            raise ShapeError(
                f"Compression: the values are no table of {len(self.names)} names and {len(self.encodings)} encodings"
            )
        if len(self.encodings) > MOST:
            raise ShapeError(f"Compression: {len(self.encodings)} encodings", hint=f"at most {MOST}")


@styled
def draw_compression(data: Compression) -> Figure:
    """Draw a row for each name with a mark for each encoding, the least and the greatest with their values.

    Example:
        >>> fig = draw_compression(Compression(["English", "Thai"], ["gpt2", "own"], [[4.1, 3.9], [1.5, 4.2]]))
        >>> [label.get_text() for label in fig.axes[0].get_yticklabels()]
        ['English', 'Thai']
    """
    fig = figure(1.75 + _ROW * max(len(data.names), 1), data.title, data.subtitle, alt=_in_words(data))
    ax = fig.subplots()
    ax.set_xlabel(data.measure)
    known = [value for row in data.values for value in row if math.isfinite(value)]
    if not known:
        note(ax, "nothing was counted")
        return fig
    high = max(known) * 1.12
    ax.set_xlim(0, high)
    ax.set_ylim(len(data.names) - 0.4, -1.5)  # the first on top, with room above it for the names of the encodings
    ax.set_yticks(range(len(data.names)), list(data.names))
    ax.tick_params(axis="y", length=0)
    ax.grid(visible=True, axis="x")
    ax.grid(visible=False, axis="y")
    for place, row in enumerate(data.values):
        _row(ax, place, row, high)
    _name_encodings(ax, data, high)
    return fig


def _row(ax: Axes, place: int, row: Sequence[float], high: float) -> None:
    finite = [value for value in row if math.isfinite(value)]
    if not finite:
        ax.text(0.01 * high, place, "not counted", color=GRAY, fontsize=8, va="center")
        return
    ax.plot([min(finite), max(finite)], [place, place], color=PALE, linewidth=6, solid_capstyle="round", zorder=1)
    for (color, marker), value in zip(_MARKS, row, strict=False):
        if math.isfinite(value):
            ax.plot([value], [place], marker, color=color, markersize=8, zorder=3, clip_on=False)
    gap = 0.017 * high
    ax.text(max(finite) + gap, place, f"{max(finite):.2f}", fontsize=8, va="center", ha="left", color=GRAY)
    if max(finite) - min(finite) > 0.02 * high:
        ax.text(min(finite) - gap, place, f"{min(finite):.2f}", fontsize=8, va="center", ha="right", color=GRAY)


def _name_encodings(ax: Axes, data: Compression, high: float) -> None:
    """Write the names above the marks of the first row, moved apart where they would touch."""
    first = next((row for row in data.values if all(map(math.isfinite, row))), data.values[0])
    shown = [(value, i) for i, value in enumerate(first) if math.isfinite(value)]
    shown.sort()
    inch = high / (WIDTH - 1.6)  # about what the axes are wide
    sizes = [(0.076 * len(data.encodings[i]) + 0.1) * inch for _, i in shown]
    centers = spread([value for value, _ in shown], sizes, 0.05 * inch)
    if centers:  # never beyond the frame
        over = max(0.0, centers[-1] + sizes[-1] / 2 - high)
        centers = [center - over for center in centers]
        under = max(0.0, sizes[0] / 2 - centers[0])
        centers = [center + under for center in centers]
    row = data.values.index(first)
    for (value, i), center in zip(shown, centers, strict=True):
        color = _MARKS[i][0]
        ax.text(center, -1.1, data.encodings[i], color=color, fontsize=9, fontweight="bold", ha="center", va="center")
        ax.plot([center, value], [-0.85, row - 0.25], color=color, linewidth=0.8, zorder=2)


def _in_words(data: Compression) -> str:
    rows = []
    for name, row in zip(data.names, data.values, strict=True):
        told = [
            f"{encoding} {value:.2f}"
            for encoding, value in zip(data.encodings, row, strict=True)
            if math.isfinite(value)
        ]
        rows.append(f"{name}: {', '.join(told) or 'not counted'}")
    return f"{data.measure.capitalize()}. " + "; ".join(rows) + "."
