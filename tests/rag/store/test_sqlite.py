"""One file that several processes write, that dies in the middle of writing, that is damaged, that is shared."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tinyllm import kernels
from tinyllm.errors import CheckpointError, ConfigError
from tinyllm.rag.index import IVF
from tinyllm.rag.store import SqliteStore
from tinyllm.rag.types import Chunk

DIM = 4
BATCH = 40
WRITER = """
import sys
import numpy as np
from tinyllm.rag.store import SqliteStore
from tinyllm.rag.types import Chunk

path, name, batches, size = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
with SqliteStore(path, "e", 4) as store:
    for b in range(batches):
        names = [f"{name}{b}-{i}" for i in range(size)]
        store.upsert([Chunk(n, f"{name}{b}", n, 0, len(n)) for n in names], np.ones((size, 4)), {"batch": b})
        print(b, flush=True)
"""


@pytest.fixture(autouse=True)
def numpy_kernels():
    with kernels.use("numpy"):
        yield


@pytest.fixture
def path(tmp_path):
    return tmp_path / "store.db"


def chunk(name, text="", header="", doc_id="d"):
    return Chunk(name, doc_id, text, 0, len(text), header=header)


def writer(path, name, batches, size=BATCH):
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path), name, str(batches), str(size)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[3],
    )


def test_two_processes_write_one_new_file(path):
    writers = [writer(path, name, batches=12, size=5) for name in "ab"]
    assert [w.wait(timeout=60) for w in writers] == [0, 0]
    for w in writers:
        w.stdout.close()
    with SqliteStore(path) as store:
        assert store.count() == len(set(store.ids())) == 2 * 12 * 5
        assert len(store.query(np.ones(DIM), 1000)) == 120
        assert len(store.query(np.ones(DIM), 1000, {"batch": 3})) == 10


def test_killed_in_an_upsert_leaves_nothing_half_written(path):
    process = writer(path, "k", batches=10_000)
    said = [process.stdout.readline() for _ in range(6)]
    process.send_signal(signal.SIGKILL)
    process.wait(timeout=60)
    process.stdout.close()
    with SqliteStore(path) as store:
        ids = store.ids()
        assert len(ids) % BATCH == 0 and len(ids) >= BATCH * len(said)  # what it said is written is there
        assert len(store.query(np.ones(DIM), len(ids) + 1)) == len(ids)
        assert len(store.lexical("k0", len(ids))) == BATCH
        store.upsert([chunk("after")], np.ones((1, DIM)))
        assert store.count() == len(ids) + 1


def test_an_error_within_an_upsert_leaves_nothing(path):
    with SqliteStore(path, "e", DIM) as store:
        store.upsert([chunk("a", "ducks")], np.ones((1, DIM)))
        store._file.db.execute(
            "CREATE TRIGGER t BEFORE INSERT ON store_chunks WHEN new.id = 'c' BEGIN SELECT RAISE(ABORT, 'full'); END"
        )
        with pytest.raises(CheckpointError, match="full"):
            store.upsert([chunk("a", "cats"), chunk("b"), chunk("c")], np.ones((3, DIM)))
        assert store.ids() == ["a"] and store.get(["a"])[0].text == "ducks"
        assert store.lexical("ducks", 9) and not store.lexical("cats", 9)


def test_a_damaged_vector_is_named(path):
    with SqliteStore(path, "e", DIM) as store:
        store.upsert([chunk("a"), chunk("b")], np.ones((2, DIM)))
    with sqlite3.connect(path) as db:
        db.execute("UPDATE store_chunks SET vector = zeroblob(16) WHERE id = 'b'")
    db.close()
    with SqliteStore(path) as store:
        for ask in (lambda: store.query(np.ones(DIM), 1), lambda: store.vectors(["b"])):
            with pytest.raises(CheckpointError, match=r"store.db is damaged: the vector of chunk 'b'") as error:
                ask()
            assert "\n" not in str(error.value)
        assert store.vectors(["a"]).shape == (1, DIM)


def test_damaged_pages_and_other_files(path):
    with SqliteStore(path, "e", DIM) as store:
        names = [f"c{i}" for i in range(400)]
        store.upsert([chunk(name, "text " * 20) for name in names], np.ones((400, DIM)))
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(CheckpointError, match="damaged") as error, SqliteStore(path) as store:
        store.query(np.ones(DIM), 500)
    assert "\n" not in str(error.value)
    path.write_bytes(b"no database " * 100)
    with pytest.raises(CheckpointError, match="damaged: file is not a database"):
        SqliteStore(path, "e", DIM)
    with pytest.raises(CheckpointError, match="unable to open"):
        SqliteStore(path.parent / "nowhere" / "store.db", "e", DIM)


def test_a_later_schema_is_refused(path):
    SqliteStore(path, "e", DIM).close()
    with sqlite3.connect(path) as db:
        db.execute("UPDATE store_state SET value = 99 WHERE key = 'schema'")
    db.close()
    with pytest.raises(CheckpointError, match="schema 99"):
        SqliteStore(path)


def test_the_file_knows_its_embedder(path):
    with pytest.raises(ConfigError, match=r"no store in .* yet"):
        SqliteStore(path)
    SqliteStore(path, "e", DIM).close()
    with SqliteStore(path) as store:
        assert (store.embedder_id, store.dim) == ("e", DIM)


def test_it_stands_beside_the_tables_of_others(path):
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE embeddings (key)")
    db.close()
    with SqliteStore(path, "e", DIM) as store:
        store.upsert([chunk("a")], np.ones((1, DIM)))
    with sqlite3.connect(path) as db:
        tables = {name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    db.close()
    assert {name for name in tables if not name.startswith(("store_", "sqlite_"))} == {"embeddings"}


def test_only_what_is_new_is_read(path, monkeypatch):
    read = []
    monkeypatch.setattr(
        SqliteStore, "_vector", lambda self, name, blob, crc: read.append(name) or np.frombuffer(blob, "<f4")
    )
    with SqliteStore(path, "e", DIM) as store, SqliteStore(path) as other:
        store.upsert([chunk("a"), chunk("b")], np.ones((2, DIM)))
        other.query(np.ones(DIM), 1)
        store.upsert([chunk("c")], np.ones((1, DIM)))
        store.delete(["a"])
        other.query(np.ones(DIM), 1)
        other.query(np.ones(DIM), 1)
    assert read == ["a", "b", "c"]


def test_words_by_fts5(path):
    texts = {
        "a": "Ducks are swimming.",
        "b": "A duck. Ducks! The duck swims.",
        "c": "Cats do NOT swim near AND far",
        "d": "",
    }
    with SqliteStore(path, "e", DIM) as store:
        store.upsert(
            [chunk(n, text, header="Vögel" if n == "d" else "") for n, text in texts.items()], np.ones((4, DIM))
        )
        hits = store.lexical("duck", 5)
        assert [hit.chunk.id for hit in hits] == ["b", "a"] and hits[0].score > hits[1].score > 0
        assert hits[0].parts == {"fts5": hits[0].score} and [hit.rank for hit in hits] == [1, 2]
        assert [hit.chunk.id for hit in store.lexical("vögel", 5)] == ["d"]
        assert [hit.chunk.id for hit in store.lexical('NOT "near* AND (', 5)] == ["c"]
        assert store.lexical("", 5) == store.lexical("?!", 5) == store.lexical("duck", 0) == []
        store.upsert([chunk("a", "Horses")], np.ones((1, DIM)))
        store.delete(["b"])
        assert store.lexical("duck", 5) == [] and [hit.chunk.id for hit in store.lexical("horse", 5)] == ["a"]


def test_without_fts5(path, monkeypatch):
    monkeypatch.setattr("tinyllm.rag.store.file.WORDS", "CREATE VIRTUAL TABLE store_words USING fts_missing(text)")
    with SqliteStore(path, "e", DIM) as store:
        store.upsert([chunk("a", "ducks")], np.ones((1, DIM)))
        with pytest.raises(ConfigError, match=r"no FTS5 index.*BM25"):
            store.lexical("ducks", 1)


def test_another_index(path):
    x = np.random.default_rng(1).standard_normal((30, DIM))
    with SqliteStore(path, "e", DIM, index=IVF(lists=3, probes=3)) as store, SqliteStore(path) as exact:
        store.upsert([chunk(f"c{i}") for i in range(30)], x)
        ids = [[hit.chunk.id for hit in s.query(x[0], 5)] for s in (store, exact)]
    assert ids[0] == ids[1]
