"""``tinyllm learn path``: orders in which to take the lessons."""

from __future__ import annotations

import argparse

from ..parser import Parser
from ..screen import Screen

EXAMPLES = """\
  tinyllm learn path
  tinyllm learn path unwrap
"""
# name -> what it is for, and the lessons in their order
PATHS = {
    "build": ("from a slope to your own language model", tuple(f"{number:02}" for number in range(24))),
    "unwrap": (
        "from the wrapper to the product of matrices",
        ("18", "08", "14", "15", "12", "11", "10", "05", "04", "03", "16"),
    ),
    "express": ("the spine of the course", ("00", "01", "03", "04", "10", "11", "12", "14")),
    "rag": ("texts, search and answers", ("00", "08", "18", "19", "20", "21", "22")),
}
WORDS = tuple(PATHS)


def add_arguments(parser: Parser) -> None:
    """Declare the argument."""
    parser.add_argument("name", metavar="NAME", nargs="?", help=", ".join(PATHS))


def run(args: argparse.Namespace) -> int:
    """Print the paths, or the lessons of one; those that are not written yet are named as such."""
    from ...errors import LearnError, nearest
    from ...learn.exercises import lessons
    from ...learn.session import Session

    screen = Screen.of()
    here = {one.number: one for one in lessons()}
    if args.name is None:
        for name, (about, numbers) in PATHS.items():
            ready = sum(number in here for number in numbers)
            screen.line(f"{name:<9}{about} ({ready} of its {len(numbers)} lessons are here)")
        return 0
    if args.name not in PATHS:
        raise LearnError(f"there is no path {args.name!r}", hint=nearest(args.name, PATHS) or ", ".join(PATHS))
    session = Session.here()
    about, numbers = PATHS[args.name]
    screen.line(f"{args.name}: {about}", style="bold")
    for number in numbers:
        if number in here:
            done, every = session.count(here[number])
            screen.line(f"  {number} {here[number].title}   {done}/{every}")
    missing = [number for number in numbers if number not in here]
    if missing:
        screen.line(f"not written yet: {', '.join(missing)}", style="dim")
    return 0
