"""``tinyllm chat``: talk with a model, turn by turn."""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any

from .choosing import add_choices, chosen
from .opening import NAMES, add_model, opened
from .parser import Parser
from .screen import Screen, say
from .waiting import busy
from .written import closing, figures

if TYPE_CHECKING:
    from ..generate import Completion
    from ..generate.chat import Message, Template
    from ..tokenizer import Tokenizer

WORDS = NAMES
EXAMPLES = """\
  tinyllm chat qwen/                                    a model that was taught to converse
  tinyllm chat qwen/ --system "Answer in one sentence."
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
    typed = sys.stdin.isatty() and not args.json
    talk = Talk(args, reading, tokenizer, form, Screen.of(), typed)
    if typed:
        talk.screen.paragraph(f"{args.model}, template {form.name}. {HELP}.", style="dim")
    first = [Message("system", args.system)] if args.system else []
    said, tries = list(first), 0
    for line in _lines(typed):
        tries = tries + 1 if line == "/again" else 0
        if line == "/quit":
            break
        if line == "/forget":
            said = list(first)
            if typed:
                talk.screen.line("forgotten", style="dim")
            continue
        if line == "/again":
            if not said or said[-1].role != "assistant":
                say("tinyllm: there is no answer yet", error=True)
                continue
            said.pop()
        elif line.startswith("/") and typed and " " not in line:
            say(f"tinyllm: there is no {line}. Try: {HELP}", error=True)
            continue
        else:
            said.append(Message("user", line))
        said.append(talk.answer(said, tries))
    return 0


@dataclass
class Talk:
    """What answers are written with, and where to."""

    args: argparse.Namespace
    model: Any
    tokenizer: Tokenizer
    form: Template
    screen: Screen
    typed: bool

    def answer(self, said: list[Message], tries: int = 0) -> Message:
        """Let the model take its turn, and write it as it comes; ``tries`` answers were not wanted."""
        from ..generate import stream
        from ..generate.chat import Message, chat_ids, fitting

        asked = chosen(self.args)
        asked["stop"] = [*asked["stop"], *self.form.stop]
        if asked["seed"] is not None:  # with the same seed it would be the same answer
            asked["seed"] += tries
        shown = fitting(said, self.tokenizer, self.form, self.model.config.block_size, self.args.tokens)
        with busy("reading", kernels=True):
            pieces = stream(
                self.model, chat_ids(shown, self.tokenizer, self.form), self.tokenizer, self.args.tokens, **asked
            )
            first = next(pieces, "")
        text = ""
        for piece in chain([first], pieces):
            new = piece if text else piece.lstrip()
            text += new
            if not self.args.json:
                say(self.screen.fit(new) if sys.stdout.isatty() else new, end="")
        done = pieces.rest()
        self._close(said, text.strip(), done, left_out=len(said) - len(shown))
        return Message("assistant", text)

    def _close(self, said: list[Message], text: str, done: Completion, left_out: int) -> None:
        """Say what there is to say after an answer."""
        if self.args.json:
            say(json.dumps({"prompt": said[-1].text, "text": text, "left_out": left_out, **figures(done)}))
            return
        say()
        if self.typed:
            self.screen.line(closing(done), style="dim")
        beside = Screen.of(sys.stderr)
        if left_out:
            beside.line(f"The model's context is full: it no longer sees the first {left_out} turns.", style="dim")
        if done.cut:
            beside.line(f"The model's context is too short: it never saw the first {done.cut} tokens.", style="dim")


def _lines(typed: bool) -> Iterator[str]:
    """Yield what is typed, or the lines of standard input; empty ones say nothing."""
    if typed:
        with contextlib.suppress(ImportError):  # not on Windows
            import readline  # noqa: F401  # from here on input() has arrow keys and a history
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
