"""``tinyllm learn show``: read a lesson in the terminal, or make a page or a notebook of it."""

from __future__ import annotations

import argparse

from ..parser import Parser
from ..screen import Screen

EXAMPLES = """\
  tinyllm learn show 10 | less -R
  tinyllm learn show 10 --ipynb      needs: pip install 'tinyllm[lessons]'
  tinyllm learn show 10 --html --out attention.html
"""


def add_arguments(parser: Parser) -> None:
    """Declare the arguments."""
    parser.add_argument("lesson", metavar="LESSON", help="its number")
    kind = parser.add_mutually_exclusive_group()
    kind.add_argument("--ipynb", dest="kind", action="store_const", const="ipynb", help="write a notebook")
    kind.add_argument("--md", dest="kind", action="store_const", const="md", help="write Markdown")
    kind.add_argument("--html", dest="kind", action="store_const", const="html", help="write one HTML file")
    parser.add_argument("--out", metavar="FILE", help="where to; by default NN_name.ipynb and so on in this folder")
