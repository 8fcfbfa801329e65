"""Ingest: only what changed is cut and embedded, a killed run is finished by the next, two at once agree."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from tinyllm.errors import ConfigError, DataError, DTypeError, ShapeError
from tinyllm.rag.cache import Cache, Cached
from tinyllm.rag.chunk import FixedTokens, Headings, Semantic, SentencePack, contextual_header
from tinyllm.rag.ingest import Changes, chunker_sha, fingerprint, ingest
from tinyllm.rag.read import folder, manual
from tinyllm.rag.store.memory import MemoryStore
from tinyllm.rag.store.sqlite import SqliteStore
from tinyllm.rag.types import Chunk, Document


class Counting:
    """An embedder that remembers what it was asked; its vectors follow from the text."""

    id, dim, max_tokens = "counting", 4, None

    def __init__(self):
        self.asked = []

    def count(self, text):
        return len(text.split())

    def embed(self, texts, kind="document"):
        self.asked += texts
        return np.array([[len(text), text.count("a"), text.count("e"), 1.0] for text in texts], np.float32)


class CountingChunker:
    """A chunker that remembers what it cut."""

    id = "two sentences"

    def __init__(self):
        self.cut = []

    def split(self, document):
        self.cut.append(document.id)
        return SentencePack(12).split(document)


def notes(n=5):
    return [
        Document(f"{i}.md", "".join(f"Note {i} has {j} ducks. " for j in range(6)), title=f"Note {i}", meta={"n": i})
        for i in range(n)
    ]


@pytest.fixture(params=["memory", "sqlite", "sqlite beside the cache"])
def room(request, tmp_path):
    """A store, a cache, an embedder and a chunker, new and empty."""
    with Cache(tmp_path / "cache.db") as cache:
        name = "cache.db" if "beside" in request.param else "store.db"
        store = MemoryStore("counting", 4) if request.param == "memory" else SqliteStore(tmp_path / name, "counting", 4)
        with store:
            yield store, cache, Counting(), CountingChunker()


def holds(store, documents):
    """The store has exactly these documents' chunks, their metas and vectors, and no other ones."""
    chunks = [chunk for document in documents for chunk in CountingChunker().split(document)]
    ids = store.ids()
    assert sorted(ids) == sorted(chunk.id for chunk in chunks)
    wanted = {chunk.id: chunk for chunk in chunks}
    assert store.get(ids) == [wanted[name] for name in ids]
    vectors = Counting().embed([wanted[name].full for name in ids])
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    assert np.allclose(store.vectors(ids), vectors, atol=1e-6)
    metas = {d.id: {**({"title": d.title} if d.title else {}), **d.meta} for d in documents}
    assert store.meta(ids) == [metas[wanted[name].doc_id] for name in ids]


def test_only_what_changed_is_cut_and_embedded(room):
    store, cache, embedder, chunker = room
    documents = notes()
    changes = ingest(documents, store, chunker, embedder, cache)
    assert changes == Changes(added=tuple(d.id for d in documents))
    holds(store, documents)
    assert store.ids() == [chunk.id for d in documents for chunk in CountingChunker().split(d)]

    embedder.asked.clear(), chunker.cut.clear()
    assert ingest(iter(documents), store, chunker, embedder, cache) == Changes(same=tuple(d.id for d in documents))
    assert embedder.asked == chunker.cut == []

    documents[1] = replace(documents[1], text=documents[1].text.replace("ducks", "swans", 1))
    documents[3:4] = [Document("new.md", "Quite another text.")]
    order = store.ids()
    changes = ingest(documents, store, chunker, embedder, cache)
    assert changes == Changes(("new.md",), ("1.md",), ("3.md",), ("0.md", "2.md", "4.md"))
    assert chunker.cut == ["1.md", "new.md"]
    assert len(embedder.asked) == 2 and "swan" in embedder.asked[0] and embedder.asked[1] == "Quite another text."
    holds(store, documents)
    assert [name for name in store.ids() if name in order] == [name for name in order if not name.startswith("3.md")]


def test_a_change_of_the_same_length_is_seen(room):
    store, cache, embedder, chunker = room
    for text in ("Ducks swim.", "Ducks swam.", "Ducks swim."):
        ingest([Document("1", text)], store, chunker, embedder, cache)
        holds(store, [Document("1", text)])
    assert embedder.asked == ["Ducks swim.", "Ducks swam."]  # the third is remembered


