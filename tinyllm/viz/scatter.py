"""The scatter picture: points in two dimensions with their names, as many names as there is room for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ..errors import NaNError, ShapeError
from .lettering import drawable, width_of
from .style import BLACK, BLUE, GRAY, GREEN, ORANGE, PURPLE, SKY, VERMILION, figure, styled, visible

Array = np.ndarray[Any, Any]
Box = tuple[float, float, float, float]  # left, bottom, right, top

_MARKS = (
    (BLUE, "o"), (VERMILION, "D"), (GREEN, "s"), (PURPLE, "^"), (ORANGE, "v"), (SKY, "P"), (BLACK, "X"), (GRAY, "*"),
)  # fmt: skip
MOST = len(_MARKS)  # groups
_INCHES = (7.5, 5.4)  # of the drawing
_SIZE = 8.0  # of the letters, in points


@dataclass(frozen=True)
class Scatter:
    """Points in two dimensions.

    Attributes:
        points: (N, 2).
        labels: N names, or none at all.
        groups: what each point belongs to, or nothing; at most 8 different ones.
        axes: what the two axes mean; empty where they mean nothing, as for t-SNE.
        title: of the picture.
        subtitle: one line below the title.
    """

    points: Array
    labels: Sequence[str] = ()
    groups: Sequence[str] = ()
    axes: tuple[str, str] = ("", "")
    title: str = "Points"
    subtitle: str = ""

    def __post_init__(self) -> None:
        shape = np.shape(self.points)
        if len(shape) != 2 or shape[1] != 2 or not shape[0]:
            raise ShapeError(f"Scatter: points {shape}, not (N, 2)", hint="points[:, :2]")
        if not np.isfinite(self.points).all():
            raise NaNError("Scatter: a coordinate is NaN or infinite", hint="leave these points out")
        for name, values in (("labels", self.labels), ("groups", self.groups)):
            if len(values) not in (0, shape[0]):
                raise ShapeError(f"Scatter: {len(values)} {name} for {shape[0]} points")
        if len(set(self.groups)) > MOST:
            raise ShapeError(f"Scatter: {len(set(self.groups))} groups", hint=f"at most {MOST}")

    def members(self) -> dict[str, list[int]]:
        """Return the points of each group, in order of appearance; all of them under "" where there are no groups.

        Example:
            >>> Scatter(np.zeros((3, 2)), groups=["b", "a", "b"]).members()
            {'b': [0, 2], 'a': [1]}
        """
        found: dict[str, list[int]] = {}
        for i, group in enumerate(self.groups or [""] * len(self.points)):
            found.setdefault(group, []).append(i)
        return found


@styled
def draw_scatter(data: Scatter) -> Figure:
    """Draw the points on one scale in both directions; a name that would cover another one is left out.

    Example:
        >>> fig = draw_scatter(Scatter(np.array([[0.0, 0.0], [1.0, 2.0]]), ["cat", "dog"]))
        >>> [text.get_text() for text in fig.axes[0].texts]
        ['cat', 'dog']
    """
    points = np.asarray(data.points, dtype=float)
    low, high = points.min(axis=0), points.max(axis=0)
    unit = float(((high - low) / (np.array(_INCHES) - 0.9)).max()) or 1.0  # of the data, in an inch
    half = np.array(_INCHES) / 2 * unit
    middle = (low + high) / 2
    placed = list(_labels((points - middle) / unit, [visible(label, 16) for label in data.labels]))
    left_out = len(data.labels) - len(placed)
    said = f"{left_out} of {len(data.labels)} names left out for lack of room" if left_out else ""
    subtitle = "; ".join(part for part in (data.subtitle, said) if part)
    fig = figure(_INCHES[1] + 0.9, data.title, subtitle, alt=_in_words(data))
    ax = fig.subplots()
    members = data.members()
    for (color, marker), (group, those) in zip(_MARKS, members.items(), strict=False):
        ax.plot(points[those, 0], points[those, 1], marker, color=color, markersize=5, alpha=0.85, label=group)
    for i, x, y, side in placed:
        text = visible(data.labels[i], 16)
        ax.text(x * unit + middle[0], y * unit + middle[1], text, fontsize=_SIZE, ha=side, va="center", color=BLACK)
    ax.set_xlim(middle[0] - half[0], middle[0] + half[0])
    ax.set_ylim(middle[1] - half[1], middle[1] + half[1])
    if any(data.axes):
        ax.set_xlabel(data.axes[0])
        ax.set_ylabel(data.axes[1])
        ax.grid(visible=True, axis="both")
    else:
        ax.set_xticks([])
        ax.set_yticks([])
        ax.grid(visible=False)
        for edge in ax.spines.values():
            edge.set_visible(False)
    if len(members) > 1:
        handles = [
            Line2D([], [], color=color, marker=marker, linestyle="none", label=drawable(group))
            for (color, marker), group in zip(_MARKS, members, strict=False)
        ]
        fig.legend(handles=handles, loc="outside lower center", ncols=min(len(members), 4), fontsize=9)
    return fig


def _labels(points: Array, labels: Sequence[str]) -> Iterator[tuple[int, float, float, str]]:
    """Find places for names, in inches: right of the point, left, above or below, where nothing lies yet."""
    taken: list[Box] = [(x - 0.05, y - 0.05, x + 0.05, y + 0.05) for x, y in points]
    edges = np.array(_INCHES) / 2
    for i, (label, (x, y)) in enumerate(zip(labels, points, strict=False)):
        width, height = width_of(label, _SIZE), 0.13
        for side, dx, dy in (("left", 0.07, 0.0), ("right", -0.07, 0.0), ("center", 0.0, 0.13), ("center", 0.0, -0.13)):
            start = x + dx - {"left": 0.0, "right": 1.0, "center": 0.5}[side] * width
            box = (start, y + dy - height / 2, start + width, y + dy + height / 2)
            inside = box[0] > -edges[0] and box[2] < edges[0] and box[1] > -edges[1] and box[3] < edges[1]
            if inside and not any(_overlap(box, other) for other in taken):
                taken.append(box)
                yield i, float(x + dx), float(y + dy), side
                break


def _overlap(one: Box, other: Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def scatter_lines(data: Scatter, width: int = 72, height: int = 20, unicode: bool = True) -> list[str]:
    """Write the points for a terminal: a name where it fits, a letter for the group, or a dot.

    Example:
        >>> points = np.array([[0.0, 0.0], [1.0, 1.0], [0.5, 0.5]])
        >>> print(*scatter_lines(Scatter(points, ["cat", "dog", "fish"]), width=16, height=3, unicode=False), sep="\\n")
                    .dog
              .fish
        .cat
    """
    points = np.asarray(data.points, dtype=float)
    low, high = points.min(axis=0), points.max(axis=0)
    longest = min(8, max((len(visible(label, 8)) for label in data.labels), default=0))
    room = np.array([max(width - longest - 1, 1), height]) - 1
    place = np.rint((points - low) / np.where(high > low, high - low, 1) * room).astype(int)
    grid = [[" "] * width for _ in range(height)]
    signs = dict(zip(data.members(), "•ABCDEFGH" if not data.groups else "ABCDEFGH", strict=False))
    for i, (x, y) in enumerate(place):
        sign = signs[data.groups[i]] if data.groups else "•"
        grid[height - 1 - y][x] = sign if unicode or sign.isascii() else "."
    for i, label in enumerate(data.labels):
        word = visible(label, 8)
        word = word if unicode else word.encode("ascii", "replace").decode()
        row, begin = grid[height - 1 - place[i, 1]], place[i, 0] + 1
        cells = row[begin : begin + len(word) + 1]
        if all(cell == " " for cell in cells) and begin + len(word) <= width:
            row[begin : begin + len(word)] = word
    lines = ["".join(row).rstrip() for row in grid]
    if data.groups:
        lines.append("  ".join(f"{sign} {group}" for group, sign in signs.items())[:width])
    return lines


def _in_words(data: Scatter) -> str:
    named = f" named {', '.join(visible(label) for label in data.labels[:8])}" if data.labels else ""
    more = f" and {len(data.labels) - 8} more" if len(data.labels) > 8 else ""
    members = data.members()
    groups = ""
    if len(members) > 1:
        groups = " in groups: " + ", ".join(f"{name} ({len(those)})" for name, those in members.items())
    return f"Scatter plot of {len(data.points)} points{named}{more}{groups}."
