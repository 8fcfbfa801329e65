"""A lesson in a terminal: rich draws its Markdown where it can, plain lines otherwise; pictures become files."""

from __future__ import annotations

import os
import re
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from ...cli.screen import Screen
from .lesson import Claim, Question, quick
from .plain_text import linkless, plain, plain_lines

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ..exercise import Exercise


@dataclass
class TerminalSink:
    """Print what a lesson shows.

    Attributes:
        screen: where to.
        keys: what answers to ``predict`` are read from; None takes the recorded ones.
        folder: where pictures are written.
    """

    screen: Screen
    keys: TextIO | None = None
    folder: Path = field(default_factory=lambda: pictures_folder())

    @classmethod
    def of(cls) -> TerminalSink:
        """Look at standard output and standard input."""
        asks = not quick() and not os.environ.get("CI") and sys.stdin is not None and sys.stdin.isatty()
        return cls(Screen.of(), sys.stdin if asks and sys.stdout.isatty() else None)

    def say(self, text: str) -> None:
        """Print Markdown."""
        markdown(self.screen, text)

    def claim(self, claim: Claim) -> None:
        """Print a claim that held, on one line."""
        self.screen.line(f"  claim  {claim.text}", style="green")

    def fig(self, picture: Figure | Path, alt: str) -> None:
        """Write the picture to a file, and print its path and its words."""
        if isinstance(picture, Path):
            path = picture
        else:
            from ...viz.style import save

            path = save(picture, self.folder / f"{_slug(alt)}.svg")
        self.screen.line(f"  picture  {path}", style="cyan")
        self.screen.paragraph(alt, indent="           ")

    def predict(self, question: Question) -> None:
        """Ask, and say why the right answer is right."""
        self.screen.line()
        markdown(self.screen, f"**Predict.** {question.text}")
        for number, choice in enumerate(question.choices, 1):
            self.screen.line(f"  {number}  {plain(choice)}")
        guess = self._guess(len(question.choices)) if self.keys else None
        right = question.answer + 1
        if guess is None:
            opening = f"The answer is {right}."
        else:
            opening = f"Yes, {right}." if guess == right else f"You said {guess}; it is {right}."
        markdown(self.screen, f"{opening} {question.because}")

    def _guess(self, choices: int) -> int | None:
        """A number from the keyboard; None for an empty line or the end of the input."""
        while True:
            self.screen.stream.write(f"  your guess, 1 to {choices} (Enter shows the answer): ")
            self.screen.stream.flush()
            line = self.keys.readline() if self.keys else ""
            if not line.strip():
                return None
            if line.strip().isdigit() and 1 <= int(line) <= choices:
                return int(line)

    def build(self, exercise: Exercise) -> None:
        """Name the exercise, its file and the commands."""
        from ..exercises import lesson_of
        from ..slots.slot import Slot

        lesson = lesson_of(exercise)
        name = Slot.of(exercise.slot).name
        self.screen.line()
        self.screen.line(
            f"  exercise {exercise.id}  {name} in my/{lesson.file}, {exercise.minutes} minutes", style="bold"
        )
        self.screen.line(f"  tinyllm learn check {exercise.id}    tinyllm learn hint {exercise.id}")


def pictures_folder() -> Path:
    """Where a terminal's pictures go: my/pictures beside the learner's work, or the folder for temporary files."""
    mine = Path(os.environ.get("TINYLLM_MY") or "my")
    if mine.is_dir() and os.access(mine, os.W_OK):
        return mine / "pictures"
    return Path(tempfile.gettempdir()) / "tinyllm-pictures"


def markdown(screen: Screen, text: str) -> None:
    """Print Markdown: drawn by rich, or as plain lines where there are no colors."""
    if screen.plain:
        for line in plain_lines(text, screen.width):
            screen.line(line)
        return
    from rich.markdown import Markdown

    console = screen.console
    console.width = min(screen.width, 88)
    console.print(Markdown(linkless(text), code_theme="ansi_dark"))


def _slug(words: str) -> str:
    return "-".join(re.findall(r"[a-z0-9]+", words.lower())[:6]) or "picture"
