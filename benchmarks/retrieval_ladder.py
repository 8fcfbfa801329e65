"""Does each step of retrieval help, on which collection, and what does the whole ladder take?

    python benchmarks/retrieval_ladder.py cranfield cisi scifact
    python benchmarks/retrieval_ladder.py cisi --vectors minilm       minilm/cisi.npz: doc_ids, docs, query_ids, queries
    python benchmarks/retrieval_ladder.py cranfield --json out.json --plot ladder.svg

Collections are read from TINYLLM_DATA. nDCG@10 over all queries; what is fitted (the mean's alpha, the ranker's
weights) is fitted in five folds, each measured on queries that it knows nothing of. The first table is the ladder, each
step beside the one before; the second holds every step beside BM25 (p-values not corrected: no gate).
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from report import machine

from tinyllm.rag import RRF, Convex, Dense, Document, Lexical, Naive, TfIdf, Whole, hybrid
from tinyllm.rag.embed import LSA
from tinyllm.rag.evaluate import (
    Collection,
    Rung,
    compare,
    each_step_improves_metrics,
    least_detectable,
    load,
    parts,
    sign_flips,
)
from tinyllm.rag.evaluate.steps import chosen, mean, run
from tinyllm.rag.fuse import lists_for
from tinyllm.rag.rerank import LinearLTR
from tinyllm.rag.types import Retriever

LADDER = ("substring", "bm25", "lsa", "ltr")
DIMS = {"scifact": 300}  # of LSA; 200 elsewhere


class Given:
    """Vectors that somebody made before: of documents by their chunks' text, of queries by theirs."""

    max_tokens = None

    def __init__(self, path: Path, collection: Collection) -> None:
        found = np.load(path)
        self.id, self.dim = path.parent.name, found["docs"].shape[1]
        chunks = [chunk for document in collection.documents.values() for chunk in Whole().split(document)]
        texts = {chunk.doc_id: chunk.full for chunk in chunks}
        vectors = zip(found["doc_ids"].tolist(), found["docs"], strict=True)
        self.of = {texts[name]: vector for name, vector in vectors if name in texts}
        queries = zip(found["query_ids"].tolist(), found["queries"], strict=True)
        self.of |= {collection.queries[name]: v for name, v in queries if name in collection.queries}

    def embed(self, texts: list[str], kind: str = "document") -> np.ndarray:
        """Look the vectors up."""
        return np.stack([self.of[text] for text in texts])

    def count(self, text: str) -> int:
        """Nobody counts."""
        return 0


class Ladder:
    """The steps over one collection; retrievers are built once and shared by the steps that need them."""

    def __init__(self, collection: Collection, dim: int, vectors: Path | None) -> None:
        self.chunks = [chunk for document in collection.documents.values() for chunk in Whole().split(document)]
        self.dim = dim
        self.kept: dict[str, Any] = {}
        self.given = Given(vectors, collection) if vectors else None

    def retriever(self, name: str) -> Any:
        """Build a retriever, or take the one that was built."""
        if name not in self.kept:
            made: Any
            if name == "lsa":
                made = Dense(LSA(self.dim).fit([chunk.full for chunk in self.chunks]), name="lsa")
            elif name == "vectors":
                made = Dense(self.given, name="vectors")
            else:
                made = Lexical({"substring": Naive, "tf-idf": TfIdf}[name](), name) if name != "bm25" else Lexical()
            made.add(self.chunks)
            self.kept[name] = made
        return self.kept[name]

    def alone(self, name: str) -> Rung:
        """Make a step of a retriever."""
        return Rung(name, lambda documents, train: self.retriever(name))

    def fused(self, pair: tuple[str, str], how: str) -> Rung:
        """Make a step of two retrievers: by RRF, by a mean whose alpha is fitted, or by what dev chooses."""

        def build(documents: Mapping[str, Document], train: Collection | None) -> Retriever:
            both = [self.retriever(name) for name in pair]
            if train is None:
                return Fused(both, RRF())
            if how == "convex":
                return Fused(both, Convex.fit(lists_for(both, train), train.qrels))
            inner = parts(train)
            fits, picks = (lists_for(both, part) for part in (inner["train"], inner["dev"]))
            return Fused(both, hybrid(fits, picks, train.qrels))

        return Rung(f"{how} {pair[0]} + {pair[1]}", build, learns=how != "rrf")

    def ltr(self) -> Rung:
        """Make a step of the linear ranker; its features are calculated once for all folds."""

        def build(documents: Mapping[str, Document], train: Collection | None) -> Retriever:
            if "ltr" not in self.kept:
                self.kept["ltr"] = LinearLTR()
                self.kept["ltr"].add(self.chunks)
            return LinearLTR(self.kept["ltr"].features).fit(train.queries, train.qrels, train.documents)

        return Rung("ltr", build, learns=True)

    def steps(self) -> list[Rung]:
        """List all of them."""
        named = ["tf-idf", *(["vectors"] if self.given else [])]
        pairs = [("bm25", "lsa"), *((("bm25", "vectors"), ("lsa", "vectors")) if self.given else ())]
        found = [*map(self.alone, ("substring", "bm25", "lsa")), self.ltr(), *map(self.alone, named)]
        return [*found, *(self.fused(pair, how) for pair in pairs for how in ("rrf", "convex", "hybrid"))]


