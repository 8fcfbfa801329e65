"""The ablation picture: each setting's mean with its interval, and the runs that it is the mean of."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.figure import Figure

from ..errors import ShapeError
from .style import BLUE, GRAY, GREEN, PALE, VERMILION, figure, styled

_LOOKS = {"better": (GREEN, "v"), "worse": (VERMILION, "^"), "diverged": (VERMILION, "X")}


@dataclass(frozen=True)
class Forest:
    """Settings beside each other.

    Attributes:
        labels: of the settings; the first is what the others are compared with.
        values: what each run measured; NaN where it diverged.
        means: of each setting; NaN where all runs diverged.
        lows, highs: ends of the intervals of the means.
        verdicts: "the first", "better", "worse", "no clear difference" or "diverged".
        what: is measured.
        title: of the picture.
        subtitle: one line below the title.
    """

    labels: Sequence[str]
    values: Sequence[Sequence[float]]
    means: Sequence[float]
    lows: Sequence[float]
    highs: Sequence[float]
    verdicts: Sequence[str]
    what: str = "validation loss"
    title: str = "Settings compared"
    subtitle: str = ""

    def __post_init__(self) -> None:
        lengths = [len(part) for part in (self.values, self.means, self.lows, self.highs, self.verdicts)]
        if any(n != len(self.labels) for n in lengths):
            raise ShapeError(f"Forest: {lengths} values, means, lows, highs and verdicts for {len(self.labels)} labels")
        if not self.labels:
            raise ShapeError("Forest: there is nothing to draw", hint="at least one setting")


@styled
def draw_forest(data: Forest) -> Figure:
    """Draw a row for each setting: a pale dot for each run, the mean with its interval, and the verdict in words.

    Example:
        >>> data = Forest(["lr=1e-3", "lr=1e-2"], [[2.0, 2.2], [1.0, 1.2]], [2.1, 1.1], [2.0, 1.0], [2.2, 1.2],
        ...               ["the first", "better"])
        >>> [text.get_text() for text in draw_forest(data).axes[0].texts]
        ['2.100 [2.000, 2.200]  the first', '1.100 [1.000, 1.200]  better']
    """
    rows = len(data.labels)
    fig = figure(1.7 + 0.42 * rows, data.title, data.subtitle, alt=_in_words(data))
    ax = fig.subplots()
    for row, (values, mean, low, high, verdict) in enumerate(
        zip(data.values, data.means, data.lows, data.highs, data.verdicts, strict=True)
    ):
        color, mark = _LOOKS.get(verdict, (BLUE, "D"))
        finite = [value for value in values if math.isfinite(value)]
        ax.plot(finite, [row + 0.22] * len(finite), linestyle="none", marker="o", markersize=4, color=GRAY, alpha=0.55,
                label="one run" if not row else None)  # fmt: skip
        if math.isfinite(mean):
            ax.plot([low, high], [row, row], color=color, linewidth=2.5, solid_capstyle="butt")
            ax.plot([mean], [row], marker=mark, color=color, markersize=8, linestyle="none")
        ax.text(1.02, row, _written(data, row), transform=ax.get_yaxis_transform(), va="center", fontsize=8.5,
                color=color if verdict in _LOOKS else "black")  # fmt: skip
    if math.isfinite(data.means[0]):
        ax.axvline(data.means[0], color=GRAY, linestyle="--", linewidth=1)
    ax.set_yticks(range(rows), list(data.labels), fontsize=9)
    ax.set_ylim(rows - 0.4, -0.6)
    ax.set_xlabel(f"{data.what} (lower is better)")
    ax.grid(axis="x", color=PALE)
    ax.grid(visible=False, axis="y")
    return fig


def forest_lines(data: Forest, width: int = 80, unicode: bool = True) -> list[str]:
    """Draw a line for each setting: its mean, its interval drawn to scale, and the verdict.

    Example:
        >>> data = Forest(["a=1", "a=2"], [[2.0], [1.0]], [2.0, 1.0], [1.5, 0.5], [2.5, 1.5], ["the first", "better"])
        >>> for line in forest_lines(data, width=60, unicode=False):
        ...     print(line)
        a=1  2.000 [1.500, 2.500]             |----o-----| the first
        a=2  1.000 [0.500, 1.500] |-----o-----|            better
    """
    wide = min(max(map(len, data.labels)), max(width - 50, 10))
    numbers = [_numbers(data, row) for row in range(len(data.labels))]
    last = max(map(len, data.verdicts))
    room = max(width - wide - max(map(len, numbers)) - last - 4, 5)
    known = [x for ends in (data.lows, data.highs) for x in ends if math.isfinite(x)]
    low, high = (min(known), max(known)) if known else (0.0, 1.0)
    scale = (room - 1) / (high - low) if high > low else 0.0
    end, dash, dot = ("│", "─", "●") if unicode else ("|", "-", "o")
    lines = []
    for row, (label, number, verdict) in enumerate(zip(data.labels, numbers, data.verdicts, strict=True)):
        cells = [" "] * room
        if math.isfinite(data.means[row]):
            left, middle, right = (round((x - low) * scale) for x in (data.lows[row], data.means[row], data.highs[row]))
            cells[left : right + 1] = [dash] * (right + 1 - left)
            cells[left] = cells[right] = end
            cells[middle] = dot
        shown = label if len(label) <= wide else label[: wide - 1] + "~"
        lines.append(f"{shown:<{wide}}  {number:<{max(map(len, numbers))}} {''.join(cells)} {verdict}"[:width].rstrip())
    return lines


def _numbers(data: Forest, row: int) -> str:
    if not math.isfinite(data.means[row]):
        return "no number"
    return f"{data.means[row]:.3f} [{data.lows[row]:.3f}, {data.highs[row]:.3f}]"


def _written(data: Forest, row: int) -> str:
    return f"{_numbers(data, row)}  {data.verdicts[row]}"


def _in_words(data: Forest) -> str:
    parts = [f"{data.what} of {len(data.labels)} settings, means with intervals."]
    parts += [f"{label}: {_written(data, row)}." for row, label in enumerate(data.labels)]
    return " ".join(parts)
