"""What heads look at: known maps have known shares, and the handmade model's heads do what they were made for."""

from __future__ import annotations

import numpy as np
import pytest

import tinyllm as tl
from tinyllm.errors import ConfigError, NaNError, ShapeError
from tinyllm.interpret import head_habits, induction_gpt, induction_scores, repeated_tokens


def test_shares_of_maps_made_by_hand():
    T = 5
    uniform = np.tril(np.ones((T, T))) / np.arange(1, T + 1)[:, None]
    previous = np.eye(T, k=-1)
    previous[0, 0] = 1
    first = np.eye(T)[np.zeros(T, int)]
    habits = head_habits([np.stack([uniform, previous])[None], np.stack([first, np.eye(T)])[None]])
    mean = np.mean([1 / 3, 1 / 4, 1 / 5])
    np.testing.assert_allclose(habits.previous, [[mean, 1], [0, 0]])
    np.testing.assert_allclose(habits.first, [[mean, 0], [1, 0]])
    np.testing.assert_allclose(habits.itself, [[mean, 0], [0, 1]])
    np.testing.assert_allclose(habits.entropy, [[np.log([3, 4, 5]).mean(), 0], [0, 0]], atol=1e-15)


def test_texts_of_a_batch_are_averaged(model):
    idx = np.random.default_rng(0).integers(0, 11, (3, 6))
    together = head_habits(model.attention_maps(idx))
    each = [head_habits(model.attention_maps(idx[b : b + 1])) for b in range(3)]
    np.testing.assert_allclose(together.previous, np.mean([h.previous for h in each], axis=0))
    np.testing.assert_allclose(together.entropy, np.mean([h.entropy for h in each], axis=0))
    assert ((together.previous + together.itself) <= 1 + 1e-12).all()


def test_the_handmade_heads(handmade):
    scores = induction_scores(handmade, period=6, rng=np.random.default_rng(0))
    assert scores[1, 0] > 0.95 and scores[0].max() < 0.2 and scores[1, 1] < 0.2
    habits = head_habits(handmade.attention_maps(repeated_tokens(9, 6, 3, np.random.default_rng(1))))
    assert habits.previous[0, 0] > 0.99 and habits.entropy[0, 0] < 0.05
    assert habits.previous[:, 1].max() < 0.25  # uniform


def test_without_its_first_layer_the_induction_head_is_lost():
    model = induction_gpt(V=9, T=12)
    model.blocks[0].attn.out.weight.data[...] = 0
    assert induction_scores(model, period=6, rng=np.random.default_rng(0)).max() < 0.2


def test_the_score_is_not_that_of_the_token_before_or_the_same_token(handmade, monkeypatch):
    """Heads one place off: looking at the same token, or at two after it, scores nothing."""
    q = np.arange(12)
    for off in (-1, 1):
        key = np.where(q >= 6, q - 5 + off, 0)
        maps = [np.broadcast_to(np.eye(12)[key], (4, 2, 12, 12))] * 2
        monkeypatch.setattr(type(handmade), "attention_maps", lambda self, idx, maps=maps: maps)
        assert induction_scores(handmade, period=6, rng=np.random.default_rng(0)).max() == 0


def test_repeated_tokens_repeat_and_differ():
    ids = repeated_tokens(20, 7, 5, np.random.default_rng(0))
    assert ids.shape == (5, 14) and (ids[:, :7] == ids[:, 7:]).all()
    assert all(len(set(row)) == 7 for row in ids.tolist()) and ids.min() >= 0 and ids.max() < 20
    assert len({tuple(row) for row in ids.tolist()}) == 5
    np.testing.assert_array_equal(ids, repeated_tokens(20, 7, 5, np.random.default_rng(0)))


def test_the_handmade_model_predicts_what_came_after():
    model = induction_gpt(V=5, T=30)  # more places than tokens
    ids = np.tile([3, 1, 4, 0, 2], 3)[None]
    with tl.no_grad():
        said = model(ids).data[0].argmax(-1)
    np.testing.assert_array_equal(said[5:-1], ids[0, 6:])
    with pytest.raises(ConfigError, match="2 at least"):
        induction_gpt(V=1, T=5)


def test_bad_input(handmade):
    rng = np.random.default_rng(0)
    with pytest.raises(
        ConfigError, match=r"twice a period of 7 is longer than block_size=12\. Try: a period of 2 to 6"
    ):
        induction_scores(handmade, period=7, rng=rng)
    for period in (1, 10):
        with pytest.raises(ConfigError, match=rf"a period of {period} .*2 to 9"):
            repeated_tokens(9, period, 1, rng)
    with pytest.raises(ShapeError, match=r"not \(B, H, T, T\)"):
        head_habits([np.ones((2, 3, 3))])
    with pytest.raises(ShapeError, match=r"model\.attention_maps"):
        head_habits([])
    with pytest.raises(ShapeError, match="T=2"):
        head_habits([np.ones((1, 1, 2, 2)) / 2])
    with pytest.raises(NaNError, match="maps hold NaN"):
        head_habits([np.full((1, 1, 3, 3), np.nan)])
