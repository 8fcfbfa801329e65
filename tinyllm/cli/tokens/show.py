"""``tinyllm tokens``: how a text is cut into tokens, how many there are, and what they cost."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...atomic import write_atomically
from ...errors import ConfigError
from ..parser import Parser, number
from ..screen import Screen, say
from .asked import SPECIAL, encoding_of
from .report import Report, show_comparison

if TYPE_CHECKING:
    from ...viz.merges import MergeTrace

HEAD = 400  # tokens of a long text that are shown
EXAMPLES = """\
  tinyllm tokens "How many tokens is this?"
  tinyllm tokens notes.txt --compare                     by GPT-2's, GPT-4's and GPT-4o's vocabulary
  tinyllm tokens notes.txt --model gpt-4o --price 2.50
  cat *.md | tinyllm tokens - --prices prices.csv        lines of name,price of a million tokens
  tinyllm tokens --explain " strawberry" --encoding gpt2
  tinyllm tokens notes.txt --compare --html notes.html
  tinyllm tokens "hello" --encoding mine.json            a vocabulary of yours: tinyllm tokens train
"""


def add_arguments(parser: Parser) -> None:
    """Declare the options."""
    parser.add_argument(
        "words", metavar="TEXT", nargs="*", help="a text, the name of a file, or - for standard input; words are joined"
    )
    parser.add_argument("--text", action="store_true", help="TEXT is the text itself, even if a file has that name")

    which = parser.add_argument_group("Which tokens")
    which.add_argument(
        "--encoding", metavar="NAME", help="gpt2, cl100k_base, o200k_base, ... or a vocabulary file (o200k_base)"
    )
    which.add_argument("--model", metavar="NAME", help="the encoding that a model of OpenAI's uses: gpt-4o")
    which.add_argument(
        "--special", choices=SPECIAL, default="plain",
        help="<|endoftext|> and its like in the text: plain text, as what users write is to be read (the default); one "
        "token each, as in texts made for a model; or an error",
    )  # fmt: skip

    what = parser.add_argument_group("What to show")
    what.add_argument(
        "--head", type=number(0, whole=True), default=HEAD, metavar="N", help=f"the first N tokens ({HEAD})"
    )
    what.add_argument("--all", action="store_true", help="all of them")
    what.add_argument("--ids", action="store_true", help="their ids, too")
    what.add_argument("--compare", action="store_true", help="how many there are by every encoding at hand, too")
    what.add_argument("--explain", metavar="WORD", help="how a word becomes tokens, merge by merge")

    price = parser.add_argument_group("What it costs")
    price.add_argument("--price", type=number(0), metavar="X", help="of a million tokens")
    price.add_argument(
        "--prices", metavar="FILE", help="of models or encodings, as JSON or CSV: name, price of a million tokens"
    )

    where = parser.add_argument_group("Where to")
    where.add_argument("--html", metavar="FILE", help="a page that tells each token's id, bytes and merges")
    where.add_argument(
        "--picture", metavar="FILE", help="a picture of the tokens, or of the merges: .png, .svg or .pdf"
    )
    where.add_argument("--json", action="store_true", help="print one JSON object instead")


def run(args: argparse.Namespace) -> int:
    """Cut, count, explain, and show what was asked for."""
    screen = Screen.of()
    found: dict[str, Any] = {}
    report = None
    if args.words or args.explain is None:
        report = Report.of(args)
        others = report.others() if args.compare else []
        if args.json:
            found = report.to_dict(args.ids)
            if args.compare:
                found["compare"] = [each.compared().to_dict() for each in (report, *others)]
        else:
            report.print(screen, args.ids)
            if args.compare:
                show_comparison(screen, [report, *others])
        if args.html:
            _write(args.html, report.page(others))
        if args.picture:
            _draw_tokens(report, args)
    if args.explain is not None:
        traces = _explained(args, report)
        if args.json:
            found["explain"] = [{**trace.to_dict(), "ids": list(trace.ids)} for trace in traces]
        else:
            _show_traces(screen, traces, after_text=report is not None)
        if report is None:
            _write_traces(args, traces)
    if args.json:
        say(json.dumps(found))
        return 0
    for file in (args.html, args.picture):
        if file:
            screen.line(f"{'written':<12}{file}")
    for note in report.notes if report else ():
        _say_note(f"note: {note}")
    return 0


def _say_note(text: str) -> None:
    screen = Screen.of(sys.stderr)
    if screen.plain:
        screen.line(text)
    else:
        screen.paragraph(text)


def _explained(args: argparse.Namespace, report: Report | None) -> list[MergeTrace]:
    from .traces import traces_of_word

    return traces_of_word(report.encoding if report else encoding_of(args.encoding, args.model), args.explain)


def _show_traces(screen: Screen, traces: list[MergeTrace], after_text: bool) -> None:
    from .painted import show_staircase

    for i, trace in enumerate(traces):
        if i or after_text:
            screen.line()
        show_staircase(screen, trace)
        screen.line(f"id{'s' * (len(trace.ids) != 1)} {', '.join(map(str, trace.ids))} in {trace.encoding}")


def _write_traces(args: argparse.Namespace, traces: list[MergeTrace]) -> None:
    if args.html:
        from ...viz.merges import merges_page

        _write(args.html, merges_page(traces))
    if args.picture:
        from ...viz import draw_merges, save

        if len(traces) != 1:
            raise ConfigError(
                f"--picture: {args.explain!r} is {len(traces)} words to {traces[0].encoding if traces else 'anyone'}",
                hint="one word with the space before it, or --html, which shows several",
            )
        save(draw_merges(traces[0]), args.picture)


def _draw_tokens(report: Report, args: argparse.Namespace) -> None:
    from ...viz import draw_tokens, save

    save(draw_tokens(report.shown, ids=args.ids), args.picture)


def _write(file: str, page: str) -> None:
    path = Path(file).expanduser()
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, lambda handle: handle.write(page.encode()))
