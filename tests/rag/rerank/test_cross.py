"""A cross-encoder that learns a small collection by heart, its loss, and the sequence that it reads."""

from __future__ import annotations

import numpy as np
import pytest

from tinyllm import kernels
from tinyllm.autograd import Tensor, gradcheck
from tinyllm.errors import ConfigError, DataError
from tinyllm.rag.rerank import CrossEncoder, InstalledCrossEncoder
from tinyllm.rag.rerank.cross import binary
from tinyllm.rag.rerank.pairs import CLS, SEP, UNKNOWN, Pairs
from tinyllm.rag.types import Chunk

TEXTS = {"duck": "ducks swim and dive", "cat": "cats nap", "star": "stars shine at night", "bread": "dough has to rise"}
CHUNKS = [Chunk(f"{name}:0-{len(text)}", name, text, 0, len(text)) for name, text in TEXTS.items()]
QUERIES = {"a": "who dives", "b": "what shines", "c": "naps", "none": "nothing of all this"}
QRELS = {"a": {"duck": 2}, "b": {"star": 1}, "c": {"cat": 1, "bread": 0}, "none": {"duck": 0}}


@pytest.fixture(autouse=True)
def numpy_kernels():
    with kernels.use("numpy"):
        yield


def fitted(**settings):
    cross = CrossEncoder(n_embd=16, n_list=4, **settings)
    cross.add(CHUNKS)
    return cross


@pytest.mark.parametrize("loss", ["listwise", "pointwise"])
def test_it_learns_a_small_collection_by_heart(loss):
    cross = fitted(loss=loss, steps=40, lr=0.01).fit(QUERIES, QRELS, seed=1)
    assert len(cross.losses) == 40 and np.mean(cross.losses[-5:]) < 0.3 * cross.losses[0]
    found = [list(TEXTS)[cross.score(QUERIES[query], CHUNKS).argmax()] for query in "abc"]
    assert found == ["duck", "star", "cat"]


def test_the_same_seed_the_same_scores_and_no_document_but_those_allowed():
    one, same, other = (fitted(steps=3).fit(QUERIES, QRELS, seed=s).score("naps", CHUNKS) for s in (0, 0, 1))
    assert (one == same).all() and (one != other).any()
    part = fitted(steps=3)
    part.fit(QUERIES, QRELS, {"duck", "star"}, seed=0)
    alone = CrossEncoder(n_embd=16, n_list=4, steps=3)
    alone.add([CHUNKS[0], CHUNKS[2]])
    alone.fit(QUERIES, QRELS, seed=0)
    assert (part.score("naps", CHUNKS) == alone.score("naps", CHUNKS)).all()


def test_what_is_refused():
    for bad in ({"loss": "pairwise"}, {"steps": 0}, {"n_list": 1}, {"longest": 5}, {"lr": 0}):
        with pytest.raises(ConfigError, match="CrossEncoder"):
            CrossEncoder(**bad)
    cross = fitted(steps=1)
    with pytest.raises(ConfigError, match="not fitted"):
        cross.score("naps", CHUNKS)
    with pytest.raises(DataError, match="no query has a relevant"):
        cross.fit(QUERIES, {"a": {"duck": 0}})
    cross.remove([CHUNKS[0].id])
    with pytest.raises(DataError, match="not there"):
        cross.remove([CHUNKS[0].id])


def test_the_loss_of_yes_and_no(rng):
    logits, relevant = rng.normal(size=7) * 3, rng.integers(0, 2, 7).astype(float)
    p = 1 / (1 + np.exp(-logits))
    by_hand = -np.mean(relevant * np.log(p) + (1 - relevant) * np.log(1 - p))
    assert binary(Tensor(logits), relevant).item() == pytest.approx(by_hand, rel=1e-12)
    assert gradcheck(lambda s: binary(s, relevant), Tensor(logits, requires_grad=True))


def test_a_pair_is_one_sequence():
    pairs = Pairs(TEXTS.values(), longest=9)
    ids, kinds = pairs("who dives with geese", "ducks dive and swim, ducks swim and dive")
    assert ids[0] == CLS and ids[3] == ids[-1] == SEP and len(ids) == len(kinds) == 9
    assert ids[2] == UNKNOWN and kinds.tolist() == [0, 1, 0, 0, 2, 3, 2, 2, 2]
    few = Pairs(["x x x y y z"], most=6)
    assert len(few) == 6 and few("x", "y z")[0].tolist() == [CLS, 4, SEP, 5, UNKNOWN, SEP]


def test_an_installed_one_is_asked_in_batches():
    seen = []

    class Model:
        def predict(self, pairs):
            seen.append(len(pairs))
            return np.array([[len(text)] for _, text in pairs])

    reranker = InstalledCrossEncoder(Model(), batch_size=3)
    assert reranker.score("q", CHUNKS).tolist() == [len(text) for text in TEXTS.values()] and seen == [3, 1]
    for bad in (lambda pairs: [1.0], lambda pairs: [np.nan] * len(pairs), lambda pairs: np.ones((len(pairs), 2))):
        with pytest.raises(DataError, match="cross-encoder"):
            InstalledCrossEncoder(bad).score("q", CHUNKS)
    with pytest.raises(ConfigError, match="no predict"):
        InstalledCrossEncoder(7)
    with pytest.raises(ConfigError, match="batch_size"):
        InstalledCrossEncoder(Model(), batch_size=0)
