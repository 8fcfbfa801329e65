"""The loss before the first step, and whether the batch asks what it should."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tinyllm import debug


@pytest.mark.parametrize("kind", ["gpt2", "modern", "llama"])
def test_an_untrained_model_is_near_ln_v_and_flat(make, batch, kind):
    start = debug.start_of(make(kind), *batch())
    assert start.expected == math.log(29)
    assert abs(start.loss - start.expected) < 0.1 and start.flat and start.spread < 0.3
    assert start.expected - 0.05 < start.entropy <= start.expected + 1e-12
    assert start.findings()[0].state == "ok"


def test_sure_of_what_it_cannot_know(make, batch):
    model = make()
    model.wte.weight.data *= 100
    start = debug.start_of(model, *batch())
    finding = start.findings()[0]
    assert finding.state == "fix" and "probability" in finding.seen and not start.flat
    assert start.entropy < 1 and start.top > 0.5


def test_logits_that_are_not_flat_but_by_luck_right_are_worth_a_look():
    start = debug.Start(loss=3.5, expected=3.4, spread=1.5, entropy=2.5, top=0.3)
    assert start.findings()[0].state == "note"


def test_one_that_has_learned_and_one_that_is_no_number(make, batch):
    assert "learned already" in debug.Start(1.0, 3.4, 4.0, 0.5, 0.9).findings()[0].seen
    model = make()
    model.norm.gain.data[:] = np.nan
    assert debug.start_of(model, *batch()).findings()[0].state == "fix"


def test_targets_follow_their_inputs(make, batch):
    x, y = batch()
    facts = debug.batch_facts(make(), x, y)
    assert (facts.rows, facts.length, facts.shifted) == (3, 8, 1.0)
    assert facts.findings()[0].state == "ok"


def test_what_may_be_wrong_with_a_batch(make, batch):
    x, y = batch()
    model = make()

    def seen(x, y):
        (finding,) = debug.batch_facts(model, x, y).findings()
        return finding.state, finding.seen

    assert seen(x, x) == ("fix", "the targets are the inputs themselves")
    assert seen(x, np.roll(y, 1, axis=1))[0] == "fix"
    assert seen(np.ones_like(x), np.ones_like(x)) == ("fix", "the batch repeats one single token")
    assert seen(np.concatenate([x, x]), np.concatenate([y, y])) == ("note", "3 rows repeat others")
    ignored = np.where(np.arange(8) < 4, -100, y)
    assert seen(x, ignored)[0] == "ok"
