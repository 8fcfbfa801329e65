"""Do rerankers help? Linear learning to rank, with MiniLM and without, and MaxSim, beside what they rerank.

    python benchmarks/retrieval_rerank.py cranfield
    python benchmarks/retrieval_rerank.py cranfield --vectors cranfield.npz --tokens cranfield_tokens.npz

Every query is scored by a model that never saw it: 5 folds over queries, and what is relevant to a held-out query is
purged from training. ``--vectors`` holds MiniLM's (docs, doc_ids, queries, query_ids), ``--tokens`` those of each token
of documents, then queries (data as float16, and lengths); ``--encode`` writes them, in portions of a minute, with the
model in --model: repeat it until it says "all". --binary takes every grade above 0 as 1, and --words bm25s the words of
that library: so were the older figures of Cranfield made. On SciFact the clean claims share nothing with the training
claims.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from report import machine

from tinyllm.rag import Chunk
from tinyllm.rag.evaluate import Collection, compare, cross_fit, leak_report, load
from tinyllm.rag.lexical.bm25 import BM25
from tinyllm.rag.rerank import Features, LinearLTR, MaxSim, minilm_tokens

METRIC = "ndcg@10"
PORTION, PATIENCE = 100, 60  # texts at a time, and seconds of one call
Scores = dict[str, float]


class Known:
    """An embedder that has calculated everything already."""

    id, max_tokens = "known", None

    def __init__(self, vectors: Mapping[str, np.ndarray]) -> None:
        self.vectors, self.dim = vectors, len(next(iter(vectors.values())))

    def embed(self, texts: Sequence[str], kind: str = "document") -> np.ndarray:
        """Look texts up."""
        return np.stack([self.vectors[text] for text in texts])

    def count(self, text: str) -> int:
        """Nobody counts."""
        return 0


def measure(args: argparse.Namespace) -> dict[str, Scores]:
    """Return step -> query -> nDCG@10."""
    collection = read(args)
    chunks = chunks_of(collection)
    found: dict[str, Scores] = {}

    def judge(step: str, run: Mapping[str, Mapping[str, float]], since: float) -> None:
        found[step] = collection.evaluate(run, [METRIC])[METRIC]
        print(f"{step:<22} {mean(found[step]):.4f}   {time.perf_counter() - since:5.1f} s", flush=True)

    vectors = np.load(args.vectors) if args.vectors else None
    embedder = None
    if vectors is not None:
        rows = dict(zip(vectors["query_ids"].tolist(), vectors["queries"], strict=True))
        if vectors["doc_ids"].tolist() != list(collection.documents):
            raise SystemExit(f"{args.vectors}: other documents than {collection.name} has")
        embedder = Known({text: rows[query] for query, text in collection.queries.items()})
    for with_it in (None, embedder) if embedder is not None else (None,):
        start = time.perf_counter()
        features = Features(with_it, words=args.words)
        features.add(chunks, None if with_it is None else vectors["docs"])
        pools = {query: features.candidates(text) for query, text in collection.queries.items()}
        for step in ("bm25", "lsa200") if with_it is None else ("dense",):
            column = features.names.index(step)
            judge(
                step,
                {q: by_doc(pools[q], features.of(t, pools[q])[:, column]) for q, t in collection.queries.items()},
                start,
            )

        suffix = "" if with_it is None else " + minilm"
        for purged in (False, True):
            start = time.perf_counter()
            run = cross_fit(collection, trained(features), purged=purged)
            judge(f"ltr{suffix}{'' if purged else ', not purged'}", run, start)
    if embedder is not None:
        start = time.perf_counter()
        dense = {
            query: by_doc(chunks, vectors["docs"] @ embedder.vectors[text])
            for query, text in collection.queries.items()
        }
        judge("minilm", dense, start)
        bm25 = BM25(words=args.words)
        bm25.add([chunk.doc_id for chunk in chunks], [chunk.full for chunk in chunks])
        first = {q: dict(zip(*bm25.search(text, 100), strict=True)) for q, text in collection.queries.items()}
        judge("rrf bm25 + minilm", {query: rrf(first[query], dense[query]) for query in first}, start)
        if args.tokens:
            start = time.perf_counter()
            reranker, top = maxsim(args, collection, chunks), {}
            named = {chunk.doc_id: chunk for chunk in chunks}
            for query, text in collection.queries.items():
                best = [named[name] for name in first[query]][:50]
                top[query] = by_doc(best, reranker.score(text, best))
            judge("maxsim over bm25's 50", top, start)
    return found


def trained(features: Features) -> Callable[[Collection], Callable[[str], dict[str, float]]]:
    """Return what trains a ranker over these features on a collection."""

    def fit(train: Collection) -> Callable[[str], dict[str, float]]:
        ltr = LinearLTR(features).fit(train.queries, train.qrels, train.documents)
        return lambda query: {hit.chunk.doc_id: hit.score for hit in ltr.search(query, 100)}

    return fit


def rrf(*lists: Mapping[str, float]) -> dict[str, float]:
    """Fuse the best 100 of each list by 1 / (60 + rank)."""
    fused: dict[str, float] = {}
    for scores in lists:
        for rank, name in enumerate(sorted(scores, key=scores.__getitem__, reverse=True)[:100], start=1):
            fused[name] = fused.get(name, 0) + 1 / (60 + rank)
    return fused


def maxsim(args: argparse.Namespace, collection: Collection, chunks: list[Chunk]) -> MaxSim:
    """Return a MaxSim that knows all tokens."""
    with np.load(args.tokens) as file:
        ends = np.cumsum(file["lengths"])
        data = file["data"]
    rows = np.split(data, ends[:-1])
    texts = dict(zip(collection.queries.values(), rows[len(chunks) :], strict=True))
    reranker = MaxSim(lambda asked: [texts[text] for text in asked])
    reranker.add(chunks, rows[: len(chunks)])
    return reranker


def encode(args: argparse.Namespace) -> None:
    """Write the vectors of tokens, as far as a minute allows."""
    from tinyllm.models import MiniLM

    collection = read(args)
    texts = [chunk.full for chunk in chunks_of(collection)] + list(collection.queries.values())
    path = Path(args.tokens)
    kept = (
        dict(np.load(path)) if path.exists() else {"data": np.zeros((0, 384), np.float16), "lengths": np.zeros(0, int)}
    )
    tokens, start = minilm_tokens(MiniLM(args.model)), time.perf_counter()
    rows: list[np.ndarray] = []
    done = len(kept["lengths"])
    while done + len(rows) < len(texts) and time.perf_counter() - start < PATIENCE:
        portion = texts[done + len(rows) : done + len(rows) + PORTION]
        rows += [each.astype(np.float16) for each in tokens(portion)]
    lengths = np.array([*kept["lengths"], *map(len, rows)])
    np.savez(path, data=np.concatenate([kept["data"], *rows]), lengths=lengths)
    print("all" if len(lengths) == len(texts) else f"{len(lengths)} of {len(texts)}")


def read(args: argparse.Namespace) -> Collection:
    """Read the collection, its grades as they are or binary."""
    collection = load(args.collection, folder_of(args))
    if args.binary:
        grades = {q: {name: int(g > 0) for name, g in judged.items()} for q, judged in collection.qrels.items()}
        collection = replace(collection, name=f"{collection.name}, binary", qrels=grades)
    return collection


def folder_of(args: argparse.Namespace) -> Path:
    """Return the first folder of --data that has the collection."""
    folders = [Path(part) / "collections" / args.collection for part in args.data.split(os.pathsep)]
    return next((folder for folder in folders if folder.is_dir()), folders[0])


def chunks_of(collection: Collection) -> list[Chunk]:
    """Return one chunk of each document, with its title as header."""
    return [Chunk.cut(d, 0, len(d.text), header=d.title) for d in collection.documents.values()]


def by_doc(chunks: Sequence[Chunk], scores: np.ndarray) -> dict[str, float]:
    """Join documents and scores."""
    return dict(zip([chunk.doc_id for chunk in chunks], scores.tolist(), strict=True))


def mean(scores: Scores) -> float:
    """Return the mean."""
    return math.fsum(scores.values()) / len(scores)


def main() -> None:
    """Measure, and say whether each step is better than the one before."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("collection", choices=["cranfield", "cisi", "scifact"])
    parser.add_argument("--data", default=os.environ.get("TINYLLM_DATA", ""))
    parser.add_argument("--vectors")
    parser.add_argument("--tokens")
    parser.add_argument("--encode", action="store_true")
    parser.add_argument("--model", help="the folder of MiniLM")
    parser.add_argument("--words", default="default", choices=["default", "bm25s"])
    parser.add_argument("--binary", action="store_true")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    if args.encode:
        encode(args)
        return
    found = measure(args)
    for steps in (
        ("bm25", "lsa200", "ltr", "ltr + minilm"),
        ("bm25", "ltr"),
        ("minilm", "ltr + minilm"),
        ("rrf bm25 + minilm", "ltr + minilm"),
        ("bm25", "maxsim over bm25's 50"),
        ("rrf bm25 + minilm", "maxsim over bm25's 50"),
    ):
        known = {step: found[step] for step in steps if step in found}
        if len(known) > 1 and steps[-1] in known:
            print(f"\n{compare(known, f'{args.collection}, {METRIC}')}")
    if args.collection == "scifact":
        train = load("scifact", folder_of(args), split="train")
        clean = leak_report(train, read(args)).clean
        print(f"\n{len(clean)} clean claims")
        for step, scores in found.items():
            print(f"{step:<22} {mean({query: scores[query] for query in clean}):.4f}")
    if args.json:
        args.json.write_text(json.dumps({"machine": machine(), "scores": found}), encoding="utf-8")


if __name__ == "__main__":
    main()
