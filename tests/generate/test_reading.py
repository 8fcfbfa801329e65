"""A model is read by a Decoder only where that is what the model itself would say."""

from __future__ import annotations

import functools

import numpy as np
import pytest

import tinyllm as tl
from tinyllm import kernels
from tinyllm.errors import ConfigError
from tinyllm.generate import generate
from tinyllm.generate.reading import can_remember, reader
from tinyllm.models import GPT, GPTConfig
from tinyllm.nn import MLP

CONFIG = GPTConfig.preset("gpt2", vocab_size=11, block_size=8, n_layer=2, n_head=2, n_embd=8)


@pytest.fixture(autouse=True)
def plain():
    with kernels.use("numpy"):
        yield


def own_logits(model, ids):
    with tl.no_grad():
        return model(np.array([ids])).data[0, -1]


@pytest.mark.parametrize("how", ["as it is", "a class", "an object", "a layer", "a swap"])
def test_what_is_read_is_what_the_model_says(how, monkeypatch):
    model = GPT(CONFIG, np.random.default_rng(0))
    plain = own_logits(model, [1, 2, 3])
    forward = MLP.forward
    if how == "a class":
        model.__class__ = type("Own", (GPT,), {"forward": lambda self, idx: GPT.forward(self, idx) * -1.0})
    elif how == "an object":
        monkeypatch.setitem(vars(model), "forward", lambda idx: GPT.forward(model, idx) * -1.0)
    elif how == "a layer":
        mlp = model.blocks[1].mlp
        monkeypatch.setitem(vars(mlp), "forward", lambda x: forward(mlp, x) * -9.0)
    elif how == "a swap":
        monkeypatch.setattr(MLP, "forward", functools.wraps(forward)(lambda self, x: forward(self, x) * -9.0))
    assert can_remember(model) == (how == "as it is")
    read, memory = reader(model)
    logits = read([1, 2, 3])
    np.testing.assert_allclose(logits, own_logits(model, [1, 2, 3]), atol=1e-6)
    assert np.allclose(logits, plain, atol=1e-6) == (how == "as it is")
    assert memory >= sum(p.data.nbytes for p in model.parameters() if p.ndim == 2)
    assert len(generate(model, [1, 2], max_tokens=9, temperature=0).ids) == 9


def test_room_is_made_for_the_text_and_no_more():
    model = GPT(CONFIG, np.random.default_rng(0))
    assert reader(model, length=3)[1] < reader(model)[1] == reader(model, length=99)[1]
    assert reader(model, length=0)[0]([4]).shape == (11,)
    with pytest.raises(ConfigError, match="no format 'int5'"):
        reader(model, "int5")
