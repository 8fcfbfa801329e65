"""Ablations: every setting with every seed, compared in pairs, with honest verdicts."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tinyllm import debug
from tinyllm.debug.ablation import changed
from tinyllm.errors import ConfigError
from tinyllm.train import TrainConfig


def test_every_combination_is_measured_with_every_seed():
    asked = []
    table = debug.ablate(lambda s, seed: asked.append((s["a"], s["b"], seed)) or 1.0, {"a": [1, 2], "b": "xy"}, [3, 5])
    assert asked == [(a, b, seed) for a in (1, 2) for b in "xy" for seed in (3, 5)]
    assert [arm.label for arm in table.arms] == ["a=1, b=x", "a=1, b=y", "a=2, b=x", "a=2, b=y"]
    assert table.seeds == (3, 5)


def test_pairing_sees_what_the_spread_of_seeds_would_hide():
    luck = np.random.default_rng(0).normal(0, 1, size=8)
    table = debug.ablate(lambda s, seed: luck[seed] - 0.1 * s["better"], {"better": [0, 1]}, seeds=8)
    first, second = table.arms
    assert first.mean.low < second.mean.value < first.mean.high  # alone they cannot be told apart
    assert second.verdict == "better" and second.difference.value == pytest.approx(-0.1)
    assert table.best() is second


def test_verdicts():
    def measure(setting, seed):
        noise = np.random.default_rng([seed, setting["k"]]).normal(0, 0.1)
        return {0: 1.0, 1: 2.0, 2: 1.0, 3: math.nan}[setting["k"]] + noise

    verdicts = [arm.verdict for arm in debug.ablate(measure, {"k": [0, 1, 2, 3]}, seeds=6).arms]
    assert verdicts == ["the first", "worse", "no clear difference", "diverged"]
    assert debug.ablate(measure, {"k": [0, 1]}, seeds=4).arms[1].verdict == "too few seeds"
    assert debug.ablate(measure, {"k": [3]}, seeds=2).best() is None
    assert debug.ablate(measure, {"k": [0, 1]}, seeds=6, method="bca").arms[1].mean.method == "bca"


def test_an_equal_setting_is_rarely_called_different():
    """With 8 seeds and no difference, a 95 % percentile interval excludes zero in about one case of ten."""
    rng = np.random.default_rng(1)
    wrong = 0
    for _ in range(60):
        values = rng.normal(size=(2, 8))
        arm = debug.ablate(lambda s, seed, v=values: v[s["k"], seed], {"k": [0, 1]}, seeds=8).arms[1]
        wrong += arm.verdict != "no clear difference"
    assert wrong <= 12


def test_a_gpt_is_trained_with_each_setting(batch):
    tokens = np.tile(np.arange(7, dtype=np.uint16), 60)
    measure = debug.trained(tokens, 7, TrainConfig.preset("smoke", steps=6, block_size=8, eval_batches=1))
    table = debug.ablate(measure, {"lr": [1e-5, 2e-2]}, seeds=2)
    slow, fast = table.arms
    assert slow.mean.value == pytest.approx(math.log(7), abs=0.1) and fast.mean.value < slow.mean.value - 0.3
    assert measure({"lr": 2e-2}, 1) == fast.values[1]  # the same seed, the same number


def test_a_run_that_diverges_measures_nan(monkeypatch):
    from tinyllm.debug import ablation
    from tinyllm.errors import NaNError

    def breaks(*_):
        raise NaNError("the loss is no longer a number")

    monkeypatch.setattr(ablation, "take_step", breaks)
    tokens = np.tile(np.arange(7, dtype=np.uint16), 60)
    assert math.isnan(debug.trained(tokens, 7, TrainConfig.preset("smoke", block_size=8))({}, 0))


def test_settings_reach_the_config_and_the_model():
    config = changed(TrainConfig.preset("smoke"), {"lr": 1e-4, "model.n_layer": 3, "model.preset": "modern"})
    assert config.lr == 1e-4 and config.min_lr == pytest.approx(1e-5)
    assert config.gpt_config(11).n_layer == 3 and config.gpt_config(11).position == "rope"
    assert changed(TrainConfig.preset("smoke"), {"batch_size": 2}).batch_size == 2
    with pytest.raises(ConfigError, match="no field 'lrate'"):
        changed(TrainConfig(), {"lrate": 1.0})


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"grid": {}}, "grid is empty"),
        ({"grid": {"a": []}}, "grid is empty"),
        ({"seeds": 0}, "seeds are"),
        ({"seeds": [1, 1]}, "seeds are"),
        ({"method": "jackknife"}, "no method"),
    ],
)
def test_what_cannot_be_done_is_refused(options, words):
    with pytest.raises(ConfigError, match=words):
        debug.ablate(**{"measure": lambda s, seed: 0.0, "grid": {"a": [1]}, **options})
