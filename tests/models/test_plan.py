"""Plans: of every kind of file, from headers alone, and refusals that say what would fit."""

from __future__ import annotations

import numpy as np
import pytest

from tinyllm import kernels
from tinyllm.errors import CheckpointError, ConfigError, MemoryShortError
from tinyllm.models import GPT, GPTConfig, Llama, LlamaConfig
from tinyllm.models.bert import Bert
from tinyllm.models.bert_config import BertConfig
from tinyllm.models.exchange.gguf_model import save_gguf
from tinyllm.models.exchange.llama2c_model import save_llama2c
from tinyllm.models.footprint import footprint
from tinyllm.models.plan import Plan, plan
from tinyllm.models.pretrained import save_model
from tinyllm.train import Run, TrainConfig

CONFIG = LlamaConfig("llama", 64, 96, n_layer=2, n_head=2, n_embd=32, n_hidden=64, norm_eps=1e-5)


@pytest.fixture(autouse=True)
def on_numpy():
    with kernels.use("numpy"):
        yield


@pytest.fixture
def model():
    return Llama(CONFIG, np.random.default_rng(0))


def test_every_kind_of_file(tmp_path, model):
    save_model(model, tmp_path / "whole")
    save_model(model, tmp_path / "shards", dtype="bfloat16", max_shard_size="20KB")
    save_gguf(model, tmp_path / "a.gguf", kind="Q8_0")
    save_llama2c(model, tmp_path / "a.bin")
    numbers = model.count_parameters()
    matrices = sum(p.size for p in model.parameters() if p.ndim == 2)
    stored = {
        "whole": 4 * numbers,
        "shards": 2 * numbers,
        "a.gguf": matrices * 34 // 32 + 4 * (numbers - matrices),
        "a.bin": 4 * numbers,
    }
    for name, bytes_ in stored.items():
        told = plan(tmp_path / name, context=10, batch=2)
        assert (told.name, told.family, told.stored) == (name, "llama", bytes_)
        assert told.sizes == footprint(CONFIG, 10, 2) and told.config.n_hidden == 64
    assert plan(tmp_path / "a.gguf").sizes == footprint(CONFIG)


def test_a_gpt2_and_a_run(tmp_path):
    model = GPT(GPTConfig(11, 16, n_layer=1, n_head=2, n_embd=8), np.random.default_rng(0))
    save_gguf(model, tmp_path / "a.gguf")  # where the head is written, and tied all the same
    told = plan(tmp_path / "a.gguf")
    assert told.family == "gpt2" and told.sizes.parameters == model.count_parameters()
    assert told.stored == 4 * (model.count_parameters() + 11 * 8)
    run = Run.create(tmp_path / "run", TrainConfig.preset("smoke", steps=1, sample_every=0))
    with pytest.raises(CheckpointError, match="no checkpoint yet"):
        plan(tmp_path / "run")
    run.train()
    told = plan(tmp_path / "run")
    assert told.config == run.model.config and told.sizes.parameters == run.model.count_parameters()
    assert told.stored >= 4 * run.model.count_parameters()
    (run.best_path if run.best_path.exists() else run.checkpoint_path).write_bytes(b"PK\3\4 and no more")
    with pytest.raises(CheckpointError, match="damaged"):
        plan(tmp_path / "run")


def test_what_writes_no_texts(tmp_path):
    config = BertConfig(vocab_size=20, block_size=8, n_layer=1, n_head=2, n_embd=8, n_hidden=8)
    save_model(Bert(config, np.random.default_rng(0)), tmp_path / "bert")
    with pytest.raises(ConfigError, match="a bert, which writes no texts"):
        plan(tmp_path / "bert")
    with pytest.raises(CheckpointError, match="no such file"):
        plan(tmp_path / "none")


def planned(context=None, batch=1, config=CONFIG):
    return Plan("toy", "llama", config, 0, footprint(config, context, batch))


def test_it_fits_or_says_what_would():
    told = planned(batch=8)
    needs = told.sizes.needs()
    assert told.fits(needs) and not told.fits(needs - 1)
    told.refuse_if_too_large(needs)
    with pytest.raises(MemoryShortError) as caught:
        told.refuse_if_too_large(needs * 6 // 10)
    said = str(caught.value)
    assert said.startswith("E-MEMORY toy: needs ") and "8 x 96 tokens" in said and isinstance(caught.value, MemoryError)
    choices = dict(choice.split("=") for choice in said.split("Try: ")[1].split(", or "))
    texts, tokens = int(choices["batch"]), int(choices["context"])
    for fitting, other in (
        (planned(batch=texts), planned(batch=texts + 1)),
        (planned(tokens, 8), planned(tokens + 1, 8)),
    ):
        assert fitting.fits(needs * 6 // 10) and not other.fits(needs * 6 // 10)


def test_other_weights_that_fit():
    """Where a Llama's gate and up are joined, the copy is larger than one in 4 bits."""
    told = planned(context=1, config=LlamaConfig("llama", 64, 96, n_layer=40, n_head=2, n_embd=32, n_hidden=640))
    between = told.sizes.needs("int4")
    assert between < told.sizes.needs()
    with pytest.raises(MemoryShortError, match="weights='int4'"):
        told.refuse_if_too_large(between)
    assert told.fits(between, "int4")


def test_a_model_that_is_too_large_by_itself():
    with pytest.raises(MemoryShortError, match="a model of about 0 million parameters"):
        planned().refuse_if_too_large(planned().sizes.model)


def test_it_is_readable():
    lines = str(planned()).splitlines()
    assert lines[0].startswith("toy: llama, ") and len(lines) == 11
    assert any("keys and values of 1 x 96 tokens" in line for line in lines)
