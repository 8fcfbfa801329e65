"""How do search in vectors and in words grow: filling an index, a query, memory, from 1,000 to 1,000,000?

    python benchmarks/retrieval_growth.py --plot growth.svg
    python benchmarks/retrieval_growth.py --only HNSW --seconds 300
    python benchmarks/retrieval_growth.py --quick

Vectors are synthetic, 384 wide, in 1,000 clusters around a plane of 30 dimensions; texts have 60 words each, drawn from
200,000 whose frequencies fall as in natural language, and questions five. k is 10. Every index and size has a process
of its own. "filled" lasts until the first answer, so what is calculated then is in it; making the vectors or words is
not. "a query" is one after the other, the median; "of 100 at once" is a hundredth of a call with 100. "memory" is what
the filled index holds beyond everything before; float32 vectors alone are 1.5 GB of it at 1,000,000. "found" is the
share of the true ten. HNSW begins at 3,000: up to 1,000 it has no graph.

A size that is foreseen, from the one before, to take more than --seconds or more memory than --gigabytes at its peak
is left out, and named: vectors themselves count, because a million of them must be somewhere.
"""

from __future__ import annotations

import argparse
import ctypes
import gc
import statistics
import time
from collections.abc import Iterator
from typing import Any

from command import arguments, finish, processes, speaker
from memory import forget_peak, peak, resident
from report import OURS, Row
from roofline import Ceilings
from slopes import exponent, slopes
from turns import Case, Timed

KINDS = ("Flat", "Flat int8", "IVF", "HNSW", "BM25")
SIZES = (1_000, 3_000, 10_000, 30_000, 100_000, 300_000, 1_000_000)
DIM, CLUSTERS, PORTION, PLANE = 384, 1000, 10_000, 30
VOCABULARY, LENGTH, ASKED = 200_000, 60, 5
K, AT_ONCE, JUDGED, PATIENCE = 10, 100, 50, 3.0
FIGURES = {"filled": "s", "a query": "s", "of 100 at once": "s", "memory": "bytes"}


# what happens in the process of one index


def prepare(candidate: str, case: Case) -> dict[str, Timed]:
    """Return what fills an index and asks it."""
    return {candidate: Timed(lambda: measured(case), once=True)}


def measured(case: Case) -> dict[str, float]:
    """Fill an index of a kind, ask it, and return seconds, bytes and the share that it finds."""
    measure = in_words if case["kind"] == "BM25" else in_vectors
    measure({**case, "N": min(case["N"], 1200)})  # loads and compiles
    before = held()
    forget_peak()
    began = time.perf_counter()
    found = measure(case)
    return {**found, "peak": max(0, peak() - before), "seconds": time.perf_counter() - began}


def in_vectors(case: Case) -> dict[str, float]:
    """Measure an index of vectors; Flat gets them in portions, the others at once: they build on all of them."""
    import numpy as np

    N, D = case["N"], case["D"]
    index, q = index_of(case["kind"]), next(vectors(AT_ONCE, D, seed=1))
    whole = None if case["kind"].startswith("Flat") else np.concatenate(list(vectors(N, D)))
    before, seconds = held(), 0.0
    for n, x in enumerate(vectors(N, D) if whole is None else [whole]):
        names = [f"v{i}" for i in range(n * PORTION, n * PORTION + len(x))]
        began = time.perf_counter()
        index.add(names, x)
        seconds += time.perf_counter() - began
    began = time.perf_counter()
    index.search(q[0], K)
    seconds += time.perf_counter() - began
    del x, names
    found = {"filled": seconds, "memory": held() - before, **asked(index.search, list(q), q)}
    if whole is not None:
        best = np.argsort(-(q[:JUDGED] @ whole.T), axis=1)[:, :K]
        ids = index.search(q[:JUDGED], K)[0]
        hits = [len({f"v{n}" for n in row} & {*names}) for row, names in zip(best.tolist(), ids, strict=True)]
        found["found"] = sum(hits) / best.size
    return found


