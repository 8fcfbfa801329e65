"""A model is read by a Decoder only where that is what the model itself would say."""

from __future__ import annotations

import functools

import numpy as np
import pytest

import tinyllm as tl
from tinyllm import kernels
from tinyllm.errors import ConfigError
from tinyllm.generate import generate
from tinyllm.generate.reading import Session, can_remember, reader
from tinyllm.models import GPT, GPTConfig
from tinyllm.nn import MLP

SIZES = {"vocab_size": 11, "block_size": 8, "n_layer": 2, "n_head": 2, "n_embd": 8}
CONFIG = GPTConfig.preset("gpt2", **SIZES)


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


def test_a_session_reads_what_is_new_and_says_the_same():
    model = GPT(GPTConfig.preset("modern", **{**SIZES, "block_size": 40}), np.random.default_rng(0))
    session, text, read = Session(model), [1, 2, 3], []
    extend = session.read.decoder.cache.extend
    session.read.decoder.cache.extend = lambda T, rows: (read.append(T), extend(T, rows))[1]
    for turn in range(3):
        done = generate(session, text, max_tokens=4, seed=turn)
        assert done.ids == generate(model, text, max_tokens=4, seed=turn).ids
        text = [*text, *done.ids, 5, 6]
    assert read == [3, 1, 1, 1] + 2 * [3, 1, 1, 1]  # the last token that was written had not been read
    assert generate(session, [1, 2, 9], max_tokens=1, seed=0).timing.memory_bytes == session.read.decoder.nbytes
    assert read[-1] == 1
    many = generate(session, [[1, 2, 3], [1, 2, 4]], max_tokens=3, seed=0)
    assert [done.ids for done in many] == [d.ids for d in generate(model, [[1, 2, 3], [1, 2, 4]], max_tokens=3, seed=0)]


def test_a_session_that_cannot_be():
    own = type("Own", (GPT,), {})(CONFIG, np.random.default_rng(0))
    with pytest.raises(ConfigError, match="Own cannot be remembered"):
        Session(own)
    with pytest.raises(ConfigError, match="the session has its own"):
        generate(Session(GPT(CONFIG, np.random.default_rng(0))), [1], weights="int8")
