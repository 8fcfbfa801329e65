"""The values that travel between stages: what their doors refuse, and that a chunk is its span."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tinyllm import rag
from tinyllm.errors import ConfigError, DataError, DTypeError
from tinyllm.rag.types import with_header

TEXT = "Ducks swim. Cats do not."


def test_a_chunk_is_its_span():
    document = rag.Document("a:1", TEXT, title="Animals")
    chunk = rag.Chunk.cut(document, 12, 24, header="Animals", ordinal=1, n_tokens=7)
    assert chunk == rag.Chunk("a:1:12-24", "a:1", "Cats do not.", 12, 24, "Animals", 1, 7)
    assert chunk.full == "Animals\nCats do not." and rag.Chunk.cut(document, 0, 5).full == "Ducks"
    assert rag.Chunk.cut(document, 0, 0, header="Animals").full == "Animals"


@pytest.mark.parametrize("span", [(-1, 3), (4, 3), (0, 25)])
def test_a_span_outside_is_refused(span):
    with pytest.raises(ConfigError, match=r"no span of document 'x'.*0-24"):
        rag.Chunk.cut(rag.Document("x", TEXT), *span)


@pytest.mark.parametrize("bad, error", [("", DataError), ("a\0b", DataError), (7, DTypeError), (None, DTypeError)])
def test_ids_are_checked_at_the_door(bad, error):
    with pytest.raises(error, match="Document: id"):
        rag.Document(bad, TEXT)
    with pytest.raises(error, match="name of a list"):
        rag.checked_id(bad, "name of a list")


def test_a_text_is_a_str():
    with pytest.raises(DTypeError, match=r"'x'.*bytes"):
        rag.Document("x", b"Ducks")


def test_values_are_frozen_and_have_slots():
    hit = rag.Hit(rag.Chunk.cut(rag.Document("x", TEXT), 0, 5), 1.0, 1)
    for value in (rag.Document("x", TEXT), hit, hit.chunk, rag.Answer("yes"), rag.Citation("x", 0, 1, "D", "missing")):
        with pytest.raises((dataclasses.FrozenInstanceError, TypeError)):
            value.id = value.text = value.score = value.quote = 3
        assert not hasattr(value, "__dict__") and hash(value) == hash(dataclasses.replace(value))


def test_no_mapping_is_shared():
    a, b = rag.Document("a", ""), rag.Document("b", "")
    assert a.meta == {} and a.meta is not b.meta


def test_with_header():
    assert with_header("", "") == "" and with_header("a", "") == "a" and with_header("a", "b") == "a\nb"


def test_protocols_ask_for_methods():
    class Lengths:
        def score(self, query, chunks):
            return np.array([len(chunk.text) for chunk in chunks], np.float32)

    assert isinstance(Lengths(), rag.Reranker)
    for protocol in (rag.Chunker, rag.Embedder, rag.Index, rag.Retriever):
        assert not isinstance(Lengths(), protocol)


def test_the_package_is_lazy_and_light():
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = rag.nothing
    assert sorted(rag._HOMES) == sorted(rag.__all__)
    assert all(getattr(rag, name) is not None for name in rag.__all__)
    code = (
        "import sys, tinyllm.rag as r; r.Chunk; print({'numba', 'torch', 'matplotlib', 'sqlite3'} & set(sys.modules))"
    )
    root = Path(__file__).parents[2]
    environ = {**os.environ, "PYTHONPATH": str(root)}
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environ).stdout == "set()\n"
