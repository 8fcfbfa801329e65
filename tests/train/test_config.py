from __future__ import annotations

import json
import math

import pytest

from tinyllm.errors import ConfigError
from tinyllm.models import count_params
from tinyllm.train import PRESETS, TrainConfig


@pytest.mark.parametrize("name", PRESETS)
def test_presets_go_through_json_and_back(name):
    config = TrainConfig.preset(name)
    assert TrainConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config
    assert config.gpt_config(65).block_size == config.block_size


def test_an_infinite_clip_survives_json():
    config = TrainConfig(clip=math.inf)
    assert TrainConfig.from_dict(json.loads(json.dumps(config.to_dict(), allow_nan=False))) == config


def test_the_shakespeare_preset_is_nanogpts_cpu_configuration():
    config = TrainConfig.preset("shakespeare-cpu")
    wanted = {
        "tokenizer": "chars",
        "data": "shakespeare",
        "block_size": 64,
        "batch_size": 12,
        "accumulate": 1,
        "steps": 2000,
        "lr": 2e-3,
        "warmup": 100,
        "schedule": "cosine",
        "optimizer": "adamw",
        "betas": (0.9, 0.99),
        "weight_decay": 0.1,
        "clip": 1.0,
        "validation": 0.1,
    }
    assert {name: getattr(config, name) for name in wanted} == wanted
    assert config.min_lr == pytest.approx(2e-4)
    model = config.gpt_config(65)
    assert (model.n_layer, model.n_head, model.n_embd, model.dropout, model.bias) == (4, 4, 128, 0.0, False)
    assert count_params(model) == 804_096  # nanoGPT reports 0.80M, without the 8,192 of the positions


@pytest.mark.parametrize(
    ("misspelled", "nearest"),
    [("learning_rat", ""), ("batchsize", "batch_size"), ("step", "steps"), ("weight_decy", "weight_decay")],
)
def test_a_misspelled_field_names_the_nearest(misspelled, nearest):
    for make in (
        lambda: TrainConfig.from_dict({misspelled: 1}),
        lambda: TrainConfig.preset("tour", **{misspelled: 1}),
        lambda: TrainConfig().but(**{misspelled: 1}),
    ):
        with pytest.raises(ConfigError, match=f"no field '{misspelled}'.*Try: {nearest}") as caught:
            make()
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("name", "meant"), [("n_kv_head", "n_kv_head"), ("n_layer", "n_layer"), ("n_layr", "n_layer")])
def test_a_field_of_the_model_is_sent_to_the_model(name, meant):
    with pytest.raises(ConfigError, match=rf"put it into model: \{{'{meant}'"):
        TrainConfig.from_dict({name: 2})


def test_a_misspelled_preset_names_the_nearest():
    with pytest.raises(ConfigError, match="Try: shakespeare-cpu"):
        TrainConfig.preset("shakespear-cpu")


@pytest.mark.parametrize(
    "wrong",
    [
        {"steps": 0},
        {"steps": 2.5},
        {"steps": True},
        {"steps": "100"},
        {"batch_size": -1},
        {"accumulate": 0},
        {"lr": 0.0},
        {"lr": math.nan},
        {"lr": math.inf},
        {"lr": -1e-3},
        {"min_lr": 1.0},
        {"warmup": 3000},
        {"clip": 0},
        {"validation": 0},
        {"validation": 1.0},
        {"betas": (0.9, 1.0)},
        {"betas": (0.9,)},
        {"betas": 0.9},
        {"weight_decay": -0.1},
        {"temperature": -1},
        {"tokenizer": "byte"},
        {"schedule": "cos"},
        {"optimizer": "adam"},
        {"max_seconds": 0},
        {"max_tokens": 0},
        {"patience": 0},
        {"seed": -1},
        {"data": None},
        {"sample_prompt": 3},
        {"model": 3},
        {"model": {"vocab_size": 10}},
        {"model": {"block_size": 10}},
        {"eval_every": 0},
    ],
    ids=str,
)
def test_a_wrong_value_is_refused_in_one_line(wrong):
    with pytest.raises(ConfigError) as caught:
        TrainConfig(**wrong)
    message = str(caught.value)
    assert next(iter(wrong)) in message and "\n" not in message


def test_zero_weight_decay_and_no_warmup_are_fine():
    config = TrainConfig(weight_decay=0, warmup=0, min_lr=0, temperature=0)
    assert config.warmup == 0 and config.min_lr == 0


def test_the_model_can_be_named_or_described():
    assert TrainConfig(model="modern").gpt_config(97).position == "rope"
    described = TrainConfig(model={"n_layer": 3, "n_embd": 24, "n_head": 3}, block_size=13).gpt_config(97)
    assert (described.n_layer, described.vocab_size, described.block_size, described.position) == (3, 97, 13, "learned")
    with pytest.raises(ConfigError, match="n_head"):
        TrainConfig(model={"n_heads": 3}).gpt_config(97)
    with pytest.raises(ConfigError, match="divide"):
        TrainConfig(model={"n_head": 3, "n_embd": 32}).gpt_config(97)
    with pytest.raises(ConfigError, match="modern"):
        TrainConfig(model="moderne").gpt_config(97)


def test_a_config_does_not_change():
    with pytest.raises(AttributeError):
        TrainConfig().lr = 1.0
    assert TrainConfig(batch_size=3, block_size=5, accumulate=7).tokens_per_step == 105
