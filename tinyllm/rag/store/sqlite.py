"""The default store: one SQLite file, searched exactly; nothing to install and no server.

Vectors are kept as float32 blobs and searched in an index in memory (Flat if none is given), which is brought up to
date before each search: the counters in the file say whether anybody, this process or another one, has written, and
each row says when, so that only what is new is read.

    PRAGMA data_version tells of other connections' writes, but not of one's own, and it is read outside of the
    transaction that then reads the rows. A counter in a table is read within it, at the same price.
"""

from __future__ import annotations

import json
import re
import sqlite3
import zlib
from collections.abc import Iterator, Sequence
from os import PathLike
from typing import Any

import numpy as np

from ...errors import ConfigError
from ..index import Flat
from ..types import Array, Chunk, Hit, Index
from .base import Record, Store, same_embedder
from .file import StoreFile
from .where import OWN, Conditions

FIELDS = 'id, doc_id, text, "start", "end", header, ordinal, n_tokens'  # in the order of Chunk's
INSERT = f"""
INSERT INTO store_chunks ({FIELDS}, meta, vector, crc, version) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (id) DO UPDATE SET doc_id = excluded.doc_id, text = excluded.text, "start" = excluded."start",
    "end" = excluded."end", header = excluded.header, ordinal = excluded.ordinal, n_tokens = excluded.n_tokens,
    meta = excluded.meta, vector = excluded.vector, crc = excluded.crc, version = excluded.version
"""
AT_ONCE = 500  # ids in one statement; SQLite's limit was 999 for long


class SqliteStore(Store):
    """Chunks, metas and vectors in one file.

    Any number of processes and threads may read and write it at a time. An upsert or a delete is one transaction.

    Args:
        path: the file; ":memory:" for none.
        embedder_id: the ``id`` of the embedder whose vectors these are; may be left out if the file exists.
        dim: how wide they are; may be left out if the file exists.
        index: an empty index to search in; Flat, which is exact, if not given.

    Raises:
        CheckpointError: the file is damaged or no SQLite file.
        ConfigError: it holds vectors of another embedder.

    Example:
        >>> with SqliteStore(":memory:", "two numbers", dim=2) as store:
        ...     store.upsert([Chunk("1:0-4", "1", "Duck", 0, 4)], [[3.0, 4.0]], meta={"language": "en"})
        ...     [(hit.chunk.text, round(hit.score, 2)) for hit in store.query([0.0, 1.0], k=5)]
        [('Duck', 0.8)]
    """

    def __init__(
        self,
        path: str | PathLike[str],
        embedder_id: str | None = None,
        dim: int | None = None,
        index: Index | None = None,
    ) -> None:
        if embedder_id is not None and dim is not None:
            super().__init__(embedder_id, dim)  # refuses what is wrong before there is a file
        self._file = StoreFile(path, embedder_id, dim)
        held = self._file
        try:
            same_embedder(path, held.embedder_id, held.dim, embedder_id or held.embedder_id, dim or held.dim)
        except ConfigError:
            held.close()
            raise
        super().__init__(held.embedder_id, held.dim)
        self._index: Any = Flat() if index is None else index
        self._seen = (0, 0)  # the counters of the file when the index was brought up to date
        self._seq: dict[str, int] = {}  # what the index holds

    def _upsert(self, records: list[Record]) -> None:
        with self._file.writing() as db:
            version = self._count_up(db, "changes")
            if self._file.words:
                self._forget_words(db, [chunk.id for chunk, _, _ in records])
            db.executemany(INSERT, (_row(record, version) for record in records))
            if self._file.words:
                for some in _portions([chunk.id for chunk, _, _ in records]):
                    db.execute(
                        "INSERT INTO store_words (rowid, header, text) "
                        f"SELECT seq, header, text FROM store_chunks WHERE id IN ({_marks(some)})",
                        some,
                    )

    def _delete(self, ids: list[str]) -> None:
        with self._file.writing() as db:
            self._count_up(db, "changes")
            self._count_up(db, "removals")
            if self._file.words:
                self._forget_words(db, ids)
            for some in _portions(ids):
                db.execute(f"DELETE FROM store_chunks WHERE id IN ({_marks(some)})", some)

    def _count_up(self, db: sqlite3.Connection, counter: str) -> int:
        db.execute("UPDATE store_state SET value = value + 1 WHERE key = ?", (counter,))
        return int(db.execute("SELECT value FROM store_state WHERE key = ?", (counter,)).fetchone()[0])

    def _forget_words(self, db: sqlite3.Connection, ids: list[str]) -> None:
        """FTS5 keeps no texts of its own, so it is told what it had read of the rows that go."""
        for some in _portions(ids):
            db.execute(
                "INSERT INTO store_words (store_words, rowid, header, text) "
                f"SELECT 'delete', seq, header, text FROM store_chunks WHERE id IN ({_marks(some)})",
                some,
            )

    def _query(self, q: Array, k: int, conditions: Conditions) -> list[tuple[Chunk, float]]:
        with self._file.reading() as db:
            self._refresh(db)
            ids, scores = self._index.search(q, k, self._allowed(db, conditions) if conditions else None)
            held = self._chunks(db, ids)
        return [(held[name], score) for name, score in zip(ids, scores.tolist(), strict=True)]

    def _refresh(self, db: sqlite3.Connection) -> None:
        """Bring the index up to date with the file, within a transaction that sees one state of it."""
        counters = dict(db.execute("SELECT key, value FROM store_state WHERE key IN ('changes', 'removals')"))
        now = (int(counters["changes"]), int(counters["removals"]))
        if now == self._seen:
            return
        if now[1] != self._seen[1]:
            live = dict(db.execute("SELECT id, seq FROM store_chunks"))
            gone = [name for name, seq in self._seq.items() if live.get(name) != seq]  # or removed and added again
            self._index.remove(gone)
            for name in gone:
                del self._seq[name]
        rows = db.execute(
            "SELECT id, seq, vector, crc FROM store_chunks WHERE version > ? ORDER BY seq", (self._seen[0],)
        )
        while some := rows.fetchmany(4096):
            vectors = [self._vector(name, blob, crc) for name, _, blob, crc in some]
            self._index.add([name for name, *_ in some], np.array(vectors))
            self._seq.update((name, seq) for name, seq, _, _ in some)
        self._seen = now

    def _vector(self, name: str, blob: bytes, crc: int) -> Array:
        if len(blob) != 4 * self.dim or zlib.crc32(blob) != crc:
            raise self._file.damaged(f"the vector of chunk {name!r} fails its checksum")
        return np.frombuffer(blob, "<f4")

    def _allowed(self, db: sqlite3.Connection, conditions: Conditions) -> list[str]:
        tests, parameters = condition(conditions)
        found = db.execute(f"SELECT id FROM store_chunks WHERE {tests}", parameters)
        return [name for (name,) in found]

    def _chunks(self, db: sqlite3.Connection, ids: Sequence[str]) -> dict[str, Chunk]:
        found: dict[str, Chunk] = {}
        for some in _portions(ids):
            rows = db.execute(f"SELECT {FIELDS} FROM store_chunks WHERE id IN ({_marks(some)})", some)
            found.update((row[0], Chunk(*row)) for row in rows)
        return found

    def _held(self, ids: list[str]) -> dict[str, Record]:
        found: dict[str, Record] = {}
        with self._file.reading() as db:
            for some in _portions(ids):
                rows = db.execute(
                    f"SELECT meta, vector, crc, {FIELDS} FROM store_chunks WHERE id IN ({_marks(some)})", some
                )
                for meta, blob, crc, *fields in rows:
                    found[fields[0]] = (Chunk(*fields), json.loads(meta), self._vector(fields[0], blob, crc))
        return found

    def _ids(self, doc_id: str | None) -> list[str]:
        with self._file.reading() as db:
            where, values = ("", ()) if doc_id is None else ("WHERE doc_id = ?", (doc_id,))
            return [name for (name,) in db.execute(f"SELECT id FROM store_chunks {where} ORDER BY seq", values)]

    def _count(self) -> int:
        with self._file.reading() as db:
            return int(db.execute("SELECT count(*) FROM store_chunks").fetchone()[0])

    def _close(self) -> None:
        self._file.close()

    def lexical(self, query: str, k: int) -> list[Hit]:
        """Return the k chunks that match the query's words best, by SQLite's own BM25 over stems (FTS5).

        Raises:
            ConfigError: the SQLite that made the file was compiled without FTS5; BM25 of rag.lexical always works.
        """
        self._check_open()
        if not self._file.words:
            raise ConfigError(f"the store {self._file.path} has no FTS5 index", hint="use rag.BM25")
        words = list(dict.fromkeys(re.findall(r"\w+", query)))
        if not words or k < 1:
            return []
        with self._turn, self._file.reading() as db:
            found = db.execute(
                f"SELECT store_words.rank, {', '.join('c.' + field for field in FIELDS.split(', '))} FROM store_words "
                "JOIN store_chunks c ON c.seq = store_words.rowid WHERE store_words MATCH ? "
                "ORDER BY store_words.rank, store_words.rowid LIMIT ?",
                (" OR ".join(f'"{word}"' for word in words), k),  # quoted, or NOT and NEAR would be operators
            ).fetchall()
        return [Hit(Chunk(*row[1:]), -row[0], rank, {"fts5": -row[0]}) for rank, row in enumerate(found, start=1)]


