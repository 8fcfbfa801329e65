"""The logit lens: its last row is the model, each row a model cut off there, and the handmade one is seen through."""

from __future__ import annotations

import numpy as np
import pytest

import tinyllm as tl
from tinyllm.errors import ConfigError, DTypeError, NaNError, RangeError, ShapeError
from tinyllm.interpret import logit_lens
from tinyllm.interpret.lens import _row


def probabilities(model, ids):
    model.eval()
    with tl.no_grad():
        return tl.softmax(model(np.asarray(ids)[None])).data[0]


def test_the_last_layer_is_the_model_itself(model):
    ids = np.array([3, 1, 4, 1, 5])
    lens = logit_lens(model, ids, k=11)
    p = probabilities(model, ids)
    np.testing.assert_allclose(np.take_along_axis(p, lens.ids[-1], 1), lens.probabilities[-1], rtol=1e-12)
    np.testing.assert_array_equal(lens.answers, p.argmax(-1))
    np.testing.assert_allclose(lens.answer_probabilities[-1], p.max(-1), rtol=1e-12)
    assert not lens.ranks[-1].any() and np.abs(lens.divergence[-1]).max() < 1e-12


def test_every_layer_is_a_model_cut_off_there(model):
    """Row l is what a model of l blocks says that shares all its other weights."""
    ids = np.array([3, 1, 4, 1, 5])
    lens = logit_lens(model, ids, k=4)
    whole = probabilities(model, ids)
    blocks = model.blocks
    for layer in range(3):
        model.blocks = blocks[:layer]
        p = probabilities(model, ids)
        np.testing.assert_array_equal(lens.ids[layer], np.argsort(-p, axis=-1)[:, :4])
        np.testing.assert_allclose(lens.probabilities[layer], -np.sort(-p, axis=-1)[:, :4], rtol=1e-12)
        own = p[np.arange(5), lens.answers]
        np.testing.assert_allclose(lens.answer_probabilities[layer], own, rtol=1e-12)
        np.testing.assert_array_equal(lens.ranks[layer], (p > own[:, None]).sum(-1))
        np.testing.assert_allclose(lens.divergence[layer], (whole * np.log(whole / p)).sum(-1), rtol=1e-9, atol=1e-12)


def test_the_handmade_model_decides_in_its_second_layer(handmade):
    lens = logit_lens(handmade, [3, 1, 4, 8, 5, 3, 1, 4], answers=[1, 4, 8, 5, 3, 1, 4, 8])
    assert lens.decided()[5:].tolist() == [2, 2, 2]
    assert (lens.answer_probabilities[2, 5:] > 0.7).all() and (lens.answer_probabilities[:2, 5:] < 0.2).all()
    assert (lens.ranks[0] > 0).all()


def test_answers_can_be_others(model):
    ids = [3, 1, 4]
    lens = logit_lens(model, ids, answers=[1, 4, 0])
    p = probabilities(model, ids)
    np.testing.assert_allclose(lens.answer_probabilities[-1], p[[0, 1, 2], [1, 4, 0]], rtol=1e-12)
    assert lens.decided().max() <= 3


def test_of_tokens_equally_likely_the_lower_id_comes_first(handmade, rng):
    logits = rng.integers(0, 4, (200, 30)) + np.where(np.arange(30) % 5 == 0, 9.0, 0.0)  # six stand out, some alike
    top = _row(logits, 6, np.zeros(200, int), logits)[0]
    np.testing.assert_array_equal(top, np.argsort(-logits, axis=-1, kind="stable")[:, :6])
    for p in handmade.parameters():
        p.data[...] = 0
    assert logit_lens(handmade, [5, 6], k=3).ids.tolist() == [[[0, 1, 2]] * 2] * 3


@pytest.mark.parametrize(
    ("ids", "options", "error", "words"),
    [
        ([[1, 2]], {}, ShapeError, r"not \(T,\)"),
        ([], {}, ShapeError, "no token"),
        ([1.0], {}, DTypeError, "not token ids"),
        ([11], {}, RangeError, "11"),
        ([1] * 8, {}, ShapeError, "longer than block_size=7"),
        ([1, 2], {"k": 0}, ConfigError, "k is 0, and there are 11 tokens"),
        ([1, 2], {"k": 12}, ConfigError, "1 to 11"),
        ([1, 2], {"answers": [1]}, ShapeError, r"answers \(1,\)"),
        ([1, 2], {"answers": [1, 11]}, RangeError, "0 to 10"),
    ],
)
def test_bad_input(ids, options, error, words):
    model = tl.GPT(tl.GPTConfig.preset("gpt2", vocab_size=11, block_size=7, n_layer=1, n_head=1, n_embd=4), _rng())
    with pytest.raises(error, match=words) as caught:
        logit_lens(model, ids, **options)
    assert "\n" not in str(caught.value)


def _rng():
    return np.random.default_rng(0)


def test_nan_is_refused(handmade):
    handmade.norm.gain.data[0] = np.nan
    with pytest.raises(NaNError, match="logits hold NaN"):
        logit_lens(handmade, [1, 2])
