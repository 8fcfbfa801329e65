"""The features by hand, the weights that are learned from them, and who may learn from what."""

from __future__ import annotations

import numpy as np
import pytest

from tinyllm import kernels
from tinyllm.errors import CheckpointError, ConfigError, DataError, RangeError, ShapeError
from tinyllm.rag.embed.lsa import LSA
from tinyllm.rag.evaluate import cross_fit, evaluate, load
from tinyllm.rag.lexical.bm25 import BM25
from tinyllm.rag.lexical.tfidf import TfIdf
from tinyllm.rag.rerank import Features, LinearLTR
from tinyllm.rag.rerank.closest import pieces
from tinyllm.rag.rerank.features import standardized
from tinyllm.rag.types import Chunk

TOY = load("toy")
CHUNKS = [Chunk.cut(d, 0, len(d.text), header=d.title) for d in TOY.documents.values()]
KNOWN = {query: text for query, text in TOY.queries.items() if query != "q12"}  # none of its words is in the corpus
QUERY = "how can I tell that my loaf has risen enough"


@pytest.fixture(autouse=True)
def numpy_kernels():
    with kernels.use("numpy"):
        yield


@pytest.fixture(scope="module")
def toy():
    with kernels.use("numpy"):
        features = Features()
        features.add(CHUNKS)
        features.candidates(QUERY)
    return features


class Numbers:
    """An embedder that gives the length of a text, and 1."""

    id, dim, max_tokens = "numbers", 2, None

    def embed(self, texts, kind="document"):
        return np.array([[len(text), 1] for text in texts], np.float32)

    def count(self, text):
        return 0


def column(features, name, query=QUERY, chunks=CHUNKS):
    return features.of(query, chunks)[:, features.names.index(name)]


def cosines(lsa, asked):
    held = lsa.embed([chunk.full for chunk in CHUNKS])
    return held @ asked / max(np.linalg.norm(asked), 1e-9)


def test_features_are_what_the_indexes_say(toy):
    ids = [chunk.id for chunk in CHUNKS]
    for name, index, texts in (
        ("bm25", BM25(), [chunk.full for chunk in CHUNKS]),
        ("title", BM25(), [chunk.header for chunk in CHUNKS]),
        ("tfidf", TfIdf(), [chunk.full for chunk in CHUNKS]),
    ):
        index.add(ids, texts)
        found = dict(zip(*index.search(QUERY, len(ids)), strict=True))
        assert column(toy, name) == pytest.approx([found.get(i, 0) for i in ids], abs=1e-6)
    lsa = LSA(dim=300).fit([chunk.full for chunk in CHUNKS])
    assert column(toy, "lsa300") == pytest.approx(cosines(lsa, lsa.embed([QUERY], "query")[0]), abs=1e-5)
    bm25 = column(toy, "bm25")
    first = [place for place in np.argsort(-bm25, kind="stable")[:5] if bm25[place] > 0]
    mean = lsa.embed([CHUNKS[place].full for place in first]).mean(axis=0)
    assert column(toy, "feedback") == pytest.approx(cosines(lsa, mean), abs=1e-5)


def test_coverage_and_length_by_hand():
    features = Features()
    texts = {"a": "red apple", "b": "red owl owl", "c": "sea"}
    chunks = [Chunk(name, name, text, 0, len(text)) for name, text in texts.items()]
    features.add(chunks)
    idf = {"red": np.log(1 + 1.5 / 2.5), "owl": np.log(1 + 2.5 / 1.5)}
    expected = [idf["red"] / (idf["red"] + idf["owl"]), 1, 0]
    assert column(features, "coverage", "red owl, owl unheard", chunks) == pytest.approx(expected)
    assert column(features, "length", "x", chunks) == pytest.approx(np.log([3, 4, 2]))


def test_a_prefix_of_lsa_is_a_smaller_lsa():
    """With all directions there are, a smaller LSA is the beginning of a larger one, brought to length 1 again."""
    texts = [chunk.full for chunk in CHUNKS]
    small, large = (LSA(dim=dim).fit(texts).embed(texts) for dim in (20, 28))
    large = large[:, :20] / np.linalg.norm(large[:, :20], axis=1, keepdims=True)
    assert large @ large.T == pytest.approx(small @ small.T, abs=1e-3)


