"""Dead and saturated units, in both kinds of MLP."""

from __future__ import annotations

import numpy as np
import pytest

from tinyllm import debug


@pytest.mark.parametrize("kind", ["gpt2", "modern", "llama"])
def test_in_a_healthy_model_all_take_part(make, batch, kind):
    found = debug.dead_units(make(kind), batch()[0])
    assert [(one.layer, one.dead, one.saturated) for one in found.layers] == [
        ("blocks.0.mlp", (), ()), ("blocks.1.mlp", (), ()),
    ]  # fmt: skip
    assert found.positions == 24 and found.units == 2 * found.layers[0].units
    assert all(one.active > 0.99 for one in found.layers)
    assert found.findings()[0].state == "ok"


def test_units_with_a_bias_far_below_zero_are_dead(make, batch):
    model = make()
    model.blocks[1].mlp.up.bias.data[[3, 7]] = -100
    found = debug.dead_units(model, batch()[0])
    assert [one.dead for one in found.layers] == [(), (3, 7)]
    assert found.findings()[0].state == "ok"  # 2 of 64 are nothing to worry about


@pytest.mark.parametrize("kind", ["modern", "llama"])
def test_a_gate_that_never_opens(make, batch, kind):
    model = make(kind)
    model.blocks[0].mlp.gate.weight.data[:5] = 0
    assert [one.dead for one in debug.dead_units(model, batch()[0]).layers] == [(0, 1, 2, 3, 4), ()]


def test_units_that_never_bend_and_how_many_are_too_many(make, batch):
    model = make()
    model.blocks[0].mlp.up.bias.data[:10] = 100
    found = debug.dead_units(model, batch()[0])
    assert found.layers[0].saturated == tuple(range(10))
    finding = found.findings()[0]
    assert finding.state == "note" and finding.seen.startswith("16% of the 64 hidden units of blocks.0.mlp")
    model.blocks[0].mlp.up.bias.data[:] = 100
    assert debug.dead_units(model, batch()[0]).findings()[0].state == "fix"


def test_a_model_without_mlps(make, batch, plant):
    model = make(layers=1)
    found = debug.dead_units(plant(model, 0, lambda block, x: x), batch()[0])
    assert found.layers == () and found.findings()[0].state == "ok"


def test_the_limit_can_be_moved(make, batch):
    found = debug.dead_units(make(), batch()[0], eps=np.inf)
    assert len(found.layers[0].dead) == 64 and found.layers[0].active == 0
