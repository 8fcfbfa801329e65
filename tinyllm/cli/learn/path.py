"""``tinyllm learn path``: orders in which to take the lessons."""

from __future__ import annotations

import argparse

from ..parser import Parser
from ..screen import Screen

EXAMPLES = """\
  tinyllm learn path
  tinyllm learn path unwrap
"""
WORDS = ("build", "unwrap", "express", "rag")


def add_arguments(parser: Parser) -> None:
    """Declare the argument."""
    parser.add_argument("name", metavar="NAME", nargs="?", help=", ".join(WORDS))


def run(args: argparse.Namespace) -> int:
    """Print the paths, or the lessons of one; those that are not written yet are named as such."""
    from ...learn.exercises import lessons
    from ...learn.text.course import PATHS, path
    from ...learn.work.session import Session

    screen = Screen.of()
    here = {one.number: one for one in lessons()}
    if args.name is None:
        for name, (about, numbers) in PATHS.items():
            ready = sum(number in here for number in numbers)
            screen.line(f"{name:<9}{about} ({ready} of {len(numbers)} lessons are here)")
        return 0
    session, steps = Session.here(), path(args.name)
    screen.line(f"{args.name}: {PATHS[args.name][0]}", style="bold")
    for step in steps:
        if step.number in here:
            done, every = session.count(here[step.number])
            screen.line(f"  {step.number} {step.title}   {done}/{every}")
        else:
            screen.line(f"  {step.number} {step.title}   not written yet", style="dim")
    return 0
