"""``tinyllm generate``: let a trained model continue a text."""

from __future__ import annotations

import argparse
import json
import secrets
import sys
import time
from itertools import chain
from typing import TYPE_CHECKING

from .mine import add_mine, swapped
from .parser import Parser, number
from .screen import Screen, say

if TYPE_CHECKING:
    from ..learn.slots.receipt import Receipt

EXAMPLES = """\
  tinyllm generate runs/tour-1 "The with statement"
  tinyllm generate runs/tour-1 --tokens 500 --temperature 0.7 --top-k 20
  tinyllm generate runs/tour-1 "def" --temperature 0        the likeliest text, always the same
  tinyllm generate runs/tour-1 "def" --mine                 on the functions that you wrote
  echo "Once upon a time" | tinyllm generate runs/tour-1 -
"""


def add_arguments(parser: Parser) -> None:
    """Declare the options."""
    parser.add_argument("folder", metavar="FOLDER", help="a run folder, as tinyllm train leaves it")
    parser.add_argument(
        "prompt", metavar="PROMPT", nargs="?", default="\n", help="the text to continue; - reads it from standard input"
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
    parser.add_argument("--seed", type=number(0, whole=True), metavar="N", help="the same seed writes the same text")
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
    import numpy as np

    from ..generate import stream
    from ..train import load

    prompt = sys.stdin.read().removesuffix("\n") if args.prompt == "-" else args.prompt
    model, tokenizer, _ = load(args.folder, args.which)
    seed = secrets.randbelow(2**32) if args.seed is None else args.seed
    rng = np.random.default_rng(seed)
    began = time.perf_counter()
    pieces = stream(model, tokenizer, prompt, args.tokens, args.temperature, args.top_k, rng)
    if args.json:
        text = "".join(pieces)
        seconds = time.perf_counter() - began
        result = {
            "prompt": prompt, "text": text, "tokens": args.tokens, "temperature": args.temperature, "top_k": args.top_k,
            "seed": seed, "seconds": round(seconds, 3), "tokens_per_second": round(args.tokens / max(seconds, 1e-9), 1),
        }  # fmt: skip
        if receipt is not None:
            result["mine"] = receipt.calls
        say(json.dumps(result))
        return 0
    screen = Screen.of()
    terminal = sys.stdout.isatty()
    for piece in chain([prompt.lstrip("\n")], pieces):
        say(screen.fit(piece) if terminal else piece, end="")  # a text may hold escape codes: make them harmless
    say()
    if terminal and args.seed is None and args.temperature:
        say(f"(again: --seed {seed})", error=True)
    return 0
