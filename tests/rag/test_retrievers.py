"""One contract for all retrievers: by words, by vectors, and pipelines of them. A user's own can be added to MAKERS."""

from __future__ import annotations

import zlib
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinyllm import kernels
from tinyllm.errors import ConfigError, DataError, DTypeError, ShapeError
from tinyllm.rag import (
    BM25,
    HNSW,
    IVF,
    MMR,
    RRF,
    Convex,
    Dense,
    Document,
    Flat,
    Lexical,
    Naive,
    Pipeline,
    SentencePack,
    TfIdf,
    Whole,
)
from tinyllm.rag.types import Chunk, Retriever


class Hashed:
    """An embedder of the test's own: each word adds to one of 32 places, so equal texts have equal vectors."""

    dim, max_tokens = 32, None

    def __init__(self, name: str = "hashed-32") -> None:
        self.id = name
        self.calls = 0

    def embed(self, texts, kind="document"):
        self.calls += 1
        vectors = np.zeros((len(texts), self.dim), np.float32)
        for row, text in enumerate(texts):
            for word in text.lower().split():
                vectors[row, zlib.crc32(word.strip(".?").encode()) % self.dim] += 1
        return vectors

    def count(self, text):
        return len(text.split())


class Longest:
    """A reranker: the longer the better, and nothing else."""

    name = "longest"

    def score(self, query, chunks):
        return np.array([len(chunk.text) for chunk in chunks], np.float32)


def pipeline(retrievers, chunker=None, **stages):
    return Pipeline(chunker or Whole(), retrievers, **stages)


MAKERS = {
    "naive": lambda: Lexical(Naive()),
    "tf-idf": lambda: Lexical(TfIdf()),
    "bm25": lambda: Lexical(BM25()),
    "bm25 live": lambda: Lexical(BM25(mode="live"), name="live"),
    "flat": lambda: Dense(Hashed(), Flat()),
    "ivf": lambda: Dense(Hashed(), IVF(lists=2, probes=2)),
    "hnsw": lambda: Dense(Hashed(), HNSW(M=4, ef_construction=16, ef=32)),
    "pipeline": lambda: pipeline([Lexical()]),
    "hybrid": lambda: pipeline([Lexical(), Dense(Hashed())], fuse=RRF()),
    "convex": lambda: pipeline([Lexical(), Dense(Hashed())], fuse=Convex(0.3)),
    "all stages": lambda: pipeline(
        [Lexical(), Dense(Hashed())], SentencePack(6), fuse=RRF(), rerank=Longest(), diversify=MMR(), depth=20
    ),
}
every_retriever = pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)

DOCUMENTS = [
    Document("a", "Ducks swim in the pond.", title="Ducks"),
    Document("ü/b.md", "Cats sleep. Cats run. Cats hate the pond."),
    Document("c", "Dogs run after cats."),
    Document("d", "", title="Opening hours"),
    Document("三", "Rain fell on the pond all day."),
]


@pytest.fixture(autouse=True)
def numpy_kernels():
    with kernels.use("numpy"):
        yield


def filled(make, documents=DOCUMENTS):
    """The same documents in a retriever of any kind."""
    retriever = make()
    add(retriever, documents)
    return retriever


def add(retriever, documents):
    if isinstance(retriever, Pipeline):
        retriever.add(documents)
    else:
        retriever.add([chunk for document in documents for chunk in Whole().split(document)])


def forget(retriever, documents):
    if isinstance(retriever, Pipeline):
        retriever.remove([document.id for document in documents])
    else:
        retriever.remove([chunk.id for document in documents for chunk in Whole().split(document)])


def seen(retriever, query, k=10):
    return [(hit.chunk.id, hit.score) for hit in retriever.search(query, k)]


