"""``tinyllm learn start``: begin a lesson."""

from __future__ import annotations

import argparse

from ..parser import Parser
from ..screen import Screen

EXAMPLES = """\
  tinyllm learn start                the next lesson with something open
  tinyllm learn start 10
"""


def add_arguments(parser: Parser) -> None:
    """Declare the argument."""
    parser.add_argument("lesson", metavar="LESSON", nargs="?", help="its number; without it, the next open one")


def run(args: argparse.Namespace) -> int:
    """Make the learner's file; one that is there is never overwritten."""
    from ...learn.exercises import lesson, lesson_of
    from ...learn.work.session import Session

    screen, session = Screen.of(), Session.here()
    wanted = lesson(args.lesson.split(".")[0]) if args.lesson else lesson_of(session.next())
    there = session.started(wanted)
    path = session.start(wanted)
    screen.line(f"{wanted.number} {wanted.title}", style="bold")
    screen.paragraph(wanted.question)
    screen.line(f"{'your file' if there else 'made'}: {path}")
    if wanted.needs:
        screen.line(f"it builds on: {', '.join(wanted.needs)} (what you have not written yet, the library does)")
    screen.line(f"time: about {wanted.minutes} minutes; at the end: {wanted.payoff}")
    screen.line(f"read: tinyllm learn show {wanted.number}")
    screen.line(f"next: open the file in your editor, and in a terminal beside it: tinyllm learn {wanted.number}")
    return 0
