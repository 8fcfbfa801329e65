"""``tinyllm learn reset``: put the stub of one function back; the version before stays in the history."""

from __future__ import annotations

import argparse
import sys

from ..parser import Parser
from ..screen import Screen

EXAMPLES = """\
  tinyllm learn reset 10.3
  tinyllm learn reset 10.3 --yes     without asking
"""


def add_arguments(parser: Parser) -> None:
    """Declare the arguments."""
    parser.add_argument("exercise", metavar="EXERCISE", help="its id")
    parser.add_argument("--yes", action="store_true", help="do not ask first")


def run(args: argparse.Namespace) -> int:
    """Ask, and put the stub back; return 1 if the answer is no."""
    from ...errors import LearnError
    from ...learn.work.session import Session, title

    screen, session = Screen.of(), Session.here()
    exercise = session.chosen(args.exercise)
    path = session.path(exercise)
    if not args.yes:
        if not sys.stdin.isatty():
            raise LearnError(f"reset would replace {title(exercise)} in {path.name}", hint="--yes, if that is meant")
        answer = input(f"Replace {title(exercise)} in {path.name} by its stub? undo brings yours back. [y/N] ")
        if answer.strip().lower() not in ("y", "yes"):
            screen.line("nothing was changed")
            return 1
    session.reset(exercise)
    screen.line(f"{title(exercise)} in {path.name} is the stub again")
    screen.line(f"yours is kept: tinyllm learn undo {exercise.id.split('.')[0]}")
    return 0
