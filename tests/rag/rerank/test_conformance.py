"""One contract for all rerankers: a score for each chunk, whatever their order, their number and what is in them."""

from __future__ import annotations

import numpy as np
import pytest

from tinyllm import kernels
from tinyllm.errors import DataError
from tinyllm.rag import Reranker
from tinyllm.rag.rerank import CrossEncoder, InstalledCrossEncoder, LinearLTR, MaxSim
from tinyllm.rag.types import Chunk

TEXTS = {
    "duck": ("ducks swim and dive", "Water"),
    "cat": ("cats nap", "House"),
    "copy": ("cats nap", "House"),
    "title": ("", "Stars shine"),
    "blank": ("", ""),
    "三": ("水 water ü", ""),
    "long": ("water " * 300, ""),
    "fence": ("[SEP] <|endoftext|> [CLS]", ""),
}
CHUNKS = [Chunk(f"{name}:0-{len(text)}", name, text, 0, len(text), header) for name, (text, header) in TEXTS.items()]
QUERIES = {"a": "who dives", "b": "naps"}
QRELS = {"a": {"duck": 2, "long": 1}, "b": {"cat": 1}}


class Letters:
    """An embedder, and tokens, of a text's letters."""

    id, dim, max_tokens = "letters", 16, None

    def embed(self, texts, kind="document"):
        rows = [np.bincount([ord(c) % 16 for c in text], minlength=16)[:16] for text in texts]
        return np.array(rows, np.float32).reshape(-1, 16)

    def count(self, text):
        return len(text)

    def __call__(self, texts):
        return [np.eye(16, dtype=np.float32)[[ord(c) % 16 for c in text]] for text in texts]


def overlap(pairs):
    return [len(set(query.split()) & set(text.split())) / (1 + len(text)) for query, text in pairs]


MAKERS = {
    "ltr": lambda: LinearLTR(steps=20),
    "ltr with an embedder": lambda: LinearLTR(embedder=Letters(), steps=20),
    "maxsim": lambda: MaxSim(Letters()),
    "cross": lambda: CrossEncoder(n_embd=8, n_list=4, steps=2),
    "cross, pointwise": lambda: CrossEncoder(n_embd=8, n_list=4, steps=2, loss="pointwise"),
    "installed": lambda: InstalledCrossEncoder(overlap, batch_size=3),
}
NEEDS_THE_CORPUS = {"ltr", "ltr with an embedder"}
MADE = {}


@pytest.fixture(params=MAKERS)
def reranker(request):
    """A reranker that knows CHUNKS, where it has to know any, and was trained, where it can be."""
    with kernels.use("numpy"):
        if request.param not in MADE:
            made = MAKERS[request.param]()
            if hasattr(made, "add"):
                made.add(CHUNKS)
            if hasattr(made, "fit"):
                assert made.fit(QUERIES, QRELS) is made
            MADE[request.param] = made
        yield MADE[request.param]


def test_is_a_reranker_with_a_name(reranker):
    assert isinstance(reranker, Reranker) and isinstance(reranker.name, str)


@pytest.mark.parametrize("query", ["who dives", "", "   ", "水", "nowhere", "water " * 200, "[SEP]"])
def test_a_finite_score_for_each(reranker, query):
    scores = reranker.score(query, CHUNKS)
    assert isinstance(scores, np.ndarray) and scores.dtype == np.float32 and scores.shape == (len(CHUNKS),)
    assert np.isfinite(scores).all()
    assert (reranker.score(query, CHUNKS) == scores).all()
    assert scores[1] == pytest.approx(scores[2], abs=1e-6)  # the same words, the same score


def test_the_order_of_the_chunks_is_that_of_the_scores(reranker):
    order = np.random.default_rng(0).permutation(len(CHUNKS))
    scores = reranker.score("who dives in water", CHUNKS)
    moved = reranker.score("who dives in water", [CHUNKS[place] for place in order])
    assert moved == pytest.approx(scores[order], abs=1e-5)
    assert len(set(scores.tolist())) > 2


def test_none_and_one(reranker):
    none = reranker.score("who dives", [])
    assert none.dtype == np.float32 and none.shape == (0,)
    one = reranker.score("who dives", CHUNKS[:1])
    assert one.shape == (1,) and np.isfinite(one).all()


def test_an_unknown_chunk_is_read_or_refused_by_name(reranker, request):
    stranger = Chunk("new:0-4", "new", "dive", 0, 4)
    if request.node.callspec.params["reranker"] in NEEDS_THE_CORPUS:
        with pytest.raises(DataError, match="'new:0-4' was not added"):
            reranker.score("who dives", [CHUNKS[0], stranger])
    else:
        scores = reranker.score("who dives", [CHUNKS[0], stranger])
        assert scores.shape == (2,) and np.isfinite(scores).all()


def test_what_is_scored_stays_as_it_was(reranker):
    before = list(CHUNKS)
    reranker.score("who dives", CHUNKS)
    assert before == CHUNKS
