"""How well do our embedders find documents, by exact cosine, and how long do they take?

    python benchmarks/retrieval_embed.py                        LSA on Cranfield, CISI and SciFact
    python benchmarks/retrieval_embed.py cranfield --minilm     MiniLM beside it: one to six minutes a collection
    python benchmarks/retrieval_embed.py --json embed.json

The collections are those of TINYLLM_DATA. A document is its title and its text. LSA reads no judgments, but the whole
corpus before the first question; its dimensions were not chosen here.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from pathlib import Path
from typing import Any

import numpy as np

from tinyllm.bootstrap import percentile
from tinyllm.kernels import threads
from tinyllm.rag import LSA, MiniLMEmbedder
from tinyllm.rag.evaluate.collections import Collection, load

DIM = {"cranfield": 200, "cisi": 200, "scifact": 300}


def measured(embedder: Any, began: float, collection: Collection) -> dict[str, Any]:
    """Embed all documents and queries, and say what was found by whom, and when it was done."""
    documents = embedder.embed(texts(collection))
    seconds = time.perf_counter() - began
    scores = embedder.embed(list(collection.queries.values()), "query") @ documents.T
    names = list(collection.documents)
    best = np.argsort(-scores, axis=1, kind="stable")[:, :100]
    run = {query: [names[i] for i in row] for query, row in zip(collection.queries, best, strict=True)}
    mean = percentile(list(collection.evaluate(run, ["ndcg@10"])["ndcg@10"].values()))
    return {
        "collection": collection.name, "embedder": embedder.id, "dim": embedder.dim, "queries": mean.count,
        "ndcg@10": mean.value, "low": mean.low, "high": mean.high, "seconds": seconds,
    }  # fmt: skip


def texts(collection: Collection) -> list[str]:
    """Return what is embedded of each document."""
    return [f"{document.title}\n{document.text}".strip() for document in collection.documents.values()]


def main() -> None:
    """Print a line for each embedder and collection."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="COLLECTION", help=", ".join(DIM))
    parser.add_argument("--minilm", action="store_true", help="also encode everything with MiniLM")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the rows, with the machine")
    args = parser.parse_args()
    if unknown := set(args.names) - set(DIM):
        parser.error(f"no collection {min(unknown)!r}: {', '.join(DIM)}")
    data = [Path(folder) / "collections" for folder in os.environ.get("TINYLLM_DATA", "").split(os.pathsep) if folder]
    machine = {"machine": platform.platform(), "threads": threads(), "numpy": np.__version__}
    print(*(f"{key} {value}" for key, value in machine.items()), sep=", ")
    LSA(2).fit(["a duck swims", "stars shine at night"] * 2000)  # compiles what is to be timed
    rows = []
    for name in args.names or DIM:
        folder = next((place / name for place in data if (place / name).is_dir()), None)
        if folder is None:
            print(f"{name:<12}left out: it is in no folder of TINYLLM_DATA")
            continue
        collection = load(name, folder)
        makers = [lambda c=collection, n=name: LSA(DIM[n]).fit(texts(c)), *([MiniLMEmbedder] if args.minilm else [])]
        for make in makers:
            began = time.perf_counter()
            rows.append(row := measured(make(), began, collection))
            print(
                f"{name:<12}{row['embedder'].split('-1(')[0]:<8}dim {row['dim']:<6}nDCG@10 {row['ndcg@10']:.4f} "
                f"[{row['low']:.3f}, {row['high']:.3f}] of {row['queries']} queries, {row['seconds']:.1f} s",
                flush=True,
            )
    if args.json:
        args.json.write_text(json.dumps({**machine, "rows": rows}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
