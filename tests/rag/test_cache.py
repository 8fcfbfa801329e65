"""The cache: what makes two keys two, damaged rows, room, two writers, and a process killed while it writes."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

from tinyllm.errors import CheckpointError, ConfigError, DTypeError, NaNError, ShapeError
from tinyllm.rag.cache import ROW, Cache, Cached, embedded, key_of
from tinyllm.rag.types import Embedder


class Counting:
    """An embedder that remembers what it was asked."""

    def __init__(self, id="model", dim=3, max_tokens=None, **settings):
        self.id, self.dim, self.max_tokens = id, dim, max_tokens
        self.asked = []
        self.__dict__.update(settings)

    def count(self, text):
        return len(text.split())

    def embed(self, texts, kind="document"):
        self.asked.append((list(texts), kind))
        sums = [sum(text.encode("utf-8", "surrogatepass")) for text in texts]
        return np.array([[total + (kind == "query") + i for i in range(self.dim)] for total in sums], np.float32)


@pytest.fixture
def cache(tmp_path):
    with Cache(tmp_path / "cache.db") as made:
        yield made


def vectors(n, dim=4):
    return {key_of(i): np.full(dim, i, np.float32) for i in range(n)}


def test_what_is_kept_is_found_also_by_the_next_process(cache):
    kept = vectors(1200)  # more than one statement asks for
    cache.put(kept)
    with Cache(cache.path) as other:
        found = other.get([*kept, key_of("unknown")])
        assert found.pop() is None and (other.hits, other.misses) == (1200, 1)
    assert all(np.array_equal(a, b) and a.dtype == np.float32 for a, b in zip(found, kept.values(), strict=True))
    assert cache.count() == 1200 and cache.size() == 1200 * (16 + ROW)
    assert cache.get([]) == []


def test_fields_are_told_apart():
    values = ["ab", "c", "a", "bc", "", b"ab", 1, "1", True, "True", None, "None"]
    assert len({key_of(v) for v in values}) == len(values)
    assert key_of("ab", "c") != key_of("a", "bc") != key_of("abc") and key_of("a") != key_of("a", "")
    assert key_of("\ud800") != key_of("?")


def test_each_thing_that_changes_a_vector_makes_another_key(cache):
    base = Counting()
    others = [
        Counting("another"),
        Counting(max_tokens=256),
        Counting(prefix="passage: "),
        Counting(prefix="query: "),
        Counting(normalize=True),
        Counting(normalize=False),
    ]
    keys = [Cached(e, cache).key("text", "document") for e in (base, *others)]
    keys += [Cached(base, cache).key("text", "query"), Cached(base, cache).key("text ", "document")]
    assert len(set(keys)) == len(keys)
    assert Cached(Counting(), cache).key("text", "document") == keys[0]


def test_cached_is_an_embedder_that_asks_once(cache):
    inner = Counting(max_tokens=9)
    outer = Cached(inner, cache)
    assert isinstance(outer, Embedder)
    assert (outer.id, outer.dim, outer.max_tokens, outer.count("a b")) == ("model", 3, 9, 2)
    first = outer.embed(["b", "a", "b"])
    assert inner.asked == [(["b", "a"], "document")]
    assert np.array_equal(first, inner.embed(["b", "a", "b"])) and first.dtype == np.float32
    inner.asked.clear()
    assert np.array_equal(outer.embed(["a", "b"]), first[[1, 0]]) and inner.asked == []
    assert outer.embed(["a", "c"], "query").shape == (2, 3) and inner.asked == [(["a", "c"], "query")]
    assert outer.embed([]).shape == (0, 3) and len(inner.asked) == 1


def test_two_models_do_not_share(cache):
    a, b = Counting("a"), Counting("b", dim=5)
    assert Cached(a, cache).embed(["x"]).shape == (1, 3) and Cached(b, cache).embed(["x"]).shape == (1, 5)
    assert a.asked == b.asked == [(["x"], "document")]


def test_an_embedder_that_lies_about_its_width_is_not_believed(cache):
    Cached(Counting(dim=3), cache).embed(["x"])
    assert Cached(Counting(dim=4), cache).embed(["x"]).shape == (1, 4)


def test_bad_vectors_are_refused_and_not_kept(cache):
    class Bad(Counting):
        def embed(self, texts, kind="document"):
            return self.answer

    with pytest.raises(ShapeError, match=r"model: 2 texts became an array \(1, 3\).*\(2, 3\)"):
        Cached(Bad(answer=np.ones((1, 3))), cache).embed(["x", "y"])
    with pytest.raises(ShapeError):
        embedded(Bad(answer=np.ones((1, 4))), ["x"])
    with pytest.raises(NaNError):
        Cached(Bad(answer=np.full((1, 3), np.nan)), cache).embed(["x"])
    for shape in ((), (0,), (1, 3)):
        with pytest.raises(ShapeError):
            cache.put({key_of("x"): np.ones(shape, np.float32)})
    with pytest.raises(DTypeError, match="no embedder"):
        Cached("model", cache)
    assert cache.count() == 0


@pytest.mark.parametrize(
    "damage",
    [
        "vec = zeroblob(16)",
        "vec = substr(vec, 1, 12)",
        "vec = NULL",
        "vec = 'text'",
        "dim = 3",
        "dim = NULL",
        "dtype = '<f2'",
        "crc = crc + 1",
        f"vec = (SELECT vec FROM embeddings WHERE key = x'{key_of(2).hex()}'), "
        f"crc = (SELECT crc FROM embeddings WHERE key = x'{key_of(2).hex()}')",
    ],
)
def test_a_damaged_row_is_a_miss_and_is_made_again(cache, damage):
    cache.put(vectors(3))
    with sqlite3.connect(cache.path) as raw:
        raw.execute(f"UPDATE embeddings SET {damage} WHERE key = ?", (key_of(1),))
    raw.close()
    zero, one, two = cache.get([key_of(i) for i in range(3)])
    assert one is None and zero is not None and two is not None
    assert (cache.damaged, cache.hits, cache.misses) == (1, 2, 1)
    cache.put({key_of(1): np.ones(4)})
    assert cache.get([key_of(1)])[0].tolist() == [1.0] * 4


def test_chunkings_are_noted_and_a_damaged_note_is_none(cache):
    doc, cut = key_of("doc"), key_of("chunker")
    assert cache.chunking(doc, cut) is None
    cache.note_chunkings([(doc, cut, {"chunks": ["1:0-4", "\ud800"]})])
    assert cache.chunking(doc, cut) == {"chunks": ["1:0-4", "\ud800"]} and cache.chunking(cut, doc) is None
    for damage in ("chunks = '{}'", "chunks = NULL", "chunks = x'00'", "crc = 0"):
        cache.note_chunkings([(doc, cut, {"chunks": ["1:0-4"]})])
        with sqlite3.connect(cache.path) as raw:
            raw.execute(f"UPDATE documents SET {damage}")
        raw.close()
        assert cache.chunking(doc, cut) is None
    assert cache.damaged == 4


def test_the_least_recently_used_make_room(tmp_path):
    with Cache(tmp_path / "cache.db", max_bytes=5 * (16 + ROW)) as cache:
        for key, vector in vectors(5).items():
            cache.put({key: vector})
        assert cache.evicted == 0
        cache.get([key_of(0), key_of(2)])
        cache.put({key_of("new"): np.ones(4), key_of("newer"): np.ones(4)})
        left = [i for i in range(5) if cache.get([key_of(i)])[0] is not None]
        assert left == [0, 2, 4] and cache.evicted == 2
        assert cache.count() == 5 and cache.size() <= cache.max_bytes
        cache.put({key_of("huge"): np.ones(1000)})
        assert cache.count() == 0  # what is larger than all of the room is not kept


def test_bad_settings_and_files(tmp_path):
    for max_bytes in (0, -1, 1.5, "1"):
        with pytest.raises(ConfigError, match="max_bytes"):
            Cache(tmp_path / "cache.db", max_bytes)
    (tmp_path / "notes.txt").write_text("This is no database, and longer than one would be. " * 40)
    with pytest.raises(CheckpointError, match=r"notes.txt is damaged or no cache.*delete"):
        Cache(tmp_path / "notes.txt")
    with pytest.raises(CheckpointError, match="cannot be used"):
        Cache(tmp_path / "missing" / "cache.db")
    cache = Cache(tmp_path / "cache.db")
    cache.close()
    cache.close()
    with pytest.raises(CheckpointError, match="is closed"):
        cache.get([key_of(1)])


WRITER = """
import sys
import numpy as np
from tinyllm.rag.cache import Cache, key_of
path, name, rounds = sys.argv[1], sys.argv[2], int(sys.argv[3])
with Cache(path) as cache:
    print("ready", flush=True)
    for i in range(rounds):
        cache.put({key_of(name, i, j): np.full(64, i, np.float32) for j in range(20)})
        print(i, flush=True)
