"""``tinyllm rag search``: the passages that fit a query best, and what every stage said of them."""

from __future__ import annotations

import argparse
import json
import time

from ...errors import ConfigError
from ..parser import Parser, number
from ..screen import Screen, say
from .libraries import add_library, opened
from .passages import as_json, show

EXAMPLES = """\
  tinyllm rag search libraries/notes "how do ducks swim"
  tinyllm rag search libraries/notes "swim" -k 20 --json
"""


def add_arguments(parser: Parser) -> None:
    """Declare the options."""
    add_library(parser)
    parser.add_argument("query", metavar="QUERY", help="words, or a question")
    parser.add_argument("-k", type=number(1, whole=True), default=5, metavar="N", help="how many passages (5)")
    parser.add_argument("--full", action="store_true", help="show passages whole")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(args: argparse.Namespace) -> int:
    """Search, and show the passages.

    Raises:
        ConfigError: the query has no words.
    """
    from ...kernels import without_loading

    if not args.query.strip():
        raise ConfigError("rag search: the query is empty", hint="some words")
    with opened(args.library) as library, without_loading():
        pipeline = library.pipeline()
        began = time.perf_counter()
        hits = pipeline.search(args.query, args.k)
        seconds = time.perf_counter() - began
        count = len(library)
    if args.json:
        say(json.dumps({"query": args.query, "seconds": round(seconds, 6), "hits": [as_json(hit) for hit in hits]}))
        return 0
    screen = Screen.of()
    if not hits:
        screen.line(f"Nothing in {count:,} passages has anything to do with it.")
        return 0
    show(hits, args.query, screen, whole=args.full)
    screen.line(f"{len(hits)} of {count:,} passages, by {pipeline.name}; {1000 * seconds:.0f} ms", style="dim")
    return 0
