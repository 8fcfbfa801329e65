"""``tinyllm rag ask``: an answer made of what the texts say, with citations that were checked word for word."""

from __future__ import annotations

import argparse
import json
import time
from typing import TYPE_CHECKING, Any

from ...errors import ConfigError
from ..parser import Parser, number
from ..screen import Screen, say
from ..waiting import busy
from .libraries import add_library, opened
from .passages import show_text

if TYPE_CHECKING:
    from ...rag import Answer

EXAMPLES = """\
  tinyllm rag ask libraries/python-manual "When is an else clause of a loop executed?"
  tinyllm rag ask libraries/notes "How do ducks swim?" --sentences 1 --json
  tinyllm rag ask libraries/notes "How do ducks swim?" --model model.gguf
"""
ANSWERED = 200  # tokens of a model's answer


def add_arguments(parser: Parser) -> None:
    """Declare the options."""
    add_library(parser)
    parser.add_argument("question", metavar="QUESTION", help="a whole question finds more than its key words")
    parser.add_argument("-k", type=number(1, whole=True), default=10, metavar="N", help="passages looked at (10)")
    parser.add_argument(
        "--sentences", type=number(1, whole=True), default=2, metavar="N", help="the most of an answer (2)"
    )
    parser.add_argument(
        "--model", metavar="MODEL",
        help="let a model write the answer from the passages, such as a run folder or model.gguf; without one the "
        "sentences that fit best are quoted",
    )  # fmt: skip
    parser.add_argument(
        "--budget",
        type=number(1, whole=True),
        default=2048,
        metavar="N",
        help="of a model's prompt, in tokens (2048)",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(args: argparse.Namespace) -> int:
    """Answer, and show where each statement stands.

    Raises:
        ConfigError: the question has no words.
    """
    from ...kernels import without_loading
    from ...rag.answer import answer

    if not args.question.strip():
        raise ConfigError("rag ask: the question is empty", hint="a whole question")
    llm = None if args.model is None else Writer(args.model)
    with opened(args.library) as library, without_loading():
        pipeline = library.pipeline()
        began = time.perf_counter()
        options: dict[str, Any] = {} if llm is None else {"count": llm.count}
        with busy("reading"):
            found = answer(args.question, pipeline, llm, args.budget, k=args.k, sentences=args.sentences, **options)
        seconds = time.perf_counter() - began
    if args.json:
        say(json.dumps(as_json(args.question, found, seconds)))
        return 0
    show(args.question, found, Screen.of())
    return 0


class Writer:
    """A model of ours as what ``answer`` wants: a prompt in, a text out."""

    def __init__(self, path: str) -> None:
        from ..opening import opened as opened_model

        self.model, self.tokenizer = opened_model(argparse.Namespace(model=path, tokenizer=None, which=None))

    def __call__(self, prompt: str) -> str:
        """Continue the prompt, the likeliest way."""
        from ...generate import generate

        return generate(self.model, prompt, self.tokenizer, ANSWERED, temperature=0.0).text or ""

    def count(self, text: str) -> int:
        """Return how many tokens a text has."""
        return len(self.tokenizer.encode(text))


def as_json(question: str, found: Answer, seconds: float) -> dict[str, Any]:
    """Return an answer as JSON can hold it."""
    return {
        "question": question,
        "answer": found.text,
        "abstained": found.abstained,
        "confidence": found.confidence,
        "citations": [
            {name: getattr(one, name) for name in ("chunk_id", "start", "end", "quote", "verdict")}
            for one in found.citations
        ],
        "sources": [
            {"number": n, "chunk": one.id, "header": one.header} for n, one in enumerate(found.sources, start=1)
        ],
        "left_out": dict(found.left_out),
        "stripped": dict(found.stripped),
        "seconds": round(seconds, 6),
    }


def show(question: str, found: Answer, screen: Screen) -> None:
    """Print the answer, and below it the sources it cites, with the verdicts on its quotes."""
    from ...rag.answer import PROVES

    if found.abstained:
        screen.paragraph(found.text or "The texts do not say.", style="yellow")
        screen.line(f"confidence {found.confidence:.2f}; tinyllm rag search shows what was found", style="dim")
        return
    for line in found.text.splitlines():
        screen.paragraph(line, style="bold")
    numbers = {chunk.id: n for n, chunk in enumerate(found.sources, start=1)}
    for one in found.citations:
        screen.line()
        source = next((chunk for chunk in found.sources if chunk.id == one.chunk_id), None)
        number = f"[{numbers[one.chunk_id]}] " if one.chunk_id in numbers else ""
        header = f"  {source.header}" if source is not None and source.header else ""
        screen.line(f"{number}{one.chunk_id}{header}", style="cyan")
        screen.line(f"    {one.verdict}: characters {one.start} to {one.end}", style=color(one.verdict))
        show_text(one.quote, question, screen, 4, indent="    ")
    screen.line()
    screen.paragraph(PROVES, style="dim")
    if found.stripped:
        hidden = ", ".join(f"{count} {kind}" for kind, count in found.stripped.items())
        screen.line(f"Taken out of the sources: {hidden} characters that cannot be seen.", style="yellow")


def color(verdict: str) -> str:
    """Return the color of a verdict.

    Example:
        >>> color("supported"), color("fabricated")
        ('green', 'red')
    """
    return "green" if verdict == "supported" else "red"
