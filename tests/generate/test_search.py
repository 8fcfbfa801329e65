"""Beam search from a prompt to texts: cached and in full, with its ends, holes and limits."""

from __future__ import annotations

import numpy as np
import pytest

from tinyllm import kernels
from tinyllm.errors import ConfigError, RangeError
from tinyllm.generate import generate, search
from tinyllm.generate.likelihood import token_log_probabilities
from tinyllm.models import GPT, GPTConfig, Llama, LlamaConfig
from tinyllm.tokenizer import CharTokenizer

CHARS = CharTokenizer("abcdefghijklmnop\n")
SIZES = {"vocab_size": 17, "block_size": 12, "n_layer": 2, "n_head": 2, "n_embd": 16}


@pytest.fixture(autouse=True)
def plain():
    with kernels.use("numpy"):
        yield


def noisy(model):
    rng = np.random.default_rng(1)
    for p in model.parameters():
        p.data += rng.normal(0, 0.3, p.shape).astype(np.float32)
    return model.eval()


@pytest.fixture(scope="module")
def model():
    return noisy(GPT(GPTConfig.preset("gpt2", **SIZES), np.random.default_rng(0)))


def test_texts_are_as_probable_as_is_said(model):
    found = search(model, "abc", CHARS, 6, width=4)
    assert len({one.text for one in found}) == 4
    for one in found:
        assert one.text == CHARS.decode(one.beam.ids)
        scores = token_log_probabilities(model, [*CHARS.encode("abc"), *one.beam.ids])
        assert one.beam.log_probability == pytest.approx(scores[2:].sum(), abs=1e-4)
    greedy = generate(model, "abc", CHARS, 6, temperature=0)
    assert search(model, "abc", CHARS, 6, width=1)[0].text == greedy.text
    assert [one.beam.score for one in found] == sorted((one.beam.score for one in found), reverse=True)


def test_a_model_of_another_kind_is_read_in_full(model):
    own = noisy(type("Own", (GPT,), {})(model.config, np.random.default_rng(0)))
    one, two = (search(m, [1, 2], max_tokens=5, width=3) for m in (model, own))
    assert [found.beam.ids for found in one] == [found.beam.ids for found in two] and one[0].text is None
    with pytest.raises(ConfigError, match="weights='int8' is for a GPT or a Llama"):
        search(own, [1, 2], max_tokens=5, weights="int8")


def test_an_end_token_ends_a_beam_and_is_not_spelled():
    def llama(**extra):
        return noisy(Llama(LlamaConfig("llama", **SIZES, n_hidden=24, extra=extra), np.random.default_rng(0)))

    end = search(llama(), "ab", CHARS, 8, width=6)[0].beam.ids[2]
    over = [one for one in search(llama(eos_token_id=end), "ab", CHARS, 8, width=6) if one.beam.ended]
    assert over and all(one.beam.ids[-1] == end and one.text == CHARS.decode(one.beam.ids[:-1]) for one in over)


def test_an_id_that_stands_for_no_token_is_never_found():
    wide = noisy(GPT(GPTConfig.preset("gpt2", **{**SIZES, "vocab_size": 40}), np.random.default_rng(0)))
    assert {i for one in search(wide, "abc", CHARS, 6, width=8) for i in one.beam.ids} <= set(range(17))
    assert max(i for one in search(wide, [0, 1, 2], max_tokens=6, width=8) for i in one.beam.ids) >= 17


def test_what_does_not_fit_is_told(model):
    assert len(search(model, "abc", CHARS, 10, width=2)[0].beam.ids) == 10
    with pytest.raises(RangeError, match="prompt and text have 14 tokens, the context 12"):
        search(model, "abc", CHARS, 11)
    for wrong in ({"max_tokens": -1}, {"width": 0}):
        with pytest.raises(ConfigError, match="beam_search: "):
            search(model, "abc", CHARS, **{"max_tokens": 4, **wrong})
