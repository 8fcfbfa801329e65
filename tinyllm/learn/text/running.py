"""Run a lesson in this terminal: its text between what it shows, as if one turned its pages."""

from __future__ import annotations

import runpy
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from ..exercise import Lesson
from .cells import Cell, lesson_path, read
from .in_terminal import TerminalSink, markdown
from .lesson import Claim, Question, into
from .page import heading
from .recording import running_line

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ..exercise import Exercise


def run_lesson(lesson: Lesson, sink: TerminalSink | None = None) -> None:
    """Run a lesson, on whatever fills the slots now; print its text as it gets there.

    Raises:
        LearnError: the lesson has no text, or a claim does not hold.
    """
    path = lesson_path(lesson)
    told = ToldSink(sink or TerminalSink.of(), str(path), read(lesson))
    with into(told):
        runpy.run_path(str(path), run_name="__main__")
    told.rest()


@dataclass
class ToldSink:
    """Print the text that stands before a line, and then what that line shows."""

    sink: TerminalSink
    path: str
    cells: list[Cell]
    told: int = field(default=0)

    def _catch_up(self) -> TerminalSink:
        line = running_line(self.path)
        while self.told < len(self.cells) and self.cells[self.told].line <= line:
            self._tell(self.cells[self.told])
            self.told += 1
        return self.sink

    def rest(self) -> None:
        """Print what is left when the script is done."""
        while self.told < len(self.cells):
            self._tell(self.cells[self.told])
            self.told += 1

    def _tell(self, cell: Cell) -> None:
        parts = [heading(cell)] if cell.title else []
        parts += [cell.text] if cell.kind == "markdown" else []
        if parts:
            self.sink.screen.line()
            markdown(self.sink.screen, "\n\n".join(parts))

    def say(self, text: str) -> None:
        """Print Markdown, after what stands before it."""
        sink = self._catch_up()
        sink.screen.line()
        sink.say(text)

    def claim(self, claim: Claim) -> None:
        """Print a claim, after what stands before it."""
        self._catch_up().claim(claim)

    def fig(self, picture: Figure | Path, alt: str) -> None:
        """Write a picture, after what stands before it."""
        self._catch_up().fig(picture, alt)

    def predict(self, question: Question) -> None:
        """Ask, after what stands before it."""
        self._catch_up().predict(question)

    def build(self, exercise: Exercise) -> None:
        """Name an exercise, after what stands before it."""
        self._catch_up().build(exercise)
