"""Counts: exact where the vocabulary is here, an estimate that says so where it is not."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from tinyllm import assets
from tinyllm.client.tokens import ESTIMATE, Counter, _named, counter_for, estimate
from tinyllm.client.types import Message, Tool, ToolCall


@settings(derandomize=True)
@given(st.text(), st.text())
def test_an_estimate_adds_up_or_less(one, two):
    assert estimate(one + two) <= estimate(one) + estimate(two) <= estimate(one + two) + 1
    assert estimate(one) >= len(one) / 4 and (estimate(one) == 0) == (one == "")


def test_an_estimate_says_that_it_is_one(shakespeare):
    counter = counter_for("claude-opus-5-5")
    assert not counter.exact and "estimate" in counter.how and counter_for(None) is ESTIMATE
    text = shakespeare.read_text(encoding="utf-8")[:20000]
    exact = counter_for("gpt2")
    assert exact.exact and "gpt2" in exact.how
    # meant to be too high rather than too low; here, old spelling with many line ends is dense
    assert 0.8 * exact.count(text) < counter.count(text) < 1.5 * exact.count(text)


def test_published_vocabularies(data_file):
    data_file("encodings/r50k_base.tiktoken")
    assert counter_for("gpt2").count("hello world") == 2
    assert counter_for("gpt2").count("a<|endoftext|>b") > 3  # a text that says so is no special token, and no error


def test_a_vocabulary_that_is_not_here_is_not_fetched(monkeypatch):
    def fail(*args):
        raise AssertionError("it was fetched")

    monkeypatch.setattr(assets, "find", lambda name: None)
    monkeypatch.setattr(assets, "read", fail)
    _named.cache_clear()
    try:
        counter = counter_for("gpt-4o")
        assert not counter.exact and counter.how.endswith("o200k_base is not on this machine")
        assert counter.count("four characters each") == 6
    finally:
        _named.cache_clear()


def test_own_tokenizers():
    from tinyllm.tokenizer import ByteTokenizer, train_bpe

    assert counter_for(ByteTokenizer()).count("é") == 2 and counter_for(ByteTokenizer()).exact
    bpe = train_bpe("ab ab ab", 258, special_tokens=["<|end|>"])
    assert counter_for(bpe).count("abab") == 2 and counter_for(bpe).count("<|end|>") == 7


def test_turns_and_tools():
    counter = Counter(len, True, "characters")
    turn = Message("assistant", "1234", (ToolCall("c", "ab", '{"x": 1}'),), echo={"s": 1})
    assert counter.message(turn) == 4 + 4 + (4 + 2 + 8) + len('{"s": 1}')
    assert counter.message(Message("tool", "12", tool_call_id="c", name="ab")) == 4 + 2 + 2
    assert counter.messages([turn, turn]) == 3 + 2 * counter.message(turn) and counter.messages([]) == 3
    assert counter.tools([Tool("f", "does", {"type": "object"})]) == 4 + 1 + 4 + len('{"type": "object"}')
    assert counter.tools([]) == 0


def test_this_room_imports_nothing_heavy():
    names = ("cost", "cache", "trace", "batch", "tokens", "context", "schema", "validate")
    code = f"import sys\nfor name in {names}:\n    __import__('tinyllm.client.' + name)\n"
    code += "print([m for m in ('numpy', 'tinyllm.tokenizer', 'tinyllm.generate') if m in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=Path(__file__).parents[2])
    assert run.stdout.strip() == "[]", run.stderr
