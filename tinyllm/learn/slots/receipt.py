"""A receipt: whose function ran in each slot, and how often; the proof that what you wrote was really used."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field


@dataclass
class Entry:
    """One line of a receipt.

    Attributes:
        id: of the exercise.
        slot: what is filled: "Attention.backward".
        where: what fills it: "my/l10_attention.py:12", or "library (exercise 05.4 open)".
        yours: is it the learner's?
        calls: how often it has been called so far.
    """

    id: str
    slot: str
    where: str
    yours: bool = True
    calls: int = 0


@dataclass
class Receipt:
    """Who did what in a run; it counts while the run goes on."""

    entries: list[Entry] = field(default_factory=list)

    @property
    def rows(self) -> list[tuple[str, str, int]]:
        """Slot, where, and calls of each, in the order of the course."""
        return [(entry.slot, entry.where, entry.calls) for entry in self._sorted()]

    @property
    def calls(self) -> dict[str, int]:
        """Calls of the learner's functions by exercise: ``{"10.3": 480}``."""
        return {entry.id: entry.calls for entry in self._sorted() if entry.yours}

    def text(self) -> str:
        """Return it as a table.

        Example:
            >>> print(Receipt([Entry("10.3", "Attention.backward", "my/l10_attention.py:12", calls=1480)]).text())
            stack for this run   yours                    calls
            Attention.backward   my/l10_attention.py:12   1,480
        """
        rows = [("stack for this run", "yours", "calls")]
        rows += [(entry.slot, entry.where, f"{entry.calls:,}" if entry.yours else "-") for entry in self._sorted()]
        if not self.entries:
            rows.append(("all of it", "library (nothing of yours has passed yet)", "-"))
        wide = [max(len(row[i]) for row in rows) for i in range(3)]
        lines = (f"{slot:<{wide[0]}}   {where:<{wide[1]}}   {calls:>{wide[2]}}" for slot, where, calls in rows)
        return "\n".join(line.rstrip() for line in lines)

    def uncalled(self) -> Iterator[Entry]:
        """Yield the learner's functions that were in place and never called."""
        return (entry for entry in self._sorted() if entry.yours and not entry.calls)

    def note_open(self, exercises: Iterable[tuple[str, str]]) -> None:
        """Add a line for each slot that the library still fills.

        Args:
            exercises: the exercise's id and the slot's title.
        """
        self.entries += [Entry(i, slot, f"library (exercise {i} open)", yours=False) for i, slot in exercises]

    def _sorted(self) -> list[Entry]:
        return sorted(self.entries, key=lambda entry: entry.id)
