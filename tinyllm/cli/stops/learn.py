"""The second stop: a GPT learns a text while you watch."""

from __future__ import annotations

from ...train import Run
from ..progress import summary, view
from .stop import Stop, Tour


def visit(tour: Tour) -> None:
    """Train, with texts at milestones, and compare the first with the last."""
    if (tour.folder / "manifest.json").exists():
        tour.run = Run.open(tour.folder)
    run = tour.need_run()
    before = _FirstText()
    with view(tour.screen) as watching:
        result = run.train([before, watching])
    tour.interrupted = run.folder if result.stopped == "interrupt" else None
    tour.screen.paragraph(summary(run, result), style="bold")
    tour.screen.line()
    for when, text in (("before", before.text), ("after", run.write())):
        tour.screen.line(f"{when}:", style="bold")
        tour.screen.paragraph(text.strip("\n"), indent="    ")


class _FirstText:
    """Keeps the text that the model wrote before it had learned anything."""

    def __init__(self) -> None:
        self.text = ""

    def on_sample(self, step: int, text: str) -> None:
        """Remember."""
        self.text = self.text or text


STOP = Stop(
    "learn",
    "A GPT learns to write",
    "Python's own manual goes in, character by character; every few hundred steps the model writes a text of its own.",
    visit,
)