@every_retriever
def test_hits_are_ranked(make):
    retriever = filled(make)
    assert isinstance(retriever, Retriever)
    hits = retriever.search("cats and the pond", 10)
    assert hits and [hit.rank for hit in hits] == list(range(1, len(hits) + 1))
    assert all(one.score >= other.score for one, other in pairwise(hits))
    assert len({hit.chunk.id for hit in hits}) == len(hits)
    texts = {document.id: document.text for document in DOCUMENTS}
    for hit in hits:
        assert hit.chunk.text == texts[hit.chunk.doc_id][hit.chunk.start : hit.chunk.end]
        assert isinstance(hit.score, float) and hit.score in hit.parts.values()


@every_retriever
def test_the_first_hits_of_more(make):
    retriever = filled(make)
    assert seen(retriever, "cats and the pond", 2) == seen(retriever, "cats and the pond", 10)[:2]
    assert seen(retriever, "cats and the pond") == seen(retriever, "cats and the pond")


@every_retriever
def test_more_than_there_is_and_nothing_at_all(make):
    retriever = filled(make)
    assert 0 < len(retriever.search("pond", 1000)) <= 9
    assert retriever.search("", 5) == retriever.search(" \n", 5) == []
    empty = make()
    assert empty.search("pond", 5) == [] and empty.rank("pond", 5) == [] and len(empty) == 0
    add(empty, [])
    assert len(empty) == 0


@every_retriever
def test_a_title_alone_is_found(make):
    assert "d" in dict(filled(make).rank("opening hours", 5))


@every_retriever
def test_documents_come_once_and_fill_up(make):
    retriever = filled(make)
    ranked = retriever.rank("cats run near the pond", 3)
    assert len(ranked) == 3 == len({name for name, _ in ranked})
    assert all(one[1] >= other[1] for one, other in pairwise(ranked))
    assert [name for name, _ in retriever.rank("cats run near the pond", 100)[:3]] == [name for name, _ in ranked]


@every_retriever
def test_bad_questions(make):
    retriever = filled(make)
    for k in (0, -1, 1.5, True, "3"):
        with pytest.raises(ConfigError, match="k is"):
            retriever.search("pond", k)
    with pytest.raises(DTypeError, match="the query is a NoneType"):
        retriever.search(None, 3)


@every_retriever
def test_nothing_comes_twice(make):
    retriever = filled(make)
    before = seen(retriever, "cats and the pond")
    with pytest.raises(DataError, match="there already"):
        add(retriever, [Document("new", "New text."), DOCUMENTS[1]])
    with pytest.raises(DataError, match="there already"):
        add(retriever, [Document("new", "New text."), Document("new", "New text.")])
    with pytest.raises(DataError, match="there is no"):
        forget(retriever, [DOCUMENTS[0], Document("new", "New text.")])
    assert len(retriever) == 5 and seen(retriever, "cats and the pond") == before


@every_retriever
@settings(max_examples=15)
@given(order=st.permutations(range(5)), gone=st.sets(st.integers(0, 4)), back=st.booleans())
def test_any_history_answers_like_a_rebuild(make, order, gone, back):
    retriever = filled(make, [DOCUMENTS[n] for n in order])
    if gone:
        forget(retriever, [DOCUMENTS[n] for n in sorted(gone)])
    held = [DOCUMENTS[n] for n in order if n not in gone]
    if back and gone:
        add(retriever, [DOCUMENTS[n] for n in sorted(gone)])
        held += [DOCUMENTS[n] for n in sorted(gone)]
    again = filled(make, held)
    for query in ("cats and the pond", "opening hours run"):
        ours, rebuilt = seen(retriever, query), seen(again, query)
        assert [name for name, _ in ours] == [name for name, _ in rebuilt]
        np.testing.assert_allclose([s for _, s in ours], [s for _, s in rebuilt], atol=1e-6)


# what vectors ask for


def chunks(*texts):
    return [Chunk(f"{n}:0-{len(text)}", str(n), text, 0, len(text)) for n, text in enumerate(texts)]


