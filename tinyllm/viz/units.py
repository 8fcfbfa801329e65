"""The dead-units picture: for each MLP, the share of its hidden units that never spoke or never bent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from ..errors import RangeError, ShapeError
from .style import ORANGE, PALE, VERMILION, figure, styled

_FULL, _EMPTY = "█", "·"


@dataclass(frozen=True)
class UnitMap:
    """Hidden units by layer.

    Attributes:
        layers: names, from the first to the last.
        units: how many each has.
        dead: how many of them were silent at every position.
        saturated: how many never bent.
        title: of the picture.
        subtitle: one line below the title.
    """

    layers: Sequence[str]
    units: Sequence[int]
    dead: Sequence[int]
    saturated: Sequence[int]
    title: str = "Hidden units that take no part"
    subtitle: str = ""

    def __post_init__(self) -> None:
        lengths = {len(self.layers), len(self.units), len(self.dead), len(self.saturated)}
        if len(lengths) > 1 or not self.layers:
            raise ShapeError(f"UnitMap: {len(self.units)} units, {len(self.dead)} dead for {len(self.layers)} layers")
        for name, units, dead, saturated in zip(self.layers, self.units, self.dead, self.saturated, strict=True):
            if units < 1 or dead < 0 or saturated < 0 or dead + saturated > units:
                raise RangeError(f"UnitMap: {name} has {dead} dead and {saturated} saturated of {units} units")

    def shares(self) -> list[tuple[float, float]]:
        """Return the shares of dead and of saturated units of each layer.

        Example:
            >>> UnitMap(["blocks.0.mlp"], [8], [2], [0]).shares()
            [(0.25, 0.0)]
        """
        return [(d / n, s / n) for n, d, s in zip(self.units, self.dead, self.saturated, strict=True)]


@styled
def draw_units(data: UnitMap) -> Figure:
    """Draw a bar for each layer: dead units from the left, saturated after them, the rest taking part.

    Example:
        >>> fig = draw_units(UnitMap(["blocks.0.mlp", "blocks.1.mlp"], [8, 8], [2, 0], [0, 1]))
        >>> [text.get_text() for text in fig.axes[0].texts]
        ['2 dead', '1 saturated']
    """
    rows = len(data.layers)
    fig = figure(max(2.2, 1.5 + 0.3 * rows), data.title, data.subtitle, alt=_in_words(data))
    ax = fig.subplots()
    shares = data.shares()
    places = list(range(rows))
    dead, bent = [d for d, _ in shares], [s for _, s in shares]
    ax.barh(places, [1.0] * rows, color=PALE, height=0.7, label="taking part")
    ax.barh(places, dead, color=VERMILION, height=0.7, label="dead: silent at every position")
    ax.barh(places, bent, left=dead, color=ORANGE, hatch="///", edgecolor="white", height=0.7,
            label="saturated: never bend")  # fmt: skip
    for row in places:
        words = [f"{n} {word}" for n, word in ((data.dead[row], "dead"), (data.saturated[row], "saturated")) if n]
        if words:
            at = ax.get_yaxis_transform()  # beside the bars, where it can be read whatever their color
            ax.text(1.01, row, ", ".join(words), transform=at, va="center", fontsize=8.5)
    ax.set_yticks(places, [f"{name} ({n})" for name, n in zip(data.layers, data.units, strict=True)], fontsize=8.5)
    ax.set_ylim(rows - 0.4, -0.6)
    ax.set_xlim(0, 1)
    ax.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    ax.set_xlabel("share of the hidden units")
    ax.grid(visible=False)
    fig.legend(loc="outside lower center", ncols=3, fontsize=9)
    return fig


def units_lines(data: UnitMap, width: int = 80, unicode: bool = True) -> list[str]:
    """Draw a line for each layer: D for dead and S for saturated units as a share of the bar, and the counts.

    Example:
        >>> units_lines(UnitMap(["blocks.0.mlp"], [8], [4], [2]), width=50, unicode=False)
        ['blocks.0.mlp [DDDDDDSSS...]   4 dead,   2 saturated']
    """
    wide = max(map(len, data.layers))
    counts = [f"{d:>3} dead, {s:>3} saturated" for d, s in zip(data.dead, data.saturated, strict=True)]
    room = max(min(width - wide - max(map(len, counts)) - 4, 40), 4)
    empty = _EMPTY if unicode else "."
    lines = []
    for name, count, (d, s) in zip(data.layers, counts, data.shares(), strict=True):
        dead = max(round(d * room), int(d > 0))
        bent = min(max(round(s * room), int(s > 0)), room - dead)
        lines.append(f"{name:<{wide}} [{'D' * dead}{'S' * bent}{empty * (room - dead - bent)}] {count}")
    return lines


def _in_words(data: UnitMap) -> str:
    parts = [f"Bars of {sum(data.units)} hidden units in {len(data.layers)} layers."]
    for name, units, dead, bent in zip(data.layers, data.units, data.dead, data.saturated, strict=True):
        if dead or bent:
            parts.append(f"{name}: {dead} dead and {bent} saturated of {units}.")
    return " ".join(parts) if len(parts) > 1 else parts[0] + " All of them take part."
