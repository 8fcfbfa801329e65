"""The dependency picture: how often every entry of an array is used, and by which entries of the result."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import ConnectionPatch, Rectangle

from ..errors import RangeError, ShapeError
from .style import BLACK, GRAY, PALE, VERMILION, figure, styled

_LARGEST = 8  # more cells in a row than this cannot be read in half of the picture
_ACROSS = 2  # pictures side by side


@dataclass(frozen=True)
class Feeds:
    """Which entries of a result an array feeds.

    Attributes:
        label: the operation: "y = x + b".
        source: name of the array.
        target: name of the result.
        feeds: bool, the shape of the array followed by that of the result: does this entry feed that one?
        shape: of the array, of at most two axes.
        chosen: the entry of the array whose targets are marked.
    """

    label: str
    source: str
    target: str
    feeds: np.ndarray[Any, Any]
    shape: tuple[int, ...]
    chosen: tuple[int, ...]

    def __post_init__(self) -> None:
        if self.feeds.shape[: len(self.shape)] != self.shape:
            raise ShapeError(f"Feeds: {self.feeds.shape} does not begin with the array's shape {self.shape}")
        for shape in (self.shape, self.result):
            if len(shape) > 2 or any(not 0 < n <= _LARGEST for n in shape):
                raise ShapeError(f"Feeds: {shape} cannot be drawn", hint=f"two axes at most, of 1 to {_LARGEST}")
        if len(self.chosen) != len(self.shape) or any(
            not 0 <= i < n for i, n in zip(self.chosen, self.shape, strict=True)
        ):
            raise RangeError(f"Feeds: {self.source} {self.shape} has no entry {list(self.chosen)}")

    @property
    def result(self) -> tuple[int, ...]:
        """The shape of the result."""
        return self.feeds.shape[len(self.shape) :]

    def uses(self) -> np.ndarray[Any, Any]:
        """Return how many entries of the result each entry feeds.

        Example:
            >>> Feeds("y = x + x[0]", "x", "y", np.array([[True, True], [False, True]]), (2,), (0,)).uses()
            array([2, 1])
        """
        return np.asarray(self.feeds.reshape(*self.shape, -1).sum(axis=-1))


@styled
def draw_dependencies(data: Sequence[Feeds], title: str = "How often every number is used") -> Figure:
    """Draw for each operation the array, with how often each entry is used, and the result beside it.

    One entry and what it feeds are framed.

    Raises:
        ShapeError: there is nothing to draw.

    Example:
        >>> fig = draw_dependencies([Feeds("y = x + x", "x", "y", np.eye(3, dtype=bool), (3,), (1,))])
        >>> [text.get_text() for text in fig.axes[0].texts][:3]
        ['1', '1', '1']
    """
    if not data:
        raise ShapeError("draw_dependencies: there is nothing to draw", hint="at least one Feeds")
    lines = -(-len(data) // _ACROSS)
    height = 0.62 + 1.95 * lines
    subtitle = "in each cell of the array on the left: how many cells of the result it feeds; one of them framed"
    fig = figure(height, title, subtitle, alt=" ".join(_in_words(one) for one in data))
    axes = fig.subplots(lines, _ACROSS, squeeze=False)
    for ax, one in zip(axes.flat, data, strict=False):
        _pair(ax, one)
    for ax in list(axes.flat)[len(data) :]:
        ax.set_axis_off()
    return fig


def _pair(ax: Axes, data: Feeds) -> None:
    """Draw the array and the result beside each other on one pair of axes."""
    rows, columns = _flat(data.shape)
    far, wide = _flat(data.result)
    gap = 2.0
    tall = max(rows, far, 3)
    left, right = (tall - rows) / 2, (tall - far) / 2  # both in the middle
    uses = data.uses().reshape(rows, columns)
    scale = max(float(uses.max()), 1.0)
    fed = data.feeds[data.chosen].reshape(far, wide)
    chosen = tuple(int(i) for i in np.unravel_index(np.ravel_multi_index(data.chosen, data.shape), (rows, columns)))
    colors = matplotlib.colormaps["cividis"].reversed()
    for i, j in np.ndindex(rows, columns):
        amount = 0.75 * float(uses[i, j]) / scale
        color = colors(amount) if uses[i, j] else "white"
        _cell(ax, j, left + i, color, str(uses[i, j]), "white" if amount > 0.55 else BLACK, (i, j) == chosen)
    start = columns + gap
    for i, j in np.ndindex(far, wide):
        _cell(ax, start + j, right + i, PALE if not fed[i, j] else "#FBEBCB", "", BLACK, bool(fed[i, j]))
        if fed[i, j]:
            here = (chosen[1] + 0.5, left + chosen[0] + 0.5)
            arrow = ConnectionPatch(
                here, (start + j + 0.5, right + i + 0.5), "data", "data", axesA=ax, axesB=ax, arrowstyle="-|>",
                shrinkA=11, shrinkB=1, color=VERMILION, linewidth=0.9, zorder=5,
                connectionstyle="arc3,rad=-0.12",
            )  # fmt: skip
            ax.add_patch(arrow)
    ax.text(columns / 2, left - 0.25, f"{data.source} {_shape(data.shape)}", ha="center", fontsize=9, color=GRAY)
    ax.text(start + wide / 2, right - 0.25, f"{data.target} {_shape(data.result)}", ha="center", fontsize=9, color=GRAY)
    ax.set_xlim(-0.3, max(start + wide + 0.3, 10))
    ax.set_ylim(tall + 0.2, -0.85)
    ax.set_aspect("equal", anchor="NW")
    ax.set_title(data.label, loc="left", fontweight="bold", family="DejaVu Sans Mono")
    ax.set_axis_off()


def _cell(ax: Axes, x: float, y: float, color: Any, text: str, ink: str, framed: bool) -> None:
    edge, width, above = (VERMILION, 2.2, 3) if framed else ("white", 1.2, 2)
    ax.add_patch(
        Rectangle((x + 0.03, y + 0.03), 0.94, 0.94, facecolor=color, edgecolor=edge, linewidth=width, zorder=above)
    )
    if color == "white" and not framed:
        ax.add_patch(Rectangle((x + 0.05, y + 0.05), 0.9, 0.9, fill=False, edgecolor=PALE, linewidth=1, zorder=2))
    if text:
        ax.text(x + 0.5, y + 0.5, text, ha="center", va="center", color=ink, fontsize=9, zorder=6)


def _flat(shape: tuple[int, ...]) -> tuple[int, int]:
    """As rows and columns: a vector is one row."""
    rows, columns = (1, 1, *shape)[-2:]
    return rows, columns


def _shape(shape: tuple[int, ...]) -> str:
    return "(" + ", ".join(map(str, shape)) + ("," if len(shape) == 1 else "") + ")"


def _in_words(data: Feeds) -> str:
    uses = data.uses()
    least, most = int(uses.min()), int(uses.max())
    each = f"each entry of {data.source} feeds"
    return f"{data.label}: {each} {most if least == most else f'{least} to {most}'} of {data.target}."
