"""The SQLite file of a store: its tables, its transactions, and what is said when it cannot be used.

    store_state    what holds for all: schema, embedder, dim, and two counters: changes (one more with every transaction
                   that wrote) and removals (with every one that deleted)
    store_chunks   one row for each chunk; seq is the order of insertion and is never used twice, version the value of
                   changes when the row was written last, crc the checksum of the vector's bytes
    store_words    an FTS5 index of header and text, where SQLite was compiled with it

The tables can stand in a file beside others'. The file is in WAL mode: readers never wait, writers wait for each other.
After a kill -9 the file is as the last finished transaction left it; after a power cut the last ones may be missing
(synchronous = NORMAL), but none is there by half.
"""

from __future__ import annotations

import sqlite3
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from os import PathLike, fspath
from typing import Any

from ...errors import CheckpointError, ConfigError, TinyLLMError

SCHEMA = 1
PATIENCE = 60.0  # seconds that a writer waits for another one
TABLES = """
CREATE TABLE store_state (key TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE store_chunks (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, doc_id TEXT NOT NULL,
    text TEXT NOT NULL, header TEXT NOT NULL, "start" INTEGER NOT NULL, "end" INTEGER NOT NULL,
    ordinal INTEGER NOT NULL, n_tokens INTEGER NOT NULL, meta TEXT NOT NULL,
    vector BLOB NOT NULL, crc INTEGER NOT NULL, version INTEGER NOT NULL
);
CREATE INDEX store_by_document ON store_chunks (doc_id);
CREATE INDEX store_by_version ON store_chunks (version)
"""
WORDS = """
CREATE VIRTUAL TABLE store_words USING fts5(
    header, text, content='store_chunks', content_rowid='seq', tokenize='porter unicode61'
)
"""


class StoreFile:
    """A connection to such a file, for one thread at a time.

    Args:
        path: the file; it is made if it does not exist.
        embedder_id: of the vectors; None for those of an existing file.
        dim: their width; None for that of an existing file.

    Raises:
        CheckpointError: it is damaged, no SQLite file, or written by a later version of this library.
        ConfigError: it does not exist and embedder_id or dim is None.
    """

    def __init__(self, path: str | PathLike[str], embedder_id: str | None, dim: int | None) -> None:
        self.path = fspath(path)
        with self._errors():
            # transactions are begun and ended below, and nowhere else
            self.db = sqlite3.connect(self.path, timeout=PATIENCE, isolation_level=None, check_same_thread=False)
        try:
            with self._errors():
                if self.db.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
                    self.db.execute("PRAGMA journal_mode = WAL")
                self.db.execute("PRAGMA synchronous = NORMAL")
            if not self._there():
                with self.writing():
                    if not self._there():  # nor has another process made it meanwhile
                        self._create(embedder_id, dim)
        except TinyLLMError:
            self.db.close()
            raise
        state = self.state()
        self.name, self.embedder_id, self.dim = str(state["name"]), str(state["embedder_id"]), int(state["dim"])
        self.words = "words" in state and bool(state["words"])
        if state["schema"] != SCHEMA:
            self.db.close()
            raise CheckpointError(f"the store {self.path} has schema {state['schema']}", hint=f"this reads {SCHEMA}")

    def _there(self) -> bool:
        with self._errors():
            return bool(self.db.execute("SELECT 1 FROM sqlite_master WHERE name = 'store_state'").fetchone())

    def _create(self, embedder_id: str | None, dim: int | None) -> None:
        if embedder_id is None or dim is None:
            raise ConfigError(f"there is no store in {self.path} yet", hint="give embedder_id and dim to make one")
        for statement in TABLES.split(";"):
            self.db.execute(statement)
        words = True
        try:
            self.db.execute(WORDS)
        except sqlite3.OperationalError:  # no such module: fts5
            words = False
        state = {"schema": SCHEMA, "name": uuid.uuid4().hex, "embedder_id": embedder_id, "dim": dim, "words": words}
        state |= {"changes": 0, "removals": 0}
        self.db.executemany("INSERT INTO store_state VALUES (?, ?)", state.items())

    def state(self) -> dict[str, Any]:
        """Return what holds for all."""
        with self._errors():
            return dict(self.db.execute("SELECT key, value FROM store_state").fetchall())

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """All that is read within is of one moment, whoever writes meanwhile."""
        with self._errors(), self._transaction("BEGIN"):
            yield self.db

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """All that is written within is there at once, or, after any error or crash, none of it."""
        with self._errors(), self._transaction("BEGIN IMMEDIATE"):
            yield self.db

    @contextmanager
    def _transaction(self, begin: str) -> Iterator[None]:
        self.db.execute(begin)
        try:
            yield
            self.db.execute("COMMIT")
        finally:
            if self.db.in_transaction:  # an error, a KeyboardInterrupt
                self.db.execute("ROLLBACK")

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            code = getattr(error, "sqlite_errorcode", 0) & 0xFF
            if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
                raise CheckpointError(f"the store {self.path}: others wrote for {PATIENCE:.0f} s") from error
            if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
                raise self.damaged(str(error)) from error
            raise CheckpointError(f"the store {self.path}: {error}") from error

    def damaged(self, what: str) -> CheckpointError:
        """Return the error that says what is damaged."""
        return CheckpointError(f"the store {self.path} is damaged: {what}", hint="index the documents again")

    def close(self) -> None:
        """Close the connection."""
        self.db.close()
