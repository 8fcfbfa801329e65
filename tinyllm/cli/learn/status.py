"""``tinyllm learn status``: how far you are, in a few lines."""

from __future__ import annotations

import argparse
import json

from ..parser import Parser
from ..screen import Screen, say

EXAMPLES = """\
  tinyllm learn status
  tinyllm learn status --json
"""


def add_arguments(parser: Parser) -> None:
    """Declare the option."""
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(args: argparse.Namespace) -> int:
    """Print how many exercises have passed, what is next, and where the files are."""
    from ...errors import LearnError
    from ...learn.work.session import Session, rows, title

    screen, session = Screen.of(), Session.here()
    done, every = session.count()
    try:
        following = session.next()
    except LearnError:
        following = None
    if args.json:
        found = {one.number: {each.id: state for each, state in states} for one, states in rows(session)}
        result = {
            "folder": str(session.workspace.folder), "passed": done, "exercises": every,
            "next": following.id if following else None, "lessons": found,
        }  # fmt: skip
        say(json.dumps(result))
        return 0
    screen.line(f"{done} of {every} exercises have passed", style="bold")
    for one, states in rows(session):
        passed = sum(state == "passed" for _, state in states)
        if passed or session.started(one):
            bar = "#" * passed + "." * (len(states) - passed)
            screen.line(f"  {one.number} {one.title:<40} {bar}")
    screen.line(f"next: {following.id} {title(following)} (tinyllm learn)" if following else "nothing is open")
    screen.line(f"your files: {session.workspace.folder}")
    return 0
