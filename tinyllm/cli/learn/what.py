"""``tinyllm learn what``: what a word means, in one sentence."""

from __future__ import annotations

import argparse

from ..parser import Parser
from ..screen import Screen

EXAMPLES = """\
  tinyllm learn what logits
  tinyllm learn what                 all words
"""


def add_arguments(parser: Parser) -> None:
    """Declare the argument."""
    parser.add_argument("term", metavar="[TERM ...]", nargs="*", help="a word of the lessons; without it, all of them")


def run(args: argparse.Namespace) -> int:
    """Print the sentence, the shape, and the lesson where the word is at home."""
    from ...learn.exercises import lessons
    from ...learn.text.course import entry
    from ...learn.text.glossary import term, terms

    screen = Screen.of()
    if not args.term:
        for found in terms():
            screen.line(f"{found.name:<24} lesson {found.lesson}")
        return 0
    found = term(" ".join(args.term))
    screen.line(found.name, style="bold")
    screen.paragraph(found.sentence, indent="  ")
    if found.shape:
        screen.line(f"  shape: {found.shape}")
    there = any(one.number == found.lesson for one in lessons())
    screen.line(f"  lesson {found.lesson}, {entry(found.lesson).title}" + ("" if there else " (not written yet)"))
    return 0
