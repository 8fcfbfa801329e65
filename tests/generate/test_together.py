"""Several prompts at once: each ends in its own way and time, and is what it would have been alone."""

from __future__ import annotations

import numpy as np
import pytest

from tinyllm import kernels
from tinyllm.errors import DataError
from tinyllm.generate import generate
from tinyllm.models import GPT, GPTConfig, Llama, LlamaConfig
from tinyllm.tokenizer import CharTokenizer

CHARS = CharTokenizer("abcdefghijklmnop\n")
SIZES = {"vocab_size": 17, "block_size": 9, "n_layer": 2, "n_head": 2, "n_embd": 16}


@pytest.fixture(autouse=True)
def plain():
    with kernels.use("numpy"):
        yield


def noisy(model):
    rng = np.random.default_rng(1)
    for p in model.parameters():
        p.data += rng.normal(0, 0.3, p.shape).astype(np.float32)
    return model


MODELS = {
    "gpt2": noisy(GPT(GPTConfig.preset("gpt2", **SIZES), np.random.default_rng(0))),
    "mistral": noisy(
        Llama(LlamaConfig("mistral", **SIZES, n_kv_head=1, n_hidden=24, windows=4, extra={"eos_token_id": 5}),
              np.random.default_rng(0))
    ),
}  # fmt: skip
PROMPTS = ["a", "abcdefghijklmnop", "", "bca", "kkk", "gfed"] * 4


@pytest.mark.parametrize("kind", MODELS)
def test_each_is_what_it_is_alone(kind):
    """24 prompts for 16 places, some of them longer than the context."""
    model, settings = MODELS[kind], {"temperature": 2.0, "stop": ["e", "ab"], "top_p": 0.95, "seed": 100}
    many = generate(model, PROMPTS, CHARS, 12, **settings)
    for i, (prompt, done) in enumerate(zip(PROMPTS, many, strict=True)):
        alone = generate(model, prompt, CHARS, 12, **{**settings, "seed": 100 + i})
        said = ("text", "ids", "prompt_ids", "finish", "seed", "cut")
        assert [getattr(done, name) for name in said] == [getattr(alone, name) for name in said]
        assert 0 < done.timing.first_token_seconds <= done.timing.seconds
    assert {done.finish for done in many} == {"length", "stop", "end"} - ({"end"} if kind == "gpt2" else set())
    assert len({done.timing.memory_bytes for done in many}) == 1


def test_no_tokens_and_one_prompt():
    done = generate(MODELS["gpt2"], ["a", "b"], CHARS, 0, temperature=0)
    assert [(one.text, one.ids, one.finish) for one in done] == [("", [], "length")] * 2
    assert len(generate(MODELS["gpt2"], [[3]], max_tokens=2)) == 1


def test_models_that_are_read_in_full_come_one_after_another(monkeypatch):
    model = noisy(type("Own", (GPT,), {})(GPTConfig.preset("gpt2", **SIZES), np.random.default_rng(0)))
    monkeypatch.setattr("tinyllm.generate.streaming.together", None)
    many = generate(model, ["abc", "d"], CHARS, 5, seed=3)
    monkeypatch.undo()
    assert [one.ids for one in many] == [one.ids for one in generate(MODELS["gpt2"], ["abc", "d"], CHARS, 5, seed=3)]


def test_one_wrong_prompt_is_told_before_any_is_continued():
    with pytest.raises(DataError, match="'X'"):
        generate(MODELS["gpt2"], ["a", "X"], CHARS, 5, seed=3)


def test_it_is_the_batch_that_writes(monkeypatch):
    called = []
    monkeypatch.setattr("tinyllm.generate.streaming.together", lambda order, prompts: called.append(list(prompts)))
    generate(MODELS["gpt2"], ["a", "b"], CHARS, 5)
    assert called == [["a", "b"]]
