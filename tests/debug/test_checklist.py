"""The checklist: every planted fault is found by the right check and named, a healthy model gives no alarm."""

from __future__ import annotations

import numpy as np
import pytest

from tinyllm import debug, nn
from tinyllm.errors import DataError, ShapeError


@pytest.mark.parametrize(("kind", "seed"), [("gpt2", 0), ("modern", 1), ("llama", 2), ("gpt2", 3)])
def test_a_healthy_model_gives_no_alarm(make, batch, kind, seed):
    found = debug.run_checklist(make(kind, seed), *batch(seed), lr=3e-3, steps=8)
    assert [(f.check, f.state, f.seen) for f in found.findings if f.state != "ok"] == []
    assert found.worst == "ok"
    assert [f.check for f in found.findings] == [
        "batch", "start", "future", "rows", "flow", "units", "updates", "gradients", "overfit",
    ]  # fmt: skip


def detached(model, plant):
    return plant(model, 0, lambda block, x: block(x).detach())


def large(model, plant):
    for p in model.parameters():
        p.data *= 100
    return model


def leaky(model, plant):
    model.blocks[1].attn.causal = False
    return model


def mixing(model, plant):
    return plant(model, 1, lambda block, x: block(x) + 0.1 * x.mean(axis=0, keepdims=True))


def silent(model, plant):
    model.blocks[1].mlp.up.bias.data[:] = -100
    return model


def fading(model, plant):
    return plant(model, 1, lambda block, x: block(x) * 1e-3)


FAULTS = [
    (detached, "flow", "blocks.0 cuts the gradient off", {"updates"}),
    (large, "start", "the loss is", {"flow", "updates"}),
    (leaky, "future", "first seen in blocks.1", set()),
    (mixing, "rows", "first seen in blocks.1", set()),
    (silent, "units", "100% of the 64 hidden units of blocks.1.mlp are dead", {"updates"}),
    (fading, "flow", "vanishes: from the last block down to the first", set()),
]


@pytest.mark.parametrize(("fault", "check", "words", "others"), FAULTS, ids=[fault.__name__ for fault, *_ in FAULTS])
def test_a_fault_in_the_model_is_found_by_the_right_check(make, batch, plant, fault, check, words, others):
    found = debug.run_checklist(fault(make(), plant), *batch(), steps=4, overfit_steps=1)
    bad = {f.check: f for f in found.findings if f.bad and f.check != "overfit"}
    assert check in bad and set(bad) <= {check, *others}
    assert words in bad[check].seen
    assert bad[check].usual and bad[check].advice


def forgetful(model, optimizer, x, y):
    loss = model.loss(x, y)
    value = loss.item()
    loss.backward()
    nn.clip_grad_norm(optimizer.params, 1.0)
    optimizer.step()
    return value


FAULTS_OF_TRAINING = [
    ({"lr": 0.0}, "updates", "no parameter moves at all"),
    ({"lr": 1.0}, "updates", "times its size"),
    ({"step": forgetful}, "gradients", "gradients are not zeroed"),
]


@pytest.mark.parametrize(("settings", "check", "words"), FAULTS_OF_TRAINING, ids=["lr 0", "lr too high", "not zeroed"])
def test_a_fault_of_the_training_is_found_by_the_right_check(make, batch, settings, check, words):
    found = debug.run_checklist(make(), *batch(), steps=6, overfit_steps=1, **settings)
    bad = {f.check: f for f in found.findings if f.bad and f.check != "overfit"}
    assert set(bad) == {check}
    assert words in bad[check].seen


def test_the_model_stays_as_it_is(make, batch):
    model = make("gpt2", dropout=0.1)
    x, y = batch()
    model.loss(x, y).backward()
    before, grads, rng = model.state_dict(), [p.grad.copy() for p in model.parameters()], model.rng_state()
    blocks = list(map(id, model.blocks))
    debug.run_checklist(model, x, y, steps=2, overfit_steps=2)
    assert all(np.array_equal(before[name], array) for name, array in model.state_dict().items())
    assert all(np.array_equal(g, p.grad) for g, p in zip(grads, model.parameters(), strict=True))
    assert model.rng_state() == rng and list(map(id, model.blocks)) == blocks and model.training


def test_a_model_that_breaks_is_a_finding_and_the_other_checks_go_on(make, batch, plant):
    def breaks(block, x):
        raise ValueError("no such thing")

    found = debug.run_checklist(plant(make(), 1, breaks), *batch(), steps=2)
    states = {f.check: (f.state, f.seen) for f in found.findings}
    assert states["batch"][0] == "ok"
    assert states["flow"] == ("fix", "it broke: ValueError: no such thing")
    assert found.data("flow") is None and found.worst == "fix"


def test_an_untrained_model_can_be_given_for_the_start(make, batch):
    found = debug.run_checklist(large(make(), None), *batch(), steps=1, overfit_steps=1, untrained=make())
    assert next(f for f in found.findings if f.check == "start").state == "ok"


def test_progress_is_told(make, batch):
    told = []
    debug.run_checklist(make(), *batch(), steps=2, overfit_steps=3, told=lambda *news: told.append(news))
    assert ("watching updates", 2, 2) in told and ("checking flow", 3, 8) in told


def test_a_batch_that_cannot_be_used_is_refused(make, batch):
    x, y = batch()
    with pytest.raises(ShapeError, match=r"x has shape \(8,\)"):
        debug.run_checklist(make(), x[0], y[0])
    with pytest.raises(DataError, match=r"ids from .* the model has 29"):
        debug.run_checklist(make(), x + 29, y)
    with pytest.raises(DataError, match="holds no tokens"):
        debug.run_checklist(make(), x[:0], y[:0])
