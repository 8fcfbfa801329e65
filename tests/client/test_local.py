"""The learner's own model as a provider: the deltas of any other, and clear words where there is no model."""

from __future__ import annotations

import json

import numpy as np
import pytest

import tinyllm as tl
from tinyllm import kernels
from tinyllm.client.errors import ContextLengthError, UnsupportedParamError
from tinyllm.client.local import Local, find_model
from tinyllm.client.types import (
    Began,
    Call,
    Done,
    Message,
    TextDelta,
    Tool,
    ToolArgsDelta,
    ToolDone,
    ToolStart,
    UsageUpdate,
    messages_of,
)
from tinyllm.errors import ConfigError
from tinyllm.tokenizer import ByteTokenizer


@pytest.fixture(autouse=True)
def readable():
    with kernels.use("numpy"):
        yield


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    config = tl.GPTConfig.preset("modern", vocab_size=256, block_size=128, n_layer=1, n_head=2, n_embd=16)
    return tl.save(tl.GPT(config, np.random.default_rng(0)), ByteTokenizer(), tmp_path_factory.mktemp("m") / "tiny")


def call(prompt="to be", **settings):
    return Call(messages_of(prompt), "tiny", **{"max_tokens": 12, "seed": 3, **settings})


def kinds(deltas):
    return list(dict.fromkeys(type(delta) for delta in deltas))


def test_a_text_comes_as_deltas(path):
    deltas = list(Local(path).deltas(call()))
    assert kinds(deltas) == [Began, TextDelta, UsageUpdate, Done]
    model, words = tl.load(path)
    text = "".join(delta.text for delta in deltas if isinstance(delta, TextDelta))
    assert text == tl.generate.generate(model, "to be", words, 12, seed=3).text
    assert deltas[-1] == Done("length", "length") and deltas[0].model == "tiny"
    assert (deltas[-2].usage.input, deltas[-2].usage.output) == (5, 12)


def test_the_same_seed_the_same_answer(path):
    local = Local(path)
    assert list(local.deltas(call())) == list(local.deltas(call())) != list(local.deltas(call(seed=4)))


def test_a_conversation_ends_at_the_next_turn(path):
    local = Local(path)
    said = [Message("system", "Be brief."), Message("user", "Hi"), Message("tool", "4 C", name="weather")]
    usage = next(d for d in local.deltas(call(said)) if isinstance(d, UsageUpdate)).usage
    assert usage.input == len("Be brief.\n\nUser: Hi\nUser: Result of weather: 4 C\nAssistant:")


def test_a_schema_is_kept_by_a_model_that_has_learned_nothing(path):
    schema = {"type": "object", "properties": {"a": {"enum": [1, 2]}}, "required": ["a"], "additionalProperties": False}
    deltas = list(Local(path).deltas(call(schema=schema, max_tokens=60)))
    assert json.loads("".join(d.text for d in deltas if isinstance(d, TextDelta)))["a"] in (1, 2)
    assert deltas[-1].finish == "stop"


def test_a_tool_that_must_be_called_is(path):
    schema = {"type": "object", "properties": {"hot": {"type": "boolean"}}, "required": ["hot"]}
    schema["additionalProperties"] = False
    tools = (Tool("weather", "now", schema), Tool("other"))
    deltas = list(Local(path).deltas(call(tools=tools, tool_choice="weather", max_tokens=60)))
    assert kinds(deltas) == [Began, ToolStart, ToolArgsDelta, ToolDone, UsageUpdate, Done]
    assert deltas[-1].finish == "tool_calls"
    assert set(json.loads("".join(d.text for d in deltas if isinstance(d, ToolArgsDelta)))) == {"hot"}
    cut = list(Local(path).deltas(call(tools=tools, tool_choice="weather", max_tokens=3)))
    assert ToolDone not in kinds(cut) and cut[-1].finish == "length"
    with pytest.raises(UnsupportedParamError, match="cannot choose among tools"):
        list(Local(path).deltas(call(tools=tools)))
    assert TextDelta in kinds(Local(path).deltas(call(tools=tools, tool_choice="none")))


def test_a_prompt_that_is_too_long_says_by_how_much(path):
    with pytest.raises(ContextLengthError, match=r"130 tokens, and it reads 128\. Try: 3 tokens less"):
        list(Local(path).deltas(call("x" * 130)))


def test_no_model_says_what_was_looked_for(tmp_path):
    with pytest.raises(ConfigError, match=r"no TINYLLM_LOCAL is set, and no trained run.*tinyllm tour"):
        find_model({}, tmp_path)
    with pytest.raises(ConfigError, match="names nowhere, which is not there"):
        find_model({"TINYLLM_LOCAL": "nowhere"}, tmp_path)
    with pytest.raises(ConfigError, match=r"local model: .*no-model"):
        list(Local(tmp_path / "no-model").deltas(call()))


def test_the_run_that_was_saved_last_is_found(tmp_path):
    import os

    for age, name in ((2, "old"), (1, "new")):
        run = tmp_path / "runs" / name
        run.mkdir(parents=True)
        (run / "manifest.json").write_text("{}")
        (run / "checkpoint.npz").write_bytes(b"")
        os.utime(run / "checkpoint.npz", ns=(0, (10 - age) * 10**9))
    assert find_model({}, tmp_path).name == "new"
    assert find_model({"TINYLLM_LOCAL": str(tmp_path / "runs" / "old")}, tmp_path).name == "old"


def test_an_encoder_does_not_write(tmp_path):
    from tinyllm.models import Bert, BertConfig
    from tinyllm.models.pretrained import save_model

    config = BertConfig(vocab_size=128, block_size=8, n_layer=1, n_head=2, n_embd=8, n_hidden=12)
    save_model(Bert(config, np.random.default_rng(0)), tmp_path / "bert")
    with pytest.raises(ConfigError, match="does not write texts"):
        assert Local(tmp_path / "bert").name
