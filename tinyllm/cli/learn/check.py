"""``tinyllm learn check``: check an exercise, a lesson or everything once."""

from __future__ import annotations

import argparse

from ..parser import Parser
from ..screen import Screen

EXAMPLES = """\
  tinyllm learn check                the next open exercise
  tinyllm learn check 10.3
  tinyllm learn check 10 --json      a whole lesson, one JSON object per exercise
  tinyllm learn check 10 --judge mine   by your own gradient check, too
  tinyllm learn check all
"""
WORDS = ("all",)


def add_arguments(parser: Parser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "exercise", metavar="EXERCISE", nargs="?", help="an exercise, a lesson, or all: every lesson you have begun"
    )
    parser.add_argument(
        "--judge", metavar="MINE", choices=["mine"], help="mine: your own gradient check of lesson 01 judges, too"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object per exercise")


def run(args: argparse.Namespace) -> int:
    """Check; return 0 if every one has passed, 1 if not."""
    from ...errors import LearnError
    from ...learn.exercises import lesson, lessons
    from ...learn.loop.examine import EXAMINER, WITH_MINE
    from ...learn.loop.worker import Worker
    from ...learn.work.session import Session
    from .once import check_once

    session = Session.here()
    word = args.exercise
    if word == "all":
        chosen = [exercise for one in lessons() if session.started(one) for exercise in one.exercises]
        if not chosen:
            raise LearnError("no lesson has been begun here", hint="tinyllm learn start")
    elif word is not None and word.isdigit():
        chosen = list(lesson(word).exercises)
    else:
        chosen = [session.chosen(word)]
    with Worker(session.workspace.folder, WITH_MINE if args.judge else EXAMINER) as worker:
        return check_once(session, worker, Screen.of(), chosen, args.json)
