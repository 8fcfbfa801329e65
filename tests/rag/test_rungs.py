"""Named rungs: every one climbs the toy ladder, learns only from others' queries, and names are checked."""

from __future__ import annotations

import numpy as np
import pytest

from tinyllm import kernels
from tinyllm.errors import ConfigError, DataError
from tinyllm.rag import named_rungs
from tinyllm.rag.evaluate import load
from tinyllm.rag.evaluate.steps import ladder
from tinyllm.rag.rungs import NAMES


@pytest.fixture(autouse=True)
def readable():
    with kernels.use("numpy"):
        yield


class Letters:
    """Vectors of how often letters occur."""

    id, dim, max_tokens = "letters", 26, None

    def __init__(self):
        self.read = 0

    def count(self, text):
        return len(text)

    def embed(self, texts, kind="document"):
        self.read += len(texts)
        x = np.array([[text.lower().count(chr(97 + n)) + 0.01 for n in range(26)] for text in texts], np.float32)
        return x / np.linalg.norm(x, axis=1, keepdims=True)


def test_every_rung_climbs():
    embedder = Letters()
    report = ladder(load("toy"), named_rungs(NAMES, embedder, dim=8), split="all", folds=3, samples=100)
    assert [step.name for step in report.steps] == list(NAMES)
    means = {step.name: step.mean.value for step in report.steps}
    assert means["bm25"] > 0.8 and min(means.values()) > 0.1
    assert embedder.read < 30 + 116 + 12 * 11  # 30 documents of 116 sentences are embedded once, not for each fold


def test_which_vectors_are_fused():
    toy, embedder = load("toy"), Letters()
    report = ladder(toy, named_rungs(["rrf", "rrf-lsa", "rrf-minilm"], embedder, dim=8), split="all", samples=100)
    own, lsa, minilm = (step.mean.value for step in report.steps)
    assert own == minilm != lsa


def test_rungs_that_learn_are_built_without_the_queries_they_are_measured_on(monkeypatch):
    from tinyllm.rag.rerank.linear import LinearLTR

    toy, seen = load("toy"), []
    fit = LinearLTR.fit

    def noted(self, queries, *rest):
        seen.append(set(queries))
        return fit(self, queries, *rest)

    monkeypatch.setattr(LinearLTR, "fit", noted)
    ladder(toy, named_rungs(["bm25", "ltr"], dim=8), split="all", folds=3, samples=100)
    assert len(seen) == 3 and set.intersection(*seen) == set() and all(len(each) < 12 for each in seen)


@pytest.mark.parametrize(("name", "hint"), [("bm52", "bm25"), ("lsa-minilm", "minilm"), ("rrf-bm25", "bm25")])
def test_a_rung_that_does_not_exist(name, hint):
    with pytest.raises(ConfigError, match=f"no rung '{name}'.*{hint}"):
        named_rungs([name])


def test_sentences_are_one_feature_more_than_ltr():
    toy, embedder = load("toy"), Letters()
    found = {}
    for name in ("ltr", "sentences"):
        (rung,) = named_rungs([name], embedder, dim=8)
        found[name] = rung.build(toy.documents, toy).weights
    assert list(found["sentences"]) == [*found["ltr"], "closest"] and "dense" in found["ltr"]


@pytest.mark.parametrize("name", ["minilm", "rrf-minilm", "sentences"])
def test_a_rung_without_its_embedder(name):
    with pytest.raises(ConfigError, match="needs an embedder"):
        named_rungs([name])


def test_a_rung_that_learns_and_cannot():
    (rung,) = named_rungs(["convex"], dim=8)
    with pytest.raises(DataError, match="nothing to learn from"):
        rung.build(load("toy").documents, None)
