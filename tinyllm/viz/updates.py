"""The update picture: how far each step moved each parameter, as a share of its size, over steps and layers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from ..errors import ShapeError
from .style import AMOUNTS, BLACK, GRAY, PALE, VERMILION, figure, styled
from .terminal import sparkline

USUAL = -3.0  # log10 of the ratio that is said to be healthy
_LOW, _HIGH = -6.0, 0.0
_MOST = 40  # rows that can be read


@dataclass(frozen=True)
class UpdateMap:
    """Logarithms of update ratios.

    Attributes:
        names: of the parameters, in the model's order.
        log10: (parameters, steps): log10 of |update| / |weight|; NaN where nothing moved or there was no weight.
        title: of the picture.
        subtitle: one line below the title.
    """

    names: Sequence[str]
    log10: np.ndarray[Any, Any]
    title: str = "How far each step moves each parameter"
    subtitle: str = "size of the step / size of the parameter; white: it did not move, or was zero before"

    def __post_init__(self) -> None:
        if np.ndim(self.log10) != 2 or len(self.log10) != len(self.names):
            raise ShapeError(f"UpdateMap: log10 {np.shape(self.log10)} for {len(self.names)} names")
        if not np.size(self.log10):
            raise ShapeError("UpdateMap: there is nothing to draw", hint="at least one parameter and one step")

    def rows(self) -> tuple[list[str], np.ndarray[Any, Any]]:
        """Return what is drawn: all parameters, or where they are too many, the mean over those of a block.

        Example:
            >>> names = [f"blocks.{i}.mlp.{part}.weight" for i in range(30) for part in ("up", "down")]
            >>> rows, values = UpdateMap(names, np.zeros((60, 5))).rows()
            >>> rows[:2], values.shape
            (['blocks.0', 'blocks.1'], (30, 5))
        """
        if len(self.names) <= _MOST:
            return list(self.names), np.asarray(self.log10)
        groups: dict[str, list[int]] = {}
        for i, name in enumerate(self.names):
            parts = name.split(".")
            groups.setdefault(".".join(parts[:2]) if parts[1:2] and parts[1].isdigit() else parts[0], []).append(i)
        return list(groups), np.stack([_mean(np.asarray(self.log10)[rows], 0) for rows in groups.values()])

    def typical(self) -> list[float]:
        """Return for each drawn row its median over the steps; NaN where it never moved."""
        return [float(np.median(row[np.isfinite(row)])) if np.isfinite(row).any() else np.nan for row in self.rows()[1]]


@styled
def draw_updates(data: UpdateMap) -> Figure:
    """Draw a heat map of rows over steps, and beside it the median of each row against the usual 1e-3.

    What never moved is white and crossed.

    Example:
        >>> fig = draw_updates(UpdateMap(["a.weight", "b.weight"], np.array([[-3.0, -2.5], [np.nan, np.nan]])))
        >>> fig.axes[0].get_xlabel(), fig.axes[1].get_xlabel()
        ('step', 'median (log10)')
    """
    names, values = data.rows()
    fig = figure(max(2.6, 1.6 + 0.19 * len(names)), data.title, data.subtitle, alt=_in_words(data))
    left, right = fig.subplots(1, 2, width_ratios=[3, 1], sharey=True)
    left.set_facecolor("white")
    image = left.imshow(
        np.ma.masked_invalid(values), cmap=AMOUNTS, vmin=_LOW, vmax=_HIGH, aspect="auto", interpolation="nearest",
        extent=(0.5, values.shape[1] + 0.5, len(names) - 0.5, -0.5),
    )  # fmt: skip
    left.grid(False)
    left.set_yticks(range(len(names)), names, fontsize=8)
    left.xaxis.set_major_locator(MaxNLocator(integer=True))
    left.set_xlabel("step")
    bar = fig.colorbar(image, ax=left, location="top", aspect=50, pad=0.02)
    bar.set_ticks([-6, -5, -4, -3, -2, -1, 0], labels=["1e-6", "1e-5", "1e-4", "1e-3 (usual)", "1e-2", "1e-1", "1"])
    bar.ax.tick_params(labelsize=8)
    for row, median in enumerate(data.typical()):
        if np.isfinite(median):
            right.plot([median], [row], marker="o", markersize=4.5, color=BLACK, linestyle="none")
        else:
            right.plot([_LOW], [row], marker="X", markersize=8, color=VERMILION, linestyle="none", clip_on=False)
            left.plot([1, values.shape[1]], [row, row], color=VERMILION, linewidth=1, linestyle=":")
    right.axvline(USUAL, color=GRAY, linestyle="--", linewidth=1)
    right.set_xlim(_LOW, _HIGH)
    right.set_xlabel("median (log10)")
    right.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    right.grid(axis="x", color=PALE)
    right.tick_params(labelleft=False)
    return fig


def updates_lines(data: UpdateMap, width: int = 80, unicode: bool = True) -> list[str]:
    """Draw a line for each row: its name, its median ratio, and a sparkline over the steps.

    Example:
        >>> for line in updates_lines(UpdateMap(["a", "b"], np.array([[-2.0, -3.0], [np.nan, np.nan]])), 30, False):
        ...     print(line)
        a 3.2e-03 #_
        b   still
    """
    names, values = data.rows()
    wide = min(max(map(len, names)), max(width - 20, 8))
    lines = []
    for name, row, median in zip(names, values, data.typical(), strict=True):
        shown = name if len(name) <= wide else name[: wide - 1] + "~"
        number = f"{10**median:.1e}" if np.isfinite(median) else "still"
        spark = sparkline([float(v) for v in row], max(width - wide - 9, 1), unicode) if np.isfinite(median) else ""
        lines.append(f"{shown:<{wide}} {number:>7} {spark}".rstrip()[:width])
    return lines


def _mean(values: np.ndarray[Any, Any], axis: int) -> np.ndarray[Any, Any]:
    """Average what is finite; NaN where nothing is."""
    finite = np.isfinite(values)
    count = finite.sum(axis)
    return np.where(count > 0, np.where(finite, values, 0.0).sum(axis) / np.maximum(count, 1), np.nan)


def _in_words(data: UpdateMap) -> str:
    names, values = data.rows()
    medians = data.typical()
    moved = [(m, name) for m, name in zip(medians, names, strict=True) if np.isfinite(m)]
    still = [name for m, name in zip(medians, names, strict=True) if not np.isfinite(m)]
    parts = [f"A heat map of log10 of update over weight for {len(names)} rows and {values.shape[1]} steps."]
    if moved:
        low, high = min(moved), max(moved)
        parts.append(f"Medians go from {10 ** low[0]:.1e} ({low[1]}) to {10 ** high[0]:.1e} ({high[1]}).")
    if still:
        parts.append(
            f"Never moved: {', '.join(still[:5])}" + (f" and {len(still) - 5} more." if len(still) > 5 else ".")
        )
    return " ".join(parts)
