"""The stages in a row: what each of them is handed, and what of it is kept."""

from __future__ import annotations

import numpy as np
import pytest

from tinyllm import kernels
from tinyllm.errors import ConfigError, DataError, ShapeError
from tinyllm.rag import BM25, MMR, RRF, Dense, Document, Lexical, Naive, Pipeline, SentencePack, Whole

DOCUMENTS = [Document(str(n), f"duck {'pond ' * n}{'rain ' * (n % 3)}".strip()) for n in range(1, 13)]


@pytest.fixture(autouse=True)
def numpy_kernels():
    with kernels.use("numpy"):
        yield


class Letters:
    """An embedder: how often each letter comes."""

    id, dim, max_tokens = "letters", 26, None

    def embed(self, texts, kind="document"):
        return np.array([[text.lower().count(chr(97 + n)) for n in range(26)] for text in texts], np.float32)

    def count(self, text):
        return len(text)


class Reversed:
    """A reranker that turns the order around, and knows the corpus it was shown."""

    def __init__(self):
        self.shown, self.asked = [], []

    def add(self, chunks):
        self.shown += [chunk.id for chunk in chunks]

    def remove(self, chunk_ids):
        self.shown = [name for name in self.shown if name not in set(chunk_ids)]

    def score(self, query, chunks):
        self.asked.append(len(chunks))
        return np.arange(len(chunks), dtype=np.float32)


def test_every_stage_leaves_its_score():
    rag = Pipeline(
        Whole(), [Lexical(), Lexical(Naive()), Dense(Letters())], fuse=RRF(), rerank=Reversed(), diversify=MMR(0.5), k=3
    )
    rag.add(DOCUMENTS)
    hits = rag.search("duck pond")
    assert rag.name == "bm25 + naive + dense + rrf + reversed + mmr"
    assert [set(hit.parts) for hit in hits] == [{"bm25", "naive", "dense", "rrf", "reversed", "mmr"}] * 3
    assert all(hit.score == hit.parts["mmr"] for hit in hits)
    alone = Lexical()
    alone.add([chunk for document in DOCUMENTS for chunk in Whole().split(document)])
    said = {hit.chunk.id: hit.score for hit in alone.search("duck pond", 20)}
    assert all(hit.parts["bm25"] == said[hit.chunk.id] for hit in hits)


def test_depth_is_what_the_reranker_sees():
    rerank = Reversed()
    rag = Pipeline(Whole(), [Lexical()], rerank=rerank, depth=4, k=2)
    rag.add(DOCUMENTS)
    first = [hit.chunk.id for hit in Pipeline.search(rag, "duck pond", 4)]
    plain = Pipeline(Whole(), [Lexical()], k=4)
    plain.add(DOCUMENTS)
    assert first == [hit.chunk.id for hit in plain.search("duck pond")][::-1] and rerank.asked == [4]
    assert len(rag.search("duck pond")) == 2 and rerank.asked == [4, 4]
    assert len(rag.search("duck pond", 7)) == 7 and rerank.asked == [4, 4, 7]  # k above depth


def test_the_reranker_keeps_up_with_the_corpus():
    rerank = Reversed()
    rag = Pipeline(Whole(), [Lexical()], rerank=rerank)
    rag.add(DOCUMENTS[:3])
    rag.remove(["2"])
    assert rerank.shown == [rag.documents["1"][0], rag.documents["3"][0]] and "2" not in rag
    rag.remove("1")
    assert len(rag) == 1 and rag.search("duck")[0].chunk.doc_id == "3"


def test_chunks_are_asked_for_until_the_documents_are_enough():
    long = Document("long", "Duck pond here. " * 40)
    short = [Document(f"short {n}", "A pond with a duck and much else around it besides.") for n in range(3)]
    rag = Pipeline(SentencePack(8), [Lexical()], depth=5)
    rag.add([long, *short])
    assert {hit.chunk.doc_id for hit in rag.search("duck pond", 5)} == {"long"}
    ranked = rag.rank("duck pond", 4)
    assert [name for name, _ in ranked] == ["long", "short 0", "short 1", "short 2"]
    assert ranked[0][1] == rag.search("duck pond", 1)[0].score


def test_a_document_scores_as_its_best_chunk():
    rag = Pipeline(SentencePack(6), [Lexical()])
    rag.add(
        [Document("1", "A duck, a duck. One duck in the rain. No bird."), Document("2", "One duck and three cats.")]
    )
    hits = rag.search("duck", 10)
    assert len([hit for hit in hits if hit.chunk.doc_id == "1"]) == 2
    best = {name: max(hit.score for hit in hits if hit.chunk.doc_id == name) for name in "12"}
    assert dict(rag.rank("duck", 2)) == best


def test_a_blank_document_is_there_and_never_found():
    rag = Pipeline(Whole(), [Lexical()])
    rag.add([Document("blank", " \n"), DOCUMENTS[0]])
    assert len(rag) == 2 and rag.documents["blank"] == () and len(rag.rank("duck", 5)) == 1
    rag.remove(["blank"])
    assert len(rag) == 1


def test_bad_rerankers():
    class Bad:
        def __init__(self, scores):
            self.score = lambda query, chunks: scores

    for scores, error, words in (
        ([1.0], ShapeError, r"bad gave scores \(1,\) of 12 chunks"),
        ([np.nan] * 12, DataError, "not finite"),
    ):
        rag = Pipeline(Whole(), [Lexical()], rerank=Bad(scores))
        rag.add(DOCUMENTS)
        with pytest.raises(error, match=words):
            rag.search("duck")


def test_stages_that_do_not_fit():
    for retrievers, stages, words in (
        ([], {}, "at least one"),
        ([Lexical(), Lexical()], {"fuse": RRF()}, "a name of its own"),
        ([Lexical(), Lexical(BM25(), name="other")], {}, r"fuse=RRF\(\)"),
        ([Lexical()], {"diversify": MMR()}, "nobody knows vectors"),
        ([Lexical()], {"depth": 0}, "k is 0"),
        ([Lexical()], {"k": 1.5}, "k is 1.5"),
    ):
        with pytest.raises(ConfigError, match=words):
            Pipeline(Whole(), retrievers, **stages)
