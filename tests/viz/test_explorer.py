"""The attention explorer: its data, its policy, and texts that cannot break out of it."""

from __future__ import annotations

import json
import re

import numpy as np

from tinyllm.viz import AttentionMaps, attention_page


def held(html):
    """The data inside of the page."""
    (panel,) = json.loads(re.search(r'id="data">(.*?)</script>', html, re.DOTALL).group(1))
    return panel["data"]


def causal(H, T):
    w = np.tril(np.random.default_rng(0).random((H, T, T)))
    return w / w.sum(axis=-1, keepdims=True)


def test_all_layers_and_heads_are_in_it():
    maps = [causal(2, 5), causal(3, 5)]
    data = held(attention_page(AttentionMaps(maps, list("abcde"))))
    assert [len(layer) for layer in data["maps"]] == [2, 3]
    assert np.allclose(data["maps"][1][2], maps[1][2], atol=5e-4)
    assert data["tokens"] == list("abcde") and data["causal"]


def test_it_opens_at_the_sharpest_head():
    one = np.full((1, 3, 3), 1 / 3)
    both = np.concatenate([one, np.roll(np.eye(3), 1, axis=0)[None]])
    data = held(attention_page(AttentionMaps([both], list("abc"))))
    assert data["chosen"] == [0, 1] and not data["causal"]


def test_past_64_tokens_the_last_are_shown_and_the_page_says_so():
    html = attention_page(AttentionMaps([causal(1, 70)], [str(i) for i in range(70)], "A title"))
    assert "the last 64 of 70 tokens" in html and held(html)["tokens"][0] == "6"


def test_nothing_is_loaded_and_no_text_becomes_a_tag():
    html = attention_page(AttentionMaps([causal(1, 2)], ["</script><b>", "&"], "<i>title"))
    assert "http" not in html.replace("http-equiv", "") and "default-src 'none'" in html
    assert "<i>" not in html and "<b>" not in html
    assert held(html)["tokens"][0].startswith("</scr")
