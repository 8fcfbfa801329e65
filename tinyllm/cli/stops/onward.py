"""The last stop: where to go from here."""

from __future__ import annotations

from .stop import Stop, Tour


def visit(tour: Tour) -> None:
    """Print commands that go on from this run."""
    ways = [
        (f'tinyllm generate {tour.folder} "The "', "let the model write"),
        (f"tinyllm explore {tour.folder}", "see it at work in the browser"),
        ("tinyllm train FILE", "train on a text of yours"),
        ("tinyllm train --preset shakespeare-cpu", "nanoGPT's CPU model, at twice its learning rate"),
        ("tinyllm rag index FOLDER", "make texts of yours ready for questions"),
        ("tinyllm info", "what runs underneath"),
    ]
    if tour.run is None:
        del ways[:2]
    longest = max(len(command) for command, _ in ways)
    for command, what in ways:
        wide = tour.screen.width >= longest + 10 + len(what)
        tour.screen.line(f"    {command:<{longest}}   {what}" if wide else f"    {command}")
    tour.screen.line()
    tour.screen.paragraph(
        "The code: start with tinyllm/autograd/op.py and tinyllm/models/gpt.py; each is read in one sitting."
    )


STOP = Stop("onward", "Where to go next", "Everything you saw is a few pages of Python.", visit)
