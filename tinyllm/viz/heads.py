"""The heads picture: one number for each head of each layer, as tables side by side."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from ..errors import ShapeError
from .style import AMOUNTS, VERMILION, WIDTH, figure, ink_on, styled
from .terminal import ASCII_LEVELS, BLOCKS

_SMALLEST = 5.0  # letters, in points, that can still be read


@dataclass(frozen=True)
class HeadTables:
    """Numbers by layer and head.

    Attributes:
        tables: name -> (L, H).
        title: of the picture.
        subtitle: one line below the title.
    """

    tables: Mapping[str, np.ndarray[Any, Any]]
    title: str = "Which heads matter"
    subtitle: str = ""

    def __post_init__(self) -> None:
        shapes = {np.shape(table) for table in self.tables.values()}
        if len(shapes) != 1 or any(len(shape) != 2 or not all(shape) for shape in shapes):
            raise ShapeError(
                f"HeadTables: tables {[np.shape(table) for table in self.tables.values()]}, not (L, H) all alike",
                hint="a number for each head of each layer",
            )

    @property
    def shape(self) -> tuple[int, int]:
        """(L, H)."""
        L, H = np.shape(next(iter(self.tables.values())))
        return L, H

    def largest(self, name: str) -> tuple[int, int]:
        """Return (layer, head) of the largest number of a table.

        Example:
            >>> HeadTables({"loss": np.array([[0.0, 2.0], [1.0, 0.0]])}).largest("loss")
            (0, 1)
        """
        table = np.asarray(self.tables[name], dtype=float)
        place = int(np.argmax(np.where(np.isfinite(table), table, -np.inf)))
        return place // table.shape[1], place % table.shape[1]


@styled
def draw_heads(data: HeadTables) -> Figure:
    """Draw the tables, each on its own scale of color; the largest number of each is framed.

    Example:
        >>> fig = draw_heads(HeadTables({"silenced": np.array([[0.0, 2.0]]), "gate": np.array([[0.1, 1.0]])}))
        >>> [ax.get_title(loc="left") for ax in fig.axes[:2]]
        ['silenced', 'gate']
    """
    L, H = data.shape
    count = len(data.tables)
    columns = min(count, 2 if H > 6 else 4)
    rows = -(-count // columns)
    fig = figure(0.9 + rows * (0.95 + max(0.3, min(0.42, 4 / L)) * L), data.title, data.subtitle, alt=_in_words(data))
    axes = fig.subplots(rows, columns, squeeze=False)
    for ax, name in zip(axes.flat, data.tables, strict=False):
        _table(fig, ax, data, name, size=_fitting((WIDTH / columns - 1.2) / H))
    for ax in axes.flat[count:]:
        ax.set_axis_off()
    return fig


def _table(fig: Figure, ax: Axes, data: HeadTables, name: str, size: float) -> None:
    values = np.asarray(data.tables[name], dtype=float)
    L, H = values.shape
    image = ax.imshow(np.ma.masked_invalid(values), cmap=AMOUNTS, aspect="auto", origin="lower")
    ax.set_title(name, loc="left", fontweight="bold")
    ax.set_xlabel("head")
    ax.set_ylabel("layer")
    ax.set_xticks(range(0, H, 1 + H // 13))
    ax.set_yticks(range(0, L, 1 + L // 25))
    ax.tick_params(length=0)
    ax.grid(visible=False)
    for side in ax.spines.values():
        side.set_visible(False)
    low, high = image.get_clim()
    for (layer, head), value in np.ndenumerate(values):
        if size:
            share = (value - low) / (high - low) if high > low and np.isfinite(value) else 1.0
            ax.text(head, layer, _short(value), ha="center", va="center", fontsize=size, color=ink_on(share))
    layer, head = data.largest(name)
    ax.add_patch(
        Rectangle((head - 0.5, layer - 0.5), 1, 1, fill=False, edgecolor=VERMILION, linewidth=2, clip_on=False)
    )
    bar = fig.colorbar(image, ax=ax, shrink=0.9, pad=0.02)
    bar.outline.set_visible(False)
    bar.ax.tick_params(labelsize=7.5)


def _fitting(width: float) -> float:
    """The size of letters, in points, of which six fit into so many inches; 0 where they would be too small."""
    size = min(8.5, width * 0.88 * 72 / (6 * 0.6))
    return size if size >= _SMALLEST else 0.0


def _short(value: float) -> str:
    """A number in at most six letters, or nothing for one that is not there.

    Example:
        >>> [_short(value) for value in (0.0, -0.00031, 0.0123, 1.234, -250.0)]
        ['0', '-3e-04', '0.012', '1.23', '-250']
    """
    size = abs(value)
    if not np.isfinite(value):
        return ""
    if not size or 5e-4 <= size < 1e5:
        return "0" if not size else f"{value:.{3 if size < 0.1 else 2 if size < 10 else 0}f}"
    return f"{value:.0e}"


def heads_lines(data: HeadTables, width: int = 80, unicode: bool = True) -> list[str]:
    """Write the tables for a terminal: a column of blocks for each head, the largest number in words.

    Example:
        >>> tables = HeadTables({"silenced": np.array([[0.0, 2.0], [1.0, 0.5]])})
        >>> print(*heads_lines(tables, unicode=False), sep="\\n")
        silenced: 0 to 2, most in layer 0, head 1
          layer 1  = -
          layer 0  _ #
    """
    levels = BLOCKS if unicode else ASCII_LEVELS
    lines = []
    for name, table in data.tables.items():
        values = np.asarray(table, dtype=float)
        finite = values[np.isfinite(values)]
        low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)
        layer, head = data.largest(name)
        lines.append(f"{name}: {low:.3g} to {high:.3g}, most in layer {layer}, head {head}")
        scale = (len(levels) - 1) / (high - low) if high > low else 0.0
        for l in reversed(range(len(values))):
            row = " ".join(levels[round((v - low) * scale)] if np.isfinite(v) else "?" for v in values[l])
            lines.append(f"  layer {l:<{len(str(len(values) - 1))}}  {row}")
    return [line[:width].rstrip() for line in lines]


def _in_words(data: HeadTables) -> str:
    L, H = data.shape
    parts = []
    for name, table in data.tables.items():
        layer, head = data.largest(name)
        parts.append(f"{name}: largest in layer {layer}, head {head} ({table[layer, head]:.3g})")
    return f"Tables of {L} layers by {H} heads. {'; '.join(parts)}."
