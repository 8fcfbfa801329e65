"""Whatever a command is given as a model: opened, or refused in one line that says why."""

from __future__ import annotations

import argparse
import json
import logging
import pickle

import numpy as np
import pytest

import tinyllm as tl
from tinyllm.cli.opening import noted, opened
from tinyllm.errors import ConfigError, TinyLLMError
from tinyllm.models import Llama, LlamaConfig
from tinyllm.models.bert import Bert
from tinyllm.models.bert_config import BertConfig
from tinyllm.tokenizer import ByteTokenizer

SIZES = {"vocab_size": 256, "block_size": 16, "n_layer": 1, "n_head": 2, "n_embd": 8, "n_hidden": 16}
COMMANDS = [["generate"], ["chat"], ["explore"], ["quantize"], ["convert"]]


@pytest.fixture
def model():
    return Llama(LlamaConfig("llama", **SIZES), np.random.default_rng(0))


def asked(path, which=None, tokenizer=None):
    return argparse.Namespace(model=str(path), which=which, tokenizer=tokenizer)


def one_line(done, *words):
    assert (done.code, done.err.count("\n"), done.err[:9]) == (1, 1, "tinyllm: "), done.err
    for word in words:
        assert word in done.err


@pytest.mark.parametrize(("format", "name"), [("hf", "folder"), ("gguf", "model.gguf")])
def test_what_others_read_can_write(tinyllm, model, tmp_path, format, name):
    tl.save(model, ByteTokenizer(), tmp_path / name, format=format)
    done = json.loads(tinyllm("generate", name, "ab", "--tokens", "5", "--seed", "1", "--json").out)
    assert done["text"] == tl.generate.generate(model, "ab", ByteTokenizer(), 5, 0.8, seed=1).text


def test_a_run_is_opened_as_ever(trained):
    mine, tokenizer = opened(asked(trained, "latest"))
    theirs, same, _ = tl.train.load(trained, "latest")
    assert tokenizer == same and all(
        np.array_equal(p.data, q.data) for p, q in zip(mine.parameters(), theirs.parameters(), strict=True)
    )


@pytest.mark.parametrize("command", COMMANDS)
def test_which_is_for_runs(tinyllm, model, command, tmp_path):
    tl.save(model, ByteTokenizer(), tmp_path / "m.gguf", format="gguf")
    out = ["out"] if command == ["convert"] else []
    one_line(tinyllm(*command, "m.gguf", *out, "--which", "latest"), "m.gguf: --which is for run folders", "Try: leave")


@pytest.mark.parametrize("command", COMMANDS)
def test_what_is_no_model(tinyllm, command, tmp_path):
    out = ["out"] if command == ["convert"] else []
    (tmp_path / "empty").mkdir()
    (tmp_path / "model.pt").write_bytes(pickle.dumps({"weight": 1}))
    for name in ("nothing", "empty", "model.pt"):
        one_line(tinyllm(*command, name, *out), name)
    assert "pickle" in tinyllm(*command, "model.pt", *out).err
    assert not (tmp_path / "out").exists()


def test_a_tokenizer_of_your_own(tinyllm, model, tmp_path, trained):
    tl.save(model, None, tmp_path / "dumb")
    for command in ("generate", "chat", "explore"):
        one_line(tinyllm(command, "dumb"), "there is no tokenizer beside the weights", "Try: --tokenizer FILE")
    model, words = opened(asked(tmp_path / "dumb", tokenizer=str(trained / "tokenizer.json")))
    assert words == tl.train.load(trained)[1]
    assert opened(asked(trained, tokenizer=str(trained / "tokenizer.json")))[1] == words
    assert opened(asked(tmp_path / "dumb"), words=False)[1] is None


def test_what_cannot_write(tmp_path):
    tl.save(Bert(BertConfig(**SIZES), np.random.default_rng(0)), None, tmp_path / "bert")
    with pytest.raises(ConfigError, match="a Bert does not write texts"):
        opened(asked(tmp_path / "bert"))
    assert isinstance(opened(asked(tmp_path / "bert"), words=False, writes=False)[0], Bert)
    with pytest.raises(TinyLLMError, match="nothing"):
        opened(asked("nothing"))


def test_warnings_are_kept_for_later(capsys):
    with noted() as notes:
        logging.getLogger("tinyllm.somewhere").warning("%s is odd", "this")
        logging.getLogger("tinyllm.somewhere").info("never mind")
    assert notes == ["this is odd"]
    assert capsys.readouterr().err == ""
    logging.getLogger("tinyllm.somewhere").warning("later")
    assert notes == ["this is odd"]
