"""Likelihood: beside sums written out, whatever the window, and refusals."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinyllm as tl
from tinyllm.errors import ConfigError, DataError, NaNError
from tinyllm.generate.likelihood import Likelihood, likelihood, perplexity, token_log_probabilities
from tinyllm.models import GPT, GPTConfig
from tinyllm.tokenizer import ByteTokenizer, CharTokenizer

V, S = 7, 5


@pytest.fixture(scope="module")
def model():
    config = GPTConfig.preset("gpt2", vocab_size=V, block_size=S, n_layer=2, n_head=2, n_embd=8, dropout=0.4)
    model, rng = GPT(config, np.random.default_rng(0)), np.random.default_rng(1)
    for p in model.parameters():
        p.data += rng.normal(0, 0.4, p.shape).astype(np.float32)
    return model


class Bigrams:
    """A model that knows of the last token only, and remembers how long its windows were."""

    def __init__(self, table, block_size):
        self.table, self.training, self.seen = np.asarray(table), True, []
        self.config = GPTConfig.preset(
            "gpt2", vocab_size=len(table), block_size=block_size, n_layer=1, n_head=1, n_embd=4
        )

    def eval(self):
        return self.train(False)

    def train(self, training=True):
        self.training = training
        return self

    def __call__(self, idx):
        assert not self.training
        self.seen.append(idx.shape[1])
        return tl.Tensor(self.table[idx])


def one_by_one(model, ids, contexts):
    """log p of each token but the first, each from a pass of its own over the tokens it may look back at."""
    model.eval()
    scores = []
    with tl.no_grad():
        for t, context in enumerate(contexts, 1):
            logits = model(np.array([ids[t - context : t]])).data[0, -1].astype(np.float64)
            scores.append(logits[ids[t]] - np.log(np.exp(logits).sum()))
    model.train()
    return scores


IDS = [3, 1, 4, 1, 5, 2, 6, 5, 3, 5, 0, 6]


@pytest.mark.parametrize(
    ("step", "contexts"),
    [
        (1, [1, 2, 3, 4, 5, 5, 5, 5, 5, 5, 5]),
        (2, [1, 2, 3, 4, 5, 4, 5, 4, 5, 4, 5]),
        (None, [1, 2, 3, 4, 5, 4, 5, 4, 5, 4, 5]),
        (3, [1, 2, 3, 4, 5, 3, 4, 5, 3, 4, 5]),
        (5, [1, 2, 3, 4, 5, 1, 2, 3, 4, 5, 5]),
    ],
)
def test_each_token_is_scored_once_with_what_its_window_shows(model, step, contexts):
    """The last window ends with the text and so reaches back as far as it can: 5, not 1."""
    scores = token_log_probabilities(model, IDS, step)
    np.testing.assert_allclose(scores, one_by_one(model, IDS, contexts), rtol=2e-5)
    assert scores.dtype == np.float64


def test_within_one_window_it_is_the_loss_of_training(model):
    ids = np.array(IDS[: S + 1])
    scores = token_log_probabilities(model, ids)
    model.eval()
    assert -scores.mean() == pytest.approx(model.loss(ids[None, :-1], ids[None, 1:]).item(), rel=1e-5)
    model.train()


@given(st.lists(st.integers(0, 3), min_size=2, max_size=20), st.integers(1, 6), st.data())
def test_a_model_without_memory_says_the_same_through_every_window(ids, block_size, data):
    table = np.random.default_rng(3).normal(0, 2, (4, 4))
    logp = table - np.log(np.exp(table).sum(-1, keepdims=True))
    bigrams = Bigrams(table, block_size)
    scores = token_log_probabilities(bigrams, ids, data.draw(st.integers(1, block_size)))
    np.testing.assert_allclose(scores, [logp[a, b] for a, b in pairwise(ids)])
    assert max(bigrams.seen) <= block_size and bigrams.training


def test_a_uniform_model_has_the_perplexity_of_its_vocabulary():
    uniform = Bigrams(np.zeros((256, 256)), 8)
    text = "naïve 中文"
    found = likelihood(uniform, ByteTokenizer(), text, beginning=10)
    assert found.tokens == found.bytes == len(text.encode())
    assert found.perplexity == pytest.approx(256) and found.bits_per_byte == pytest.approx(8)
    assert found.nats_per_token == found.nats_per_byte == pytest.approx(math.log(256))
    assert perplexity(uniform, ByteTokenizer(), text) == pytest.approx(256)


def test_bytes_are_those_of_the_tokens_that_were_scored():
    chars = CharTokenizer("aé中")
    uniform = Bigrams(np.zeros((3, 3)), 8)
    without, beginning = (likelihood(uniform, chars, "é中a中", beginning=b) for b in (None, 0))
    assert (without.tokens, without.bytes) == (3, 7) and (beginning.tokens, beginning.bytes) == (4, 9)
    assert beginning.nats == pytest.approx(4 * math.log(3))


def test_what_cannot_come_is_infinitely_surprising():
    table = np.zeros((2, 2))
    table[0, 1] = -np.inf
    assert token_log_probabilities(Bigrams(table, 4), [1, 0, 1]).tolist() == pytest.approx([-math.log(2), -math.inf])
    assert Likelihood(math.inf, 2, 2).perplexity == Likelihood(3000.0, 2, 2).perplexity == math.inf


def test_the_mode_is_restored_after_an_error():
    model = Bigrams(np.full((2, 2), np.nan), 4)
    with pytest.raises(NaNError, match="NaN"):
        token_log_probabilities(model, [0, 1])
    assert model.training


@pytest.mark.parametrize("options", [{"step": 0}, {"step": 6}, {"block_size": 0}, {"block_size": 6}])
def test_impossible_windows_are_refused(model, options):
    with pytest.raises(ConfigError, match=next(iter(options))):
        token_log_probabilities(model, IDS, **options)


def test_too_short_texts_are_refused(model):
    chars = CharTokenizer("abcdefg")
    with pytest.raises(DataError, match="1 tokens"):
        likelihood(model, chars, "a")
    with pytest.raises(DataError, match="empty"):
        likelihood(model, chars, "", beginning=0)
    assert likelihood(model, chars, "a", beginning=0).tokens == 1