def test_meta_and_title_are_changes_and_cost_no_embedding(room):
    store, cache, embedder, chunker = room
    document = Document("1", "Ducks swim.", title="Ducks", meta={"year": 1958})
    ingest([document], store, chunker, embedder, cache)
    for changed in (replace(document, meta={"year": 1959}), replace(document, title="Birds"), document):
        assert ingest([changed], store, chunker, embedder, cache).changed == ("1",)
        holds(store, [changed])
        assert ingest([changed], store, chunker, embedder, cache).same == ("1",)
    assert embedder.asked == ["Ducks swim."]


def test_moved_text_is_not_embedded_again_even_without_a_cache(room):
    store, _, embedder, chunker = room
    document = notes(1)[0]
    ingest([document], store, chunker, embedder)
    embedder.asked.clear()
    moved = replace(document, text="A new beginning, ten signs in all, is it. " + document.text)
    assert ingest([moved], store, chunker, embedder).changed == ("0.md",)
    assert len(embedder.asked) == len(chunker.split(moved)) - len(chunker.split(document)) == 1
    holds(store, [moved])


def test_the_cache_alone_spares_the_embedder(room):
    store, cache, embedder, chunker = room
    ingest(notes(), store, chunker, embedder, cache)
    embedder.asked.clear()
    other = MemoryStore("counting", 4)
    assert len(ingest(notes(), other, chunker, embedder, cache).added) == 5 and embedder.asked == []
    holds(other, notes())
    ingest(notes(), MemoryStore("counting", 4), chunker, Cached(embedder, cache), cache)
    assert embedder.asked == []


def test_a_store_that_lost_or_gained_something_is_put_right(room):
    store, cache, embedder, chunker = room
    ingest(notes(), store, chunker, embedder, cache)
    stray = Chunk("1.md:0-5", "1.md", "Stray", 0, 5)
    store.delete(store.ids("2.md")[:1])
    store.upsert([stray], [[1.0, 0, 0, 0]])
    assert ingest(notes(), store, chunker, embedder, cache).changed == ("1.md", "2.md")
    holds(store, notes())


def test_a_damaged_cache_costs_time_only(room):
    store, cache, embedder, chunker = room
    ingest(notes(), store, chunker, embedder, cache)
    cache._file.execute("UPDATE documents SET crc = 0")
    cache._file.execute("UPDATE embeddings SET crc = 0")
    chunker.cut.clear()
    assert len(ingest(notes(), store, chunker, embedder, cache).same) == 5 and len(chunker.cut) == 5
    holds(store, notes())


def test_some_documents_only(room):
    store, cache, embedder, chunker = room
    ingest(notes(4), store, chunker, embedder, cache)
    assert ingest(notes(2), store, chunker, embedder, cache, remove=False).removed == ()
    assert ingest(notes(2), store, chunker, embedder, cache).removed == ("2.md", "3.md")
    holds(store, notes(2))
    assert ingest([], store, chunker, embedder, cache).removed == ("0.md", "1.md") and store.count() == 0


def test_titles_and_blank_documents(room):
    store, cache, embedder, _ = room
    documents = [Document("title", "", title="Ducks"), Document("blank", " \n")]
    changes = ingest(documents, store, SentencePack(), embedder, cache)
    assert changes == Changes(added=("title",), same=("blank",)) and embedder.asked == ["Ducks"]
    assert ingest(documents, store, SentencePack(), embedder, cache).same == ("title", "blank")
    ingest([Document("title", "Text."), documents[1]], store, SentencePack(), embedder, cache)
    assert ingest([Document("title", " ")], store, SentencePack(), embedder, cache).changed == ("title",)
    assert store.count() == 0


def test_pages_are_told(room):
    store, cache, embedder, _ = room
    document = Document("a.pdf", "One page.\n\nAnother one.\n\n\n\nThe fourth.", meta={"pages": [0, 11, 25, 27]})
    ingest([document], store, SentencePack(3), embedder, cache)
    assert store.meta(store.ids()) == [{"page": 1}, {"page": 2}, {"page": 4}]


