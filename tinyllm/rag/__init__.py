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
    from .calibrate import Sigmoid
    from .chunk import FixedTokens, Headings, Semantic, SentencePack, Whole, contextual_header
    from .diversify import MMR, distinct_documents, intra_list_similarity
    from .evaluate import (
        Collection,
        Rung,
        compare,
        each_step_improves_metrics,
        grouped_split,
        ladder,
        leak_report,
        ndcg,
    )
    from .fuse import RRF, Convex, Hybrid, hybrid
    from .index import HNSW, IVF, Flat
    from .lexical.bm25 import BM25
    from .lexical.naive import Naive
    from .lexical.tfidf import TfIdf
    from .lexical.words import stem, words
    from .pipeline import Pipeline
    from .presets import classic, measured
    from .retrieve import Dense, Lexical
    from .types import Answer, Chunk, Chunker, Citation, Document, Embedder, Hit, Index, Reranker, Retriever, checked_id

_HOMES = {
    "BM25": "lexical.bm25",
    "HNSW": "index",
    "IVF": "index",
    "MMR": "diversify",
    "RRF": "fuse",
    "Answer": "types",
    "Chunk": "types",
    "Chunker": "types",
    "Citation": "types",
    "Collection": "evaluate",
    "Convex": "fuse",
    "Dense": "retrieve",
    "Document": "types",
    "Embedder": "types",
    "FixedTokens": "chunk",
    "Flat": "index",
    "Headings": "chunk",
    "Hit": "types",
    "Hybrid": "fuse",
    "Index": "types",
    "Lexical": "retrieve",
    "Naive": "lexical.naive",
    "Pipeline": "pipeline",
    "Reranker": "types",
    "Retriever": "types",
    "Rules": "answer",
    "Rung": "evaluate",
    "Semantic": "chunk",
    "SentencePack": "chunk",
    "Sigmoid": "calibrate",
    "TfIdf": "lexical.tfidf",
    "Whole": "chunk",
    "checked_id": "types",
    "classic": "presets",
    "compare": "evaluate",
    "contextual_header": "chunk",
    "distinct_documents": "diversify",
    "each_step_improves_metrics": "evaluate",
    "grouped_split": "evaluate",
    "hybrid": "fuse",
    "intra_list_similarity": "diversify",
    "ladder": "evaluate",
    "leak_report": "evaluate",
    "measured": "presets",
    "ndcg": "evaluate",
    "pack": "answer",
    "stem": "lexical.words",
    "verify": "answer",
    "words": "lexical.words",
}

__all__ = [
    "BM25",
    "HNSW",
    "IVF",
    "MMR",
    "RRF",
    "Answer",
    "Chunk",
    "Chunker",
    "Citation",
    "Collection",
    "Convex",
    "Dense",
    "Document",
    "Embedder",
    "FixedTokens",
    "Flat",
    "Headings",
    "Hit",
    "Hybrid",
    "Index",
    "Lexical",
    "Naive",
    "Pipeline",
    "Reranker",
    "Retriever",
    "Rules",
    "Rung",
    "Semantic",
    "SentencePack",
    "Sigmoid",
    "TfIdf",
    "Whole",
    "checked_id",
    "classic",
    "compare",
    "contextual_header",
    "distinct_documents",
    "each_step_improves_metrics",
    "grouped_split",
    "hybrid",
    "intra_list_similarity",
    "ladder",
    "leak_report",
    "measured",
    "ndcg",
    "pack",
    "stem",
    "verify",
    "words",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'tinyllm.rag' has no attribute {name!r}")
    value = getattr(import_module(f".{_HOMES[name]}", __name__), name)
    globals()[name] = value
    return value
