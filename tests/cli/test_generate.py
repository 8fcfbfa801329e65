"""``tinyllm generate``: the text, the same text again, and the text as JSON."""

from __future__ import annotations

import io
import json
import re
import sys

import pytest

import tinyllm.generate
from tinyllm.cli.choosing import FORMATS
from tinyllm.generate import weights
from tinyllm.train import load


def test_the_prompt_and_its_continuation_are_printed(tinyllm, trained):
    done = tinyllm("generate", trained, "The with", "--tokens", "30", "--seed", "3")
    assert done.code == 0
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
    assert (one["finish"], one["prompt_tokens"], one["cut"], one["stop"]) == ("length", 1, 0, [])
    assert 0 < one["first_token_seconds"] <= one["seconds"] and one["tokens_per_second"] > 0
    model, _, _ = load(trained)
    assert one["memory_bytes"] > 4 * model.count_parameters() * 0.9


def test_one_line_beside_the_text_says_what_it_took(tinyllm, trained):
    done = tinyllm("generate", trained, "a", "--tokens", "20", "--seed", "3")
    told = r"20 tokens, as many as asked for: the first after [\d.]+ m?s, [\d,]+ tokens/s, [\d.]+ [kM]B of memory"
    assert re.fullmatch(told + r", seed 3\n", done.err)
    cold = tinyllm("generate", trained, "a", "--tokens", "1", "--temperature", "0").err
    assert re.fullmatch(r"1 token, as many as asked for: the first after [\d.]+ m?s, [\d.]+ [kM]B of memory\n", cold)
    drawn = tinyllm("generate", trained, "a")
    assert tinyllm("generate", trained, "a", "--seed", re.search(r"seed (\d+)", drawn.err)[1]).out == drawn.out


def test_a_prompt_longer_than_the_context_is_told(tinyllm, trained):
    block = load(trained)[0].config.block_size
    done = tinyllm("generate", trained, "a" * (block + 3), "--tokens", "2")
    assert f"The prompt has {block + 3} tokens; the model reads no more than the last {block}.\n" in done.err


def test_every_option_reaches_the_draw(tinyllm, trained):
    def write(*options):
        return json.loads(tinyllm("generate", trained, "a", "--seed", "3", "--json", *options).out)

    plain = write()
    for options in (["--top-p", "0.3"], ["--min-p", "0.5"], ["--repetition-penalty", "9"], ["--top-k", "2"]):
        assert write(*options)["text"] != plain["text"], options
    assert write("--weights", "int8")["memory_bytes"] < plain["memory_bytes"]
    stop = plain["text"][7:9]
    cut = write("--stop", "no such text", "--stop", stop)
    assert (cut["text"], cut["finish"]) == (plain["text"].split(stop)[0], "stop")
    assert tuple(FORMATS) == weights.FORMATS


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
