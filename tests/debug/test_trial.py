"""Copies: everything is in them, and nothing they do reaches the model."""

from __future__ import annotations

import numpy as np

from tinyllm import debug, nn


def test_a_copy_computes_the_same_and_keeps_ties_and_generators(make, batch):
    model = make(dropout=0.3)
    other = debug.copy_of(model)
    x, y = batch()
    assert other.head_weight is other.wte.weight and other.wte.weight is not model.wte.weight
    assert other.drop is other.blocks[0].drop
    assert model.loss(x, y).item() == other.loss(x, y).item()  # the same entries are dropped
    assert model.rng_state() == other.rng_state()


def test_a_copy_of_a_model_in_use_can_be_trained(make, batch):
    model = make()
    x, y = batch()
    loss = model.loss(x, y)  # its graph is alive, and the weights are read-only
    other = debug.copy_of(model)
    before = model.state_dict()
    debug.plain_step(other, debug.adamw(1e-2)(other), x, y)
    assert not np.array_equal(other.wte.weight.data, before["wte.weight"])
    loss.backward()
    assert all(np.array_equal(before[name], array) for name, array in model.state_dict().items())


def test_the_plain_step_is_what_it_says(make, batch):
    x, y = batch()
    one, two = make(), make()
    optimizer = nn.optim.SGD(one.parameters(), lr=0.5)
    value = debug.plain_step(one, optimizer, x, y)
    loss = two.loss(x, y)
    assert loss.item() == value
    loss.backward()
    scale = nn.clip_scale(nn.grad_norm(two.parameters()), 1.0)
    for p, q in zip(one.parameters(), two.parameters(), strict=True):
        np.testing.assert_allclose(p.data, q.data - 0.5 * scale * q.grad, rtol=1e-5, atol=1e-7)
