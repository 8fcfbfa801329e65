"""Beam search: beside all continuations there are, beside greedy decoding, with and without a memory."""

from __future__ import annotations

import math
from functools import cache
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinyllm as tl
from tinyllm.errors import ConfigError, DataError, NaNError, RangeError
from tinyllm.generate import Decoder
from tinyllm.generate.beam import Beam, Branching, beam_search
from tinyllm.models import GPT, GPTConfig

V = 3


def script(seed, sharp=2.0):
    """A model whose next token depends on the whole text: logits drawn anew for each, always the same ones."""

    @cache
    def logits(text):
        return np.random.default_rng([seed, *text]).normal(0, sharp, V)

    return lambda texts: np.stack([logits(tuple(text)) for text in texts])


def everything(read, ids, max_tokens, penalty, ends):
    """All continuations, each with its score, by walking the whole tree."""

    def walk(new, p):
        if new and (new[-1] in ends or len(new) == max_tokens):
            yield Beam(new, p, p / len(new) ** penalty, new[-1] in ends)
            return
        logits = read([[*ids, *new]])[0]
        logp = logits - np.log(np.exp(logits).sum())
        for token in range(V):
            yield from walk((*new, token), p + logp[token])

    return sorted(walk((), 0.0), key=lambda beam: -beam.score)


@given(st.integers(0, 999), st.integers(1, 4), st.sampled_from([0.0, 0.7, 1.0, 2.0, -1.0]), st.sets(st.integers(0, 2)))
def test_a_beam_as_wide_as_the_tree_finds_the_best_there_are(seed, max_tokens, penalty, ends):
    read = script(seed)
    found = beam_search(read, [1], max_tokens, V**max_tokens, penalty, ends)
    best = everything(read, [1], max_tokens, penalty, ends)
    assert [beam.ids for beam in found] == [beam.ids for beam in best]
    for one, two in zip(found, best, strict=True):
        assert one.ended == two.ended
        assert one.log_probability == pytest.approx(two.log_probability) and one.score == pytest.approx(two.score)


@given(st.integers(0, 999), st.integers(1, 4), st.sampled_from([0.0, 1.0, 3.0, -1.0]), st.sets(st.integers(0, 1)))
def test_stopping_early_loses_nothing(seed, width, penalty, ends):
    """Beside the same beam that is followed to the very end, whatever has been found."""
    read, beams, over = script(seed), [((), 0.0)], []
    for length in range(1, 7):
        grown = []
        for new, p in beams:
            logits = read([[2, *new]])[0]
            logp = logits - np.log(np.exp(logits).sum())
            grown += [((*new, token), p + logp[token]) for token in range(V)]
        over += [(p / length**penalty, new) for new, p in grown if new[-1] in ends]
        beams = sorted((b for b in grown if b[0][-1] not in ends), key=lambda b: -b[1])[:width]
    over += [(p / 6**penalty, new) for new, p in beams]
    best = [new for _, new in sorted(over, key=lambda b: -b[0])[:width]]
    assert [beam.ids for beam in beam_search(read, [2], 6, width, penalty, ends)] == best


def test_it_does_stop_early():
    asked = []

    def read(texts):
        asked.append(len(texts))
        return np.array([[0.0, 9.0, 0.0]] * len(texts))

    [best] = beam_search(read, [0], 50, width=1, length_penalty=0.0, ends={1})
    assert best.ids == (1,) and best.ended and asked == [1]


def test_a_penalty_that_favors_short_texts_does_not_stop_too_soon():
    """At a power of -1 scores are log p times the length: 1 log 0.3 is less than 2 log (0.7 0.99)."""

    def read(texts):
        return np.log([[0.7, 0.3] if len(text) == 1 else [0.01, 0.99] for text in texts])

    assert [beam.ids for beam in beam_search(read, [0], 6, width=1, length_penalty=-1.0, ends={1})] == [(0, 1)]


def test_a_width_of_one_is_greedy():
    read, ids = script(5), [1]
    for _ in range(6):
        ids.append(int(read([ids])[0].argmax()))
    [beam] = beam_search(read, [1], 6, width=1)
    assert list(beam.ids) == ids[1:]


