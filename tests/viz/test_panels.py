"""The panels of a model's page: what is in them, and in a real browser that keys and sliders do what they say."""

from __future__ import annotations

import importlib.util
import json
import re
from pathlib import Path

import numpy as np
import pytest

from tinyllm.errors import ConfigError, NaNError, ShapeError
from tinyllm.generate import Sampling
from tinyllm.viz import AttentionMaps, CacheCost, NextTokens, attention_panel, cache_panel, panels_page, sampling_panel

# loaded by its path: tests are no package
_spec = importlib.util.spec_from_file_location("browser", Path(__file__).with_name("browser.py"))
browser = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(browser)

TOKENS = ["the", " cat", "</script>"]
COST = CacheCost(layers=2, heads=4, kv_heads=2, head_size=8, weights=10_000, head=1_000, context=64, steps=10)


def logits(V=40):
    return np.random.default_rng(0).normal(size=(3, V)).round(3) * 3


def names(V=40):
    return [f"w{i}" for i in range(V)]


def whole_page(V=40):
    look = np.tril(np.ones((1, 3, 3)))
    maps = AttentionMaps([look / look.sum(-1, keepdims=True)] * 2, TOKENS)
    panels = [attention_panel(maps), sampling_panel(NextTokens(logits(V), TOKENS, names(V))), cache_panel(COST)]
    return panels_page("<b>a model</b>", panels, about="two & two")


def test_each_panel_has_its_tab_and_nothing_is_loaded():
    html = whole_page()
    assert re.findall(r'role="tab"[^>]*>([^<]*)<', html) == ["Attention", "Sampling", "KV cache"]
    assert "http" not in html.replace("http-equiv", "") and "default-src 'none'" in html
    assert "<b>a model" not in html and "two &amp; two" in html
    (held,) = re.findall(r'id="data">(.*?)</script>', html, re.DOTALL)
    assert [panel["kind"] for panel in json.loads(held)] == ["attention", "sampling", "cache"]


def test_likely_tokens_are_listed_and_the_others_counted():
    V = 1000
    data = sampling_panel(NextTokens(logits(V), TOKENS, ["" if i == 5 else f"w{i}" for i in range(V)])).data
    for place, row in zip(data["positions"], logits(V), strict=True):
        assert len(place["tokens"]) == 256 and place["logits"] == sorted(place["logits"], reverse=True)
        assert "w5" not in place["tokens"]
        assert sum(n for _, n in place["tail"]) == V - 256 - 1
        for t in (0.7, 1.0, 2.0):  # what the others weigh together
            rest = np.sort(np.delete(row, 5))[:-256]
            binned = sum(n * np.exp(x / t) for x, n in place["tail"])
            assert np.isclose(binned, np.exp(rest / t).sum(), rtol=0.01)


def test_a_long_text_is_cut_and_that_is_said():
    panel = sampling_panel(NextTokens(np.zeros((40, 2)), ["a"] * 40, ["a", "b"]))
    assert len(panel.data["positions"]) == 32 and "(the last 32 of its 40 tokens)" in panel.body
    assert "the last" not in sampling_panel(NextTokens(np.zeros((32, 2)), ["a"] * 32, ["a", "b"])).body


def test_what_cannot_be_drawn_is_refused():
    with pytest.raises(ShapeError, match="T=1 tokens and V=3 names"):
        NextTokens(np.zeros((1, 2)), ["a"], ["a", "b", "c"])
    with pytest.raises(NaNError, match="another checkpoint"):
        NextTokens(np.full((1, 2), np.nan), ["a"], ["a", "b"])
    with pytest.raises(ConfigError, match="steps is 0"):
        CacheCost(1, 1, 1, 1, 1, 1, 1, steps=0)


@pytest.fixture(scope="module")
def tab(tmp_path_factory):
    if browser.program() is None:
        pytest.skip("there is no Chromium here: pages are not clicked")
    path = tmp_path_factory.mktemp("page") / "model.html"
    path.write_text(whole_page(), encoding="utf-8")
    with browser.Browser() as chromium:
        yield chromium.open(path)


def shown(tab):
    """Which of the three parts is seen."""
    return tab.value("[...document.querySelectorAll('section')].map((part) => !part.hidden)").index(True)


def test_keys_alone_lead_through_the_page(tab):
    tab.value("document.activeElement.blur()")
    tab.key("Tab")
    assert tab.value("document.activeElement.textContent") == "Attention"
    tab.key("ArrowRight")
    assert shown(tab) == 1
    tab.key("ArrowRight")
    assert shown(tab) == 2
    tab.key("ArrowRight")  # there is none behind the last
    assert shown(tab) == 2
    tab.key("Home")
    assert shown(tab) == 0
    tab.key("Tab", 3)  # layer, head, the first token
    assert tab.value("document.activeElement.firstChild.textContent") == "the"
    tab.key("End")
    said = tab.value("document.querySelector('#part0 [data-is=said]').textContent")
    assert said.startswith("</script> at position 2 takes 0.33 from")


@pytest.mark.parametrize(("t", "k", "p"), [(1, None, 1), (0.5, 3, 1), (1.5, None, 0.6), (0, None, 1), (2, 7, 0.5)])
def test_the_bars_are_what_sampling_draws_with(tab, t, k, p):
    tab.value("document.querySelector('#tab1').click()")
    for name, value in (("temperature", t), ("k", np.log(k or 40)), ("p", p)):
        set_to = f"slider.value = {value}; slider.dispatchEvent(new Event('input'))"
        tab.value(f"{{ const slider = document.querySelector('#{name}'); {set_to} }}")
    figures = tab.value("[...document.querySelectorAll('#part1 .bars > span:nth-child(3n)')].map((s) => s.textContent)")
    found = [float(figure.removesuffix(" %")) / 100 for figure in figures]
    wanted = Sampling(temperature=t, top_k=k, top_p=None if p == 1 else p).probabilities(logits()[-1])
    order = np.argsort(-logits()[-1], kind="stable")
    assert np.allclose(found, wanted[order][: len(found)], atol=6e-4)


def test_the_cache_saves_what_it_should(tab):
    tab.value("document.querySelector('#tab2').click()")
    tab.value("document.querySelector('#step').focus()")
    tab.key("End")
    assert tab.value("document.querySelector('[data-is=step-is]').textContent") == "10 of 10"
    assert tab.value("document.querySelector('[data-is=made-without]').textContent").startswith("55 places")
    assert tab.value("document.querySelectorAll('[data-is=with] .kept').length") == 9
    place = [2 * 10_000 + 4 * 2 * 4 * 8 * seen for seen in range(1, 11)]
    without = sum(sum(place[:t]) - 2 * 1_000 * (t - 1) for t in range(1, 11))
    said = tab.value("document.querySelector('#part2 [data-is=said]').textContent")
    assert f"saved {100 * (1 - sum(place) / without):.1f} % of the work" in said
    assert "holds 640 numbers (2.6 kB)" in said
