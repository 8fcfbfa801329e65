"""Gradients that are not zeroed are found, however the loop hides them; one may zero them at either end of a step."""

from __future__ import annotations

import pytest

from tinyllm import debug, nn


def forgets(model, optimizer, x, y):
    loss = model.loss(x, y)
    value = loss.item()
    loss.backward()
    optimizer.step()
    return value


def forgets_and_clips(model, optimizer, x, y):
    loss = model.loss(x, y)
    value = loss.item()
    loss.backward()
    nn.clip_grad_norm(optimizer.params, 0.1)
    optimizer.step()
    return value


def zeroes_at_the_end(model, optimizer, x, y):
    value = forgets(model, optimizer, x, y)
    optimizer.zero_grad()
    return value


def accumulates_within(model, optimizer, x, y):
    optimizer.zero_grad()
    value = 0.0
    for row in range(len(x)):
        loss = model.loss(x[row : row + 1], y[row : row + 1])
        value += loss.item() / len(x)
        loss.backward(1 / len(x))
    optimizer.step()
    return value


@pytest.mark.parametrize("step", [forgets, forgets_and_clips])
def test_gradients_that_are_kept_are_found(make, batch, step):
    found = debug.fresh_gradients(make(), *batch(), step=step)
    assert found.carried > 0.01 and found.findings()[0].state == "fix"


@pytest.mark.parametrize("step", [debug.plain_step, accumulates_within])
def test_gradients_that_are_zeroed_are_not(make, batch, step):
    make_optimizer = debug.adamw(0.1)  # the weights move far in between, and that is not what is asked about
    assert debug.fresh_gradients(make(), *batch(), make_optimizer, step) == debug.FreshGradients(0.0, True)


def test_a_loop_may_zero_at_its_end(make, batch):
    found = debug.fresh_gradients(make(), *batch(), step=zeroes_at_the_end)
    assert found == debug.FreshGradients(0.0, False) and found.findings()[0].state == "ok"
