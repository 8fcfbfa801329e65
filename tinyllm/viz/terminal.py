"""A curve for the terminal: a sparkline on one line, or a small chart with its axes, in blocks or in ASCII."""

from __future__ import annotations

import math
from collections.abc import Sequence

BLOCKS = "▁▂▃▄▅▆▇█"
ASCII_LEVELS = "_.-~=+*#"
_EIGHTHS = " ▁▂▃▄▅▆▇█"


def sparkline(values: Sequence[float], width: int = 20, unicode: bool = True) -> str:
    """Draw values as one row of at most ``width`` characters, low to high; what is not finite stays blank.

    Example:
        >>> sparkline([1, 2, 3, 4, 5, 6, 7, 8])
        '▁▂▃▄▅▆▇█'
        >>> sparkline([8, 4, 2, 1], unicode=False)
        '#~._'
    """
    levels = BLOCKS if unicode else ASCII_LEVELS
    points = resample(values, width)
    finite = [v for v in points if math.isfinite(v)]
    if not finite:
        return " " * len(points)
    low, high = min(finite), max(finite)
    scale = (len(levels) - 1) / (high - low) if high > low else 0.0
    return "".join(levels[round((v - low) * scale)] if math.isfinite(v) else " " for v in points)


def resample(values: Sequence[float], width: int) -> list[float]:
    """Average neighbors until at most ``width`` values are left.

    Example:
        >>> resample([1, 3, 5, 7], 2)
        [2.0, 6.0]
    """
    count = len(values)
    if count <= width:
        return [float(v) for v in values]
    averages = []
    for i in range(width):
        part = [v for v in values[i * count // width : (i + 1) * count // width] if math.isfinite(v)]
        averages.append(sum(part) / len(part) if part else math.nan)
    return averages


def curve(
    values: Sequence[float],
    width: int = 60,
    height: int = 8,
    unicode: bool = True,
    steps: tuple[float, float] | None = None,
) -> list[str]:
    """Draw values as a chart of columns, with the highest and the lowest value at its left and the steps below.

    Args:
        values: in order; more than fit are averaged.
        width: of the whole chart in characters, labels included.
        height: of the chart in lines, without the line of steps.
        unicode: block characters, an eighth of a line fine; else ``#``.
        steps: what to write below the first and the last column.

    Returns:
        Lines of at most ``width`` characters.

    Example:
        >>> for line in curve([4, 3, 2, 1], width=12, height=3, unicode=False, steps=(0, 3)):
        ...     print(line)
        4.000 |#
              |##
        1.000 |####
               0  3
    """
    label = max((len(f"{v:.3f}") for v in values if math.isfinite(v)), default=5)
    columns = resample(values, max(width - label - 2, 1))
    finite = [v for v in columns if math.isfinite(v)]
    if not finite:
        return ["(nothing to draw)"[:width]]
    low, high = min(finite), max(finite)
    bar = "│" if unicode else "|"
    lines = []
    for row in range(height - 1, -1, -1):
        text = f"{high:.3f}" if row == height - 1 else f"{low:.3f}" if row == 0 else ""
        cells = "".join(_cell(v, low, high, row, height, unicode) for v in columns)
        lines.append(f"{text:>{label}} {bar}{cells}".rstrip())
    if steps is not None:
        first, last = f"{steps[0]:g}", f"{steps[1]:g}"
        gap = len(columns) - len(first) - len(last)
        lines.append(" " * (label + 2) + (first + " " * gap + last if gap > 0 else last))
    return [line[:width] for line in lines]


def _cell(value: float, low: float, high: float, row: int, height: int, unicode: bool) -> str:
    """What a column shows in one line: the lowest value still fills an eighth of the bottom line."""
    if not math.isfinite(value):
        return " "
    share = (value - low) / (high - low) if high > low else 0.0
    filled = 1 + share * (8 * height - 1) - 8 * row  # in eighths of this line
    if unicode:
        return _EIGHTHS[min(8, max(0, round(filled)))]
    return "#" if filled >= 4 or (row == 0 and filled > 0) else " "
