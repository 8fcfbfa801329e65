"""What a stop of the tour is, and what the stops share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..screen import Screen

if TYPE_CHECKING:
    from ...train import Run, TrainConfig


@dataclass
class Tour:
    """One visit.

    Attributes:
        screen: where to print.
        folder: where the run and the pictures go.
        config: what the stop that trains does.
        run: the run, once a stop has made it.
        pictures: what was drawn, in order.
        interrupted: folder of the run in which Ctrl-C was pressed.
    """

    screen: Screen
    folder: Path
    config: TrainConfig
    run: Run | None = None
    pictures: list[Path] = field(default_factory=list)
    interrupted: Path | None = None

    def need_run(self) -> Run:
        """Return the run; if no stop has made it yet, make one whose model has learned nothing."""
        from ...train import Run

        if self.run is None:
            self.run = Run.create(self.folder, self.config)
        return self.run

    def keep(self, fig: Any, name: str) -> Path:
        """Save a figure into the folder."""
        from ...viz import save

        self.pictures.append(save(fig, self.folder / name))
        return self.pictures[-1]


@dataclass(frozen=True)
class Stop:
    """A stop: ``visit`` shows something and prints about it.

    Attributes:
        name: one word, for --stop.
        title: what is printed above it.
        sentence: what there is to see.
        visit: shows it.
        needs: names of stops that have to be visited before.
    """

    name: str
    title: str
    sentence: str
    visit: Callable[[Tour], None]
    needs: tuple[str, ...] = ()
