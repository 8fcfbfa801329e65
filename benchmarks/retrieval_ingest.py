"""How long does ingest take: the first time, when nothing changed, when a tenth did, and with a new store?

    python benchmarks/retrieval_ingest.py
    python benchmarks/retrieval_ingest.py --documents 240,450 --dim 384

Documents are Markdown files of ten sections, cut by Headings at 64 words and signs into 21 chunks each. The embedder
makes random vectors and takes no time to speak of: all that is measured is reading, chunking, comparing and writing.
"calls" is how often it was asked. The bar: 5,000 unchanged chunks, no call, below one second.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from report import machine

sys.path.append(str(Path(__file__).parents[1]))  # in a checkout that is not installed, tinyllm is beside this folder
SECTIONS = 10
SENTENCES = "Note {i} says in part {j} that ducks swim and that they eat bread. They fly, too, when it is cold. "


class Random:
    """An embedder that costs nothing and counts how often it was asked."""

    id, max_tokens = "random", None

    def __init__(self, dim: int) -> None:
        self.dim, self.calls = dim, 0
        self._rng = np.random.default_rng(0)

    def count(self, text: str) -> int:
        """Count words."""
        return len(text.split())

    def embed(self, texts: Sequence[str], kind: str = "document") -> np.ndarray:
        """Return random vectors."""
        self.calls += 1
        return self._rng.standard_normal((len(texts), self.dim)).astype(np.float32)


def write(root: Path, number: int, extra: str = "") -> None:
    """Write a document."""
    parts = [f"## Part {j}\n{SENTENCES.format(i=number, j=j) * 2}\n" for j in range(SECTIONS)]
    (root / f"{number:06}.md").write_text(f"# Note {number}\n{extra}" + "".join(parts), encoding="utf-8")


def measured(n: int, dim: int, folder: Path) -> list[dict[str, Any]]:
    """Return a row of each case for n documents."""
    from tinyllm.rag import read
    from tinyllm.rag.cache import Cache
    from tinyllm.rag.chunk import Headings
    from tinyllm.rag.ingest import ingest
    from tinyllm.rag.store import SqliteStore

    root = folder / "notes"
    root.mkdir()
    for number in range(n):
        write(root, number)
    rows = []

    def run(case: str, name: str, kept: Cache | None) -> None:
        embedder = Random(dim)
        with SqliteStore(folder / name, embedder.id, dim) as store:
            begin = time.perf_counter()
            changes = ingest(read.folder(root), store, Headings(64), embedder, kept)
            seconds = time.perf_counter() - begin
            rows.append(
                {
                    "case": case,
                    "documents": n,
                    "chunks": store.count(),
                    "seconds": seconds,
                    "calls": embedder.calls,
                    "changes": str(changes),
                }
            )

    with Cache(folder / "cache.db") as cache:
        run("first time", "one.db", cache)
        run("nothing changed", "one.db", cache)
        run("nothing changed, no cache", "one.db", None)
        for number in range(0, n, 10):
            write(root, number, "It has a new first sentence.\n")
        run("a tenth changed", "one.db", cache)
        run("a new store, all in the cache", "two.db", cache)
    return rows


def main() -> None:
    """Measure, print a table, and write JSON if asked to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--documents", default="240", help="how many, separated by commas (240: 5,040 chunks)")
    parser.add_argument("--dim", type=int, default=384, help="how wide vectors are (384)")
    parser.add_argument("--json", type=Path, help="where to write rows and the machine's facts")
    args = parser.parse_args()
    rows = []
    for n in map(int, args.documents.split(",")):
        with tempfile.TemporaryDirectory() as folder:
            rows += measured(n, args.dim, Path(folder))
    print(f"{'case':32}{'documents':>10}{'chunks':>9}{'seconds':>9}{'calls':>7}")
    for row in rows:
        print(f"{row['case']:32}{row['documents']:10,}{row['chunks']:9,}{row['seconds']:9.3f}{row['calls']:7,}")
    if args.json:
        args.json.write_text(json.dumps({"machine": machine(), "rows": rows}, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
