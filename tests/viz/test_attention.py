"""The attention picture: labels, the window of 64 tokens, which head is shown, and what is refused."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from tinyllm.errors import RangeError, ShapeError
from tinyllm.viz import AttentionMaps, draw_attention


def causal(rng, H, T):
    scores = np.where(np.tril(np.ones((T, T))) > 0, rng.normal(size=(H, T, T)), -np.inf)
    p = np.exp(scores)
    return p / p.sum(-1, keepdims=True)


@pytest.fixture
def maps():
    rng = np.random.default_rng(0)
    layers = [causal(rng, 3, 7) for _ in range(2)]
    layers[1][2] = 0.0
    layers[1][2, 0, 0] = 1.0
    layers[1][2, np.arange(1, 7), np.arange(6)] = 1.0  # the head that looks at the token before
    return AttentionMaps(layers, [" the", "\n", "$a", "b_c", "x", "y", "z"], title="A title")


def test_tokens_label_both_axes(maps):
    ax = draw_attention(maps).axes[0]
    shown = ["·the", "⏎", "$a", "b_c", "x", "y", "z"]
    assert [label.get_text() for label in ax.get_yticklabels()] == shown
    assert [label.get_text() for label in ax.get_xticklabels()] == shown
    assert ax.get_xlabel() == "token looked at (key)"
    assert ax.get_ylabel() == "token that looks (query)"


def test_every_head_is_there_and_the_sharpest_one_is_large(maps):
    fig = draw_attention(maps)
    titles = [ax.get_title() for ax in fig.axes if ax.get_title()]
    assert titles == [f"layer {layer}\nhead {head}" for layer in range(2) for head in range(3)]
    assert maps.sharpest() == (1, 2)
    assert "layer 1, head 2, over 7 tokens" in [text.get_text() for text in fig.texts]
    np.testing.assert_array_equal(fig.axes[0].images[0].get_array().filled(0), maps.maps[1][2])


def test_a_head_can_be_chosen(maps):
    fig = draw_attention(maps, layer=0, head=1)
    np.testing.assert_array_equal(fig.axes[0].images[0].get_array().filled(0), maps.maps[0][1])


def test_the_future_is_hidden_but_not_a_look_into_it(maps):
    assert draw_attention(maps).axes[0].images[0].get_array().mask.sum() == 21
    leaking = AttentionMaps([np.full((1, 3, 3), 1 / 3)], list("abc"))
    assert not np.ma.is_masked(draw_attention(leaking).axes[0].images[0].get_array())


def test_past_64_tokens_the_last_64_are_shown_and_it_is_said():
    rng = np.random.default_rng(0)
    data = AttentionMaps([causal(rng, 1, 71)], [str(i) for i in range(71)])
    fig = draw_attention(data)
    assert [label.get_text() for label in fig.axes[0].get_yticklabels()] == [str(i) for i in range(7, 71)]
    np.testing.assert_array_equal(fig.axes[0].images[0].get_array().filled(0), data.maps[0][0, 7:, 7:])
    assert "layer 0, head 0, over the last 64 of 71 tokens" in [text.get_text() for text in fig.texts]


def test_labels_of_64_tokens_do_not_overlap():
    rng = np.random.default_rng(0)
    fig = draw_attention(AttentionMaps([causal(rng, 2, 64)], ["M"] * 64))
    fig.draw_without_rendering()
    for labels, low, high in ((fig.axes[0].get_xticklabels(), 0, 2), (fig.axes[0].get_yticklabels()[::-1], 1, 3)):
        boxes = [label.get_window_extent().extents for label in labels]
        assert all(one[high] <= other[low] + 0.5 for one, other in pairwise(boxes))


@pytest.mark.parametrize("choice", [{"layer": 2}, {"layer": -1}, {"layer": 0, "head": 3}])
def test_a_head_that_is_not_there_is_refused(maps, choice):
    with pytest.raises(RangeError, match=r"there are layers 0 to 1|has heads 0 to 2"):
        draw_attention(maps, **choice)


@pytest.mark.parametrize(
    ("arrays", "tokens"),
    [([np.ones((1, 3, 3))], list("ab")), ([np.ones((3, 3))], list("abc")), ([], list("a")), ([np.ones((1, 0, 0))], [])],
)
def test_maps_must_fit_the_tokens(arrays, tokens):
    with pytest.raises(ShapeError):
        AttentionMaps(arrays, tokens)
