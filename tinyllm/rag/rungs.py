"""The rungs of the usual ladder, by name, for whole documents: what each adds to the one before, and nothing else.

    report = ladder(cranfield, named_rungs(["substring", "bm25", "lsa", "ltr"]), split="all", folds=5)

    substring   how often the query's words occur, anywhere in a text
    tfidf       rare words weigh more, long texts less
    bm25        and a word repeated counts less each time
    lsa         vectors of words that occur together, made of these very documents
    bag         vectors of stems that were trained on titles: each of them is to find its own text
    minilm      vectors by a published model; any other embedder under its own name
    rrf         BM25 and the vectors, fused by their ranks
    convex      the same, fused by their scores; the share is learned
    ltr         a weight for each of ten features, learned
    sentences   the same with one feature more: an embedder's best cosine of any sentence, or of the title
    mmr         what convex found, diversified: not better by relevance, and not meant to be

"rrf", "convex" and "mmr" take LSA's vectors unless an embedder is given; "ltr" has LSA in it, and takes an embedder's
cosine as one more feature. "rrf-lsa", "rrf-minilm" and so on say which.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ..errors import ConfigError, DataError, nearest
from .chunk import Whole
from .diversify import MMR
from .embed.bag import BagEncoder
from .embed.lsa import LSA
from .embed.pairs import Pairs
from .evaluate.collections import Collection
from .evaluate.steps import Rung
from .fuse import DEPTH, RRF, Convex
from .lexical.bm25 import BM25
from .lexical.naive import Naive
from .lexical.tfidf import TfIdf
from .pipeline import Pipeline
from .rerank.features import Features
from .rerank.linear import LinearLTR
from .retrieve import Dense, Lexical
from .types import Document, Embedder, Retriever

Documents = Mapping[str, Document]
LEXICAL: dict[str, Callable[[], Any]] = {"substring": Naive, "tfidf": TfIdf, "bm25": BM25}
BOTH = ("rrf", "convex", "mmr", "ltr")
LEARNS = ("convex", "mmr", "ltr", "sentences")
NEEDY = ("minilm", "sentences")  # nothing without an embedder
NAMES = (*LEXICAL, "lsa", "bag", "minilm", *BOTH, "sentences")


def named_rungs(names: Iterable[str], embedder: Embedder | None = None, dim: int = 200) -> list[Rung]:
    """Return rungs for ``ladder``.

    Args:
        names: of the table above, from the bottom to the top; "rrf-lsa" is "rrf" without the embedder.
        embedder: "minilm" and "sentences", and the vectors of "rrf", "convex", "mmr" and "ltr" that are not LSA's.
        dim: of LSA.

    Raises:
        ConfigError: there is no such rung, or it needs an embedder and there is none.

    Example:
        >>> from tinyllm.rag.evaluate import ladder, load
        >>> report = ladder(load("toy"), named_rungs(["substring", "bm25"]), split="all", samples=100)
        >>> [step.name for step in report.steps]
        ['substring', 'bm25']
    """
    corpus = _Corpus(embedder, dim)
    made = []
    for name in names:
        kind, _, which = name.partition("-")
        if kind not in NAMES or which not in ("", "lsa", "minilm") or (which and kind not in BOTH):
            raise ConfigError(f"rungs: there is no rung {name!r}", hint=nearest(name, NAMES) or ", ".join(NAMES))
        dense = which != "lsa" and (embedder is not None or which == "minilm" or kind in NEEDY)
        if dense and embedder is None:
            raise ConfigError(f"rungs: {name} needs an embedder", hint="named_rungs(names, MiniLMEmbedder())")
        made.append(Rung(name, corpus.builder(kind, dense), learns=kind in LEARNS))
    return made


class _Corpus:
    """Indexes of the documents that were asked for last: rungs share them, and so do the folds of one rung."""

    def __init__(self, embedder: Embedder | None, dim: int) -> None:
        self.embedder, self.dim = embedder, dim
        self._documents: Documents = {}
        self._held: dict[str, Any] = {}

    def builder(self, kind: str, dense: bool) -> Callable[[Documents, Collection | None], Retriever]:
        """Return what builds one rung."""

        def build(documents: Documents, train: Collection | None) -> Retriever:
            if documents is not self._documents:
                self._documents, self._held = documents, {}
            if kind in LEXICAL:
                return self._lexical(kind)
            if kind in ("lsa", "bag", "minilm"):
                return self._dense(kind)
            if kind in ("ltr", "sentences"):
                return self._linear(kind, dense, train)
            return self._fused(kind, "minilm" if dense else "lsa", train)

        return build

    def _once(self, name: str, make: Callable[[], Any]) -> Any:
        if name not in self._held:
            self._held[name] = make()
        return self._held[name]

    def _chunks(self) -> Any:
        return self._once("chunks", lambda: [c for d in self._documents.values() for c in Whole().split(d)])

    def _lexical(self, kind: str) -> Any:
        return self._once(kind, lambda: _filled(Lexical(LEXICAL[kind](), kind), self._chunks()))

    def _dense(self, kind: str) -> Any:
        def make() -> Any:
            if self.embedder is not None and kind == "minilm":
                return _filled(Dense(self.embedder, name=kind), self._chunks())
            if kind == "bag":
                made: Embedder = BagEncoder().fit(Pairs.titles(self._documents.values()))
            else:
                made = LSA(self.dim).fit([chunk.full for chunk in self._chunks()])
            return _filled(Dense(made, name=kind), self._chunks())

        return self._once(kind, make)

    def _fused(self, kind: str, vectors: str, train: Collection | None) -> Retriever:
        words, meaning = self._lexical("bm25"), self._dense(vectors)
        if kind == "rrf":
            return Pipeline(Whole(), [words, meaning], fuse=RRF(), name=kind)
        learned = _taught(kind, train)
        lists = {
            query: [retriever.search(text, DEPTH) for retriever in (words, meaning)]
            for query, text in learned.queries.items()
        }
        fuse = Convex.fit(lists, learned.qrels)
        return Pipeline(Whole(), [words, meaning], fuse=fuse, diversify=MMR() if kind == "mmr" else None, name=kind)

    def _linear(self, kind: str, dense: bool, train: Collection | None) -> Retriever:
        def make() -> Features:
            chunks = self._chunks()
            features = Features(self.embedder if dense else None, sentences=kind == "sentences")
            features.add(chunks, self._dense("minilm").vectors([c.id for c in chunks]) if dense else None)
            return features

        learned = _taught(kind, train)
        features = self._once(f"features of {kind}, {dense}", make)
        return LinearLTR(features).fit(learned.queries, learned.qrels, learned.documents)


def _filled(retriever: Any, chunks: Any) -> Any:
    retriever.add(chunks)
    return retriever


def _taught(name: str, train: Collection | None) -> Collection:
    if train is None:
        raise DataError(f"{name} learns, and there is nothing to learn from", hint='ladder(..., split="dev")')
    return train
