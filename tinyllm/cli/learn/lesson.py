"""``tinyllm learn run``: run a lesson, text, pictures and results, on whatever fills the slots."""

from __future__ import annotations

import argparse
import os

from ..mine import add_mine, swapped
from ..parser import Parser
from ..screen import Screen

EXAMPLES = """\
  tinyllm learn run 10               with the library's functions
  tinyllm learn run 10 --mine        with yours where they have passed; the receipt says how often each ran
  tinyllm learn run 10 --quick       the short version: seconds
"""


def add_arguments(parser: Parser) -> None:
    """Declare the arguments."""
    parser.add_argument("lesson", metavar="LESSON", help="its number")
    parser.add_argument("--quick", action="store_true", help="the short version, as the tests run it")
    add_mine(parser)


def run(args: argparse.Namespace) -> int:
    """Run the lesson; a claim that does not hold ends it with an error."""
    from ...learn.exercises import lesson
    from ...learn.text.in_terminal import TerminalSink
    from ...learn.text.running import run_lesson

    wanted, screen = lesson(args.lesson.split(".")[0]), Screen.of()
    before = os.environ.get("TINYLLM_QUICK")
    if args.quick:
        os.environ["TINYLLM_QUICK"] = "1"
    try:
        with swapped(args.mine, screen):
            run_lesson(wanted, TerminalSink.of())
    finally:
        if args.quick:
            os.environ.pop("TINYLLM_QUICK")
            if before is not None:
                os.environ["TINYLLM_QUICK"] = before
    return 0
