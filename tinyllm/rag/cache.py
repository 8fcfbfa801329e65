"""A cache of embeddings and of chunkings: one SQLite file that several processes may use at once.

A vector is found again by the sha256 of everything that made it: the embedder's id, the kind of text, its prefix, its
limit, whether it was normalized, and the text. Each field is written with its length before it, so that ("ab", "c") and
("a", "bc") are two keys. Every row has a checksum, and a damaged row is a miss: it is made again, never believed.

The file is in SQLite's WAL mode: readers do not wait for a writer, writers wait for each other, and a process that is
killed in the middle of a write leaves the file as it was before that write.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
import threading
import time
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from os import PathLike
from typing import Any

import numpy as np

from ..errors import CheckpointError, ConfigError, DTypeError, NaNError, ShapeError
from .types import Embedder, Kind

Array = np.ndarray[Any, np.dtype[Any]]

PATIENCE = 60.0  # seconds that a writer waits for another one
ROW = 120  # bytes that a row takes beside its numbers: key, checksum, two indexes
_AT_ONCE = 500  # rows asked for in one statement; old SQLites take 999 values

_TABLES = """
CREATE TABLE IF NOT EXISTS embeddings (
    key BLOB PRIMARY KEY, dim INTEGER, dtype TEXT, vec BLOB, crc INTEGER, used_at INTEGER);
CREATE INDEX IF NOT EXISTS embeddings_by_use ON embeddings (used_at, dim);
CREATE TABLE IF NOT EXISTS documents (
    doc_sha BLOB, chunker_sha BLOB, chunks TEXT, crc INTEGER, PRIMARY KEY (doc_sha, chunker_sha)) WITHOUT ROWID;
