"""A model that was looked at is afterwards as it was, whatever happened in between."""

from __future__ import annotations

import numpy as np
import pytest

from tinyllm.errors import ConfigError, ShapeError
from tinyllm.interpret import head_importance, induction_scores, logit_lens, still
from tinyllm.interpret.still import one_text
from tinyllm.nn import Linear


def state(model):
    parts = [(m.training, [(id(p), p.requires_grad, p.grad) for p in m.parameters()]) for m in model.modules()]
    return parts, [id(block.attn.out) for block in model.blocks]


def test_every_instrument_leaves_the_model_as_it_was(model, batch):
    model.blocks[0].mlp.eval()
    model.norm.gain.requires_grad = False
    before, weights = state(model), model.state_dict()
    logit_lens(model, batch[0][0])
    head_importance(model, *batch)
    induction_scores(model, period=3, rng=np.random.default_rng(0))
    assert state(model) == before
    for name, array in model.state_dict().items():
        np.testing.assert_array_equal(array, weights[name])


def test_dropout_is_off_and_back_after_an_error(model, batch):
    draws = model.rng_state()
    with pytest.raises(RuntimeError), still(model):
        assert not any(m.training for m in model.modules())
        raise RuntimeError
    assert all(m.training for m in model.modules()) and all(p.requires_grad for p in model.parameters())
    np.testing.assert_array_equal(logit_lens(model, batch[0][0]).ranks, logit_lens(model, batch[0][0]).ranks)
    assert model.rng_state() == draws


def test_what_is_no_gpt_is_refused():
    layer = Linear(2, 3, rng=np.random.default_rng(0))
    with pytest.raises(ConfigError, match=r"a Linear cannot be looked into\. Try: a GPT or a Llama"), still(layer):
        pass
    for call in (logit_lens, lambda m, ids: head_importance(m, [ids], [ids])):
        with pytest.raises(ConfigError, match="cannot be looked into"):
            call(layer, [1, 2])


def test_one_text():
    assert one_text([1, 2], "f").tolist() == [1, 2]
    with pytest.raises(ShapeError, match=r"\(1, 2\), not \(T,\)"):
        one_text([[1, 2]], "f")
    with pytest.raises(ShapeError, match="no token"):
        one_text([], "f")
