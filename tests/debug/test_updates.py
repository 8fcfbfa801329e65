"""Update ratios: the number itself, and what is said about learning rates and parameters that stand still."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tinyllm import debug, nn


def test_the_ratio_is_that_of_the_root_mean_squares(make, batch):
    model, (x, y) = make(), batch()
    found = debug.update_ratios(model, x, y, steps=1, make=lambda m: nn.optim.SGD(m.parameters(), lr=0.1))
    model.loss(x, y).backward()
    scale = 0.1 * nn.clip_scale(nn.grad_norm(model.parameters()), 1.0)
    for name, p in model.named_parameters():
        ratio = found.ratios[found.names.index(name)][0]
        size = float(np.sqrt((p.data**2).mean()))
        expected = scale * float(np.sqrt((p.grad**2).mean())) / size if size else math.nan
        assert ratio == pytest.approx(expected, rel=1e-3, nan_ok=True), name


def test_the_logarithm_and_the_medians(make, batch):
    found = debug.update_ratios(make(), *batch(), steps=6, lr=1e-3)
    logs = found.log10()
    assert logs.shape == (len(found.names), 6)
    row = found.names.index("blocks.0.mlp.up.weight")
    assert logs[row] == pytest.approx(np.log10(found.ratios[row]))
    assert np.isnan(logs[found.names.index("blocks.0.mlp.up.bias"), 0])  # it began at zero
    assert found.medians()[0] > found.medians()[-1] and found.typical() < found.medians()[0]
    assert found.losses[0] > found.last_loss
    assert found.findings()[0].state == "ok"


def test_a_learning_rate_that_is_too_low_or_too_high(make, batch):
    def finding(lr):
        return debug.update_ratios(make(), *batch(), steps=8, lr=lr).findings()[0]

    assert "too low" in finding(1e-7).advice
    assert "too high" in finding(0.1).advice and finding(0.1).state == "fix"
    assert "above 0" in finding(0.0).advice


def test_a_loss_that_is_no_longer_a_number(make, batch):
    def breaks(model, optimizer, x, y):
        value = debug.plain_step(model, optimizer, x, y)
        model.norm.gain.data[:] = np.nan
        return value

    found = debug.update_ratios(make(), *batch(), steps=5, step=breaks)
    assert len(found.losses) == 2 and "no longer a number" in found.findings()[0].seen


def test_what_the_optimizer_does_not_have_is_named(make, batch):
    def some(model):
        return nn.optim.AdamW([p for name, p in model.named_parameters() if "blocks.1" not in name], lr=1e-3)

    found = debug.update_ratios(make(), *batch(), steps=2, make=some)
    assert found.still and all(name.startswith("blocks.1.") for name in found.still)
    assert found.findings()[0].state == "fix" and "blocks.1.norm1.gain" in found.findings()[0].seen
