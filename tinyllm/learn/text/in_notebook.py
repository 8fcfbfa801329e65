"""A lesson in a notebook: Markdown and pictures as rich output, so that both survive conversion."""

from __future__ import annotations

import base64
import html
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .lesson import Claim, Question
from .markdown import exercise_box, question_box
from .plain_text import linkless

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ..exercise import Exercise


def in_notebook() -> bool:
    """Does this Python run for a notebook? A plain IPython prompt is a terminal."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None and hasattr(ipython, "get_ipython") else None
    return shell is not None and hasattr(shell, "kernel")


class NotebookSink:
    """Display what a lesson shows."""

    def say(self, text: str) -> None:
        """Display Markdown."""
        _display({"text/markdown": linkless(text), "text/plain": linkless(text)})

    def claim(self, claim: Claim) -> None:
        """Display a claim that held."""
        self.say(f"*Claim:* {claim.text}")

    def fig(self, picture: Figure | Path, alt: str) -> None:
        """Display a picture within the notebook, with its words."""
        kind, data = image(picture)
        source = f"data:{kind};base64,{base64.b64encode(data).decode()}"
        tag = f'<img alt="{html.escape(alt, quote=True)}" src="{source}" style="max-width:100%">'
        _display({"text/html": tag, "text/plain": alt})

    def predict(self, question: Question) -> None:
        """Display the question, and the answer folded."""
        self.say(f"**Predict.** {question_box(question)}")

    def build(self, exercise: Exercise) -> None:
        """Display the exercise."""
        self.say(exercise_box(exercise, notebook=True))


def image(picture: Figure | Path) -> tuple[str, bytes]:
    """Return a picture's MIME type and bytes, the same ones every time."""
    if isinstance(picture, Path):
        return ("image/png" if picture.suffix.lower() == ".png" else "image/svg+xml"), picture.read_bytes()
    from ...viz.style import save

    with tempfile.TemporaryDirectory() as folder:
        return "image/svg+xml", save(picture, Path(folder) / "picture.svg").read_bytes()


def _display(bundle: dict[str, str]) -> None:
    show: Any = sys.modules["IPython"].display.display
    show(bundle, raw=True)
