"""``tinyllm learn hint``: three hints for every exercise, each saying more than the last."""

from __future__ import annotations

import argparse

from ..parser import Parser
from ..screen import Screen

EXAMPLES = """\
  tinyllm learn hint                 the next one for the exercise you are at
  tinyllm learn hint 10.3
  tinyllm learn hint 10.3 -3         the last: the code with blanks
"""


def add_arguments(parser: Parser) -> None:
    """Declare the arguments."""
    parser.add_argument("exercise", metavar="EXERCISE", nargs="?", help="without it, the next open one")
    level = parser.add_mutually_exclusive_group()
    level.add_argument("-1", dest="level", action="store_const", const=1, help="a question")
    level.add_argument("-2", dest="level", action="store_const", const=2, help="the idea")
    level.add_argument("-3", dest="level", action="store_const", const=3, help="the code with blanks")


def run(args: argparse.Namespace) -> int:
    """Show a hint and remember that it was seen, which costs nothing."""
    from ...learn.loop.live import print_page
    from ...learn.loop.screen import panel
    from ...learn.work.session import HINTS, Session

    screen, session = Screen.of(), Session.here()
    exercise = session.chosen(args.exercise)
    level, text = session.hint(exercise, args.level)
    title = f"{exercise.id}, hint {level} of 3: {HINTS[level - 1]}"
    print_page(screen, panel(title, text, screen.width, verbatim=level == 3))
    if level < 3:
        screen.line(f"more: tinyllm learn hint {exercise.id} -{level + 1}", style="dim")
    return 0
