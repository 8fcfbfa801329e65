"""``tinyllm learn bundle``: what you wrote, in one file that needs NumPy only."""

from __future__ import annotations

import argparse

from ..parser import Parser
from ..screen import Screen

EXAMPLES = """\
  tinyllm learn bundle                        my/tiny_llm.py
  tinyllm learn bundle --out tiny_llm.py
  tinyllm learn bundle --library              the library's functions only, to see what it will be
"""


def add_arguments(parser: Parser) -> None:
    """Declare the options."""
    parser.add_argument("--out", metavar="FILE", help="where it goes (tiny_llm.py in your folder)")
    parser.add_argument("--library", action="store_true", help="take the library's functions, and none of yours")


def run(args: argparse.Namespace) -> int:
    """Join what has passed with the library's functions for the rest, see that it runs, and write it."""
    from pathlib import Path

    from ...learn.bundle import imported, joined, save
    from ...learn.exercises import exercises
    from ...learn.work.session import Session

    session = Session.here()
    made = joined(exercises(), {} if args.library else session.written())
    imported(made.text)
    path = Path(args.out).expanduser() if args.out else session.workspace.folder / "tiny_llm.py"
    save(made, path)
    screen = Screen.of()
    screen.line(f"{path}: {made.lines} lines, on NumPy alone", style="bold")
    screen.line(f"{len(made.yours)} of its {len(made.yours) + len(made.library)} functions are yours")
    if made.library and not args.library:
        screen.line(f"still the library's: {', '.join(made.library)}")
    return 0
