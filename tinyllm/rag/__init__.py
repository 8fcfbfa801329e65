"""Retrieval: from a folder of text to the passages that answer a question, with every stage measured.

    from tinyllm import rag

    note = rag.Document("note", "Ducks swim. Cats do not.", title="Animals")
    chunks = rag.SentencePack(max_tokens=100).split(note)

Importing this package loads NumPy and the standard library only; what needs more is loaded when it is used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .chunk import FixedTokens, Headings, Semantic, SentencePack, contextual_header
    from .evaluate import Collection, compare, cross_fit, each_step_improves_metrics, grouped_split, leak_report, ndcg
    from .index import HNSW, IVF, Flat
    from .lexical.bm25 import BM25
    from .lexical.naive import Naive
    from .lexical.tfidf import TfIdf
    from .lexical.words import stem, words
    from .rerank import CrossEncoder, InstalledCrossEncoder, LinearLTR, MaxSim
    from .types import (
        Answer,
        Chunk,
        Chunker,
        Citation,
        Document,
        Embedder,
        Hit,
        Index,
        Reranker,
        Retriever,
        checked_id,
    )

_HOMES = {
    "HNSW": "index",
    "IVF": "index",
    "Flat": "index",
    "Answer": "types",
    "BM25": "lexical.bm25",
    "Chunk": "types",
    "Chunker": "types",
    "Citation": "types",
    "Collection": "evaluate",
    "CrossEncoder": "rerank",
    "Document": "types",
    "Embedder": "types",
    "FixedTokens": "chunk",
    "Headings": "chunk",
    "Hit": "types",
    "Index": "types",
    "InstalledCrossEncoder": "rerank",
    "LinearLTR": "rerank",
    "MaxSim": "rerank",
    "Naive": "lexical.naive",
    "Reranker": "types",
    "Retriever": "types",
    "Semantic": "chunk",
    "SentencePack": "chunk",
    "TfIdf": "lexical.tfidf",
    "checked_id": "types",
    "compare": "evaluate",
    "contextual_header": "chunk",
    "cross_fit": "evaluate",
    "each_step_improves_metrics": "evaluate",
    "grouped_split": "evaluate",
    "leak_report": "evaluate",
    "ndcg": "evaluate",
    "stem": "lexical.words",
    "words": "lexical.words",
}

__all__ = [
    "BM25",
    "HNSW",
    "IVF",
    "Answer",
    "Chunk",
    "Chunker",
    "Citation",
    "Collection",
    "CrossEncoder",
    "Document",
    "Embedder",
    "FixedTokens",
    "Flat",
    "Headings",
    "Hit",
    "Index",
    "InstalledCrossEncoder",
    "LinearLTR",
    "MaxSim",
    "Naive",
    "Reranker",
    "Retriever",
    "Semantic",
    "SentencePack",
    "TfIdf",
    "checked_id",
    "compare",
    "contextual_header",
    "cross_fit",
    "each_step_improves_metrics",
    "grouped_split",
    "leak_report",
    "ndcg",
    "stem",
    "words",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'tinyllm.rag' has no attribute {name!r}")
    value = getattr(import_module(f".{_HOMES[name]}", __name__), name)
    globals()[name] = value
    return value
