"""Models of others on the command line: a folder of transformers, a GGUF file; and what cannot write."""

from __future__ import annotations

import json

import numpy as np
import pytest

import tinyllm as tl
from tinyllm.cli.opening import open_writer
from tinyllm.errors import ConfigError, TinyLLMError
from tinyllm.models import Llama, LlamaConfig
from tinyllm.models.bert import Bert
from tinyllm.models.bert_config import BertConfig
from tinyllm.tokenizer import ByteTokenizer

SIZES = {"vocab_size": 256, "block_size": 16, "n_layer": 1, "n_head": 2, "n_embd": 8, "n_hidden": 16}


@pytest.fixture
def model():
    return Llama(LlamaConfig("llama", **SIZES), np.random.default_rng(0))


@pytest.mark.parametrize(("format", "name"), [("hf", "folder"), ("gguf", "model.gguf")])
def test_what_others_read_can_write(tinyllm, model, tmp_path, format, name):
    tl.save(model, ByteTokenizer(), tmp_path / name, format=format)
    done = json.loads(tinyllm("generate", name, "ab", "--tokens", "5", "--seed", "1", "--json").out)
    assert done["text"] == tl.generate.generate(model, "ab", ByteTokenizer(), 5, 0.8, seed=1).text
    assert "Try: leave out --which" in tinyllm("generate", name, "--which", "latest").err


def test_a_run_is_opened_as_ever(trained):
    mine, tokenizer = open_writer(str(trained), "latest")
    theirs, same, _ = tl.train.load(trained, "latest")
    assert tokenizer == same and all(
        np.array_equal(p.data, q.data) for p, q in zip(mine.parameters(), theirs.parameters(), strict=True)
    )


def test_what_cannot_write(model, tmp_path):
    tl.save(model, None, tmp_path / "dumb")
    with pytest.raises(ConfigError, match="no tokenizer is beside the weights"):
        open_writer(str(tmp_path / "dumb"))
    tl.save(Bert(BertConfig(**SIZES), np.random.default_rng(0)), None, tmp_path / "bert")
    with pytest.raises(ConfigError, match="a Bert does not write texts"):
        open_writer(str(tmp_path / "bert"))
    (tmp_path / "empty").mkdir()
    for name in ("empty", "nothing"):
        with pytest.raises(TinyLLMError, match=name):
            open_writer(str(tmp_path / name))