"""


def start(path, name, rounds):
    return subprocess.Popen([sys.executable, "-c", WRITER, path, name, str(rounds)], stdout=subprocess.PIPE, text=True)


def test_two_processes_write_one_file(tmp_path):
    path = str(tmp_path / "cache.db")
    writers = [start(path, name, 30) for name in ("a", "b")]
    assert [writer.wait() for writer in writers] == [0, 0]
    for writer in writers:
        writer.stdout.close()
    with Cache(path) as cache:
        keys = [key_of(name, i, j) for name in "ab" for i in range(30) for j in range(20)]
        assert all(row is not None for row in cache.get(keys)) and cache.count() == 1200


def test_who_will_write_waits_before_reading(cache, monkeypatch):
    """SQLite refuses a reader that wants to write when another has written since, and does so without waiting."""
    number = Cache._next_use
    monkeypatch.setattr(Cache, "_next_use", lambda self: (number(self), time.sleep(0.05))[0])
    failed = []

    def work(other, name):
        try:
            other.put({key_of(name): np.ones(4)})
        except CheckpointError as error:
            failed.append(error)

    with Cache(cache.path) as other:
        threads = [threading.Thread(target=work, args=pair) for pair in ((cache, "a"), (other, "b"))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failed == [] and cache.count() == other.count() == 2


def test_threads_share_one_cache(cache):
    def work(name):
        for i in range(10):
            cache.put({key_of(name, i): np.ones(4)})
            assert cache.get([key_of(name, i)])[0] is not None

    threads = [threading.Thread(target=work, args=(name,)) for name in "abc"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert cache.count() == cache.hits == 30


@pytest.mark.skipif(os.name == "nt", reason="no SIGKILL")
def test_killed_while_writing_every_write_is_there_whole_or_not_at_all(tmp_path):
    path = str(tmp_path / "cache.db")
    writer = start(path, "a", 100_000)
    assert writer.stdout.readline() == "ready\n"
    for _ in range(5):
        writer.stdout.readline()
    time.sleep(0.05)
    writer.send_signal(signal.SIGKILL)
    said = writer.stdout.read().split()  # all that it had said was done
    writer.wait()
    writer.stdout.close()
    done = int(said[-1]) + 1 if said else 5
    with Cache(path) as cache:
        rounds, rest = divmod(cache.count(), 20)
        assert rest == 0 and rounds in (done, done + 1)
        found = cache.get([key_of("a", i, j) for i in range(rounds) for j in range(20)])
        assert all(row is not None for row in found) and cache.damaged == 0
        cache.put(vectors(1))
