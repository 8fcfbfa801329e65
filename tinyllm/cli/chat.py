"""``tinyllm chat``: talk with a model, turn by turn."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from .choosing import add_choices, chosen
from .opening import add_model, opened
from .parser import Parser
from .screen import Screen, say
from .written import closing, figures

if TYPE_CHECKING:
    from ..generate.chat import Message, Template

EXAMPLES = """\
  tinyllm chat qwen/                                    a model that was taught to converse
  tinyllm chat runs/tour-1 --temperature 0.6            any other: it continues what people wrote down
  echo "Who are you?" | tinyllm chat qwen/ --json       one turn for each line of standard input
"""
HELP = "/again for another answer, /forget to begin anew, /quit or Ctrl-D to end"


def add_arguments(parser: Parser) -> None:
    """Declare the options."""
    from ..generate.chat import TEMPLATES

    add_model(parser)
    parser.add_argument("--system", metavar="TEXT", help="what the model is told before the conversation")
    parser.add_argument(
        "--template",
        choices=list(TEMPLATES),
        help="how turns are marked; by default as the vocabulary has marks for it",
    )
    add_choices(parser, tokens=400)
    parser.add_argument("--json", action="store_true", help="print one JSON object for each turn")


def run(args: argparse.Namespace) -> int:
    """Read a line, write an answer, until there are no more lines."""
    from ..generate.chat import Message, template, template_of
    from ..generate.reading import Session, can_remember

    model, tokenizer = opened(args)
    form = template(args.template) if args.template else template_of(tokenizer)
    weights, args.weights = args.weights, None
    reading: Any = Session(model, weights) if can_remember(model) else model
    screen = Screen.of()
    typed = sys.stdin.isatty() and not args.json
    if typed:
        screen.line(f"{args.model}, template {form.name}. {HELP}.", style="dim")
    first = [Message("system", args.system)] if args.system else []
    said = list(first)
    for line in _lines(typed):
        if line == "/quit":
            break
        if line == "/forget":
            said = list(first)
            continue
        if line == "/again":
            if not said or said[-1].role != "assistant":
                say(f"tinyllm: there is no answer yet. Try: {HELP}", error=True)
                continue
            said.pop()
        elif line.startswith("/") and typed:
            say(f"tinyllm: there is no {line.split()[0]}. Try: {HELP}", error=True)
            continue
        else:
            said.append(Message("user", line))
        said.append(answer(args, reading, tokenizer, form, said, screen, typed))
    return 0


def answer(
    args: argparse.Namespace,
    model: Any,
    tokenizer: Any,
    form: Template,
    said: list[Message],
    screen: Screen,
    typed: bool,
) -> Message:
    """Let the model take its turn, and write it as it comes."""
    from ..generate import stream
    from ..generate.chat import Message, chat_ids

    asked = chosen(args)
    asked["stop"] = [*asked["stop"], *form.stop]
    pieces = stream(model, chat_ids(said, tokenizer, form), tokenizer, args.tokens, **asked)
    text = ""
    for piece in pieces:
        text += piece
        if not args.json:
            say(screen.fit(piece) if sys.stdout.isatty() else piece, end="")
    done = pieces.rest()
    if args.json:
        say(json.dumps({"prompt": said[-1].text, "text": text.strip(), **figures(done)}))
    else:
        say()
        if typed:
            screen.line(closing(done), style="dim")
        if done.cut:
            say(f"tinyllm: the first {done.cut} tokens of the conversation are beyond the model's context", error=True)
    return Message("assistant", text)


def _lines(typed: bool) -> Iterator[str]:
    """Yield what is typed, or the lines of standard input; empty ones say nothing."""
    while True:
        try:
            line = input("> ") if typed else sys.stdin.readline()
        except EOFError:
            say()
            return
        if not line and not typed:
            return
        if line.strip():
            yield line.strip()
