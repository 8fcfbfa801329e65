"""``tinyllm learn dev check``: hold lessons to the course's own rules, as its tests do."""

from __future__ import annotations

import argparse

from ..parser import Parser
from ..screen import Screen

EXAMPLES = """\
  tinyllm learn dev check
  tinyllm learn dev check 10 --gates R1,R2,R3
"""
WORDS = ("check",)


def add_arguments(parser: Parser) -> None:
    """Declare the arguments."""
    parser.add_argument("action", metavar="ACTION", choices=WORDS, help="check: send lessons through the gates")
    parser.add_argument("lessons", metavar="[LESSON ...]", nargs="*", help="their numbers; without any, all of them")
    parser.add_argument("--gates", metavar="NAMES", help="only these: R1 to R12, with commas between them")


def run(args: argparse.Namespace) -> int:
    """Print a line for each gate and what it complains of; return 1 if one does."""
    from ...learn.devcheck import GATES
    from ...learn.devcheck import run as check
    from ...learn.exercises import lesson, lessons

    screen = Screen.of()
    chosen = [lesson(word) for word in args.lessons] or list(lessons())
    names = [name.strip().upper() for name in args.gates.split(",")] if args.gates else list(GATES)
    failed = False
    for name in names:  # one by one: some take minutes, and each is told when it is done
        report = check(chosen, [name])
        failed |= not report.ok
        for line in report.text().splitlines():
            screen.line(line, style="bold red" if line.startswith("FAIL") else "")
    return int(failed)
