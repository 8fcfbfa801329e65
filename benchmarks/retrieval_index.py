"""How fast are the nearest vectors found, exactly and along a graph, and rankings measured, beside NumPy and the peers?

    python benchmarks/retrieval_index.py
    python benchmarks/retrieval_index.py --only graph --peers hnswlib

Vectors are drawn around a plane of 30 dimensions, of length 1; k is 10. Exact search stands beside NumPy's product with
argpartition and faiss's IndexFlatIP; the graph (M 16, ef_construction 100, ef 64) beside hnswlib with the same
settings, with the share of the true best ten that each finds. ``metrics`` is nDCG@10, recall@100 and MAP of 300
rankings of 100, beside pytrec_eval; ``cold`` its first call in a new process, imports not counted.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from command import Benchmark, arguments, peers_of, run
from report import OURS, Row
from turns import Case, LeftOut, Timed

K = 10
M, EF_CONSTRUCTION, EF = 16, 100, 64
METRICS = ("ndcg@10", "recall@100", "map")
COLD = """
import sys, time
sys.path.insert(0, sys.argv[1])
import retrieval_index as r
from tinyllm.rag import evaluate
qrels, run = r.rankings()
began = time.perf_counter()
evaluate.per_query(run, qrels, r.METRICS)
print(time.perf_counter() - began)
"""


def cases(args: argparse.Namespace) -> list[Case]:
    """List the cases."""
    N, D, Q = (1200, 16, 20) if args.tiny else (10_000, 384, 1000)
    base = {"N": N, "D": D, "Q": Q}
    exact, graph = {"without": ["hnswlib", "pytrec_eval"]}, {"without": ["numpy", "faiss", "pytrec_eval"]}
    return [
        {**base, **exact, "name": f"exact, {N:,} x {D}, {Q} queries at once", "kind": "exact"},
        {**base, **exact, "name": f"exact, {N:,} x {D}, one query", "kind": "exact", "Q": 1},
        {**base, **graph, "name": f"graph, {N:,} x {D}, {Q} queries at once", "kind": "graph", "compare": False},
        {**base, **graph, "name": f"graph, {N:,} x {D}, one query", "kind": "graph", "Q": 1, "compare": False},
        {**base, **graph, "name": f"graph, {N:,} x {D}, built", "kind": "build", "compare": False},
        {"name": "metrics, 300 rankings of 100", "kind": "metrics", "without": ["numpy", "faiss", "hnswlib"]},
    ]


def vectors(N: int, D: int, Q: int) -> tuple[Any, Any]:
    """Return N vectors (N, D) and Q queries (Q, D), of length 1."""
    import numpy as np

    rng = np.random.default_rng(0)
    plane = rng.standard_normal((min(30, D), D))
    x = rng.standard_normal((N + Q, len(plane))) @ plane + 0.3 * rng.standard_normal((N + Q, D))
    x = (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32)
    return x[:N], x[N:]


def rankings() -> tuple[dict[str, dict[str, int]], dict[str, dict[str, float]]]:
    """Return judgments of 300 queries and their rankings, of 100 documents each."""
    import numpy as np

    rng = np.random.default_rng(0)
    qrels, run = {}, {}
    for q in range(300):
        names = [f"d{n}" for n in rng.permutation(5000)[:110]]
        qrels[f"q{q}"] = {name: int(grade) for name, grade in zip(names[::9], rng.integers(0, 4, 13), strict=True)}
        run[f"q{q}"] = dict(zip(names[:100], rng.standard_normal(100).tolist(), strict=True))
    return qrels, run


def prepare(candidate: str, case: Case) -> dict[str, Timed]:
    """Return what this candidate does with a case."""
    if case["kind"] == "metrics":
        return {candidate: Timed(metrics(candidate))}
    x, q = vectors(case["N"], case["D"], case["Q"])
    if case["kind"] == "build":
        return {candidate: Timed(lambda: graph(candidate, x) and None, once=True)}
    find = graph(candidate, x) if case["kind"] == "graph" else exact(candidate, x)
    return {candidate: Timed(lambda: find(q if len(q) > 1 else q[0]))}


def exact(candidate: str, x: Any) -> Callable[[Any], Any]:
    """Return what finds the best K, and gives their scores."""
    import numpy as np

    if candidate == OURS:
        from tinyllm.rag.index import Flat

        index = Flat()
        index.add([str(n) for n in range(len(x))], x)
        return lambda q: index.search(q, K)[1]
    if candidate == "faiss":
        import faiss

        flat = faiss.IndexFlatIP(x.shape[1])
        flat.add(x)
        return lambda q: flat.search(np.atleast_2d(q), K)[0]
    if candidate == "numpy":

        def find(q: Any) -> Any:
            scores = np.atleast_2d(q) @ x.T
            best = np.argpartition(-scores, K, axis=1)[:, :K]
            return -np.sort(-np.take_along_axis(scores, best, 1), axis=1)

        return find
    raise LeftOut("unknown here")


def graph(candidate: str, x: Any) -> Callable[[Any], Any]:
    """Build a graph; return what finds the numbers of the best K along it."""
    if candidate == OURS:
        from tinyllm.rag.index import HNSW

        index = HNSW(M=M, ef_construction=EF_CONSTRUCTION, ef=EF)
        index.add([str(n) for n in range(len(x))], x)
        return lambda q: index.search(q, K)[0]
    if candidate == "hnswlib":
        import hnswlib

        from tinyllm.kernels import threads

        theirs = hnswlib.Index("ip", x.shape[1])
        theirs.init_index(len(x), M=M, ef_construction=EF_CONSTRUCTION, random_seed=0)
        theirs.set_num_threads(threads())
        theirs.add_items(x)
        theirs.set_ef(EF)
        return lambda q: theirs.knn_query(q, K)[0]
    raise LeftOut("unknown here")


def metrics(candidate: str) -> Callable[[], Any]:
    """Return what measures the rankings, and gives the mean of each metric."""
    qrels, run = rankings()
    if candidate == OURS:
        from tinyllm.rag.evaluate import per_query

        def measure() -> Any:
            found = per_query(run, qrels, METRICS)
            return [[sum(found[name].values()) / len(qrels) for name in METRICS]]

        return measure
    if candidate == "pytrec_eval":
        import pytrec_eval

        judge = pytrec_eval.RelevanceEvaluator(qrels, {"ndcg_cut.10", "recall.100", "map"})

        def theirs() -> Any:
            found = judge.evaluate(run)
            return [[sum(one[name] for one in found.values()) / 300 for name in ("ndcg_cut_10", "recall_100", "map")]]

        return theirs
    raise LeftOut("unknown here")


def more_rows(args: argparse.Namespace) -> list[Row]:
    """Measure what is no time: the share of the true best that graphs find; and the first call for metrics."""
    rows = []
    wanted = str(args.only or "").lower()
    N, D, Q = (1200, 16, 20) if args.tiny else (10_000, 384, 1000)
    if wanted in "graph recall":
        x, q = vectors(N, D, Q)
        best = (-(q @ x.T)).argsort(axis=1)[:, :K]
        found = {name: recall(name, x, q, best) for name in peers_of((OURS, "hnswlib"), args)[0]}
        rows.append(row(f"graph, {N:,} x {D}, recall of the best {K}", found[OURS], found.get("hnswlib"), "%"))
    if wanted in "metrics cold":
        command = [sys.executable, "-c", COLD, str(Path(__file__).parent)]
        path = os.pathsep.join(part for part in (str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH")) if part)
        environment = {**os.environ, "PYTHONPATH": path}
        done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
        rows.append(row("metrics, 300 rankings of 100, cold", 1e3 * float(done.stdout), None, "ms"))
    return rows


def recall(name: str, x: Any, q: Any, best: Any) -> float | None:
    """Return how much of the best, in percent, a graph finds; None where it is not installed."""
    try:
        found = graph(name, x)(q)
    except ImportError:
        return None
    hits = sum(len({*map(int, line)} & {*map(int, true)}) for line, true in zip(found, best, strict=True))
    return 100 * hits / best.size


def row(case: str, mine: float | None, theirs: float | None, unit: str) -> Row:
    """Make a row of a figure that is no time."""
    return {
        "case": case, "ours": mine, "peer": None if theirs is None else "hnswlib", "peer_seconds": theirs,
        "ratio": None, "roofline": None, "peer_roofline": None, "rung": None, "unit": unit,
    }  # fmt: skip


def main() -> None:
    """Measure what was asked for."""
    candidates = ("tinyllm", "numpy", "faiss", "hnswlib", "pytrec_eval")
    benchmark = Benchmark(
        "retrieval_index", __doc__ or "", candidates, "numpy", cases, roofline=False, more_rows=more_rows
    )
    run(benchmark, arguments(__doc__ or "").parse_args())


if __name__ == "__main__":
    main()