def test_wider_finds_what_greedy_misses():
    gains = 0
    for seed in range(30):
        narrow, wide = (beam_search(script(seed), [0], 5, width)[0].score for width in (1, 9))
        gains += wide > narrow + 1e-9
    assert gains > 5


def test_what_is_impossible_is_never_found():
    def read(texts):
        return np.array([[0.0, -math.inf, 0.0]] * len(texts))

    found = beam_search(read, [0], 2, width=9, ends={1})
    assert sorted(beam.ids for beam in found) == sorted(product((0, 2), repeat=2))
    assert [beam.log_probability for beam in found] == pytest.approx([-2 * math.log(2)] * 4)


@pytest.fixture(scope="module", params=["gpt2", "modern"])
def model(request):
    config = GPTConfig.preset(request.param, vocab_size=13, block_size=12, n_layer=2, n_head=2, n_embd=16)
    model, rng = GPT(config, np.random.default_rng(0)), np.random.default_rng(1)
    for p in model.parameters():
        p.data += rng.normal(0, 0.3, p.shape).astype(p.dtype)
    return model


@pytest.mark.parametrize("width", [1, 2, 5])
def test_a_memory_changes_nothing(model, width):
    def whole(texts):
        with tl.no_grad():
            return model(np.array(texts)).data[:, -1]

    read = Branching(Decoder(model, batch=5))
    for prompt in ([1, 2, 3], [4]):  # the second finds the memory of the first
        cached, plain = (beam_search(f, prompt, 9, width, ends={7}) for f in (read, whole))
        assert [beam.ids for beam in cached] == [beam.ids for beam in plain]
        np.testing.assert_allclose([b.score for b in cached], [b.score for b in plain], rtol=1e-4)


def test_branching_reads_only_what_is_new(model):
    decoder = Decoder(model, batch=3)
    read = Branching(decoder)
    read([[1, 2]])
    decoder.prefill = None  # from here on it would fail
    logits = read([[1, 2, 5], [1, 2, 6], [1, 2, 7]])
    after = read([[1, 2, 7, 1], [1, 2, 5, 1]])
    with tl.no_grad():
        np.testing.assert_allclose(logits[1], model(np.array([[1, 2, 6]])).data[0, -1], atol=1e-4)
        np.testing.assert_allclose(after, model(np.array([[1, 2, 7, 1], [1, 2, 5, 1]])).data[:, -1], atol=1e-4)


def test_after_an_error_it_reads_anew(model):
    read = Branching(Decoder(model, batch=2))
    read([[1, 2, 3], [4, 5, 6]])
    with pytest.raises(RangeError, match="99"):
        read([[4, 5, 6, 99], [1, 2, 3, 1]])  # by now the rows have changed places
    after = read([[1, 2, 3, 1], [4, 5, 6, 1]])
    with tl.no_grad():
        np.testing.assert_allclose(after, model(np.array([[1, 2, 3, 1], [4, 5, 6, 1]])).data[:, -1], atol=1e-4)


def test_a_text_that_outgrows_the_memory_is_refused(model):
    with pytest.raises(RangeError, match="no place"):
        beam_search(Branching(Decoder(model, max_length=3)), [1, 2], 3, width=1)


def test_bad_input():
    read = script(0)
    for options, name in [({"max_tokens": -1}, "max_tokens"), ({"width": 0}, "width")]:
        with pytest.raises(ConfigError, match=name):
            beam_search(read, [0], **{"max_tokens": 2, **options})
    with pytest.raises(ConfigError, match="length_penalty"):
        beam_search(read, [0], 2, length_penalty=math.nan)
    with pytest.raises(DataError, match="no text"):
        beam_search(read, [], 2)
    for value in (math.nan, -math.inf):
        with pytest.raises(NaNError):
            beam_search(lambda texts, value=value: np.full((len(texts), V), value), [0], 2)
    assert beam_search(read, [0], 0) == [Beam((), 0.0, 0.0, False)]


def test_more_texts_than_the_batch_are_refused(model):
    with pytest.raises(ConfigError, match="2 texts for a batch of 1"):
        Branching(Decoder(model, batch=1))([[1], [2]])
