"""What an encoder learns from titles or from judgments alone, when it should stop, and how much of it leaks.

    python benchmarks/retrieval_trained.py cranfield      titles -> texts: a bag from random vectors and from LSA
    python benchmarks/retrieval_trained.py scifact        the same, on 5,181 titles
    python benchmarks/retrieval_trained.py leak           claims -> abstracts: all test claims, and the clean ones
    python benchmarks/retrieval_trained.py transformer    titles -> texts on Cranfield, a small transformer

Collections are read from TINYLLM_DATA. nDCG@10 throughout. Training on titles uses no judgment; judgments only say when
to stop. On Cranfield that is done in five folds of queries: the epoch that is best on four of them is measured on the
fifth ("stopped"). On SciFact dev is the train split, or a fifth of it when the train split is what is learned.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from report import machine

from tinyllm.rag.embed import LSA, BagEncoder, Pairs, TransformerEncoder, train_encoder
from tinyllm.rag.evaluate import leak_report
from tinyllm.rag.evaluate.collections import Collection, load
from tinyllm.rag.evaluate.splits import grouped_split, groups
from tinyllm.rag.types import with_header

FOLDS = 5


def collection(name: str, **choices: str) -> Collection:
    """Read a collection from the first folder of TINYLLM_DATA that has it."""
    for folder in os.environ.get("TINYLLM_DATA", "").split(os.pathsep):
        if folder and (Path(folder) / "collections" / name).is_dir():
            return load(name, Path(folder) / "collections" / name, **choices)
    raise SystemExit(f"TINYLLM_DATA has no collections/{name}")


def texts_of(some: Collection) -> list[str]:
    """Return what an encoder reads of each document."""
    return [with_header(document.title, document.text) for document in some.documents.values()]


class Watch:
    """Dev and witness: nDCG@10 of every query after every epoch; what training sees of it is the mean of ``dev``."""

    def __init__(self, some: Collection, dev: Sequence[str] | None = None) -> None:
        self.some, self.texts = some, texts_of(some)
        names = list(some.queries)
        self.dev = [names.index(query) for query in (names if dev is None else dev)]
        self.epochs: list[np.ndarray] = []
        self.prepared: tuple[object, object] | None = None

    def __call__(self, encoder: BagEncoder | TransformerEncoder) -> float:
        """Measure every query, and return the mean over dev."""
        if self.prepared is None:
            self.prepared = encoder.numbers(list(self.some.queries.values())), encoder.numbers(self.texts)
        values = per_query(self.some, *(encoder.encode(numbers) for numbers in self.prepared))
        self.epochs.append(values)
        return float(values[self.dev].mean())


def per_query(some: Collection, q: np.ndarray, d: np.ndarray) -> np.ndarray:
    """Return nDCG@10 of each query."""
    names = np.array(list(some.documents))
    run = {}
    for query, vector in zip(some.queries, q, strict=True):
        scores = d @ vector
        best = np.argpartition(-scores, 100)[:100]
        run[query] = list(zip(names[best].tolist(), scores[best].tolist(), strict=True))
    values = some.evaluate(run, ["ndcg@10"])["ndcg@10"]
    return np.array([values[query] for query in some.queries])


def folds(some: Collection) -> list[list[int]]:
    """Part the queries into five, near duplicates together; the same ones every time."""
    places = {query: n for n, query in enumerate(some.queries)}
    found: list[list[int]] = [[] for _ in range(FOLDS)]
    alike = groups(some, by="queries")
    for group in sorted((alike[n] for n in np.random.default_rng(0).permutation(len(alike))), key=len, reverse=True):
        min(found, key=len).extend(places[query] for query in group)
    return found


def stopped(epochs: np.ndarray, parts: list[list[int]], patience: int) -> tuple[float, list[int]]:
    """Return the mean over held-out folds of the epoch that stopping on the other folds keeps, and these epochs."""
    values, kept = np.zeros(epochs.shape[1]), []
    for part in parts:
        others = np.setdiff1d(np.arange(epochs.shape[1]), part)
        means, best = epochs[:, others].mean(axis=1), 0
        for epoch in range(1, len(means)):
            if epoch - best > patience:
                break
            best = epoch if means[epoch] > means[best] else best
        kept.append(best)
        values[part] = epochs[best, part]
    return float(values.mean()), kept


def watched(
    name: str, encoder: BagEncoder | TransformerEncoder, pairs: Pairs, watch: Watch, **settings: object
) -> dict:
    """Train to the end and return the curve."""
    watch.epochs, watch.prepared = [], None
    start = time.perf_counter()
    train_encoder(encoder, pairs, watch, patience=None, **settings)
    took = time.perf_counter() - start
    curve = [float(values.mean()) for values in watch.epochs]
    epochs = len(curve) - 1
    row = {"case": name, "curve": curve, "seconds": took, "settings": {k: str(v) for k, v in settings.items()}}
    print(f"{name}: start {curve[0]:.3f}, best {max(curve):.3f} (epoch {int(np.argmax(curve))}), last {curve[-1]:.3f}")
    print(f"    {epochs} epochs in {took:.1f} s; " + " ".join(f"{value:.3f}" for value in curve[: 1 + min(epochs, 15)]))
    return row


def cranfield(args: argparse.Namespace) -> list[dict]:
    """Titles on Cranfield, random and from LSA, plain and with hard negatives; stopped in folds."""
    some = collection("cranfield")
    pairs, watch, parts = Pairs.titles(some.documents.values()), Watch(some), folds(some)
    lsa = LSA(args.dim).fit(texts_of(some))
    cases: dict[str, tuple[Callable[[], BagEncoder], dict]] = {
        "bag, random": (lambda: BagEncoder(args.dim), {}),
        "bag, random, 3 hard (bm25)": (lambda: BagEncoder(args.dim), {"hard": 3}),
        "bag, random, 3 hard (own)": (lambda: BagEncoder(args.dim), {"hard": 3, "negatives": "own"}),
        "bag, from LSA": (lambda: BagEncoder.from_lsa(lsa), {}),
        "bag, from LSA, 3 hard (bm25)": (lambda: BagEncoder.from_lsa(lsa), {"hard": 3}),
        "bag, from LSA, lr .01": (lambda: BagEncoder.from_lsa(lsa), {"lr": 0.01}),
    }
    rows = []
    for name, (make, settings) in cases.items():
        if args.only and args.only not in name:
            continue
        rows.append(watched(name, make(), pairs, watch, epochs=args.epochs, **settings))
        rows[-1]["stopped"], rows[-1]["kept"] = stopped(np.array(watch.epochs), parts, patience=3)
        print(f"    stopped on the other folds: {rows[-1]['stopped']:.3f} (epochs {rows[-1]['kept']})")
    return rows


def transformer(args: argparse.Namespace) -> list[dict]:
    """The same for the transformer."""
    some = collection("cranfield")
    pairs, watch, parts = Pairs.titles(some.documents.values()), Watch(some), folds(some)
    row = watched("transformer", TransformerEncoder(), pairs, watch, epochs=args.epochs)
    row["stopped"], row["kept"] = stopped(np.array(watch.epochs), parts, patience=3)
    print(f"    stopped on the other folds: {row['stopped']:.3f} (epochs {row['kept']})")
    return [row]


def scifact(args: argparse.Namespace) -> list[dict]:
    """Titles on SciFact; the train claims say when to stop, the test claims are looked at once."""
    dev, test = collection("scifact", split="train"), collection("scifact", split="test")
    pairs = Pairs.titles(test.documents.values())
    encoder = BagEncoder(args.dim)
    encoder.meet((*pairs.queries, *pairs.documents))
    before = scored(encoder, test).mean()
    start = time.perf_counter()
    history = train_encoder(encoder, pairs, dev, epochs=args.epochs)
    took, after = time.perf_counter() - start, scored(encoder, test).mean()
    print(f"bag, random: dev {history}; test {before:.3f} -> {after:.3f}; {took:.1f} s")
    print("    dev " + " ".join(f"{score:.3f}" for score in history.scores))
    return [{"case": "bag, random", "before": before, "after": after, "dev": history.scores, "seconds": took}]


def leak(args: argparse.Namespace) -> list[dict]:
    """Claims and their abstracts from SciFact's train split, after titles; dev is a fifth that shares no abstract."""
    train, test = collection("scifact", split="train"), collection("scifact", split="test")
    parts = grouped_split(train, {"train": 0.8, "dev": 0.2})
    titles = Pairs.titles(train.documents.values())
    encoder = BagEncoder(args.dim)
    encoder.meet((*titles.queries, *titles.documents, *train.queries.values()))
    random = encoder.weights()["table"].copy()
    print("titles:", train_encoder(encoder, titles, parts["dev"], epochs=15))
    begins = {"random": random, "titles": encoder.weights()["table"].copy()}
    rows = []
    for begin, name, learned, dev, settings in (
        ("titles", "no claims", None, None, {}),
        ("titles", "claims, lr .001, stopped on dev", parts["train"], parts["dev"], {"epochs": 8, "lr": 0.001}),
        ("titles", "claims, lr .001, 8 epochs of all", train, None, {"epochs": 8, "lr": 0.001}),
        ("titles", "claims, lr .01, 8 epochs of all", train, None, {"epochs": 8}),
        ("random", "claims, lr .001, stopped on dev", parts["train"], parts["dev"], {"epochs": 8, "lr": 0.001}),
        ("random", "claims, lr .01, 8 epochs of all", train, None, {"epochs": 8}),
    ):
        encoder.restore({"table": begins[begin]})
        if learned is not None:
            train_encoder(encoder, Pairs.judged(learned), dev or _Later(), **settings)
        said = leak_report(train, test, dict(zip(test.queries, scored(encoder, test).tolist(), strict=True)))
        print(f"from {begin}, {name}: test {said.mean:.3f}, clean {said.clean_mean:.3f}")
        rows.append({"case": f"from {begin}, {name}", "all": said.mean, "clean": said.clean_mean})
    print(said)
    return rows


class _Later:
    """A dev that takes every epoch for better: what training does when nobody stops it."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, encoder: BagEncoder | TransformerEncoder) -> float:
        """Return how often it was asked."""
        self.calls += 1
        return self.calls


def scored(encoder: BagEncoder | TransformerEncoder, some: Collection) -> np.ndarray:
    """Return nDCG@10 of each query, all texts embedded anew."""
    return per_query(some, encoder.embed(list(some.queries.values()), "query"), encoder.embed(texts_of(some)))


def main() -> None:
    """Run one of the four and print, or write, what came out."""
    which = {"cranfield": cranfield, "scifact": scifact, "leak": leak, "transformer": transformer}
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=which)
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--dim", type=int, default=192)
    parser.add_argument("--only", default="", help="cases of cranfield whose name holds this")
    parser.add_argument("--json", type=Path, help="write the figures there")
    args = parser.parse_args()
    rows = which[args.what](args)
    if args.json:
        args.json.write_text(json.dumps({"machine": machine(), "rows": rows}, indent=1))


if __name__ == "__main__":
    main()
