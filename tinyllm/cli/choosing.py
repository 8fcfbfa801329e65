"""How tokens are chosen: the options of every command in which a model writes."""

from __future__ import annotations

import argparse
from typing import Any

from .parser import Parser, number

FORMATS = ("float32", "int8", "int4", "int4x8")
_NAMES = ("temperature", "top_k", "top_p", "min_p", "repetition_penalty", "stop", "weights", "seed")


def add_choices(parser: Parser, tokens: int) -> None:
    """Declare them; ``tokens`` is how many are written unless told otherwise."""
    parser.add_argument(
        "--tokens", type=number(0, whole=True), default=tokens, metavar="N", help=f"how many tokens at most ({tokens})"
    )
    parser.add_argument(
        "--temperature", type=number(0), default=0.8, metavar="X",
        help="0 takes the likeliest token, 1 draws as the model says, more is more daring (0.8)",
    )  # fmt: skip
    parser.add_argument(
        "--top-k", type=number(1, whole=True), metavar="K", help="draw among the K likeliest tokens only"
    )
    parser.add_argument(
        "--top-p", type=number(0, above=True), metavar="P",
        help="draw among the fewest tokens that have this probability together",
    )  # fmt: skip
    parser.add_argument(
        "--min-p", type=number(0), metavar="P",
        help="draw among tokens at least this many times as likely as the likeliest",
    )  # fmt: skip
    parser.add_argument(
        "--repetition-penalty", type=number(0, above=True), default=1.0, metavar="X",
        help="above 1 makes what was said already less likely (1)",
    )  # fmt: skip
    parser.add_argument(
        "--stop", action="append", default=[], metavar="TEXT", help="end before this text; may be given several times"
    )
    parser.add_argument("--seed", type=number(0, whole=True), metavar="N", help="the same seed writes the same text")
    parser.add_argument(
        "--weights", choices=FORMATS, help="read the weights in fewer bits: faster, and a little less exact"
    )


def chosen(args: argparse.Namespace) -> dict[str, Any]:
    """Return them as the parameters of ``generate`` and ``stream``."""
    return {name: getattr(args, name) for name in _NAMES}
