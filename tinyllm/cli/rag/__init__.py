"""``tinyllm rag``: texts searched and asked, every stage measured; one file for each of its commands."""

from __future__ import annotations

import argparse

from ...errors import ConfigError, nearest
from ..parser import Parser
from ..screen import Screen

EXAMPLES = """\
  tinyllm rag index notes/ && tinyllm rag search libraries/notes "how do ducks swim"
  tinyllm rag ask libraries/notes "How do ducks swim?"
  tinyllm rag ladder cranfield
"""


def add_arguments(parser: Parser) -> None:
    """Declare the commands."""
    from ..main import WITHIN

    parser.add_argument("command", metavar="COMMAND", nargs="?", help="one of these")
    parser.commands(WITHIN["rag"])


def run(args: argparse.Namespace) -> int:
    """List the commands.

    Raises:
        ConfigError: there is no such command; the nearest is named.
    """
    from ..main import WITHIN

    words = [name.split()[1] for name in WITHIN["rag"]]
    if args.command is not None:
        close = nearest(args.command, words)
        raise ConfigError(f"rag: there is no command {args.command!r}", hint=close or ", ".join(words))
    screen = Screen.of()
    for name, about in WITHIN["rag"].items():
        screen.line(f"tinyllm {name:<13}{about}")
    return 0
