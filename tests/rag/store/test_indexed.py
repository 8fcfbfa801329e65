"""The index file beside a database spares building, and is never believed when it is old, damaged or another's."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from tinyllm import kernels
from tinyllm.errors import ConfigError
from tinyllm.rag.store import FaissStore, HnswlibStore, SqliteStore, UsearchStore
from tinyllm.rag.types import Chunk

pytestmark = pytest.mark.oracle
DIM = 8
STORES = {"faiss": FaissStore, "hnswlib": HnswlibStore, "usearch": UsearchStore}


@pytest.fixture(params=STORES)
def kind(request):
    pytest.importorskip({"usearch": "usearch.index"}.get(request.param, request.param), reason="not installed")
    with kernels.use("numpy"):
        yield request.param


@pytest.fixture
def path(tmp_path):
    return tmp_path / "store.db"


def fill(store, names, seed=1):
    x = np.random.default_rng(seed).standard_normal((len(names), DIM)).astype(np.float32)
    store.upsert([Chunk(n, f"d{n[-1]}", n, 0, len(n)) for n in names], x, {"last": names[-1]})
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def opened(kind, path, put=None):
    """Open a store; how many vectors its index is given is noted in ``put``."""
    store = STORES[kind](path, "e", DIM)
    if put is not None:
        real = type(store._index)._put
        store._index._put = lambda labels, vectors: put.append(len(labels)) or real(store._index, labels, vectors)
    return store


def test_what_is_in_the_file_is_not_built_again(kind, path):
    names = [f"c{i}" for i in range(120)]
    with opened(kind, path) as store:
        x = fill(store, names)
        before = [hit.chunk.id for hit in store.query(x[5], 20)]
    put = []
    with opened(kind, path, put) as store:
        assert [hit.chunk.id for hit in store.query(x[5], 20)] == before and put == []
    with SqliteStore(path) as other:  # which knows nothing of the index
        other.delete(["c5", "c6"])
        y = fill(other, ["new", "c7"], seed=2)
    with opened(kind, path, put) as store:
        ids = [hit.chunk.id for hit in store.query(x[5], 500)]
        assert sorted(ids) == sorted({*names, "new"} - {"c5", "c6"}) and put == [2]
        assert [store.query(v, 1)[0].chunk.id for v in y] == ["new", "c7"]


@pytest.mark.parametrize("how", ["damaged", "another's", "missing", "newer than the database"])
def test_a_file_that_does_not_fit_is_built_anew(kind, path, how):
    beside = path.with_name(f"store.db.{kind}")
    with opened(kind, path) as store:
        x = fill(store, [f"c{i}" for i in range(30)])
        store.query(x[0], 1)
    if how == "damaged":
        content = beside.read_bytes()
        beside.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    elif how == "another's":
        with opened(kind, path.with_name("other.db")) as other:
            other.query(fill(other, ["x", "y"])[0], 1)
        shutil.copy(path.with_name(f"other.db.{kind}"), beside)
    elif how == "missing":
        beside.unlink()
    else:
        shutil.copy(path, path.with_name("old.db"))
        with opened(kind, path) as store:
            store.query(fill(store, ["later"])[0], 1)
        path.unlink()
        shutil.move(path.with_name("old.db"), path)
    put = []
    with opened(kind, path, put) as store:
        assert [store.query(v, 1)[0].chunk.id for v in x] == [f"c{i}" for i in range(30)]
        assert sum(put) == 30 and len(store.query(x[0], 99)) == 30


def test_filters_that_leave_many_and_few(kind, path):
    with opened(kind, path) as store:
        x = fill(store, [f"c{i}" for i in range(200)])
        scores = x @ x[3]
        for ends, few in ((("0", "1", "2", "3", "4"), 12), (("7",), 20), (("7",), 3), (("x",), 5)):
            allowed = [i for i in range(200) if str(i)[-1] in ends]
            best = sorted(allowed, key=lambda i: -scores[i])[:few]
            hits = store.query(x[3], few, {"doc_id": [f"d{end}" for end in ends]})
            assert [hit.chunk.id for hit in hits] == [f"c{i}" for i in best]
            np.testing.assert_allclose([hit.score for hit in hits], scores[best], atol=1e-5)


def test_it_is_built_anew_when_half_is_removed(kind, path):
    with opened(kind, path) as store:
        x = fill(store, [f"c{i}" for i in range(200)])
        store.query(x[0], 1)
        store.delete([f"c{i}" for i in range(150)])
        assert len(store.query(x[199], 500)) == 50 and len(store._index._ids) == 50
        assert [store.query(v, 1)[0].chunk.id for v in x[150:]] == [f"c{i}" for i in range(150, 200)]


def test_unknown_settings(kind, path):
    options = {"faiss": {"kind": "HNSW"}, "usearch": {"storage": "i8"}}.get(kind)
    if options is None:
        pytest.skip("hnswlib takes any numbers")
    with pytest.raises(ConfigError, match="one of"):
        STORES[kind](path, "e", DIM, **options)
    assert not path.exists()
