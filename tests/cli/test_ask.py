"""``tinyllm ask``: a question, an answer as it comes, and what it took."""

from __future__ import annotations

import io
import json

import numpy as np
import pytest

import tinyllm as tl
from tinyllm import kernels
from tinyllm.tokenizer import ByteTokenizer


@pytest.fixture(autouse=True)
def alone(monkeypatch):
    """No key of whoever runs the tests is seen."""
    from tinyllm.client.registry import providers

    for row in providers():
        for name in (*row.env_key, *row.env_base):
            monkeypatch.delenv(name, raising=False)
    monkeypatch.delenv("TINYLLM_PROVIDER", raising=False)
    with kernels.use("numpy"):
        yield


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    config = tl.GPTConfig.preset("modern", vocab_size=256, block_size=64, n_layer=1, n_head=2, n_embd=16)
    return tl.save(tl.GPT(config, np.random.default_rng(0)), ByteTokenizer(), tmp_path_factory.mktemp("m") / "own")


def test_the_model_of_ones_own_answers(tinyllm, model, monkeypatch, tmp_path):
    asked = ("ask", "to be", "--model", model, "--provider", "local", "--max-tokens", "9", "--seed", "1")
    done = tinyllm(*asked)
    assert done.code == 0 and "local own: 5 tokens in, 9 out" in done.err and done.err.rstrip().endswith("length")
    found = json.loads(tinyllm(*asked, "--json", "--trace", "t.jsonl").out)
    assert found["text"] + "\n" == done.out and found["microdollars"] == 0 and found["usage"]["output"] == 9
    assert json.loads((tmp_path / "t.jsonl").read_text())["finish"] == "length"
    monkeypatch.setenv("TINYLLM_LOCAL", str(model))
    monkeypatch.setattr("sys.stdin", io.StringIO("to be\n"))
    assert tinyllm("ask", "-", "--max-tokens", "9", "--seed", "1").out == done.out


def test_who_would_be_asked_and_why(tinyllm, monkeypatch):
    assert tinyllm("ask", "--explain").out.startswith("local: no key is set")
    monkeypatch.setenv("GROQ_API_KEY", "gsk-planted")
    done = tinyllm("ask", "--explain")
    assert done.out.startswith("groq: GROQ_API_KEY is set") and "planted" not in done.out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("ask",), "there is no question"),
        (("ask", " "), "there is no question"),
        (("ask", "Hi"), "no trained run is in runs/. Try: tinyllm tour"),
        (("ask", "Hi", "--provider", "opnai"), 'there is no provider "opnai". Try: "openai"'),
        (("ask", "Hi", "--provider", "openai", "--model", "m"), "openai: no key. Try: set OPENAI_API_KEY"),
        (("ask", "Hi", "--provider", "ollama"), "which model?"),
        (("ask", "Hi", "--provider", "local", "--model", "nowhere"), "local model: "),
    ],
)
def test_bad_input_gets_one_line(tinyllm, arguments, words):
    done = tinyllm(*arguments)
    assert done.code == 1 and done.out == "" and len(done.err.splitlines()) == 1 and words in done.err