def in_words(case: Case) -> dict[str, float]:
    """Measure an index of words, eager, filled at once."""
    from tinyllm.rag.lexical.bm25 import BM25

    texts, queries = documents(case["N"], LENGTH), [list(text) for text in documents(AT_ONCE, ASKED, seed=1)]
    names, index, before = [f"d{n}" for n in range(case["N"])], BM25(), held()
    began = time.perf_counter()
    index.add(names, texts)
    index.search(queries[0], K)
    seconds = time.perf_counter() - began
    memory = held() - before
    return {"filled": seconds, "memory": memory, **asked(index.search, queries, queries, index.search_many)}


def held() -> int:
    """Return the bytes this process occupies once all is given back that it does not need."""
    gc.collect()
    give_back = getattr(ctypes.CDLL(None), "malloc_trim", None)  # of Linux; elsewhere small sizes are uncertain
    if give_back is not None:
        give_back(0)
    return resident()


def asked(search: Any, queries: list[Any], together: Any, many: Any = None) -> dict[str, float]:
    """Return the seconds of a query alone, and of one of all at once."""
    took: list[float] = []
    stop = time.perf_counter() + PATIENCE
    for query in queries:
        began = time.perf_counter()
        search(query, K)
        took.append(time.perf_counter() - began)
        if began > stop and len(took) > 4:
            break
    began = time.perf_counter()
    (many or search)(together, K)
    return {"a query": statistics.median(took), "of 100 at once": (time.perf_counter() - began) / len(together)}


def index_of(kind: str) -> Any:
    """Make an empty index of vectors."""
    from tinyllm.rag.index import HNSW, IVF, Flat

    return {"Flat": Flat, "Flat int8": lambda: Flat(storage="int8"), "IVF": IVF, "HNSW": HNSW}[kind]()


def vectors(N: int, D: int, seed: int = 0) -> Iterator[Any]:
    """Yield N vectors (n, D) of length 1, a portion at a time; the clusters are the same for all seeds."""
    import numpy as np

    drawn = np.random.default_rng(9)
    plane = drawn.standard_normal((min(PLANE, D), D), np.float32)
    centers = drawn.standard_normal((CLUSTERS, len(plane)), np.float32)
    for first in range(0, N, PORTION):
        rng = np.random.default_rng([seed, first])
        n = min(PORTION, N - first)
        place = centers[rng.integers(CLUSTERS, size=n)] + rng.standard_normal((n, len(plane)), np.float32)
        x = place @ plane + np.float32(0.3) * rng.standard_normal((n, D), np.float32)
        yield x / np.linalg.norm(x, axis=1, keepdims=True)


WRITTEN = [f"w{n}" for n in range(VOCABULARY)]


class Words:
    """A text that is numbers until its words are asked for: a million lists would take more than the index does."""

    __slots__ = ("numbers",)

    def __init__(self, numbers: Any) -> None:
        self.numbers = numbers

    def __iter__(self) -> Iterator[str]:
        return map(WRITTEN.__getitem__, self.numbers.tolist())


def documents(N: int, length: int, seed: int = 0) -> list[Words]:
    """Return N texts; the word of rank r is drawn with a probability that falls as 1 / (r + 10)."""
    import numpy as np

    ends = np.cumsum(1 / (np.arange(VOCABULARY) + 10.0))
    rng = np.random.default_rng(seed)
    drawn = np.empty((N, length), np.int32)
    for first in range(0, N, PORTION):
        here = drawn[first : first + PORTION]
        here[:] = np.minimum(np.searchsorted(ends, rng.random(here.shape) * ends[-1]), VOCABULARY - 1)
    return [Words(row) for row in drawn]


# what happens in the process that asks


