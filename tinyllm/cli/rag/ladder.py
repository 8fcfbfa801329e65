"""``tinyllm rag ladder``: one stage more at a time, and whether it helped."""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

from ...errors import ConfigError
from ..parser import Parser, number
from ..screen import Screen, say
from ..waiting import busy
from .collections import NAMES, add_collection, as_json, clean_part, embedder_of, opened, steps_of

WORDS = NAMES
EXAMPLES = """\
  tinyllm rag ladder
  tinyllm rag ladder cranfield --plot ladder.svg
  tinyllm rag ladder scifact --embedder minilm --steps bm25,minilm,rrf,convex,ltr
  tinyllm rag ladder my_collection/ --steps substring,bm25,rrf --metric recall@20
"""
FOLDS = 5  # every query is held out once from what learns
WITHOUT = "substring,bm25,lsa,ltr"
WITH = "substring,bm25,convex,ltr"


def add_arguments(parser: Parser) -> None:
    """Declare the options."""
    add_collection(parser)
    parser.add_argument(
        "--steps", metavar="A,B,...",
        help="from the bottom to the top: substring, tfidf, bm25, lsa, bag, minilm, rrf, convex, mmr, ltr, sentences "
        f"({WITHOUT})",
    )  # fmt: skip
    parser.add_argument(
        "--embedder", choices=["none", "minilm"], default="none", help="for the steps that can take one (none)"
    )
    parser.add_argument("--dim", type=number(1, whole=True), default=200, metavar="N", help="of LSA (200)")
    parser.add_argument("--metric", default="ndcg@10", metavar="NAME", help="such as recall@20, mrr@10, map (ndcg@10)")
    parser.add_argument("--alpha", type=number(0, above=True), default=0.05, metavar="P", help="what counts (0.05)")
    parser.add_argument("--seed", type=number(0, whole=True), default=0, metavar="N", help="of folds and tests (0)")
    parser.add_argument("--plot", metavar="FILE", help="draw it: .svg, .png or .pdf")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(args: argparse.Namespace) -> int:
    """Climb; print the table and the verdict. The exit code is 0, whatever the verdict."""
    from ...rag.evaluate import compare, each_step_improves_metrics
    from ...rag.evaluate.steps import chosen
    from ...rag.evaluate.steps import run as climb
    from ...rag.rungs import named_rungs

    collection = opened(args.collection, args.folder)
    names = steps_of(args.steps or (WITHOUT if args.embedder == "none" else WITH))
    if len(names) < 2 or len(set(names)) < len(names):
        raise ConfigError(f"rag ladder: steps {', '.join(names)}", hint="two or more, each once")
    steps = named_rungs(names, embedder_of(args.embedder), args.dim)
    screen = Screen.of()
    began = time.perf_counter()
    scores: dict[str, dict[str, float]] = {}

    def told(name: str, place: int, count: int) -> None:
        if not args.json:
            screen.line(f"{place + 1} of {count}: {name}", style="dim")

    with busy("climbing", kernels=True):
        collection, lessons = chosen(collection, "all", steps, FOLDS, args.seed)
        for rung, _, found in climb(collection, steps, args.metric, lessons, told):
            scores[rung.name] = found
    parts = [collection, clean_part(args.collection, args.folder, collection)]
    reports = []
    for part in parts:
        if part is not None:
            kept = {name: {query: found[query] for query in part.queries} for name, found in scores.items()}
            reports.append(compare(kept, f"{part.name}, {args.metric}", args.alpha, seed=args.seed))
    gates = [each_step_improves_metrics(report) for report in reports]
    seconds = time.perf_counter() - began
    if args.plot:
        drawn(reports[0], args.metric, Path(args.plot).expanduser())
    if args.json:
        facts: list[dict[str, Any]] = [
            {**as_json(report), "improves": gate.passed, "reason": gate.reason}
            for report, gate in zip(reports, gates, strict=True)
        ]
        say(json.dumps({"ladders": facts, "seconds": round(seconds, 2)}))
        return 0
    for report, gate in zip(reports, gates, strict=True):
        screen.line()
        for place, line in enumerate(str(report).splitlines()):
            screen.line(line, style="bold" if place == 0 else "")
        screen.paragraph(
            f"each_step_improves_metrics: {gate.passed}. {gate.reason}.", style="green" if gate else "yellow"
        )
    screen.line(f"{seconds:.1f} s" + (f"; picture: {args.plot}" if args.plot else ""), style="dim")
    return 0


def drawn(report: Any, metric: str, path: Path) -> Path:
    """Draw a ladder into a file."""
    from ...viz import RetrievalLadder, draw_retrieval_ladder
    from ...viz.style import save

    return save(draw_retrieval_ladder(RetrievalLadder.of(report, metric)), path)