def test_what_is_refused(room):
    store, cache, embedder, chunker = room
    twice = [*notes(3), notes()[1], Document("late", "Too late.")]
    with pytest.raises(DataError, match=r"two documents are called '1.md'"):
        ingest(twice, store, chunker, embedder, cache)
    holds(store, notes(3))  # what came before is there
    with pytest.raises(DTypeError, match="no Document"):
        ingest(["text"], store, chunker, embedder, cache)
    with pytest.raises(DataError, match="no JSON"):
        ingest([Document("1", "text", meta={"when": object()})], store, chunker, embedder, cache)
    another = Counting()
    another.id = "another"
    with pytest.raises(ConfigError, match=r"'counting' .*'another'"):
        ingest(notes(), store, chunker, another, cache)
    another = Counting()
    another.embed = lambda texts, kind="document": np.ones((1, 4))
    for kept in (None, cache):
        with pytest.raises(ShapeError, match="became an array"):
            ingest([Document("x", "New. " * 20)], store, chunker, another, kept)
    holds(store, notes(3))


def test_an_embedder_that_fails_midway_loses_nothing(room, monkeypatch):
    store, cache, embedder, chunker = room
    monkeypatch.setattr("tinyllm.rag.ingest.BATCH", 4)
    embed = embedder.embed

    def failing(texts, kind="document"):
        if len(embedder.asked) >= 8:
            raise OSError("no network")
        return embed(texts, kind)

    embedder.embed = failing
    with pytest.raises(OSError, match="no network"):
        ingest(notes(8), store, chunker, embedder, cache)
    done = len(embedder.asked)
    assert 0 < store.count() <= done
    embedder.embed = embed
    ingest(notes(8), store, chunker, embedder, cache)
    assert len(embedder.asked) == len(set(embedder.asked)) == sum(len(chunker.split(d)) for d in notes(8))
    holds(store, notes(8))
    assert store.ids() == [chunk.id for d in notes(8) for chunk in chunker.split(d)]


def test_progress(room, monkeypatch):
    store, cache, embedder, chunker = room
    monkeypatch.setattr("tinyllm.rag.ingest.BATCH", 4)
    for documents, total in ((notes(), 5), (iter(notes()), None)):
        said = []
        ingest(documents, store, chunker, embedder, cache, lambda *told: said.append(told))  # noqa: B023
        assert said[-1] == (5, total) and {each for _, each in said} == {total}
        assert [done for done, _ in said] == sorted(done for done, _ in said)


def test_chunkers_are_told_apart():
    embedder, another = Counting(), Counting()
    another.id = "another"
    ours = [
        SentencePack(),
        SentencePack(100),
        SentencePack(embedder=embedder),
        SentencePack(embedder=another),
        SentencePack(header=contextual_header),
        Headings(),
        FixedTokens(9, 2),
        FixedTokens(9, 3),
        Semantic(embedder),
        Semantic(embedder, penalty=0.5),
        CountingChunker(),
    ]
    shas = [chunker_sha(chunker) for chunker in ours]
    assert None not in shas and len(set(shas)) == len(ours)
    assert chunker_sha(SentencePack(embedder=Counting())) == shas[2]
    for unknown in (object(), SentencePack(header=lambda document, section, start: "")):
        assert chunker_sha(unknown) is None


def test_everything_a_chunk_says_is_in_its_fingerprint():
    chunk = Chunk("1:0-4", "1", "Duck", 0, 4, "Birds", 0, 3)
    others = [
        {"id": "2"},
        {"doc_id": "2"},
        {"text": "Swan"},
        {"start": 1},
        {"end": 5},
        {"header": ""},
        {"ordinal": 1},
        {"n_tokens": 4},
    ]
    prints = [fingerprint(chunk, {"a": 1}), fingerprint(chunk, {"a": 2})]
    prints += [fingerprint(replace(chunk, **other), {"a": 1}) for other in others]
    assert len(set(prints)) == len(prints) and fingerprint(chunk, {"a": (1,)}) == fingerprint(chunk, {"a": [1]})


def test_the_semantic_chunker_embeds_nothing_the_second_time(tmp_path):
    embedder = Counting()
    with Cache(tmp_path / "cache.db") as cache, MemoryStore("counting", 4) as store:
        for _ in range(2):
            embedder.asked.clear()
            ingest(notes(), store, Semantic(embedder), embedder, cache)
    assert embedder.asked == []


