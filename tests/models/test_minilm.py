"""MiniLM: texts of every length, in any company, and what becomes of too long ones."""

from __future__ import annotations

import numpy as np
import pytest

import tinyllm as tl
from tinyllm.errors import ConfigError, DataError
from tinyllm.models import minilm as module
from tinyllm.models.bert import Bert
from tinyllm.models.bert_config import BertConfig
from tinyllm.models.minilm import MiniLM, batches, rectangle

CONFIG = BertConfig(vocab_size=128, block_size=16, n_layer=2, n_head=2, n_embd=6, n_hidden=7)
TEXTS = ["to be", "", "or not to be", "that", "is the question whether", "a", "to be"]


def encode(text):
    return [1, *text.encode("ascii"), 2]


@pytest.fixture
def minilm():
    rng = np.random.default_rng(5)
    model = Bert(CONFIG, rng)
    for p in model.parameters():
        p.data += rng.normal(0, 0.2, p.shape).astype(np.float32)
    return MiniLM(model, encode, longest=12)


def test_each_text_has_the_vector_that_it_has_alone(minilm):
    with tl.kernels.use("numpy"):
        vectors = minilm.embed(TEXTS)
        alone = np.concatenate([minilm.embed([text]) for text in TEXTS])
    assert vectors.shape == (7, 6) and vectors.dtype == np.float32
    np.testing.assert_allclose(vectors, alone, rtol=0, atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-6)
    np.testing.assert_allclose(vectors[0], vectors[6], rtol=0, atol=1e-6)
    others = np.linalg.norm(vectors[:, None] - vectors[None], axis=-1)[~np.eye(7, dtype=bool)]
    assert np.sort(others)[2] > 1e-3  # no two others are alike


def test_in_many_batches_as_in_one(minilm, monkeypatch):
    with tl.kernels.use("numpy"):
        together = minilm.embed(TEXTS)
        monkeypatch.setattr(module, "TOKENS_AT_ONCE", 9)
        np.testing.assert_allclose(minilm.embed(TEXTS), together, rtol=0, atol=1e-6)


def test_a_long_text_is_cut_behind_its_beginning_and_says_so(minilm):
    with tl.kernels.use("numpy"):
        vectors = minilm.embed(["0123456789abc", "0123456789"])
        assert minilm.cut == [3, 0]  # of 13 pieces 10 have room beside the frame
        np.testing.assert_allclose(vectors[0], vectors[1], rtol=0, atol=1e-6)
        minilm.embed(["a"])
    assert minilm.cut == [0]


def test_it_is_the_encoders_recipe(minilm):
    with tl.kernels.use("numpy"):
        ids = np.array([encode("that")])
        assert np.array_equal(minilm.embed(["that"]), minilm.model.embed(ids).data)
    assert not minilm.model.training


def test_nothing_in_nothing_out(minilm):
    assert minilm.embed([]).shape == (0, 6)


def test_batches_hold_every_text_once_and_like_lengths():
    lengths = np.random.default_rng(0).integers(1, 30, 100)
    found = list(batches(lengths, most=64))
    assert sorted(i for batch in found for i in batch) == list(range(100))
    assert all(sum(lengths[i] for i in batch) <= 64 for batch in found)
    in_order = [lengths[i] for batch in found for i in batch]
    assert in_order == sorted(in_order)
    assert list(batches([100, 3], most=64)) == [[1], [0]]  # one that is too long by itself goes alone


def test_rectangle():
    ids, mask = rectangle([[5], [6, 7, 8]])
    assert ids.tolist() == [[5, 0, 0], [6, 7, 8]]
    assert mask.tolist() == [[True, False, False], [True, True, True]]


@pytest.mark.parametrize("texts", ["one string", [b"bytes"], ["fine", None]])
def test_what_is_no_list_of_texts(minilm, texts):
    with pytest.raises(DataError, match=r"one string|text 0 is bytes|text 1 is NoneType"):
        minilm.embed(texts)


@pytest.mark.parametrize("longest", [2, 17])
def test_lengths_that_cannot_be(minilm, longest):
    with pytest.raises(ConfigError, match=rf"longest={longest}\. Try: 3 to 16"):
        MiniLM(minilm.model, encode, longest)
