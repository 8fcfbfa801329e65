"""Retrieval: from a folder of text to the passages that answer a question, with every stage measured.

    from tinyllm import rag

    note = rag.Document("note", "Ducks swim. Cats do not.", title="Animals")
    chunks = rag.SentencePack(max_tokens=100).split(note)

Answers are in ``tinyllm.rag.answer``: a room of its own, with a function of the same name.

Importing this package loads NumPy and the standard library only; what needs more is loaded when it is used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .answer import Rules, pack, verify
    from .cache import Cache, Cached
    from .calibrate import Sigmoid
    from .chunk import FixedTokens, Headings, Semantic, SentencePack, Whole, contextual_header
    from .diversify import MMR, distinct_documents, intra_list_similarity
    from .embed import (
        LSA,
        BagEncoder,
        MiniLMEmbedder,
        Pairs,
        Remote,
        TransformerEncoder,
        embedder,
        find_minilm,
        train_encoder,
    )
    from .evaluate import (
        Collection,
        Rung,
        compare,
        cross_fit,
        each_step_improves_metrics,
        grouped_split,
        ladder,
        leak_report,
        ndcg,
    )
    from .fuse import RRF, Convex, Hybrid, hybrid
    from .index import HNSW, IVF, Flat
    from .ingest import Changes
    from .lexical.bm25 import BM25
    from .lexical.naive import Naive
    from .lexical.tfidf import TfIdf
    from .lexical.words import stem, words
    from .library import Library
    from .pipeline import Pipeline
    from .presets import classic, measured
    from .rerank import CrossEncoder, InstalledCrossEncoder, LinearLTR, MaxSim
    from .retrieve import Dense, Lexical
    from .rungs import named_rungs
    from .store import FaissStore, HnswlibStore, MemoryStore, PgVectorStore, SqliteStore, VectorStore, advise
    from .types import Answer, Chunk, Chunker, Citation, Document, Embedder, Hit, Index, Reranker, Retriever, checked_id

_HOMES = {
    "Answer": "types",
    "BM25": "lexical.bm25",
    "BagEncoder": "embed",
    "Cache": "cache",
    "Cached": "cache",
    "Changes": "ingest",
    "Chunk": "types",
    "Chunker": "types",
    "Citation": "types",
    "Collection": "evaluate",
    "Convex": "fuse",
    "CrossEncoder": "rerank",
    "Dense": "retrieve",
    "Document": "types",
    "Embedder": "types",
    "FaissStore": "store",
    "FixedTokens": "chunk",
    "Flat": "index",
    "HNSW": "index",
    "Headings": "chunk",
    "Hit": "types",
    "HnswlibStore": "store",
    "Hybrid": "fuse",
    "IVF": "index",
    "Index": "types",
    "InstalledCrossEncoder": "rerank",
    "LSA": "embed",
    "Lexical": "retrieve",
    "Library": "library",
    "LinearLTR": "rerank",
    "MMR": "diversify",
    "MaxSim": "rerank",
    "MemoryStore": "store",
    "MiniLMEmbedder": "embed",
    "Naive": "lexical.naive",
    "Pairs": "embed",
    "PgVectorStore": "store",
    "Pipeline": "pipeline",
    "RRF": "fuse",
    "Remote": "embed",
    "Reranker": "types",
    "Retriever": "types",
    "Rules": "answer",
    "Rung": "evaluate",
    "Semantic": "chunk",
    "SentencePack": "chunk",
    "Sigmoid": "calibrate",
    "SqliteStore": "store",
    "TfIdf": "lexical.tfidf",
    "TransformerEncoder": "embed",
    "VectorStore": "store",
    "Whole": "chunk",
    "advise": "store",
    "checked_id": "types",
    "classic": "presets",
    "compare": "evaluate",
    "contextual_header": "chunk",
    "cross_fit": "evaluate",
    "distinct_documents": "diversify",
    "each_step_improves_metrics": "evaluate",
    "embedder": "embed",
    "find_minilm": "embed",
    "grouped_split": "evaluate",
    "hybrid": "fuse",
    "intra_list_similarity": "diversify",
    "ladder": "evaluate",
    "leak_report": "evaluate",
    "measured": "presets",
    "named_rungs": "rungs",
    "ndcg": "evaluate",
    "pack": "answer",
    "stem": "lexical.words",
    "train_encoder": "embed",
    "verify": "answer",
    "words": "lexical.words",
}

__all__ = [
    "BM25",
    "HNSW",
    "IVF",
    "LSA",
    "MMR",
    "RRF",
    "Answer",
    "BagEncoder",
    "Cache",
    "Cached",
    "Changes",
    "Chunk",
    "Chunker",
    "Citation",
    "Collection",
    "Convex",
    "CrossEncoder",
    "Dense",
    "Document",
    "Embedder",
    "FaissStore",
    "FixedTokens",
    "Flat",
    "Headings",
    "Hit",
    "HnswlibStore",
    "Hybrid",
    "Index",
    "InstalledCrossEncoder",
    "Lexical",
    "Library",
    "LinearLTR",
    "MaxSim",
    "MemoryStore",
    "MiniLMEmbedder",
    "Naive",
    "Pairs",
    "PgVectorStore",
    "Pipeline",
    "Remote",
    "Reranker",
    "Retriever",
    "Rules",
    "Rung",
    "Semantic",
    "SentencePack",
    "Sigmoid",
    "SqliteStore",
    "TfIdf",
    "TransformerEncoder",
    "VectorStore",
    "Whole",
    "advise",
    "checked_id",
    "classic",
    "compare",
    "contextual_header",
    "cross_fit",
    "distinct_documents",
    "each_step_improves_metrics",
    "embedder",
    "find_minilm",
    "grouped_split",
    "hybrid",
    "intra_list_similarity",
    "ladder",
    "leak_report",
    "measured",
    "named_rungs",
    "ndcg",
    "pack",
    "stem",
    "train_encoder",
    "verify",
    "words",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'tinyllm.rag' has no attribute {name!r}")
    value = getattr(import_module(f".{_HOMES[name]}", __name__), name)
    globals()[name] = value
    return value
