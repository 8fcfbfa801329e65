"""Sentences beside each other: how a chunk is cut, and that its best one counts."""

from __future__ import annotations

import numpy as np
import pytest

from tinyllm.rag.rerank.closest import LONGEST, Closest, pieces
from tinyllm.rag.types import Chunk


def chunk(name, text, header=""):
    return Chunk(f"{name}:0-{len(text)}", name, text, 0, len(text), header)


class Letters:
    """Counts letters; no length is 1."""

    id, dim, max_tokens = "letters", 26, None

    def embed(self, texts, kind="document"):
        return np.array([[text.lower().count(chr(97 + n)) for n in range(26)] for text in texts], np.float32)

    def count(self, text):
        return len(text)


def test_the_best_piece_counts_in_every_history():
    chunks = [chunk("a", "Ab ab. Zz."), chunk("b", "Zz zz.", "cab"), chunk("c", ""), chunk("d", "Ad. Zy. Zx.")]
    closest = Closest(Letters())
    assert len(closest.cosines(np.ones(26))) == 0
    closest.add(chunks[:1])
    asked = Letters().embed(["ab"])[0] / np.sqrt(2)
    assert closest.cosines(asked) == pytest.approx([1], abs=1e-3)
    closest.add(chunks[1:])
    expected = [1, 2 / np.sqrt(6), 0, 0.5]
    assert closest.cosines(asked) == pytest.approx(expected, abs=1e-3) and len(closest) == 4
    closest.remove([chunks[1].id])
    assert closest.cosines(asked) == pytest.approx([1, 0, 0.5], abs=1e-3)
    with pytest.raises(KeyError):
        closest.remove([chunks[1].id])


def test_a_text_without_sentences_is_cut_into_parts():
    words = [f"w{n}" for n in range(2 * LONGEST + 5)]
    found = pieces(chunk("a", " ".join(words), "Title"))
    assert found[0] == "Title" and [len(piece.split()) for piece in found[1:]] == [LONGEST, LONGEST, 5]
    assert " ".join(found[1:]).split() == words
    assert pieces(chunk("a", "")) == [""] and pieces(chunk("a", "", "Title")) == ["Title"]