"""


def key_of(*fields: str | bytes | int | bool | None) -> bytes:
    """Return the sha256 of fields, each with its type and its length before it.

    Example:
        >>> key_of("ab", "c") == key_of("a", "bc"), key_of(1) == key_of("1"), len(key_of())
        (False, False, 32)
    """
    digest = hashlib.sha256()
    for value in fields:
        if isinstance(value, bytes):
            sort, data = b"b", value
        elif isinstance(value, str):
            sort, data = b"s", value.encode("utf-8", "surrogatepass")
        else:
            sort, data = b"v", repr(value).encode()
        digest.update(sort + len(data).to_bytes(8, "little") + data)
    return digest.digest()


class Cache:
    """Embeddings and chunkings, kept in one file.

    Args:
        path: the file; it is made when it is not there, its folder is not. ":memory:" keeps all of it in memory.
        max_bytes: how much room the embeddings may take; beyond it those go first that were not used for longest.
            None for no limit. The file itself never shrinks, its room is used again.

    Attributes:
        hits: embeddings that were asked for and found, by this object.
        misses: those that were not found; damaged ones count as well.
        damaged: rows that were there but not as they had been written.
        evicted: embeddings that had to go.

    Raises:
        ConfigError: max_bytes is no positive number.
        CheckpointError: the file cannot be opened, or is no SQLite file.

    Example:
        >>> with Cache(":memory:") as cache:
        ...     cache.put({key_of("model", "text"): np.ones(3, np.float32)})
        ...     cache.get([key_of("model", "text"), key_of("another")]), cache.hits, cache.misses
        ([array([1., 1., 1.], dtype=float32), None], 1, 1)
    """

    def __init__(self, path: str | PathLike[str], max_bytes: int | None = None) -> None:
        if max_bytes is not None and (not isinstance(max_bytes, int) or max_bytes <= 0):
            raise ConfigError(f"Cache: max_bytes={max_bytes!r}", hint="a number of bytes above 0, or None")
        self.path, self.max_bytes = str(path), max_bytes
        self.hits = self.misses = self.damaged = self.evicted = 0
        self._lock = threading.RLock()
        with self._told():
            self._file = sqlite3.connect(self.path, PATIENCE, isolation_level=None, check_same_thread=False)
        try:
            with self._told():
                self._to_wal()
                self._file.execute("PRAGMA synchronous=NORMAL")
                if not self._file.execute("SELECT 1 FROM sqlite_master WHERE name='documents'").fetchone():
                    with self._writing():
                        for statement in _TABLES.split(";"):
                            self._file.execute(statement)
        except BaseException:
            self._file.close()
            raise

    def get(self, keys: Sequence[bytes]) -> list[Array | None]:
        """Return the vector of each key, float32 (dim,), or None where there is none; their use is noted."""
        found: dict[bytes, Array] = {}
        with self._told(), self._lock:
            for part in _slices(list(dict.fromkeys(keys))):
                marks = ",".join("?" * len(part))
                rows = self._file.execute(
                    f"SELECT key, dim, dtype, vec, crc FROM embeddings WHERE key IN ({marks})", part
                )
                for key, *row in rows:
                    vector = _sound(key, *row)
                    if vector is None:
                        self.damaged += 1
                    else:
                        found[key] = vector
            if found:
                with self._writing():
                    now = self._next_use()
                    self._file.executemany("UPDATE embeddings SET used_at=? WHERE key=?", ((now, key) for key in found))
            hits = sum(key in found for key in keys)
            self.hits += hits
            self.misses += len(keys) - hits
        return [found.get(key) for key in keys]

    def put(self, vectors: Mapping[bytes, Array]) -> None:
        """Keep vectors; all of them are written, or, if the process dies meanwhile, none.

        Raises:
            ShapeError: one is no row of numbers.
            NaNError: one holds a NaN or an infinity.
        """
        rows = []
        for key, vector in vectors.items():
            row = np.asarray(vector, "<f4")
            if row.ndim != 1 or not row.size:
                raise ShapeError(f"Cache: a vector of the shape {row.shape}", hint="(dim,)")
            if not np.isfinite(row).all():
                raise NaNError("Cache: a vector holds a NaN or an infinity", hint="look at what the embedder read")
            data = row.tobytes()
            rows.append((key, row.size, "<f4", data, _checksum(key, data)))
        if not rows:
            return
        with self._told(), self._lock, self._writing():
            now = self._next_use()
            self._file.executemany("REPLACE INTO embeddings VALUES (?, ?, ?, ?, ?, ?)", ((*row, now) for row in rows))
            self._make_room()

    def chunking(self, doc_sha: bytes, chunker_sha: bytes) -> Any:
        """Return what was noted of a document cut by a chunker, or None."""
        with self._told(), self._lock:
            row = self._file.execute(
                "SELECT chunks, crc FROM documents WHERE doc_sha=? AND chunker_sha=?", (doc_sha, chunker_sha)
            ).fetchone()
        if row is None:
            return None
        try:
            if _checksum(doc_sha + chunker_sha, row[0].encode()) == row[1]:
                return json.loads(row[0])
        except (AttributeError, ValueError):
            pass  # another type than was written, or no JSON: damaged like a wrong checksum
        self.damaged += 1
        return None

    def note_chunkings(self, rows: Iterable[tuple[bytes, bytes, Any]]) -> None:
        """Note of documents cut by chunkers what JSON can say: (doc_sha, chunker_sha, value)."""
        texts = [(doc_sha, chunker_sha, json.dumps(value)) for doc_sha, chunker_sha, value in rows]
        with self._told(), self._lock, self._writing():
            self._file.executemany(
                "REPLACE INTO documents VALUES (?, ?, ?, ?)",
                ((doc, cut, text, _checksum(doc + cut, text.encode())) for doc, cut, text in texts),
            )

    def size(self) -> int:
        """Return how much room the embeddings take, in bytes."""
        with self._told(), self._lock:
            return int(self._file.execute(f"SELECT TOTAL(dim * 4 + {ROW}) FROM embeddings").fetchone()[0])

    def count(self) -> int:
        """Return how many embeddings there are."""
        with self._told(), self._lock:
            return int(self._file.execute("SELECT COUNT(*) FROM embeddings").fetchone()[0])

    def close(self) -> None:
        """Close the file; a second time does nothing."""
        with self._lock:
            self._file.close()

    def __enter__(self) -> Cache:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _to_wal(self) -> None:
        """Two processes that open a new file at once may both be refused this, however patient they are."""
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                if self._file.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
                    self._file.execute("PRAGMA journal_mode=WAL")
                return
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                    raise
                time.sleep(0.01)

    def _next_use(self) -> int:
        """Number the uses instead of asking a clock, which may stand still or be set back."""
        return int(self._file.execute("SELECT COALESCE(MAX(used_at), 0) + 1 FROM embeddings").fetchone()[0])

    def _make_room(self) -> None:
        over = 0 if self.max_bytes is None else self.size() - self.max_bytes
        going: list[bytes] = []
        if over > 0:
            for key, dim in self._file.execute("SELECT key, dim FROM embeddings ORDER BY used_at, key"):
                if over <= 0:
                    break
                going.append(key)
                over -= dim * 4 + ROW
        self._file.executemany("DELETE FROM embeddings WHERE key=?", ((key,) for key in going))
        self.evicted += len(going)

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Begin as a writer at once: a reader that becomes one later would be refused instead of waiting."""
        self._file.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._file.execute("ROLLBACK")
            raise
        self._file.execute("COMMIT")

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.ProgrammingError as error:
            raise CheckpointError(f"the cache {self.path} is closed", hint="open it again: Cache(path)") from error
        except sqlite3.OperationalError as error:
            raise CheckpointError(f"the cache {self.path} cannot be used: {error}") from error
        except sqlite3.DatabaseError as error:
            raise CheckpointError(
                f"the cache {self.path} is damaged or no cache: {error}", hint="delete the file: it is made again"
            ) from error