@pytest.mark.parametrize("index", [Flat, IVF, HNSW])
def test_vectors_of_another_embedder_are_refused(index):
    embedder = Hashed()
    dense = Dense(embedder, index())
    with pytest.raises(ConfigError, match="vectors of other-64 where those of hashed-32 belong"):
        dense.add(chunks("duck"), np.ones((1, 32)), embedder_id="other-64")
    dense.add(chunks("duck"), np.ones((1, 32)), embedder_id="hashed-32")
    assert embedder.calls == 0 and dense.embedder_id == "hashed-32"
    embedder.id = "hashed-32, trained on"
    for action in (lambda: dense.search("duck", 1), lambda: dense.add(chunks("", "cat")[1:])):
        with pytest.raises(ConfigError, match="holds vectors of hashed-32, the embedder is now hashed-32, trained on"):
            action()
    dense.remove(["0:0-4"])
    dense.add(chunks("duck"))  # an empty index takes any embedder
    assert dense.embedder_id == "hashed-32, trained on" and [hit.rank for hit in dense.search("duck", 3)] == [1]


def test_bad_vectors_change_nothing():
    dense = Dense(Hashed())
    dense.add(chunks("duck"))
    two = chunks("", "cat", "dog")[1:]
    with pytest.raises(ShapeError, match=r"vectors \(2, 31\) of 2 texts by hashed-32. Try: \(2, 32\)"):
        dense.add(two, np.ones((2, 31)))
    with pytest.raises(ShapeError, match="of 2 texts"):
        dense.add(two, np.ones((3, 32)))
    for bad in (np.nan, np.inf):
        with pytest.raises(DataError, match="NaN or inf"):
            dense.add(two, np.full((2, 32), bad))
    assert len(dense) == 1 and len(dense.index) == 1
    dense.embedder.embed = lambda texts, kind: np.full((1, 32), np.nan)
    with pytest.raises(DataError, match="a vector by hashed-32 holds NaN"):
        dense.search("duck", 1)


def test_a_pipeline_takes_all_or_nothing():
    """The vectors are refused after the words were indexed: these are taken out again."""
    rag = pipeline([Lexical(), Dense(Hashed())], fuse=RRF())
    rag.add(DOCUMENTS[:2])
    embed, rag.retrievers[1].embedder.embed = rag.retrievers[1].embedder.embed, lambda texts, kind: np.ones((1, 3))
    with pytest.raises(ShapeError):
        rag.add(DOCUMENTS[2:])
    rag.retrievers[1].embedder.embed = embed
    assert len(rag) == 2 == len(rag.retrievers[0]) == len(rag.retrievers[1])
    rag.add(DOCUMENTS[2:])
    assert "c" in rag and {hit.chunk.doc_id for hit in rag.search("dogs")} >= {"c"}


def test_vectors_are_handed_out_as_the_index_holds_them():
    for index in (Flat(), HNSW(), Flat(storage="float16")):
        dense = Dense(Hashed(), index)
        dense.add(chunks("duck duck pond", "cat"))
        found = dense.vectors(["1:0-3", "0:0-14"])
        np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-3)
        assert dense.embedder.calls == 1 and found[1].max() == pytest.approx(2 / 5**0.5, abs=1e-3)
        with pytest.raises(DataError, match="no chunk 'x'"):
            dense.vectors(["x"])

    class Foreign:
        """An index of somebody else, which hands out nothing."""

        def __init__(self):
            self.held = Flat()

        def __len__(self):
            return len(self.held)

        def __getattr__(self, name):
            if name == "vectors":
                raise AttributeError(name)
            return getattr(self.held, name)

    dense = Dense(Hashed(), Foreign())
    dense.add(chunks("duck duck pond"))
    assert dense.vectors(["0:0-14"]).max() == 2 and dense.embedder.calls == 2
    with pytest.raises(DataError, match="no id 'x'"):
        dense.index.held.vectors(["x"])


def test_retrievers_refuse():
    held = BM25()
    held.add(["1"], ["duck"])
    with pytest.raises(ConfigError, match="holds 1 already"):
        Lexical(held)
    with pytest.raises(ConfigError, match="an index, such as"):
        Lexical(BM25)
    with pytest.raises(ConfigError, match="named ''"):
        Dense(Hashed(), name="")