def foreseen(N: int, done: dict[int, dict[str, float]]) -> tuple[float, float]:
    """Return the seconds and the bytes at the peak that a size will take, from the two sizes before it."""
    before = [n for n in done if n >= 1000][-2:] or list(done)[-1:]
    if not before:
        return 0.0, 0.0
    guesses = []
    for name in ("seconds", "peak"):
        costs = [max(done[n][name], 1e-9) for n in before]
        power = min(2.0, max(1.0, exponent(before, costs))) if len(before) > 1 else 1.0
        guesses.append(costs[-1] * (N / before[-1]) ** power)
    return guesses[0], guesses[1]


def climb(kind: str, sizes: tuple[int, ...], args: argparse.Namespace, left_out: list[Row]) -> dict[int, Any]:
    """Measure one kind at rising sizes, as far as time and memory reach."""
    say, done = speaker(args), dict[int, dict[str, float]]()
    for N in sizes:
        name = f"{kind}, {N:,}"
        seconds, size = foreseen(N, done)
        why = f"about {seconds:.0f} s foreseen, of {args.seconds:g}" if seconds > args.seconds else ""
        if size > args.gigabytes * 1e9:
            why = f"about {size / 1e9:.1f} GB foreseen, of {args.gigabytes:g}"
        if not why:
            case = {"name": name, "kind": kind, "N": N, "D": 8 if args.tiny else DIM}
            with processes([OURS], args.threads) as (ours,):
                answer = ours.ask(do="prepare", module="retrieval_growth", case=case, limit=1e9, step=0.0, warm=False)
                answer = answer if "left_out" in answer else ours.ask(do="call", name=OURS)
            why = answer.get("left_out", "")
        if why:
            left_out.append({"name": name, "why": why})
            break
        one = done[N] = answer["last"]
        share = f"   found {one['found']:.3f}" if "found" in one else ""
        say(
            f"{name:<22} filled {one['filled']:8.3f} s   a query {1e3 * one['a query']:8.3f} ms   "
            f"of 100 at once {1e3 * one['of 100 at once']:8.3f} ms   memory {one['memory'] / 1e6:8.1f} MB{share}"
        )
    return done


def rows_of(kind: str, N: int, one: dict[str, float]) -> list[Row]:
    """Return a row for each figure."""
    base = {"peer": None, "peer_seconds": None, "ratio": None, "roofline": None, "kind": kind, "N": N}
    units = {**FIGURES, "peak": "bytes"} | ({"found": "share"} if "found" in one else {})
    return [{"case": f"{kind}, {N:,}: {name}", "ours": one[name], "unit": unit, **base} for name, unit in units.items()]


def main() -> None:
    """Measure, print, write and draw."""
    parser = arguments(
        __doc__ or "",
        ("--seconds", {"type": float, "default": 100.0, "help": "that a size may take, as foreseen (100)"}),
        ("--gigabytes", {"type": float, "default": 3.0, "help": "that a size may take at its peak (3)"}),
    )
    args = parser.parse_args()
    everything = (50, 100) if args.tiny else SIZES
    if args.quick:
        args.seconds = min(args.seconds, 4.0)
    kinds = [kind for kind in KINDS if args.only is None or kind.lower().startswith(args.only.lower())]
    if not kinds:
        parser.error(f"no index begins with {args.only!r}: {', '.join(KINDS)}")
    left_out: list[Row] = []
    sizes = {kind: everything[1:] if kind == "HNSW" and not args.tiny else everything for kind in kinds}
    found = {kind: climb(kind, sizes[kind], args, left_out) for kind in kinds}
    rows = [row for kind in kinds for N, one in found[kind].items() for row in rows_of(kind, N, one)]
    lines = []
    for figure, unit in FIGURES.items():
        points = [(figure, kind, "N", N, one[figure]) for kind in kinds for N, one in found[kind].items()]
        lines += slopes((p for p in points if p[-1] > 0), unit="bytes" if unit == "bytes" else "seconds")
    finish("retrieval_growth", args, rows, left_out, Ceilings(args.threads), lines)


if __name__ == "__main__":
    main()
