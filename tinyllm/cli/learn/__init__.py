"""``tinyllm learn``: write each stage by hand; every time you save, the verdict is there."""

from __future__ import annotations

import argparse
import sys

from ...errors import LearnError, nearest
from ..parser import Parser
from ..screen import Screen

EXAMPLES = """\
  tinyllm learn                      go on where you stopped
  tinyllm learn 10                   with lesson 10
  tinyllm learn 10.3                 with one exercise
  tinyllm learn start 04 && tinyllm learn check 04.1
"""


def add_arguments(parser: Parser) -> None:
    """Declare the argument."""
    from ..main import WITHIN

    parser.add_argument(
        "exercise", metavar="EXERCISE", nargs="?", help="an exercise or a lesson; without it, the next open exercise"
    )
    parser.commands(WITHIN["learn"])


def run(args: argparse.Namespace) -> int:
    """Watch until the learner quits; without a terminal, check once: 0 if it passes, 1 if not."""
    from ...learn.session import Session
    from ...learn.worker import Worker
    from .once import check_once

    session = Session.here()
    try:
        exercise = session.chosen(args.exercise)
    except LearnError:
        _command_meant(args.exercise)
        raise
    screen = Screen.of()
    with Worker(session.workspace.folder) as worker:
        if not (sys.stdin.isatty() and screen.stream.isatty()):
            return check_once(session, worker, screen, [exercise])
        from ...learn.keys import keys
        from ...learn.live import LinesView, TerminalView
        from ...learn.watch import Watch
        from .plot import draw, folder_of

        worker.prepare()
        plain = screen.plain or screen.console.legacy_windows
        view = LinesView(screen) if plain else TerminalView(screen)
        with keys(plain) as pressed, view:
            loop = Watch(
                session, worker, view, pressed, exercise,
                lambda one, verdict: draw(one, verdict, folder_of(session) / f"{one.id}.png"),
            )  # fmt: skip
            code = loop.run()
    done, every = session.count()
    screen.line(f"{done} of {every} exercises have passed. Your files are in {session.workspace.folder}")
    return code


def _command_meant(word: str | None) -> None:
    """Say which command was meant, where one was misspelled."""
    from ..main import WITHIN

    close = nearest(word or "", [name.split()[1] for name in WITHIN["learn"]])
    if close:
        raise LearnError(f"there is no command 'learn {word}'", hint=f"tinyllm learn {close}") from None
