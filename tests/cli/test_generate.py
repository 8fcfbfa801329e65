"""``tinyllm generate``: the text, the same text again, and the text as JSON."""

from __future__ import annotations

import io
import json
import sys

import numpy as np
import pytest

import tinyllm.generate
from tinyllm.train import load


def test_the_prompt_and_its_continuation_are_printed(tinyllm, trained):
    done = tinyllm("generate", trained, "The with", "--tokens", "30", "--seed", "3")
    assert (done.code, done.err) == (0, "")
    model, tokenizer, _ = load(trained)
    text = tinyllm_generate(model, tokenizer, "The with", 30, 3)
    assert done.out == f"The with{text}\n"


def tinyllm_generate(model, tokenizer, prompt, tokens, seed):
    return tinyllm.generate.generate(model, prompt, tokenizer, tokens, 0.8, seed=seed).text


def test_json_holds_all_there_is_to_know(tinyllm, trained):
    one = json.loads(tinyllm("generate", trained, "a", "--tokens", "20", "--json").out)
    again = tinyllm("generate", trained, "a", "--tokens", "20", "--json", "--seed", str(one["seed"]))
    two = json.loads(again.out)
    assert one["text"] == two["text"]
    assert (one["prompt"], one["tokens"], one["temperature"], one["top_k"]) == ("a", 20, 0.8, None)
    assert len(one["text"]) == 20


def test_without_a_seed_texts_differ_and_at_temperature_0_they_do_not(tinyllm, trained):
    assert tinyllm("generate", trained, "a").out != tinyllm("generate", trained, "a").out
    cold = ("generate", trained, "a", "--temperature", "0", "--tokens", "20")
    assert tinyllm(*cold).out == tinyllm(*cold).out
    assert tinyllm(*cold).out == tinyllm("generate", trained, "a", "--top-k", "1", "--tokens", "20").out


def test_the_prompt_may_come_from_standard_input(tinyllm, trained, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.StringIO("def f\n"))
    assert tinyllm("generate", trained, "-", "--tokens", "3", "--seed", "0").out.startswith("def f")


@pytest.mark.parametrize("which", ["best", "latest"])
def test_either_weights_can_be_used(tinyllm, trained, which):
    done = tinyllm("generate", trained, "a", "--tokens", "5", "--seed", "0", "--which", which)
    model, tokenizer, _ = load(trained, which)
    assert done.out == f"a{tinyllm_generate(model, tokenizer, 'a', 5, 0)}\n"


def test_no_tokens_is_only_the_prompt(tinyllm, trained):
    assert tinyllm("generate", trained, "abc", "--tokens", "0").out == "abc\n"
