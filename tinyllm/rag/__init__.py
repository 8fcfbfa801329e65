"""Retrieval: from a folder of text to the passages that answer a question, with every stage measured.

    from tinyllm import rag

    note = rag.Document("note", "Ducks swim. Cats do not.", title="Animals")

Importing this package loads NumPy and the standard library only; what needs more is loaded when it is used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .lexical.bm25 import BM25
    from .lexical.naive import Naive
    from .lexical.tfidf import TfIdf
    from .lexical.words import stem, words
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
    "Answer": "types",
    "BM25": "lexical.bm25",
    "Chunk": "types",
    "Chunker": "types",
    "Citation": "types",
    "Document": "types",
    "Embedder": "types",
    "Hit": "types",
    "Index": "types",
    "Naive": "lexical.naive",
    "Reranker": "types",
    "Retriever": "types",
    "TfIdf": "lexical.tfidf",
    "checked_id": "types",
    "stem": "lexical.words",
    "words": "lexical.words",
}

__all__ = [
    "BM25",
    "Answer",
    "Chunk",
    "Chunker",
    "Citation",
    "Document",
    "Embedder",
    "Hit",
    "Index",
    "Naive",
    "Reranker",
    "Retriever",
    "TfIdf",
    "checked_id",
    "stem",
    "words",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'tinyllm.rag' has no attribute {name!r}")
    value = getattr(import_module(f".{_HOMES[name]}", __name__), name)
    globals()[name] = value
    return value
