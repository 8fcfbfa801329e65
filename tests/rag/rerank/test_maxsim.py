"""MaxSim by hand, what it keeps, and the tokens of a BERT."""

from __future__ import annotations

import numpy as np
import pytest

from tinyllm import kernels
from tinyllm.errors import DataError, NaNError, ShapeError
from tinyllm.models import Bert, BertConfig, MiniLM
from tinyllm.rag.rerank import MaxSim, minilm_tokens
from tinyllm.rag.types import Chunk


@pytest.fixture(autouse=True)
def numpy_kernels():
    with kernels.use("numpy"):
        yield


def chunk(name, text, header=""):
    return Chunk(f"{name}:0-{len(text)}", name, text, 0, len(text), header)


class Drawn:
    """Gives each word a vector of its own, of any length, and counts the texts that it read."""

    def __init__(self, dim=5):
        self.dim, self.read = dim, []

    def __call__(self, texts):
        self.read += texts
        rows = [[np.random.default_rng(list(word.encode())).normal(size=self.dim) for word in t.split()] for t in texts]
        return [np.array(row, np.float32).reshape(-1, self.dim) for row in rows]


def by_hand(tokens, query, text):
    q, d = (rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in tokens([query, text]))
    return np.mean([max(float(a @ b) for b in d) for a in q])


def test_scores_by_hand():
    maxsim = MaxSim(Drawn())
    chunks = [chunk("a", "ducks swim far"), chunk("b", "cats"), chunk("c", "swim", header="birds fly")]
    scores = maxsim.score("who swim", chunks)
    expected = [by_hand(Drawn(), "who swim", c.full) for c in chunks]
    assert scores == pytest.approx(expected, abs=2e-3)  # float16
    assert maxsim.score("cats", chunks)[1] == pytest.approx(1, abs=2e-3)


def test_what_was_added_is_not_read_again():
    tokens = Drawn()
    maxsim = MaxSim(tokens)
    chunks = [chunk("a", "ducks swim"), chunk("b", "cats nap")]
    fresh = maxsim.score("swim", chunks)
    maxsim.add(chunks)
    assert len(maxsim) == 2
    tokens.read.clear()
    assert (maxsim.score("swim", chunks) == fresh).all() and tokens.read == []
    maxsim.score("nap", chunks)
    assert tokens.read == ["nap"]
    changed = Chunk(chunks[0].id, "a", "dogs bark", 0, 9)
    assert maxsim.score("bark", [changed])[0] == pytest.approx(1, abs=2e-3)
    maxsim.remove([chunks[0].id])
    assert len(maxsim) == 1
    with pytest.raises(DataError, match="not there"):
        maxsim.remove([chunks[0].id])


def test_vectors_that_somebody_has():
    given = MaxSim(Drawn())
    given.add([chunk("a", "ducks")], [3 * Drawn()(["ducks"])[0]])
    assert given.score("ducks", [chunk("a", "ducks")])[0] == pytest.approx(1, abs=2e-3)
    with pytest.raises(ShapeError, match="2 arrays of tokens for 1"):
        given.add([chunk("b", "x")], [np.ones((1, 5))] * 2)
    with pytest.raises(ShapeError, match="same D"):
        given.add([chunk("b", "x")], [np.ones(5)])
    with pytest.raises(NaNError):
        given.add([chunk("b", "x")], [np.full((1, 5), np.nan)])
    given.add([chunk("b", "x")], [np.ones((1, 4))])
    with pytest.raises(ShapeError, match="D=4"):
        given.score("ducks", [chunk("b", "x")])


def test_nothing_on_one_side_is_zero():
    maxsim = MaxSim(Drawn())
    assert maxsim.score("", [chunk("a", "ducks")]).tolist() == [0]
    assert maxsim.score("ducks", [chunk("a", ""), chunk("b", "ducks")]) == pytest.approx([0, 1], abs=2e-3)


def test_tokens_of_a_bert_are_those_of_each_text_alone(rng):
    config = BertConfig(vocab_size=128, block_size=8, n_layer=1, n_head=2, n_embd=6, n_hidden=12)
    minilm = MiniLM(Bert(config, rng), lambda text: [1, *text.encode("ascii"), 2], longest=8)
    texts = ["to", "", "or not to be"]
    words, framed = minilm_tokens(minilm)(texts), minilm_tokens(minilm, frame=True)(texts)
    assert [len(rows) for rows in words] == [2, 0, 6] and [len(rows) for rows in framed] == [4, 2, 8]
    for text, rows, all_of_it in zip(texts, words, framed, strict=True):
        ids = np.array([[1, *text.encode("ascii")[:6], 2]])
        alone = minilm.model(ids).data[0]
        assert np.allclose(all_of_it, alone, atol=1e-6) and np.allclose(rows, alone[1:-1], atol=1e-6)
