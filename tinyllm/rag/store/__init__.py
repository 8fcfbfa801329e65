"""Where chunks and their vectors are kept and searched: in memory, in one SQLite file, in a database server.

    from tinyllm.rag.store import SqliteStore

All stores have the same methods and pass the same tests (base.py says what they promise), so a move to another one is
one line, and ``copy`` takes along what is there.
"""

from __future__ import annotations

from .advise import Advice, advise
from .base import Store, VectorStore, copy
from .faiss import FaissStore
from .hnswlib import HnswlibStore
from .memory import MemoryStore
from .pgvector import PgVectorStore
from .sqlite import SqliteStore
from .sqlite_vec import SqliteVecStore
from .usearch import UsearchStore

__all__ = [
    "Advice",
    "FaissStore",
    "HnswlibStore",
    "MemoryStore",
    "PgVectorStore",
    "SqliteStore",
    "SqliteVecStore",
    "Store",
    "UsearchStore",
    "VectorStore",
    "advise",
    "copy",
]
