"""A table of encodings: how many tokens each makes of the same text, and at what price."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..screen import Screen
from .prices import Prices, money


@dataclass(frozen=True)
class Compared:
    """What one encoding makes of a text.

    Attributes:
        encoding: its name.
        tokens: how many.
        size: bytes of the text.
        prices: name -> price of a million tokens.
    """

    encoding: str
    tokens: int
    size: int
    prices: Prices

    @property
    def bytes_per_token(self) -> float | None:
        """How much a token stands for; None where there are none."""
        return self.size / self.tokens if self.tokens else None

    def to_dict(self) -> dict[str, Any]:
        """Return the same for JSON."""
        each = self.bytes_per_token
        return {
            "encoding": self.encoding,
            "tokens": self.tokens,
            "bytes_per_token": None if each is None else round(each, 4),
            "prices": [
                {"name": name, "per_million": price, "cost": self.tokens * price / 1e6}
                for name, price in self.prices.items()
            ],
        }


def show_compared(screen: Screen, rows: Sequence[Compared]) -> None:
    """Print a line for each encoding, fewest tokens first, and for each price of it; bars where there is room."""
    rows = sorted(rows, key=lambda row: row.tokens)
    most = max((row.tokens for row in rows), default=0)
    table: list[list[str]] = [["encoding", "tokens", "bytes/token", "cost", ""]]
    for row in rows:
        each = row.bytes_per_token
        start = [row.encoding, f"{row.tokens:,}", "-" if each is None else f"{each:.2f}"]
        for i, (name, price) in enumerate(row.prices.items() or [("", None)]):
            bill = "" if price is None else money(row.tokens * price / 1e6)
            about = "" if price is None else f"{name} at {money(price)}".strip()
            table.append([*(start if i == 0 else ["", "", ""]), bill, about])
    priced = any(row.prices for row in rows)
    sizes = [max(len(line[column]) for line in table) for column in range(4 if priced else 3)]
    for number, line in enumerate(table):
        cells = [f"{line[0]:<{sizes[0]}}"]
        cells += [f"{cell:>{size}}" for cell, size in zip(line[1:], sizes[1:], strict=False)]
        text = "  ".join(cells)
        if priced:
            text += f"  {line[4]}"
        elif number and most:
            room = min(screen.width - len(text) - 3, 40)
            text += "  " + ("━" if screen.unicode else "#") * round(max(room, 0) * rows[number - 1].tokens / most)
        screen.line(text.rstrip(), style="bold" if number == 0 else "")
