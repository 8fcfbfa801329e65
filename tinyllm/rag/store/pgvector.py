"""A store in a Postgres server with the extension pgvector: for what several machines read and write.

Without an index Postgres compares the query with every row that the filter lets through: exact. ``build_index()`` adds
an HNSW graph. Then a search could come back short, and does so elsewhere; here it does not:

- pgvector returns at most hnsw.ef_search rows, 40 if nobody asks: it is raised to k for each search (SET LOCAL).
- a filter is applied to what the graph found, so a rare value finds nothing: hnsw.iterative_scan goes on looking.
- whatever still comes back with fewer than k rows is searched once more without the index.

``<#>`` is the negative inner product, so ORDER BY ascends and a score is its negative; of unit vectors that is the
cosine. (Under ``<=>``, the cosine distance, a vector of zeros would be NaN, and an index would leave it out.) An index
takes 2,000 dimensions, or 4,000 as half floats, whose order is then refined by the full ones. Upserts load by binary
COPY, in which a vector is its width, a zero, and its numbers, all with the highest byte first.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from ...errors import CheckpointError, ConfigError
from ..types import Array, Chunk
from .base import Record, Store, needs, same_embedder
from .where import OWN, Conditions

WIDEST, WIDEST_INDEXED, WIDEST_HALF = 16_000, 2_000, 4_000  # pgvector's limits: a column, an index, one of half floats
EF_MOST = 1000
FIELDS = 'id, doc_id, text, "start", "end", header, ordinal, n_tokens'  # in the order of Chunk's
TYPES = ["text", "text", "text", "int8", "int8", "text", "int8", "int8", "jsonb", "bytea"]
CREATE = """
CREATE EXTENSION IF NOT EXISTS vector;
CREATE SCHEMA IF NOT EXISTS {schema};
CREATE TABLE {schema}.state (key text PRIMARY KEY, value text NOT NULL);
CREATE TABLE {schema}.chunks (
    seq bigint GENERATED ALWAYS AS IDENTITY, id text COLLATE "C" PRIMARY KEY, doc_id text COLLATE "C" NOT NULL,
    text text NOT NULL, "start" bigint NOT NULL, "end" bigint NOT NULL, header text NOT NULL,
    ordinal bigint NOT NULL, n_tokens bigint NOT NULL, meta jsonb NOT NULL, vec vector({dim}) NOT NULL
);
CREATE INDEX ON {schema}.chunks (doc_id);
CREATE UNIQUE INDEX ON {schema}.chunks (seq);
INSERT INTO {schema}.state VALUES ('schema', '1'), ('embedder_id', {embedder_id}), ('dim', {dim}::text)
"""
UPSERT = f"""
INSERT INTO {{schema}}.chunks ({FIELDS}, meta, vec)
SELECT {FIELDS}, meta, vec FROM incoming ORDER BY n
ON CONFLICT (id) DO UPDATE SET doc_id = excluded.doc_id, text = excluded.text, "start" = excluded."start",
    "end" = excluded."end", header = excluded.header, ordinal = excluded.ordinal, n_tokens = excluded.n_tokens,
    meta = excluded.meta, vec = excluded.vec
