"""``tinyllm generate``: let a trained model continue a text."""

from __future__ import annotations

import argparse
import json
import sys
from itertools import chain
from typing import TYPE_CHECKING

from ..errors import ConfigError, DataError
from .choosing import add_choices, chosen
from .mine import add_mine, swapped
from .opening import NAMES, add_model, opened
from .parser import Parser
from .screen import Screen, say
from .written import closing, figures

if TYPE_CHECKING:
    from ..generate.constrain import Form
    from ..learn.slots.receipt import Receipt
    from ..tokenizer import Tokenizer

WORDS = NAMES
EXAMPLES = """\
  tinyllm generate runs/tour-1 "The with statement"
  tinyllm generate runs/tour-1 --tokens 500 --temperature 0.7 --top-p 0.9
  tinyllm generate runs/tour-1 "def" --temperature 0        the likeliest text, always the same
  tinyllm generate runs/tour-1 "def" --mine                 on the functions that you wrote
  tinyllm generate model.gguf "Once upon a time" --seed 1   what others have trained, or a folder of transformers
  tinyllm generate runs/tour-1 "x = " --pattern "[0-9]+"    nothing but what fits
  echo "Once upon a time" | tinyllm generate runs/tour-1 -
"""


def add_arguments(parser: Parser) -> None:
    """Declare the options."""
    add_model(parser)
    parser.add_argument(
        "prompt", metavar="PROMPT", nargs="?", default="", help="the text to continue; - reads it from standard input"
    )
    add_choices(parser, tokens=200)
    parser.add_argument(
        "--json-schema", metavar="FILE", help="write JSON as the schema in this file wants it, and nothing else"
    )
    parser.add_argument("--pattern", metavar="REGEX", help="write a text that fits this regular expression, whole")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of the text")
    add_mine(parser)


def run(args: argparse.Namespace) -> int:
    """Write the prompt and what comes after it, as it comes."""
    with swapped(args.mine, None if args.json else Screen.of(), error=True) as receipt:
        return write(args, receipt)


def write(args: argparse.Namespace, receipt: Receipt | None) -> int:
    """Write the text, or the JSON object with the receipt's calls in it."""
    from ..generate import stream
    from .waiting import busy

    prompt = sys.stdin.read().removesuffix("\n") if args.prompt == "-" else args.prompt
    model, tokenizer = opened(args)
    asked = chosen(args)
    with busy("reading the prompt", kernels=True):
        pieces = stream(model, prompt, tokenizer, args.tokens, **asked, constraint=form(args, tokenizer))
        first = next(pieces, "")
    if args.json:
        text = first + "".join(pieces)
        result = {"prompt": prompt, "text": text, **asked, **figures(pieces.rest())}
        if receipt is not None:
            result["mine"] = receipt.calls
        say(json.dumps(result))
        return 0
    screen, terminal = Screen.of(), sys.stdout.isatty()
    for piece in chain([prompt.lstrip("\n"), first], pieces):
        say(screen.fit(piece) if terminal else piece, end="")  # a text may hold escape codes: make them harmless
    say()
    done, beside = pieces.rest(), Screen.of(sys.stderr)
    if done.cut:
        seen = len(done.prompt_ids) - done.cut
        beside.line(f"The prompt has {len(done.prompt_ids)} tokens; the model reads no more than the last {seen}.")
    beside.line(closing(done), style="dim")
    return 0


def form(args: argparse.Namespace, tokenizer: Tokenizer) -> Form | None:
    """Return what the text has to be, if that was said.

    Raises:
        ConfigError: both were said, or what was said cannot be kept to.
        DataError: the schema's file is no JSON.
    """
    if args.json_schema and args.pattern:
        raise ConfigError("generate: --json-schema and --pattern", hint="one of them")
    if args.pattern:
        from ..generate.constrain import matching

        return matching(args.pattern, tokenizer)
    if not args.json_schema:
        return None
    from ..generate.constrain import following

    try:
        with open(args.json_schema, encoding="utf-8") as file:
            schema = json.load(file)
    except ValueError as error:
        raise DataError(f"{args.json_schema}: is no JSON: {error}") from None
    return following(schema, tokenizer)
