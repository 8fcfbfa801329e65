"""Gradient flow: cuts, gradients that fade or grow, and the layer they are named after."""

from __future__ import annotations

import numpy as np
import pytest

from tinyllm import debug
from tinyllm.nn import grad_norm


@pytest.mark.parametrize("kind", ["gpt2", "modern", "llama"])
def test_a_healthy_model(make, batch, kind):
    model = make(kind)
    flow = debug.gradient_flow(model, *batch())
    assert flow.missing == flow.zero == flow.broken == () and flow.cut == ""
    assert [p.name for p in flow.parameters] == [name for name, _ in model.named_parameters()]
    assert all(0.3 < factor < 3 for factor in flow.factors())
    model.loss(*batch()).backward()
    whole = sum(p.norm**2 for p in flow.parameters) ** 0.5
    assert whole == pytest.approx(grad_norm(model.parameters()), rel=1e-5)


@pytest.mark.parametrize("layer", [0, 1, 2])
def test_what_leaves_a_block_is_detached(make, batch, plant, layer):
    flow = debug.gradient_flow(plant(make(layers=3), layer, lambda block, x: block(x).detach()), *batch())
    assert flow.cut == f"blocks.{layer}"
    assert flow.activations[: layer + 2] == (None,) * (layer + 2)
    assert all(size is not None for size in flow.activations[layer + 2 :])
    assert f"blocks.{layer}.block.mlp.up.weight" in flow.missing


@pytest.mark.parametrize("layer", [0, 1, 2])
def test_what_enters_a_block_is_detached(make, batch, plant, layer):
    flow = debug.gradient_flow(plant(make(layers=3), layer, lambda block, x: block(x.detach())), *batch())
    assert flow.cut == f"blocks.{layer}"
    assert f"blocks.{layer}.block.mlp.up.weight" not in flow.missing and "wpe.weight" in flow.missing


def test_a_half_of_a_block_is_detached(make, batch, plant):
    def half(block, x):
        x = x + block.attn(block.norm1(x)).detach()
        return x + block.mlp(block.norm2(x))

    flow = debug.gradient_flow(plant(make(), 1, half), *batch())
    assert flow.cut == "" and flow.missing[0] == "blocks.1.block.norm1.gain"
    (finding,) = flow.findings()
    assert finding.state == "fix" and "blocks.1.block.attn.qkv.weight" in finding.seen


def test_vanishing_and_exploding_name_the_block(make, batch, plant):
    (fades,) = debug.gradient_flow(plant(make(layers=3), 1, lambda b, x: b(x) * 1e-4), *batch()).findings()
    (grows,) = debug.gradient_flow(plant(make(layers=3), 2, lambda b, x: b(x) * 1e6), *batch()).findings()
    assert "vanishes" in fades.seen and "most of it in blocks.1" in fades.seen
    (dam,) = debug.gradient_flow(plant(make(layers=3), 1, lambda b, x: b(x) * 5e-3), *batch()).findings()
    assert "vanishes" in dam.seen and "most of it in blocks.1" in dam.seen
    assert "explodes" in grows.seen and "most of it in blocks.2" in grows.seen


def test_zero_is_worth_a_look_and_nan_is_named(make, batch):
    model = make()
    model.blocks[1].mlp.down.weight.data[:] = 0
    (finding,) = debug.gradient_flow(model, *batch()).findings()
    assert finding.state == "note" and "blocks.1.mlp.up.weight" in finding.seen
    model.blocks[1].mlp.down.weight.data[:] = np.nan
    (finding,) = debug.gradient_flow(model, *batch()).findings()
    assert finding.state == "fix" and "no number" in finding.seen
