"""The fourth stop: how the loss fell, and what the model looks at."""

from __future__ import annotations

from ...train import metrics
from ...viz.terminal import curve
from ..pictures import draw_attention_of, draw_loss_of
from .stop import Stop, Tour


def visit(tour: Tour) -> None:
    """Draw the loss and the attention into the run folder; sketch the loss in the terminal."""
    run = tour.need_run()
    losses = [row["loss"] for row in metrics.read(run.metrics_path) if row["kind"] == "step"]
    if losses:
        width = min(tour.screen.width - 4, 76)
        tour.screen.line("    loss (nats per token) against steps")
        for line in curve(losses, width, 8, tour.screen.unicode, steps=(1, len(losses))):
            tour.screen.line(f"    {line}")
        tour.screen.line()
    for path in (draw_loss_of(run), draw_attention_of(run)):
        tour.pictures.append(path)
        tour.screen.line(f"    picture: {path}")


STOP = Stop(
    "pictures",
    "Two pictures of it",
    "The loss against steps, and where each character looks when the model reads a line.",
    visit,
    needs=("learn",),
)
