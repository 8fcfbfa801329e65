"""``tinyllm ask``: one question to any model, a provider's or one that you trained, answered as it comes."""

from __future__ import annotations

import argparse
import json
import sys
from typing import TYPE_CHECKING, Any

from ..errors import ConfigError
from .parser import Parser, number
from .screen import Screen, say
from .waiting import busy

if TYPE_CHECKING:
    from ..client import Completion

EXAMPLES = """\
  tinyllm ask "Why is the sky blue?"                     the provider whose key is set, or the run saved last
  tinyllm ask "The with statement" --provider local --model runs/tour-1
  tinyllm ask "Why?" --provider groq --model NAME --max-tokens 100 --json
  tinyllm ask --explain
"""


def add_arguments(parser: Parser) -> None:
    """Declare the options."""
    parser.add_argument("prompt", metavar="PROMPT", nargs="?", help="the question; - reads it from standard input")
    parser.add_argument("--provider", default="auto", metavar="NAME", help="who is asked; see --explain (auto)")
    parser.add_argument("--model", metavar="NAME", help="as the provider names it; for local a run or a model")
    parser.add_argument("--system", metavar="TEXT", help="said before the question")
    parser.add_argument("--max-tokens", type=number(1, whole=True), metavar="N", help="of the answer")
    parser.add_argument("--temperature", type=number(0), metavar="T", help="0: the likeliest answer")
    parser.add_argument("--seed", type=number(0, whole=True), metavar="N", help="the same answer again, where it can")
    parser.add_argument("--timeout", type=number(0, above=True), metavar="SECONDS", help="for all of it (300)")
    parser.add_argument("--trace", metavar="FILE", help="add a line of JSON about it: times, tokens, no text")
    parser.add_argument("--explain", action="store_true", help="say which provider would be asked, and why")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(args: argparse.Namespace) -> int:
    """Ask, and write the answer as it comes.

    Raises:
        ConfigError: there is no question.
    """
    from ..client import Message, explain, stream

    if args.explain:
        say(str(explain(args.provider)))
        return 0
    prompt = sys.stdin.read().strip() if args.prompt == "-" else args.prompt
    if not prompt or not prompt.strip():
        raise ConfigError("ask: there is no question", hint='tinyllm ask "..."')
    said = [*([Message("system", args.system)] if args.system else []), Message("user", prompt)]
    names = ("max_tokens", "temperature", "seed", "timeout", "trace")
    settings: dict[str, Any] = {name: getattr(args, name) for name in names if getattr(args, name) is not None}
    with stream(said, args.provider, args.model, **settings) as answer:
        screen, terminal = Screen.of(), sys.stdout.isatty()
        pieces = answer.text()
        with busy("asking", kernels=True):
            first = next(pieces, "")
        if not args.json:
            say(screen.fit(first) if terminal else first, end="")
            for piece in pieces:
                say(screen.fit(piece) if terminal else piece, end="")
            say()
        done = answer.result()
    if args.json:
        say(json.dumps(as_json(done)))
    else:
        Screen.of(sys.stderr).line(closing(done), style="dim")
    return 0


def as_json(done: Completion) -> dict[str, Any]:
    """Return an answer as JSON can hold it."""
    usage = done.usage
    return {
        "text": done.text,
        "finish": done.finish,
        "provider": done.provider,
        "model": done.model,
        "usage": {"input": usage.input, "output": usage.output, "reasoning": usage.reasoning},
        "microdollars": done.cost,
        "attempts": done.attempts,
        "ttft": done.trace.ttft,
        "seconds": done.trace.total,
    }


def closing(done: Completion) -> str:
    """Return the line that stands after an answer.

    Example:
        >>> from tinyllm.client.trace import Trace
        >>> from tinyllm.client.types import Completion, Usage
        >>> trace = Trace((), ttft=0.25, total=1.5)
        >>> closing(Completion("Hi", finish="stop", usage=Usage(5, 3), cost=21, provider="p", model="m", trace=trace))
        'p m: 5 tokens in, 3 out, the first after 0.25 s, 1.5 s in all, $0.000021, stop'
    """
    parts = []
    if done.usage.input is not None:
        parts.append(f"{done.usage.input} tokens in, {done.usage.output} out")
    if done.trace.ttft is not None:
        parts.append(f"the first after {done.trace.ttft:.2f} s")
    parts.append(f"{done.trace.total:.1f} s in all")
    if done.cost:
        parts.append(f"${done.cost / 1e6:.6f}")
    elif done.cost is None:
        parts.append("price unknown")
    return f"{done.provider} {done.model}: {', '.join([*parts, done.finish])}"
