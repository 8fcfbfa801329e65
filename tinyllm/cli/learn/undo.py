"""``tinyllm learn undo``: take the last reset back, or restore the version that was checked before."""

from __future__ import annotations

import argparse

from ..parser import Parser
from ..screen import Screen

EXAMPLES = """\
  tinyllm learn undo                 in the lesson you are at
  tinyllm learn undo 10
"""


def add_arguments(parser: Parser) -> None:
    """Declare the argument."""
    parser.add_argument("lesson", metavar="LESSON", nargs="?", help="a lesson or one of its exercises")


def run(args: argparse.Namespace) -> int:
    """Undo once; undoing again goes on, and what was there is kept, too."""
    from ...learn.exercises import lesson, lesson_of
    from ...learn.work.session import Session

    screen, session = Screen.of(), Session.here()
    wanted = lesson(args.lesson.split(".")[0]) if args.lesson else lesson_of(session.next())
    screen.line(session.undo(wanted))
    return 0
