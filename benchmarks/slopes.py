"""How cost grows: the exponent of a power law, fitted to measured points on logarithmic axes."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Slope:
    """One line of points.

    Attributes:
        line: what was measured: "forward", "a training step".
        candidate: who.
        axis: what grew: "T".
        sizes: its values, rising.
        seconds: the cost at each, in seconds, or whatever ``unit`` says.
        unit: of the cost.
    """

    line: str
    candidate: str
    axis: str
    sizes: tuple[float, ...]
    seconds: tuple[float, ...]
    unit: str = "seconds"

    @property
    def exponent(self) -> float:
        """The fitted power over all points: doubling the size multiplies the cost by 2 to this power."""
        return exponent(self.sizes, self.seconds)

    @property
    def last(self) -> float:
        """The power between the two largest sizes, where fixed costs matter least."""
        return exponent(self.sizes[-2:], self.seconds[-2:])

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON can hold it."""
        return {
            "line": self.line, "candidate": self.candidate, "axis": self.axis, "sizes": list(self.sizes),
            self.unit: list(self.seconds), "exponent": round(self.exponent, 3),
            "exponent_of_last_two": round(self.last, 3),
        }  # fmt: skip


def exponent(sizes: Sequence[float], costs: Sequence[float]) -> float:
    """Return the least-squares slope of log cost against log size.

    Example:
        >>> round(exponent([1, 2, 4], [3, 12, 48]), 6)
        2.0
    """
    x, y = [math.log(s) for s in sizes], [math.log(c) for c in costs]
    middle_x, middle_y = sum(x) / len(x), sum(y) / len(y)
    spread = sum((a - middle_x) ** 2 for a in x)
    return sum((a - middle_x) * (b - middle_y) for a, b in zip(x, y, strict=True)) / spread if spread else math.nan


def slopes(points: Iterable[tuple[str, str, str, float, float]], unit: str = "seconds") -> list[Slope]:
    """Gather points (line, candidate, axis, size, cost) into lines of at least two, in the order they came."""
    lines: dict[tuple[str, str, str], dict[float, float]] = {}
    for line, candidate, axis, size, cost in points:
        lines.setdefault((line, candidate, axis), {})[size] = cost
    found = []
    for (line, candidate, axis), costs in lines.items():
        sizes = tuple(sorted(costs))
        if len(sizes) >= 2:
            found.append(Slope(line, candidate, axis, sizes, tuple(costs[s] for s in sizes), unit))
    return found
