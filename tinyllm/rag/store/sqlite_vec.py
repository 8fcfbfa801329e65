"""A store that searches within SQLite, by the extension sqlite-vec: exactly, and with no vector in Python's memory."""

from __future__ import annotations

import sqlite3
from os import PathLike

from ...errors import ConfigError
from ..types import Array, Chunk
from .base import needs
from .sqlite import FIELDS, SqliteStore, condition
from .where import Conditions


class SqliteVecStore(SqliteStore):
    """A SqliteStore whose searches read the vectors from the file, one after the other; the file is the same.

    Their checksums are looked at by ``vectors``, not by every search.

    Args:
        path: the database; ":memory:" for none.
        embedder_id: the ``id`` of the embedder whose vectors these are; may be left out if the file exists.
        dim: how wide they are; may be left out if the file exists.

    Raises:
        CheckpointError: the database is damaged.
        ConfigError: it holds vectors of another embedder; sqlite-vec is not installed; this Python's sqlite3 was built
            without extensions.
    """

    def __init__(self, path: str | PathLike[str], embedder_id: str | None = None, dim: int | None = None) -> None:
        extension = needs("sqlite_vec", "sqlite-vec", "SqliteVecStore")
        if not hasattr(sqlite3.Connection, "enable_load_extension"):
            raise ConfigError(
                "SqliteVecStore: this Python's sqlite3 loads no extensions", hint="SqliteStore needs none"
            )
        super().__init__(path, embedder_id, dim)
        self._file.db.enable_load_extension(True)
        extension.load(self._file.db)
        self._file.db.enable_load_extension(False)

    def _query(self, q: Array, k: int, conditions: Conditions) -> list[tuple[Chunk, float]]:
        tests, parameters = condition(conditions)
        near = "coalesce(1 - vec_distance_cosine(vector, ?), 0)"  # no distance from a vector of zeros
        with self._file.reading() as db:
            rows = db.execute(
                f"SELECT {FIELDS}, {near} AS score FROM store_chunks WHERE {tests} ORDER BY score DESC, seq LIMIT ?",
                [q.astype("<f4").tobytes(), *parameters, k],
            ).fetchall()
        return [(Chunk(*row[:-1]), row[-1]) for row in rows]
