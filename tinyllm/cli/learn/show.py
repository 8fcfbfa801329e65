"""``tinyllm learn show``: read a lesson in the terminal, or make a page or a notebook of it."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..parser import Parser
from ..screen import Screen

EXAMPLES = """\
  tinyllm learn show 10
  tinyllm learn show 10 --ipynb      needs: pip install 'tinyllm[lessons]'
  tinyllm learn show 10 --html --out attention.html
"""


def add_arguments(parser: Parser) -> None:
    """Declare the arguments."""
    parser.add_argument("lesson", metavar="LESSON", help="its number")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--ipynb", dest="form", action="store_const", const="ipynb", help="write a notebook")
    form.add_argument("--md", dest="form", action="store_const", const="md", help="write Markdown")
    form.add_argument("--html", dest="form", action="store_const", const="html", help="write one HTML file")
    parser.add_argument("--out", metavar="FILE", help="where to; by default NN_name.html and so on in this folder")


def run(args: argparse.Namespace) -> int:
    """Print the lesson's page, or write it in another form."""
    from ...errors import ConfigError
    from ...learn.exercises import lesson

    wanted = lesson(args.lesson.split(".")[0])
    screen = Screen.of()
    if args.form is None:
        if args.out:
            raise ConfigError("--out is for a page that is written", hint="--html, --md or --ipynb with it")
        from ...learn.text.show import show

        show(wanted, screen)
        screen.line()
        screen.line(f"next: tinyllm learn {wanted.number}")
        return 0
    from ...learn.text.convert import export

    screen.line(f"written: {export(wanted, args.form, Path(args.out) if args.out else None)}")
    return 0
