"""``tinyllm rag eval``: how good one pipeline is, on a judged collection or on a library of yours."""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import TYPE_CHECKING

from ...bootstrap import percentile
from ...errors import ConfigError, DataError
from ..parser import Parser, number
from ..screen import Screen, say
from ..waiting import busy
from .collections import NAMES, add_collection, embedder_of, opened, steps_of
from .libraries import opened as opened_library

if TYPE_CHECKING:
    from ...rag import Collection

WORDS = NAMES
METRICS = "ndcg@10,recall@10,recall@100,mrr@10,success@1"
DEPTH = 100
FOLDS = 5
EXAMPLES = """\
  tinyllm rag eval
  tinyllm rag eval cranfield --step lsa
  tinyllm rag eval --library libraries/notes --queries queries.json
"""


def add_arguments(parser: Parser) -> None:
    """Declare the options."""
    add_collection(parser)
    parser.add_argument(
        "--step", default="bm25", metavar="NAME",
        help="substring, tfidf, bm25, lsa, minilm, rrf, convex, ltr or mmr; see tinyllm rag ladder (bm25)",
    )  # fmt: skip
    parser.add_argument("--embedder", choices=["none", "minilm"], default="none", help="for a step that can take one")
    parser.add_argument("--dim", type=number(1, whole=True), default=200, metavar="N", help="of LSA (200)")
    parser.add_argument("--library", metavar="LIBRARY", help="measure this, with --queries, and no collection")
    parser.add_argument(
        "--queries", metavar="FILE", help='{"q1": {"text": "how do ducks swim", "grades": {"ducks.md": 3}}}'
    )
    parser.add_argument("--metrics", default=METRICS, metavar="A,B,...", help=f"which ({METRICS})")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(args: argparse.Namespace) -> int:
    """Search for every query, and print the means with their intervals.

    Raises:
        ConfigError: a library without queries, or queries without a library.
    """
    if bool(args.library) != bool(args.queries):
        raise ConfigError("rag eval: --library and --queries belong together", hint="both, or a COLLECTION")
    metrics = steps_of(args.metrics)
    began = time.perf_counter()
    with busy("searching", kernels=True):
        if args.library:
            name, values = _library(args.library, Path(args.queries).expanduser(), metrics)
        else:
            collection = opened(args.collection, args.folder)
            name, values = f"{collection.name}, {args.step}", _step(args, collection, metrics)
    seconds = time.perf_counter() - began
    means = {metric: percentile(list(found.values())) for metric, found in values.items()}
    count = len(next(iter(values.values())))
    if args.json:
        told = {metric: {"mean": m.value, "interval": [m.low, m.high]} for metric, m in means.items()}
        say(json.dumps({"name": name, "queries": count, "seconds": round(seconds, 2), **told}))
        return 0
    screen = Screen.of()
    screen.line(f"{name}: {count} queries, {seconds:.1f} s", style="bold")
    for metric, mean in means.items():
        screen.line(f"    {metric:<12}{mean.value:.3f}   [{mean.low:.3f} {mean.high:.3f}]")
    return 0


def _step(args: argparse.Namespace, collection: Collection, metrics: list[str]) -> dict[str, dict[str, float]]:
    from ...rag.evaluate.steps import chosen, ranked
    from ...rag.rungs import named_rungs

    embedder = embedder_of("minilm" if args.step.endswith("minilm") else args.embedder)
    steps = named_rungs([args.step], embedder, args.dim)
    collection, lessons = chosen(collection, "all", steps, FOLDS)
    collection.evaluate({}, metrics)  # an unknown metric is said before anything is built
    return collection.evaluate(ranked(collection, steps[0], DEPTH, lessons)[1], metrics)


def _library(path: str, queries: Path, metrics: list[str]) -> tuple[str, dict[str, dict[str, float]]]:
    from ...rag.evaluate import per_query
    from ...rag.evaluate.own import read_queries

    try:
        texts, qrels = read_queries(queries.read_text("utf-8"), queries.name)
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{queries}: cannot be read ({error})") from None
    with opened_library(path) as library:
        pipeline = library.pipeline()
        known = {chunk.doc_id for chunk in library.chunks()}
        lost = sorted({name for grades in qrels.values() for name in grades} - known)
        if lost:
            raise DataError(f"{queries.name}: judges {lost[0]!r}, which is not in {path}", hint="ids as in rag search")
        found = {query: pipeline.rank(text, DEPTH) for query, text in texts.items()}
        return f"{path}, {pipeline.name}", per_query(found, qrels, metrics)
