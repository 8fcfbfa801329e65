"""One contract for all embedders; whoever makes another one adds it to MAKERS.

A maker returns an embedder that is ready, the same one each time it is called; OTHERS holds what differs from it in
one setting each, and so has to have another id.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from tinyllm import kernels
from tinyllm.errors import ConfigError, DataError
from tinyllm.rag.embed import LSA
from tinyllm.rag.types import Embedder

CORPUS = [
    "The wing of a bird makes lift from the air that flows over it.",
    "Drag and lift grow with the square of the speed of the air.",
    "A sourdough starter is fed with flour and water once a day.",
    "Bread rises because yeast makes gas inside of the dough.",
    "The boundary layer of a plate is thin where the flow is fast.",
    "東京の空気 and flour, in one sentence.",
]
TEXTS = ["flour for the bread", "lift and drag of a wing", "air", *CORPUS[:3], "bread " * 300, "東京", "x\x00y \ud800"]


@cache
def lsa(**settings):
    return LSA(**{"dim": 6, **settings}).fit(CORPUS)


MAKERS = {"lsa": lsa}
OTHERS = {"lsa": [lambda: lsa(dim=5), lambda: lsa(seed=1), lambda: lsa(words="bm25s"), lambda: LSA(6).fit(CORPUS[1:])]}
every_embedder = pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)


@pytest.fixture(autouse=True)
def numpy_kernels():
    with kernels.use("numpy"):
        yield


@every_embedder
def test_has_what_the_protocol_asks_for(make):
    embedder = make()
    assert isinstance(embedder, Embedder)
    assert isinstance(embedder.id, str) and embedder.id and "\0" not in embedder.id
    assert isinstance(embedder.dim, int) and embedder.dim >= 1
    assert embedder.max_tokens is None or (isinstance(embedder.max_tokens, int) and embedder.max_tokens >= 3)


@every_embedder
@pytest.mark.parametrize("kind", ["document", "query"])
def test_a_vector_of_length_1_for_each_text(make, kind):
    embedder = make()
    vectors = embedder.embed(TEXTS, kind)
    assert vectors.shape == (len(TEXTS), embedder.dim) and vectors.dtype == np.float32
    assert np.isfinite(vectors).all()
    np.testing.assert_allclose(np.linalg.norm(vectors[:6], axis=1), 1, atol=1e-6)  # texts of known words
    lengths = np.linalg.norm(vectors[6:], axis=1)
    assert (np.isclose(lengths, 1, atol=1e-6) | (lengths == 0)).all()  # others may be nothing, and nothing between


@every_embedder
def test_the_same_text_the_same_vector(make):
    embedder = make()
    once = embedder.embed(TEXTS)
    np.testing.assert_array_equal(embedder.embed(TEXTS), once)
    np.testing.assert_array_equal(make().embed(tuple(TEXTS)), once)


@every_embedder
def test_neighbors_and_order_change_nothing(make):
    embedder = make()
    together = embedder.embed(TEXTS)
    order = np.random.default_rng(0).permutation(len(TEXTS))
    np.testing.assert_allclose(embedder.embed([TEXTS[i] for i in order]), together[order], atol=2e-6)
    np.testing.assert_allclose(np.concatenate([embedder.embed([text]) for text in TEXTS]), together, atol=2e-6)
    np.testing.assert_allclose(embedder.embed([TEXTS[1]] * 3), together[[1, 1, 1]], atol=2e-6)


@every_embedder
def test_texts_that_differ_have_vectors_that_differ(make):
    embedder = make()
    likeness = embedder.embed(CORPUS) @ embedder.embed(CORPUS, "query").T
    assert (likeness.argmax(axis=1) == np.arange(len(CORPUS))).all()


@every_embedder
def test_no_texts(make):
    embedder = make()
    for nothing in ([], ()):
        vectors = embedder.embed(nothing)
        assert vectors.shape == (0, embedder.dim) and vectors.dtype == np.float32


@every_embedder
def test_an_empty_text(make):
    vectors = make().embed(["", "flour for the bread", ""])
    assert np.isfinite(vectors).all() and (vectors[0] == vectors[2]).all()
    assert np.isclose(np.linalg.norm(vectors[0]), 1, atol=1e-6) or not vectors[0].any()
    assert np.isclose(np.linalg.norm(vectors[1]), 1, atol=1e-6)


@every_embedder
def test_what_is_no_list_of_texts_is_refused(make):
    embedder = make()
    with pytest.raises(DataError, match="one string"):
        embedder.embed("a text")
    for bad in (None, 3, b"bytes", ["a list"]):
        with pytest.raises(DataError, match="text 1 is"):
            embedder.embed(["a text", bad])
    with pytest.raises(ConfigError, match="kind='passage'"):
        embedder.embed(["a text"], "passage")


@every_embedder
def test_counts(make):
    embedder = make()
    one, two = embedder.count(CORPUS[0]), embedder.count(CORPUS[0] + "\n" + CORPUS[1])
    assert isinstance(one, int) and 1 <= one < two
    assert embedder.count("") == 0


@pytest.mark.parametrize("name", OTHERS)
def test_the_id_stays_and_settings_change_it(name):
    embedder = MAKERS[name]()
    before = embedder.id
    embedder.embed(TEXTS)
    assert embedder.id == before == MAKERS[name]().id
    ids = [before, *(make().id for make in OTHERS[name])]
    assert len(set(ids)) == len(ids)