def test_an_embedder_is_one_feature_more():
    features = Features(Numbers())
    features.add(CHUNKS[:2])
    vectors = np.array([[1, 0], [0, 2]], np.float32)
    features.add(CHUNKS[2:4], vectors)
    asked = np.array([len(QUERY), 1]) / np.hypot(len(QUERY), 1)
    expected = [asked @ [len(c.full), 1] / np.hypot(len(c.full), 1) for c in CHUNKS[:2]] + asked.tolist()
    assert features.names[-1] == "dense"
    assert column(features, "dense", chunks=CHUNKS[:4]) == pytest.approx(expected, abs=1e-6)
    with pytest.raises(ShapeError, match=r"vectors \(1, 2\) for 2"):
        features.add(CHUNKS[4:6], vectors[:1])


def test_the_closest_sentence_is_one_feature_more():
    features = Features(Numbers(), sentences=True)
    features.add(CHUNKS[:3])
    features.add(CHUNKS[3:9])
    features.remove([CHUNKS[0].id, CHUNKS[4].id])
    features.add(CHUNKS[:1])
    left = [*CHUNKS[1:4], *CHUNKS[5:9], CHUNKS[0]]
    asked = np.array([len(QUERY), 1]) / np.hypot(len(QUERY), 1)
    expected = [max(asked @ [len(t), 1] / np.hypot(len(t), 1) for t in pieces(chunk)) for chunk in left]
    assert features.names[-2:] == ("dense", "closest")
    assert column(features, "closest", chunks=left) == pytest.approx(expected, abs=1e-3)
    with pytest.raises(ConfigError, match="sentences without an embedder"):
        Features(sentences=True)


def test_an_embedder_has_candidates_of_its_own():
    features = Features(Numbers(), depth=2)
    features.add(CHUNKS)
    found = [chunk.id for chunk in features.candidates("unheard")]  # a word that no text has
    dense = column(features, "dense", "unheard")
    assert found == [CHUNKS[place].id for place in np.argsort(-dense, kind="stable")[:2]]


def test_candidates_are_the_best_of_two(toy):
    small = Features(depth=3)
    small.add(CHUNKS)
    by_words, by_lsa = (np.argsort(-column(toy, name), kind="stable")[:3].tolist() for name in ("bm25", "lsa200"))
    found = [CHUNKS.index(chunk) for chunk in small.candidates(QUERY)]
    assert found == list(dict.fromkeys(by_words + by_lsa))
    assert any(len(small.candidates(text)) > 3 for text in TOY.queries.values())
    assert small.candidates("") == small.candidates("unheard") == []
    assert small.of(QUERY, CHUNKS) == pytest.approx(toy.of(QUERY, CHUNKS))
    assert small.of(QUERY, small.candidates(QUERY)) == pytest.approx(toy.of(QUERY, small.candidates(QUERY)))


def test_any_history_gives_the_features_of_what_is_left(toy):
    features = Features()
    features.add(CHUNKS[:9])
    features.candidates(QUERY)
    features.remove([chunk.id for chunk in CHUNKS[:9:2]])
    features.add(CHUNKS[9:])
    left = [chunk for place, chunk in enumerate(CHUNKS) if place >= 9 or place % 2]
    anew = Features()
    anew.add(left)
    assert len(features) == len(left)
    assert features.of(QUERY, left) == pytest.approx(anew.of(QUERY, left), abs=1e-5)
    with pytest.raises(DataError, match="already"):
        features.add(left[:1])
    with pytest.raises(DataError, match="not there"):
        features.remove([CHUNKS[0].id])
    with pytest.raises(DataError, match="was not added"):
        features.of(QUERY, CHUNKS[:1])
    with pytest.raises(ConfigError, match="depth=0"):
        Features(depth=0)


def test_standardized():
    made = standardized(np.array([[0.1, 1.0], [0.1, 2.0], [0.1, 6.0]]))
    assert (made[:, 0] == 0).all()
    assert made[:, 1].mean() == pytest.approx(0) and made[:, 1].std() == pytest.approx(1)
    assert standardized(np.zeros((0, 2))).shape == (0, 2)


def test_weights_find_what_matters():
    """Of features that say nothing and one that says all, the latter gets the weight."""

    class Oracle(Features):
        def of(self, query, chunks):
            known = super().of(query, chunks)
            known[:, 1] = [TOY.qrels[of_text[query]].get(chunk.doc_id, 0) for chunk in chunks]
            return known

    of_text = {text: query for query, text in TOY.queries.items()}
    features = Oracle()
    features.add(CHUNKS)
    ltr = LinearLTR(features).fit(TOY.queries, TOY.qrels)
    assert max(ltr.weights, key=ltr.weights.get) == "title"
    assert str(ltr).splitlines()[0].split() == ["title", f"{ltr.weights['title']:+.3f}"]
    run = {q: {hit.chunk.doc_id: hit.score for hit in ltr.search(text, 10)} for q, text in TOY.queries.items()}
    assert evaluate(run, TOY.qrels, ["ndcg@10"])["ndcg@10"] > 0.98 * 11 / 12  # q12 trains nothing and counts


