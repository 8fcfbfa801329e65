"""``tinyllm generate``: let a trained model continue a text."""

from __future__ import annotations

import argparse
import json
import sys
from itertools import chain
from typing import TYPE_CHECKING

from .mine import add_mine, swapped
from .opening import open_writer
from .parser import Parser, number
from .screen import Screen, say
from .written import closing, figures

if TYPE_CHECKING:
    from ..learn.slots.receipt import Receipt

FORMATS = ("float32", "int8", "int4", "int4x8")
EXAMPLES = """\
  tinyllm generate runs/tour-1 "The with statement"
  tinyllm generate runs/tour-1 --tokens 500 --temperature 0.7 --top-p 0.9
  tinyllm generate runs/tour-1 "def" --temperature 0        the likeliest text, always the same
  tinyllm generate model.gguf "Once upon a time" --seed 1   what others have trained, or a folder of transformers
  tinyllm generate runs/tour-1 "def" --mine                 on the functions that you wrote
  echo "Once upon a time" | tinyllm generate runs/tour-1 -
"""


def add_arguments(parser: Parser) -> None:
    """Declare the options."""
    parser.add_argument(
        "folder",
        metavar="FOLDER",
        help="a run folder, as tinyllm train leaves it; or a folder of transformers, a GGUF file, llama2.c's .bin",
    )
    parser.add_argument(
        "prompt", metavar="PROMPT", nargs="?", default="", help="the text to continue; - reads it from standard input"
    )
    parser.add_argument(
        "--tokens", type=number(0, whole=True), default=200, metavar="N", help="how many tokens to write (200)"
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
    parser.add_argument(
        "--which",
        choices=["best", "latest"],
        default="best",
        help="the weights of the lowest validation loss, or the latest",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of the text")
    add_mine(parser)


def run(args: argparse.Namespace) -> int:
    """Write the prompt and what comes after it, as it comes."""
    with swapped(args.mine, None if args.json else Screen.of(), error=True) as receipt:
        return write(args, receipt)


def write(args: argparse.Namespace, receipt: Receipt | None) -> int:
    """Write the text, or the JSON object with the receipt's calls in it."""
    from ..generate import stream

    prompt = sys.stdin.read().removesuffix("\n") if args.prompt == "-" else args.prompt
    model, tokenizer = open_writer(args.folder, args.which)
    choices = {name: getattr(args, name) for name in ("temperature", "top_k", "top_p", "min_p", "repetition_penalty")}
    asked = {**choices, "stop": args.stop, "weights": args.weights}
    pieces = stream(model, prompt, tokenizer, args.tokens, seed=args.seed, **asked)
    if args.json:
        text = "".join(pieces)
        result = {"prompt": prompt, "text": text, **asked, **figures(pieces.rest())}
        if receipt is not None:
            result["mine"] = receipt.calls
        say(json.dumps(result))
        return 0
    screen, terminal = Screen.of(), sys.stdout.isatty()
    for piece in chain([prompt.lstrip("\n")], pieces):
        say(screen.fit(piece) if terminal else piece, end="")  # a text may hold escape codes: make them harmless
    say()
    done, beside = pieces.rest(), Screen.of(sys.stderr)
    if done.cut:
        seen = len(done.prompt_ids) - done.cut
        beside.line(f"The prompt has {len(done.prompt_ids)} tokens; the model reads no more than the last {seen}.")
    beside.line(closing(done), style="dim")
    return 0