class Cached:
    """An embedder that asks a cache before it asks the one behind it, and embeds no text twice.

    Args:
        embedder: who makes the vectors.
        cache: where they are kept.

    Raises:
        DTypeError: the embedder is none.

    Example:
        >>> class Letters:
        ...     id, dim, max_tokens = "letters", 2, None
        ...     def count(self, text): return len(text)
        ...     def embed(self, texts, kind="document"): return [[text.count("a"), text.count("e")] for text in texts]
        >>> cache = Cache(":memory:")
        >>> Cached(Letters(), cache).embed(["sea"]), Cached(Letters(), cache).embed(["sea"]), cache.hits
        (array([[1., 1.]], dtype=float32), array([[1., 1.]], dtype=float32), 1)
    """

    def __init__(self, embedder: Embedder, cache: Cache) -> None:
        if not isinstance(embedder, Embedder):
            raise DTypeError(f"Cached: {embedder!r} is no embedder", hint="id, dim, max_tokens, embed, count")
        self.embedder, self.cache = embedder, cache

    @property
    def id(self) -> str:
        """What the embedder is, exactly."""
        return self.embedder.id

    @property
    def dim(self) -> int:
        """How many numbers a vector has."""
        return self.embedder.dim

    @property
    def max_tokens(self) -> int | None:
        """The most tokens the embedder reads of a text."""
        return self.embedder.max_tokens

    def count(self, text: str) -> int:
        """Return how many tokens a text has for the embedder."""
        return self.embedder.count(text)

    def key(self, text: str, kind: Kind) -> bytes:
        """Return the key of a text's vector; an embedder's ``prefix`` and ``normalize`` count where it has them."""
        inner = self.embedder
        prefix, normalize = (repr(getattr(inner, name, None)) for name in ("prefix", "normalize"))
        return key_of(inner.id, kind, prefix, inner.max_tokens, normalize, text)

    def embed(self, texts: Sequence[str], kind: Kind = "document") -> Array:
        """Return a vector of each text, float32 (N, dim).

        Raises:
            ShapeError: the embedder gave another number of vectors, or another width, than it should have.
            NaNError: the embedder gave a NaN or an infinity.
        """
        keys = [self.key(text, kind) for text in texts]
        known = {key: row for key, row in zip(keys, self.cache.get(keys), strict=True) if row is not None}
        known = {key: row for key, row in known.items() if len(row) == self.dim}
        missing = {key: text for key, text in zip(keys, texts, strict=True) if key not in known}
        if missing:
            new = dict(zip(missing, embedded(self.embedder, list(missing.values()), kind), strict=True))
            self.cache.put(new)
            known |= new
        return np.stack([known[key] for key in keys]) if keys else np.zeros((0, self.dim), np.float32)


def embedded(embedder: Embedder, texts: Sequence[str], kind: Kind = "document") -> Array:
    """Embed texts and look whether there is a vector of each.

    Raises:
        ShapeError: the embedder gave another number of vectors, or another width, than it should have.
    """
    made = np.asarray(embedder.embed(texts, kind), np.float32)
    if made.shape != (len(texts), embedder.dim):
        raise ShapeError(
            f"{embedder.id}: {len(texts)} texts became an array {made.shape}", hint=f"({len(texts)}, {embedder.dim})"
        )
    return made


def _slices(keys: list[bytes]) -> Iterator[list[bytes]]:
    for at in range(0, len(keys), _AT_ONCE):
        yield keys[at : at + _AT_ONCE]


def _checksum(key: bytes, data: bytes) -> int:
    """The key is in it, too: a row that holds another row's vector is damaged."""
    return zlib.crc32(data, zlib.crc32(key))


def _sound(key: bytes, dim: Any, dtype: Any, data: Any, crc: Any) -> Array | None:
    """Return the vector of a row, or None where anything about it is not as it was written."""
    if not isinstance(data, bytes) or dtype != "<f4" or dim != len(data) / 4 or not data or _checksum(key, data) != crc:
        return None
    return np.frombuffer(data, "<f4").astype(np.float32)
