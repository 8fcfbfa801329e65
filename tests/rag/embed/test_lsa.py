"""LSA: what it learns of a corpus, what it makes of later texts, and a file that gives it back."""

from __future__ import annotations

import numpy as np
import pytest

from tinyllm import kernels
from tinyllm.errors import CheckpointError, ConfigError, DataError
from tinyllm.rag.embed import LSA
from tinyllm.rag.evaluate.collections import load
from tinyllm.rag.lexical.tfidf import TfIdf

TEXTS = [f"{d.title}\n{d.text}" for d in load("toy").documents.values()]
QUERIES = list(load("toy").queries.values())


@pytest.fixture(autouse=True)
def numpy_kernels():
    with kernels.use("numpy"):
        yield


@pytest.fixture(scope="module")
def lsa():
    with kernels.use("numpy"):
        return LSA(dim=8).fit(TEXTS)


def test_words_that_keep_the_same_company():
    texts = ["wing lift", "lift drag", "drag wing lift", "bread oven", "oven flour", "flour bread oven"]
    lsa = LSA(dim=2).fit(texts)
    wing, drag, bread = lsa.embed(["wing", "drag", "bread"])
    assert wing @ drag > 0.99 and abs(wing @ bread) < 0.01


def test_as_wide_as_the_corpus_it_is_the_cosine_of_tfidf():
    """With all directions kept, nothing is lost but the lengths that queries have outside of the corpus."""
    lsa, index = LSA(dim=len(TEXTS)).fit(TEXTS), TfIdf()
    index.add([str(n) for n in range(len(TEXTS))], TEXTS)
    vectors = lsa.embed(TEXTS)
    for n in (0, 11, 25):
        ids, scores = index.search(TEXTS[n], k=len(TEXTS))
        np.testing.assert_allclose(vectors[[int(i) for i in ids]] @ vectors[n], scores, atol=1e-5)


def test_fewer_directions_than_asked_for():
    assert LSA(dim=50).fit(["a duck", "a goose", "two ducks"]).dim <= 3
    assert LSA(dim=50).dim == 50


def test_new_texts_and_what_of_them_is_unseen(lsa):
    np.testing.assert_array_equal(lsa.embed(["zyzzyva qwertz", "the of"]), np.zeros((2, 8)))
    assert lsa.unseen("zyzzyva qwertz") == 1.0 and lsa.unseen("") == 0.0
    assert lsa.unseen(TEXTS[3]) == 0.0 and lsa.unseen(QUERIES[0] + " zyzzyva") > 0
    np.testing.assert_allclose(lsa.embed([TEXTS[3] + " zyzzyva"]), lsa.embed([TEXTS[3]]), atol=1e-6)


def test_finds_more_than_chance_and_reads_no_judgments(lsa):
    toy = load("toy")
    scores = lsa.embed(QUERIES, "query") @ lsa.embed(TEXTS).T
    run = {q: dict(zip(toy.documents, row.tolist(), strict=True)) for q, row in zip(toy.queries, scores, strict=True)}
    found = toy.evaluate(run, ["ndcg@10"])["ndcg@10"].values()
    assert sum(found) / len(found) > 0.6


def test_the_id_knows_corpus_and_settings(lsa):
    ids = {
        made.id
        for made in (
            lsa, LSA(dim=8), LSA(dim=9).fit(TEXTS), LSA(dim=8, seed=1).fit(TEXTS), LSA(dim=8, words="bm25s").fit(TEXTS),
            LSA(dim=8).fit(TEXTS[:-1]), LSA(dim=8).fit([*TEXTS[:-1], TEXTS[-1] + " more"]),
            LSA(dim=8).fit(["".join(TEXTS[:2]), *TEXTS[2:]]),
        )
    }  # fmt: skip
    assert len(ids) == 8 and LSA(dim=8).fit(TEXTS).id == lsa.id


def test_what_it_cannot_learn_from():
    for texts in ([], [""], ["the of", "a"], ["duck"], ["duck", "duck"]):
        with pytest.raises(DataError, match="LSA"):
            LSA().fit(texts)
    with pytest.raises(DataError, match="one string"):
        LSA().fit("a text")
    for dim in (0, True, 2.0):
        with pytest.raises(ConfigError, match="dim="):
            LSA(dim=dim)
    with pytest.raises(ConfigError, match="preset"):
        LSA(words="nobody's")
    with pytest.raises(ConfigError, match=r"LSA\(\).fit\(texts\)"):
        LSA().embed(["a"])


def test_save_and_load(lsa, tmp_path):
    lsa.save(tmp_path / "lsa")
    again = LSA.load(tmp_path / "lsa")
    assert again.id == lsa.id and again.dim == lsa.dim
    np.testing.assert_array_equal(again.embed(QUERIES), lsa.embed(QUERIES))
    np.testing.assert_array_equal(again.strengths, lsa.strengths)
    assert again.unseen("zyzzyva") == 1.0


def test_a_damaged_file_is_refused(lsa, tmp_path):
    path = tmp_path / "lsa"
    lsa.save(path)
    whole = path.read_bytes()
    for place in (30, 120, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 4]) + whole[place + 1 :])
        with pytest.raises(CheckpointError, match=r"the embedder .* is damaged"):
            LSA.load(path)
    path.write_bytes(whole[:-1])
    with pytest.raises(CheckpointError, match="damaged"):
        LSA.load(path)
    path.write_bytes(whole.replace(b"tinyllm-embedder", b"tinyllm-index", 1))
    with pytest.raises(CheckpointError, match="is not an embedder"):
        LSA.load(path)
    with pytest.raises(CheckpointError, match="cannot read the embedder"):
        LSA.load(tmp_path / "nowhere")
