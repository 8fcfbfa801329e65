"""Who can see whom: leaks are found wherever they are, however small, and named."""

from __future__ import annotations

import numpy as np
import pytest

from tinyllm import debug
from tinyllm.errors import ShapeError


@pytest.mark.parametrize("kind", ["gpt2", "modern", "llama"])
def test_a_healthy_model_lets_nothing_through(make, batch, kind):
    found = debug.influence(make(kind), batch()[0])
    assert found.leaks == () and found.unseen == () and found.leak == found.row_leak == 0
    assert found.moved and found.row_layer == "" and found.probed == tuple(range(8))


@pytest.mark.parametrize("layer", [0, 1, 2])
@pytest.mark.parametrize("kind", ["gpt2", "llama"])
def test_the_layer_without_a_mask_is_named(make, batch, kind, layer):
    model = make(kind, layers=3)
    model.blocks[layer].attn.causal = False
    found = debug.influence(model, batch()[0])
    assert found.leak_layer == f"blocks.{layer}" and found.leaks == tuple(range(1, 8))


def test_a_mask_off_by_one_is_found(make, batch, plant):
    def next_one(block, x):
        y = block(x)
        later = np.eye(x.shape[1], k=1, dtype=x.dtype)  # (T, T): position t takes a little from t + 1
        return y + 1e-3 * (later @ y)

    found = debug.influence(plant(make(), 1, next_one), batch()[0])
    assert found.leaks == tuple(range(1, 8)) and found.leak_layer == "blocks.1"


def test_a_leak_in_the_embedding_is_named(make, batch):
    model = make()
    inner = model.embed
    model.embed = lambda idx: inner(np.asarray(idx)[:, ::-1].copy())
    assert debug.influence(model, batch()[0]).leak_layer == "embed"


def test_another_row_is_found(make, batch, plant):
    mix = plant(make(), 0, lambda block, x: block(x) + 1e-3 * x.mean(axis=0, keepdims=True))
    found = debug.influence(mix, batch()[0])
    assert found.row_layer == "blocks.0" and found.leaks == ()  # and it is not taken for the future


def test_one_that_does_not_look_back_and_one_that_sees_nothing(make, batch):
    model = make()
    for block in model.blocks:
        block.attn.out.weight.data[:] = 0
    found = debug.influence(model, batch()[0])
    assert found.unseen == tuple(range(7))
    assert found.findings()[0].state == "note"
    model.wte.weight.data[:] = model.wte.weight.data[0]
    found = debug.influence(model, batch()[0])
    assert not found.moved and found.findings()[0].state == "fix"


def test_one_token_has_no_past(make):
    with pytest.raises(ShapeError, match="one token has no past"):
        debug.influence(make(), [[3]])
