"""How fast does BM25 answer, with weights that are kept and with an index that changes, beside bm25s and rank_bm25?

    python benchmarks/retrieval_bm25.py
    python benchmarks/retrieval_bm25.py --only change --peers bm25s

Documents and queries are SciFact's, of TINYLLM_DATA's collections (without them, made-up words in natural frequencies),
as lists of words: cutting and stemming is nobody's time. k is 10, the variant lucene's with k1 1.5 and b .75, which
bm25s (here with its Numba kernels) has too; rank_bm25's idf is another one, and its scores are not compared. ``live``
calculates weights at each query, so that a document may come and go between two of them; bm25s and rank_bm25 build
their whole index anew for that.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from command import Benchmark, arguments, run
from turns import Case, LeftOut, Timed

K = 10
FEW = 20  # queries one after the other for rank_bm25, which takes milliseconds for each


def cases(args: argparse.Namespace, folder: Path) -> list[Case]:
    """List the cases; words of documents and queries lie in a file."""
    documents, queries = words_of(tiny=args.tiny)
    path = folder / "words.json"
    path.write_text(json.dumps([documents, queries]), encoding="utf-8")
    Q, base = len(queries), {"file": str(path)}
    fast = {"without": ["rank_bm25"]}
    return [
        {**base, **fast, "name": f"{Q} queries at once, of {len(documents):,} documents", "queries": Q},
        {**base, **fast, "name": f"{Q} queries, one by one", "queries": Q, "one": True},
        {**base, "name": f"the first {min(Q, FEW)}, one by one", "queries": min(Q, FEW), "one": True},
        {**base, **fast, "name": f"{Q} queries at once, live", "queries": Q, "live": True},
        {**base, **fast, "name": f"{Q} queries, one by one, live", "queries": Q, "one": True, "live": True},
        {**base, "name": "a change and a query", "queries": 1, "change": True, "live": True, "compare": False},
    ]


def words_of(tiny: bool) -> tuple[list[list[str]], list[list[str]]]:
    """Return the words of all documents and of SciFact's test claims."""
    folder = Path(os.environ.get("TINYLLM_DATA", "nowhere"), "collections/scifact")
    if tiny or not folder.is_dir():
        import numpy as np

        rng, (N, Q) = np.random.default_rng(0), (60, 9) if tiny else (5000, 300)
        return [[[f"w{w}" for w in rng.zipf(1.3, n) % 30_000] for _ in range(many)] for many, n in ((N, 120), (Q, 9))]  # type: ignore[return-value]
    from tinyllm.rag.evaluate import load
    from tinyllm.rag.lexical.words import words

    scifact = load("scifact", folder)
    texts = [f"{document.title} {document.text}" for document in scifact.documents.values()]
    return [words(text, "bm25s") for text in texts], [words(text, "bm25s") for text in scifact.queries.values()]


def prepare(candidate: str, case: Case) -> dict[str, Timed]:
    """Return what this candidate does with a case; what it returns are the first query's best scores."""
    documents, queries = json.loads(Path(case["file"]).read_text(encoding="utf-8"))
    queries = queries[: case["queries"]]
    if case.get("change"):
        step = changing(candidate, documents, queries[0])
        return {candidate: Timed(step, once=True)}
    many = searcher(candidate, documents, "live" if case.get("live") else "eager")

    def one_by_one() -> Any:
        for query in queries[1:]:
            many([query])
        return many(queries[:1])

    return {candidate: Timed(one_by_one if case.get("one") else lambda: many(queries))}


def searcher(candidate: str, documents: list[list[str]], mode: str) -> Callable[[list[list[str]]], Any]:
    """Build an index; return what answers many queries, and gives the first one's scores."""
    if candidate == "tinyllm":
        index = ours(documents, mode)
        return lambda queries: index.search_many(queries, K)[0][1]
    if candidate == "bm25s":
        theirs = bm25s_index(documents)
        return lambda queries: theirs.retrieve(queries, k=K, show_progress=False).scores[0]
    if candidate == "rank_bm25":
        import numpy as np
        from rank_bm25 import BM25Okapi

        index = BM25Okapi(documents)

        def ask(queries: list[list[str]]) -> None:
            for query in queries:
                scores = index.get_scores(query)
                best = np.argpartition(-scores, K)[:K]
                best[np.argsort(-scores[best])]

        return ask
    raise LeftOut("unknown here")


def changing(candidate: str, documents: list[list[str]], query: list[str]) -> Callable[[], Any]:
    """Return a step in which the first document goes, comes again, and a query is answered."""
    if candidate == "tinyllm":
        index = ours(documents, "live")

        def step() -> None:
            index.remove(["0"])
            index.add(["0"], documents[:1])
            index.search(query, K)

        return step

    def anew() -> None:
        searcher(candidate, documents, "anew")([query])

    return anew


def ours(documents: list[list[str]], mode: str) -> Any:
    """Return our index of the documents."""
    from tinyllm.rag.lexical.bm25 import BM25

    index = BM25(mode=mode)
    index.add([str(n) for n in range(len(documents))], documents)
    return index


def bm25s_index(documents: list[list[str]]) -> Any:
    """Return theirs, with their Numba kernels."""
    import bm25s

    index = bm25s.BM25(method="lucene", k1=1.5, b=0.75, backend="numba")
    index.index(documents, show_progress=False)
    return index


def main() -> None:
    """Measure what was asked for."""
    args = arguments(__doc__ or "").parse_args()
    with tempfile.TemporaryDirectory() as name:
        benchmark = Benchmark(
            "retrieval_bm25", __doc__ or "", ("tinyllm", "bm25s", "rank_bm25"), "bm25s",
            lambda args: cases(args, Path(name)), roofline=False,
        )  # fmt: skip
        run(benchmark, args)


if __name__ == "__main__":
    main()
