"""The choice of an embedder: what is there decides, and it is said why."""

from __future__ import annotations

import pytest

from tinyllm.errors import ConfigError, DataError
from tinyllm.rag.embed import LSA, Remote, choose, embedder

TEXTS = ["a duck swims", "a star shines"]


class Found:
    """What stands for MiniLM where its weights are."""

    def __init__(self, path):
        self.folder = path or "somewhere"


@pytest.fixture
def found(monkeypatch):
    monkeypatch.setattr(choose, "MiniLMEmbedder", Found)


@pytest.fixture
def missing(monkeypatch):
    def none(path):
        raise DataError("MiniLM: not here")

    monkeypatch.setattr(choose, "MiniLMEmbedder", none)
    monkeypatch.delenv("TINYLLM_MINILM", raising=False)


@pytest.fixture
def remote():
    return Remote(lambda texts: [[1.0]] * len(texts), "one", 1)


def test_a_remote_one_only_if_you_have_one(remote, found):
    assert embedder("auto", remote=remote) is remote and remote.why == "remote: you have configured one"
    assert embedder("remote", remote=remote).why == "remote: it was asked for"
    assert isinstance(embedder("minilm", remote=remote), Found) and isinstance(embedder("lsa", remote=remote), LSA)
    with pytest.raises(ConfigError, match="there is none"):
        embedder("remote")


def test_then_minilm(found):
    assert isinstance(embedder(), Found) and embedder().why == "MiniLM: its weights are in somewhere"
    assert embedder("minilm", path="there").why == "MiniLM: its weights are in there"


def test_then_lsa(missing):
    lsa = embedder(texts=TEXTS, dim=7, seed=3)
    assert isinstance(lsa, LSA) and lsa.id == LSA(7, 3).fit(TEXTS).id
    assert lsa.why.startswith("LSA: MiniLM's weights were not found (tinyllm data get minilm")
    unread = embedder()
    with pytest.raises(ConfigError, match="before it has read a corpus"):
        unread.embed(["a"])
    with pytest.raises(DataError, match="not here"):
        embedder("minilm")
    with pytest.raises(DataError, match="not here"):  # they were said to be there
        embedder("auto", path="there")


def test_a_misspelled_name():
    with pytest.raises(ConfigError, match="Try: minilm"):
        embedder("minlm")
