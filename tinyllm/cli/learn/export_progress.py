"""``tinyllm learn export-progress``: what has passed, as JSON, for a teacher or for another machine."""

from __future__ import annotations

import argparse
import json

from ..parser import Parser
from ..screen import say

EXAMPLES = """\
  tinyllm learn export-progress > progress.json
"""


def add_arguments(parser: Parser) -> None:
    """Declare nothing: there is one format."""


def run(args: argparse.Namespace) -> int:
    """Print every exercise with its state, the hints seen and the source that it speaks of."""
    from ... import __version__
    from ...errors import TinyLLMError
    from ...learn.work.session import Session, rows, title

    session = Session.here()
    found = []
    for one, states in rows(session):
        for exercise, state in states:
            try:
                source = session.workspace.source(exercise) if session.started(one) else ""
            except (TinyLLMError, OSError):  # a file that cannot be read has nothing to export
                source = ""
            found.append(
                {
                    "exercise": exercise.id, "function": title(exercise), "state": state or "not begun",
                    "hints": session.seen(exercise), "source": source,
                }
            )  # fmt: skip
    say(json.dumps({"tinyllm": __version__, "exercises": found}, indent=1))
    return 0