def test_a_folder_that_changed(room, tmp_path):
    store, cache, embedder, _ = room
    root = tmp_path / "notes"
    (root / "b").mkdir(parents=True)
    for name in ("a.md", "b/c.md", "d.md"):
        (root / name).write_text(f"# {name}\nDucks swim.\n## Food\nThey eat bread.\n")
    chunker = Headings()
    assert ingest(folder(root), store, chunker, embedder, cache).added == ("a.md", "b/c.md", "d.md")
    embedder.asked.clear()
    assert len(ingest(folder(root), store, chunker, embedder, cache).same) == 3 and embedder.asked == []
    (root / "d.md").rename(root / "e.md")
    (root / "b" / "c.md").write_text("# b/c.md\nDucks swim.\n## Food\nThey eat weeds.\n")
    (root / "a.md").touch()
    changes = ingest(folder(root), store, chunker, embedder, cache)
    assert changes == Changes(("e.md",), ("b/c.md",), ("d.md",), ("a.md",))
    assert [text.splitlines()[-1] for text in embedder.asked] == ["They eat weeds."]
    assert store.ids("b/c.md") == ["b/c.md:0-20", "b/c.md:21-44"] and store.ids("d.md") == []


def test_the_manual_is_stored_with_its_sections(tmp_path):
    with MemoryStore("counting", 4) as store, Cache(tmp_path / "cache.db") as cache:
        pages = manual()[:12]
        assert len(ingest(pages, store, Headings(), Counting(), cache).added) == 12
        headers = [chunk.header for chunk in store.get(store.ids("python/assert"))]
        assert headers[0].startswith('The "assert" statement')
        assert len(ingest(pages, store, Headings(), Counting(), cache).same) == 12


WORKER = """
import sys, time
import numpy as np
from tinyllm.rag import ingest as module
from tinyllm.rag.cache import Cache
from tinyllm.rag.chunk import SentencePack
from tinyllm.rag.store.sqlite import SqliteStore
from tinyllm.rag.types import Document
module.BATCH = 8
class Slow:
    id, dim, max_tokens = "counting", 4, None
    def count(self, text): return len(text.split())
    def embed(self, texts, kind="document"):
        print(len(texts), flush=True)
        time.sleep(float(sys.argv[3]))
        return np.array([[len(t), t.count("a"), t.count("e"), 1.0] for t in texts], np.float32)
def text(i): return "".join(f"Note {i} has {j} ducks. " for j in range(6))
documents = [Document(f"{i}.md", text(i), title=f"Note {i}", meta={"n": i}) for i in range(60)]
class Two:
    id = "two sentences"
    def split(self, document): return SentencePack(12).split(document)
with SqliteStore(sys.argv[1], "counting", 4) as store, Cache(sys.argv[2]) as cache:
    print(module.ingest(documents, store, Two(), Slow(), cache))
"""


def start(store, cache, pause):
    command = [sys.executable, "-c", WORKER, str(store), str(cache), str(pause)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


@pytest.mark.skipif(os.name == "nt", reason="no SIGKILL")
def test_killed_in_the_middle_nothing_is_lost_and_the_next_run_finishes(tmp_path):
    path = tmp_path / "one.db"
    worker = start(path, path, 0.02)
    for _ in range(6):
        assert worker.stdout.readline().strip().isdigit()
    worker.send_signal(signal.SIGKILL)
    worker.wait()
    worker.stdout.close()
    with SqliteStore(path) as store, Cache(path) as cache:
        before = store.ids()
        assert 0 < len(before) < sum(len(CountingChunker().split(d)) for d in notes(60))
        embedder, chunker = Counting(), CountingChunker()
        changes = ingest(notes(60), store, chunker, embedder, cache)
        assert len(changes.same) > 0 and not changes.removed
        assert len(embedder.asked) <= sum(len(CountingChunker().split(d)) for d in notes(60)) - len(before)
        holds(store, notes(60))
        assert store.ids() == [chunk.id for d in notes(60) for chunk in CountingChunker().split(d)]


def test_two_processes_ingest_into_one_file(tmp_path):
    path = tmp_path / "one.db"
    workers = [start(path, path, 0.0) for _ in range(2)]
    said = [worker.communicate()[0].splitlines()[-1] for worker in workers]
    assert [worker.returncode for worker in workers] == [0, 0] and all("added" in line for line in said)
    with SqliteStore(path) as store, Cache(path) as cache:
        holds(store, notes(60))
        embedder = Counting()
        assert len(ingest(notes(60), store, CountingChunker(), embedder, cache).same) == 60
        assert embedder.asked == []
