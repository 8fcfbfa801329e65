"""``tinyllm learn solution``: yours beside the library's."""

from __future__ import annotations

import argparse

from ..parser import Parser
from ..screen import Screen

EXAMPLES = """\
  tinyllm learn solution 10.3              after it has passed
  tinyllm learn solution 10.3 --give-up    before
"""


def add_arguments(parser: Parser) -> None:
    """Declare the arguments."""
    parser.add_argument("exercise", metavar="EXERCISE", help="its id")
    parser.add_argument("--give-up", action="store_true", help="show it although the exercise has not passed")


def run(args: argparse.Namespace) -> int:
    """Print both functions; nothing of the learner's is changed."""
    from ...errors import LearnError
    from ...learn.loop.live import print_page
    from ...learn.loop.screen import code
    from ...learn.slots.slot import Slot
    from ...learn.work.session import Session, title

    screen, session = Screen.of(), Session.here()
    exercise = session.chosen(args.exercise)
    slot = Slot.of(exercise.slot)
    passed = session.passed(exercise)
    if not passed and not args.give_up:
        raise LearnError(
            f"{exercise.id} has not passed yet",
            hint=f"tinyllm learn hint {exercise.id}, or --give-up to see the solution now",
        )
    if passed:
        screen.line(f"your {title(exercise)}", style="bold")
        print_page(screen, code(session.workspace.source(exercise), most=200))
        screen.line()
    else:
        session.gave_up(exercise)
    screen.line(f"the library's, {slot.file}:{slot.line}", style="bold")
    print_page(screen, code(slot.solution(), most=200))
    if not passed:
        screen.line()
        screen.paragraph("Read it, close it, and write it once from memory: the check is still there for you.")
    return 0