def _row(record: Record, version: int) -> tuple[Any, ...]:
    chunk, meta, vector = record
    blob = vector.astype("<f4", copy=False).tobytes()
    fields = (chunk.id, chunk.doc_id, chunk.text, chunk.start, chunk.end, chunk.header, chunk.ordinal, chunk.n_tokens)
    return (*fields, json.dumps(meta, ensure_ascii=False), blob, zlib.crc32(blob), version)


def condition(conditions: Conditions) -> tuple[str, list[Any]]:
    """Return a filter as SQL, and its parameters."""
    tests, parameters = ["true"], []
    for key, values in conditions.items():
        test, more = _one(key, values)
        tests.append(test)
        parameters += more
    return " AND ".join(tests), parameters


def _one(key: str, values: list[Any]) -> tuple[str, list[Any]]:
    """Return SQL for one key of a filter, and its parameters; json_each takes the key as a value, so none is quoted."""
    if key == OWN:
        texts = [value for value in values if isinstance(value, str)]
        return f"doc_id IN ({_marks(texts)})", texts
    tests, parameters = [], [key]
    for value in values:
        if value is None or isinstance(value, bool):
            tests.append("type = ?")
            parameters.append({None: "null", True: "true", False: "false"}[value])
        else:
            types = "'text'" if isinstance(value, str) else "'integer', 'real'"
            tests.append(f"type IN ({types}) AND atom = ?")
            parameters.append(value)
    return f"EXISTS (SELECT 1 FROM json_each(meta) WHERE key = ? AND ({' OR '.join(tests)}))", parameters


def _portions(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(ids), AT_ONCE):
        yield ids[start : start + AT_ONCE]


def _marks(values: Sequence[Any]) -> str:
    return ", ".join("?" * len(values))
