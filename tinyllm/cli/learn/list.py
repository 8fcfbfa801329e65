"""``tinyllm learn list``: the lessons, their exercises, and which have passed."""

from __future__ import annotations

import argparse

from ..parser import Parser
from ..screen import Screen

EXAMPLES = """\
  tinyllm learn list
  tinyllm learn list 10
"""


def add_arguments(parser: Parser) -> None:
    """Declare the argument."""
    parser.add_argument("lesson", metavar="LESSON", nargs="?", help="only this one")


def run(args: argparse.Namespace) -> int:
    """Print a line for each lesson, and one for each exercise of a lesson that was begun or asked for."""
    from ...learn.exercises import lesson
    from ...learn.work.session import Session, rows, title

    screen, session = Screen.of(), Session.here()
    only = lesson(args.lesson) if args.lesson else None
    for one, states in rows(session):
        if only is not None and one != only:
            continue
        done = sum(state == "passed" for _, state in states)
        after = f", after {', '.join(one.needs)}" if one.needs else ""
        screen.line(f"{one.number} {one.title}   {done}/{len(states)}, {one.minutes} min{after}", style="bold")
        screen.paragraph(one.question, indent="   ")
        if only is None and not session.started(one):
            continue
        for exercise, state in states:
            mark = {"passed": "ok", "open": ".."}.get(state, "  ")
            screen.line(
                f"   {mark} {exercise.id}  {title(exercise)}, {exercise.minutes} min",
                style="green" if state == "passed" else "",
            )
    return 0