"""
ASK = f"SELECT {FIELDS}, -(vec <#> %s) AS score, seq FROM {{schema}}.chunks"
ORDER = "ORDER BY {operand} <#> %s, seq LIMIT %s"


class PgVectorStore(Store):
    """Chunks, metas and vectors in a schema of a Postgres database.

    Any number of processes may read and write it; writers of one store take turns. An upsert is one transaction.

    Args:
        dsn: the database, "postgresql://user@host/name" or "host=... dbname=...".
        embedder_id: the ``id`` of the embedder whose vectors these are; may be left out if the store exists.
        dim: how wide they are, 16,000 at most; may be left out if the store exists.
        schema: where its tables are; one schema is one store.
        ef: how many candidates a search along an index keeps; more find more and take longer.

    Raises:
        CheckpointError: the server cannot be reached, or has no pgvector.
        ConfigError: psycopg is not installed; the store holds vectors of another embedder; a bad setting.
    """

    def __init__(
        self,
        dsn: str,
        embedder_id: str | None = None,
        dim: int | None = None,
        *,
        schema: str = "tinyllm",
        ef: int = 64,
    ) -> None:
        if embedder_id is not None and dim is not None:
            super().__init__(embedder_id, dim)
        if (dim or 0) > WIDEST:
            raise ConfigError(f"PgVectorStore: dim is {dim}", hint=f"{WIDEST:,} at most, says pgvector")
        if not schema or "\0" in schema or len(schema.encode()) > 63:
            raise ConfigError(f"PgVectorStore: schema {schema!r}", hint="a name of at most 63 bytes")
        if not 1 <= ef <= EF_MOST:
            raise ConfigError(f"PgVectorStore: ef is {ef}", hint=f"1 to {EF_MOST}")
        self._psycopg, self._sql = needs("psycopg", "pg", "PgVectorStore"), needs("psycopg.sql", "pg", "PgVectorStore")
        self.schema, self.ef = schema, ef
        self._column = "vec"  # what an index is built on
        with self._errors():
            self._db = self._psycopg.connect(dsn, autocommit=True)  # transactions are begun where they are needed
        try:
            held = self._opened(embedder_id, dim)
            same_embedder(schema, *held, embedder_id or held[0], dim or held[1])
        except BaseException:
            self._db.close()
            raise
        super().__init__(*held)
        if self.dim > WIDEST_INDEXED:
            self._column = f"(vec::halfvec({self.dim}))"

    def _opened(self, embedder_id: str | None, dim: int | None) -> tuple[str, int]:
        with self._errors(), self._db.transaction():
            self._db.execute("SELECT pg_advisory_xact_lock(7310)")  # two that make one at a time would fail on names
            there = self._db.execute(
                "SELECT to_regclass(%s)", (self._composed("{schema}.state").as_string(),)
            ).fetchone()[0]
            if there is None:
                if embedder_id is None or dim is None:
                    raise ConfigError(f"no store in schema {self.schema!r} yet", hint="give embedder_id and dim")
                self._run(CREATE, dim=self._sql.Literal(dim), embedder_id=self._sql.Literal(embedder_id))
            state = dict(self._run("SELECT key, value FROM {schema}.state").fetchall())
        if state["schema"] != "1":
            raise CheckpointError(f"the store {self.schema} has schema {state['schema']}", hint="this reads 1")
        return state["embedder_id"], int(state["dim"])

    def build_index(self, m: int = 16, ef_construction: int = 64) -> None:
        """Build an HNSW graph (again), best after loading; upserts keep it up to date.

        Raises:
            ConfigError: vectors wider than 4,000.
        """
        self._check_open()
        if self.dim > WIDEST_HALF:
            raise ConfigError(f"build_index: vectors of width {self.dim}", hint=f"an index takes {WIDEST_HALF:,}")
        kind = "vector" if self.dim <= WIDEST_INDEXED else "halfvec"
        with self._turn, self._errors(), self._db.transaction():
            self._run("DROP INDEX IF EXISTS {schema}.by_vector")
            self._run(
                f"CREATE INDEX by_vector ON {{schema}}.chunks USING hnsw ({{operand}} {kind}_ip_ops) "
                "WITH (m = {m}, ef_construction = {ef})",
                m=self._sql.Literal(m),
                ef=self._sql.Literal(ef_construction),
            )

    def size(self) -> int:
        """Return how many bytes the chunks and their indexes take on the server."""
        self._check_open()
        with self._turn, self._errors():
            table = self._composed("{schema}.chunks").as_string()
            return int(self._db.execute("SELECT pg_total_relation_size(%s::regclass)", (table,)).fetchone()[0])

    def _upsert(self, records: list[Record]) -> None:
        with self._errors(), self._db.transaction(), self._db.cursor() as cursor:
            self._run("LOCK TABLE {schema}.chunks IN SHARE ROW EXCLUSIVE MODE")  # crossed upserts would deadlock
            self._run(
                "CREATE TEMP TABLE incoming ON COMMIT DROP AS "
                f"SELECT 0::bigint AS n, {FIELDS}, meta, vec FROM {{schema}}.chunks LIMIT 0"
            )
            with cursor.copy(f"COPY incoming (n, {FIELDS}, meta, vec) FROM STDIN (FORMAT BINARY)") as copy:
                copy.set_types(["int8", *TYPES])
                for n, record in enumerate(records):
                    copy.write_row((n, *self._row(record)))
            self._run(UPSERT)

    def _row(self, record: Record) -> tuple[Any, ...]:
        c, meta, vector = record
        blob = np.array([self.dim, 0], ">i2").tobytes() + vector.astype(">f4").tobytes()
        meta_json = self._psycopg.types.json.Jsonb(meta)
        return c.id, c.doc_id, c.text, c.start, c.end, c.header, c.ordinal, c.n_tokens, meta_json, blob

    def _delete(self, ids: list[str]) -> None:
        with self._errors(), self._db.transaction():
            self._run("LOCK TABLE {schema}.chunks IN SHARE ROW EXCLUSIVE MODE")
            self._run("DELETE FROM {schema}.chunks WHERE id = ANY(%s)", (ids,))

    def _query(self, q: Array, k: int, conditions: Conditions) -> list[tuple[Chunk, float]]:
        tests: list[str] = ["true"]
        parameters: list[Any] = []
        for key, values in conditions.items():
            if key == OWN:
                tests.append("doc_id = ANY(%s)")
                parameters += [[value for value in values if isinstance(value, str)]]
            else:
                tests.append("meta -> %s = ANY(%s::text[]::jsonb[])")
                parameters += [key, [json.dumps(value, ensure_ascii=False) for value in values]]
        text = "[" + ",".join(map(repr, q.tolist())) + "]"
        with self._errors(), self._db.transaction():
            ways: list[dict[str, Any]] = [{"enable_indexscan": "off"}]  # the last resort, or the only way
            if k <= EF_MOST:
                ways.insert(0, {"hnsw.ef_search": max(self.ef, k), "hnsw.iterative_scan": "strict_order"})
            for settings in ways:
                self._local({**settings, "plan_cache_mode": "force_custom_plan"})
                ask = f"{ASK} WHERE {' AND '.join(tests)} {ORDER}"
                rows = self._run(ask, [text, *parameters, text, k]).fetchall()
                if len(rows) == k:
                    break
        best = sorted(rows, key=lambda row: (-row[-2], row[-1]))  # half floats order nearly right
        return [(Chunk(*row[:-2]), float(row[-2])) for row in best]

    def _local(self, settings: dict[str, Any]) -> None:
        """Change settings of the server until this transaction ends."""
        names = ", ".join(["set_config(%s, %s, true)"] * len(settings))
        self._db.execute(f"SELECT {names}", [str(part) for item in settings.items() for part in item])

    def _held(self, ids: list[str]) -> dict[str, Record]:
        found: dict[str, Record] = {}
        with self._errors():
            ask = f"SELECT {FIELDS}, meta, vector_send(vec) FROM {{schema}}.chunks WHERE id = ANY(%s)"
            for *fields, meta, blob in self._run(ask, (ids,)):
                found[fields[0]] = (Chunk(*fields), meta, np.frombuffer(blob, ">f4", offset=4).astype(np.float32))
        return found

    def _ids(self, doc_id: str | None) -> list[str]:
        where, values = ("", None) if doc_id is None else ("WHERE doc_id = %s", (doc_id,))
        with self._errors():
            return [name for (name,) in self._run(f"SELECT id FROM {{schema}}.chunks {where} ORDER BY seq", values)]

    def _count(self) -> int:
        with self._errors():
            return int(self._run("SELECT count(*) FROM {schema}.chunks").fetchone()[0])

    def _close(self) -> None:
        self._db.close()

    def _composed(self, statement: str, **parts: Any) -> Any:
        """Put names and literals into a statement, quoted by psycopg and never by hand."""
        schema, column = self._sql.Identifier(self.schema), self._sql.SQL(self._column)
        return self._sql.SQL(statement).format(schema=schema, operand=column, **parts)

    def _run(self, statement: str, parameters: Any = None, **parts: Any) -> Any:
        return self._db.execute(self._composed(statement, **parts), parameters)

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except self._psycopg.Error as error:
            first = (str(error).strip() or type(error).__name__).splitlines()[0]
            hint = "install pgvector on the server" if 'extension "vector"' in first else None
            raise CheckpointError(f"the store {self.schema!r} in Postgres: {first}", hint=hint) from error