class Fused:
    """Retrievers that are filled already, and a fusion."""

    name = "fused"

    def __init__(self, retrievers: list[Any], fuse: Any) -> None:
        self.retrievers, self.fuse = retrievers, fuse

    def search(self, query: str, k: int) -> list[Any]:
        """Fuse what each of them finds."""
        return self.fuse([retriever.search(query, max(100, k)) for retriever in self.retrievers], k)


def measure(name: str, vectors: Path | None, folds: int) -> tuple[Any, dict[str, Any]]:
    """Run all steps over a collection, print both tables, and return the ladder's report and what was measured."""
    collection = load(name, folder(name))
    ladder = Ladder(collection, DIMS.get(name, 200), vectors)
    rungs = ladder.steps()
    whole, lessons = chosen(collection, "all", rungs, folds)
    scores, seconds, start = {}, {}, time.perf_counter()
    for rung, _, found in run(whole, rungs, "ndcg@10", lessons):
        scores[rung.name], seconds[rung.name] = found, time.perf_counter() - start
        start = time.perf_counter()
    report = compare({step: scores[step] for step in LADDER}, f"{collection.name}, ndcg@10")
    print(report)
    print(each_step_improves_metrics(report))
    print(f"the ladder took {sum(seconds[step] for step in LADDER):.1f} s\n")
    rows = {}
    for step, found in scores.items():
        moves = [found[query] - scores["bm25"][query] for query in found]
        rows[step] = {
            "ndcg@10": mean(found), "over bm25": float(np.mean(moves)), "p": sign_flips(moves),
            "detectable": least_detectable(moves), "seconds": seconds[step],
        }  # fmt: skip
        print(f"{step:24} {mean(found):.3f}  {np.mean(moves):+.3f}  p = {rows[step]['p']:.4f}  {seconds[step]:6.1f} s")
    print()
    return report, rows


def folder(name: str) -> Path:
    """Return the first folder of TINYLLM_DATA that holds a collection."""
    for place in os.environ.get("TINYLLM_DATA", "").split(os.pathsep):
        if place and (Path(place) / "collections" / name).is_dir():
            return Path(place) / "collections" / name
    raise SystemExit(f"TINYLLM_DATA has no collections/{name}")


def main() -> None:
    """Read the command line and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("collections", nargs="+", choices=("cranfield", "cisi", "scifact"))
    parser.add_argument("--vectors", type=Path, help="a folder with NAME.npz of each collection")
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--plot", type=Path, help="a picture of the last ladder")
    args = parser.parse_args()
    found = {}
    for name in args.collections:
        report, found[name] = measure(name, args.vectors / f"{name}.npz" if args.vectors else None, args.folds)
    if args.json:
        args.json.write_text(json.dumps({"machine": machine(), "collections": found}, indent=2) + "\n")
    if args.plot:
        from tinyllm import viz

        viz.save(viz.draw_retrieval_ladder(viz.RetrievalLadder.of(report)), args.plot)


if __name__ == "__main__":
    main()