def test_it_is_the_lowest_point(toy):
    """A convex valley: fitted long enough, the gradient is nothing."""
    from tinyllm.autograd import Tensor
    from tinyllm.rag.rerank.linear import objective
    from tinyllm.rag.rerank.listnet import gains, padded

    ltr = LinearLTR(toy, l2=0.05, steps=1500).fit(TOY.queries, TOY.qrels)
    x, wanted = [], []
    for query, text in KNOWN.items():
        chunks = toy.candidates(text)
        wanted.append(gains([TOY.qrels[query].get(chunk.doc_id, 0) for chunk in chunks]))
        x.append(standardized(toy.of(text, chunks)))
    w = Tensor(np.array(list(ltr.weights.values())), requires_grad=True)
    filled, real = padded(x)
    objective(w, filled, padded(wanted)[0], real, 0.05).backward()
    assert np.abs(w.grad).max() < 1e-3


def test_only_allowed_documents_teach(toy):
    relevant = {name for grades in TOY.qrels.values() for name, grade in grades.items() if grade > 0}
    some = {name for name in TOY.documents if name not in relevant or name.startswith("b")}
    part = LinearLTR(toy, steps=5).fit(TOY.queries, TOY.qrels, some)
    everything = LinearLTR(toy, steps=5).fit(TOY.queries, TOY.qrels)
    assert 0 < part.trained_on < everything.trained_on == len(KNOWN)
    assert part.weights != everything.weights
    with pytest.raises(DataError, match="no query has a relevant candidate"):
        LinearLTR(toy).fit(TOY.queries, TOY.qrels, set())


def test_folds_share_the_features(toy):
    def fit(train):
        ltr = LinearLTR(toy, steps=30).fit(train.queries, train.qrels, train.documents)
        return lambda query: {hit.chunk.doc_id: hit.score for hit in ltr.search(query, 100)}

    run = cross_fit(TOY, fit, 4)
    assert evaluate(run, TOY.qrels, ["ndcg@10"])["ndcg@10"] > 0.7


def test_search_and_what_is_refused(toy):
    ltr = LinearLTR(toy, steps=5)
    assert str(ltr) == "LinearLTR, not fitted" and ltr.weights == {}
    with pytest.raises(ConfigError, match="not fitted"):
        ltr.score(QUERY, CHUNKS)
    ltr.fit(TOY.queries, TOY.qrels)
    hits = ltr.search(QUERY, 4)
    scores = ltr.score(QUERY, toy.candidates(QUERY))
    assert [hit.rank for hit in hits] == [1, 2, 3, 4] and hits[0].score == scores.max() == hits[0].parts["ltr"]
    assert sorted((hit.score for hit in hits), reverse=True) == [hit.score for hit in hits]
    with pytest.raises(RangeError, match="k is 0"):
        ltr.search(QUERY, 0)
    with pytest.raises(ConfigError, match="features and an embedder"):
        LinearLTR(toy, embedder=Numbers())
    with pytest.raises(ConfigError, match="steps=0"):
        LinearLTR(steps=0)
    empty = LinearLTR()
    assert empty.features.candidates("x") == []
    with pytest.raises(DataError, match="no query"):
        empty.fit(TOY.queries, TOY.qrels)


def test_weights_are_kept_in_a_file(toy, tmp_path):
    path = tmp_path / "ltr"
    with pytest.raises(ConfigError, match="not fitted"):
        LinearLTR(toy).save(path)
    ltr = LinearLTR(toy, l2=0.01, lr=0.1, steps=7).fit(TOY.queries, TOY.qrels)
    ltr.save(path)
    again = LinearLTR.load(path, toy)
    assert again.weights == ltr.weights and again.trained_on == ltr.trained_on
    assert (again.l2, again.lr, again.steps) == (0.01, 0.1, 7)
    assert (again.score(QUERY, CHUNKS[:5]) == ltr.score(QUERY, CHUNKS[:5])).all()
    assert LinearLTR.load(path).weights == ltr.weights
    with pytest.raises(ConfigError, match=r"other features \(dense\)"):
        LinearLTR.load(path, Features(Numbers()))
    damaged = path.read_bytes()
    path.write_bytes(damaged[:-1] + bytes([damaged[-1] ^ 1]))
    with pytest.raises(CheckpointError, match="checksum"):
        LinearLTR.load(path, toy)


def test_a_corpus_without_a_direction():
    features = Features()
    features.add([Chunk("a:0-4", "a", "duck", 0, 4)])
    assert np.isfinite(features.of("duck", features.candidates("duck"))).all()
