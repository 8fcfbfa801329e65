"""Where chunks and their vectors are kept and searched: in memory, in one SQLite file, in a database server.

    from tinyllm.rag.store import SqliteStore

All stores have the same methods and pass the same tests (base.py says what they promise), so a move to another one is
one line, and ``copy`` takes along what is there.
"""

from __future__ import annotations

from .base import Store, VectorStore, copy
from .memory import MemoryStore
from .sqlite import SqliteStore

__all__ = ["MemoryStore", "SqliteStore", "Store", "VectorStore", "copy"]
