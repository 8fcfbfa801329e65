"""Lexical search against others: stems of PyStemmer 3, scores of bm25s in its five variants."""

from __future__ import annotations

import itertools
import re

import numpy as np
import pytest

from tinyllm import kernels
from tinyllm.rag.lexical.bm25 import BM25, IDF, MODES
from tinyllm.rag.lexical.porter2 import stem
from tinyllm.rag.lexical.words import words

pytestmark = pytest.mark.oracle
FILES = {
    "collections/cranfield/cran.all.1400": "latin-1",
    "collections/cranfield/cran.qry": "latin-1",
    "collections/cisi/CISI.ALL": "latin-1",
    "collections/cisi/CISI.QRY": "latin-1",
    "collections/xquad/xquad.en.json": "utf-8",
    "collections/scifact/beir/queries.jsonl": "utf-8",
}


@pytest.fixture(scope="module")
def theirs():
    stemmer = pytest.importorskip("Stemmer", reason="PyStemmer is not installed")
    if int(stemmer.version().split(".")[0]) < 3:
        pytest.skip("PyStemmer 2 has other stems")
    return stemmer.Stemmer("english").stemWord


def test_stems_of_all_words_of_the_collections(theirs, data_file):
    found = set()
    for name, encoding in FILES.items():
        found.update(re.findall(r"\w+(?:'\w+)*", data_file(name).read_text(encoding).lower()))
    assert len(found) > 20_000
    assert not [word for word in found if stem(word) != theirs(word)]


def test_stems_of_made_up_words(theirs):
    """Every suffix of the algorithm behind every beginning that its conditions look at."""
    starts = ["", "b", "y", "yb", "ab", "add", "hopp", "sk", "past", "inter", "gener", "univers", "rel", "beaut", "ay"]
    starts += ["proc", "her", "out", "even", "bl", "at", "fi", "'x", "ébr", "luxuri", "ow", "trap", "yyy"]
    ends = "'s s' s ss us sses ied ies eed eedly ed edly ing ingly y ly li ogi logi ogist ational tional enci anci abli"
    ends += " entli izer ization ation ator alism aliti alli fulness ousli ousness iveness iviti biliti bli fulli ion"
    ends += " lessli alize icate iciti ical ful ness ative al ance ence er ic able ible ant ement ment ent ism ate iti"
    ends += " ous ive ize sion tion e l ll ise ying skis"
    listed = [
        a + b + c
        for a, b, c in itertools.product(
            starts, ends.split(), ["", "s", "ing", "ed", "ly", "ion", "ity", "ness", "al", "e"]
        )
    ]
    assert not [word for word in listed if stem(word) != theirs(word)]


@pytest.fixture(scope="module")
def cranfield(data_file):
    def texts(name):
        records = re.split(r"^\.I ", data_file(name).read_text("latin-1"), flags=re.MULTILINE)[1:]
        return [words(record, "bm25s") for record in records]

    return texts("collections/cranfield/cran.all.1400"), texts("collections/cranfield/cran.qry")[:60]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("method", IDF)
def test_top_100_of_bm25s(method, cranfield):
    bm25s = pytest.importorskip("bm25s", reason="bm25s is not installed")
    documents, queries = cranfield
    peer = bm25s.BM25(method=method, k1=1.5, b=0.75, delta=0.5)
    peer.index(documents, show_progress=False)
    expected = [peer.get_scores(query) for query in queries]
    for backend, mode in itertools.product(kernels.BACKENDS, MODES):
        index = BM25(method=method, mode=mode)
        index.add([f"{n}" for n in range(len(documents))], documents)
        with kernels.use(backend):
            found = index.search_many(queries, 100)
        for (ids, scores), full in zip(found, expected, strict=True):
            assert len(ids) == 100
            np.testing.assert_allclose(scores, np.sort(full)[::-1][:100], rtol=1e-5)
            np.testing.assert_allclose(scores, full[[int(name) for name in ids]], rtol=1e-5)
