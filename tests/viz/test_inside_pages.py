"""The panels of the logit lens and of tokens as points: their data, and in a browser what keys and menus do."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from tinyllm.errors import NaNError, ShapeError
from tinyllm.viz import LensWords, TokenMap, lens_panel, map_panel, panels_page

_spec = importlib.util.spec_from_file_location("browser", Path(__file__).with_name("browser.py"))
browser = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(browser)


def lens(T=3):
    words = [[[f"{layer}{t}{i}" for i in range(2)] for t in range(T)] for layer in range(3)]
    words[1][-1][0] = words[2][-1][0]  # the last layer but one says already what the last one does
    return LensWords([f"t{t}" for t in range(T)], words, np.linspace(0.1, 0.9, 3 * T * 2).reshape(3, T, 2))


def points(N=5):
    layouts = {"one": np.arange(2.0 * N).reshape(N, 2), "other": np.ones((N, 2))}
    near = np.array([[(i + 1) % N, (i + 2) % N] for i in range(N)])
    return TokenMap(["<b>", *"abcd"][:N], layouts, near, np.full((N, 2), 0.5))


def test_the_last_tokens_are_kept():
    data = lens_panel(lens(30)).data
    assert len(data["tokens"]) == 24 and data["tokens"][-1] == "t29"
    assert np.shape(data["probabilities"]) == (3, 24, 2) and len(data["words"][0]) == 24


def test_layouts_are_stretched_to_the_square():
    data = map_panel(points()).data
    assert data["layouts"]["one"][0] == [0.0, 0.0] and data["layouts"]["one"][-1] == [1.0, 1.0]
    assert data["layouts"]["other"] == [[0.0, 0.0]] * 5
    assert data["near"][0] == [[1, 0.5], [2, 0.5]]


def test_what_does_not_fit_is_refused():
    with pytest.raises(ShapeError, match=r"not \(layers, T, k\)"):
        LensWords(["a"], [[["x"]]], np.zeros((1, 2, 1)))
    with pytest.raises(ShapeError, match=r"the layout one is \(2, 3\)"):
        TokenMap(["a", "b"], {"one": np.zeros((2, 3))}, np.zeros((2, 1)), np.zeros((2, 1)))
    with pytest.raises(NaNError, match="leave that layout out"):
        TokenMap(["a"], {"one": np.full((1, 2), np.nan)}, np.zeros((1, 1)), np.zeros((1, 1)))
    with pytest.raises(ShapeError, match="likeness"):
        TokenMap(["a"], {}, np.zeros((1, 1)), np.zeros((1, 1)))


@pytest.fixture(scope="module")
def tab(tmp_path_factory):
    if browser.program() is None:
        pytest.skip("there is no Chromium here: pages are not clicked")
    path = tmp_path_factory.mktemp("page") / "inside.html"
    path.write_text(panels_page("inside", [lens_panel(lens()), map_panel(points())]), encoding="utf-8")
    with browser.Browser() as chromium:
        yield chromium.open(path)


def test_keys_go_from_cell_to_cell(tab):
    assert tab.value("[...document.querySelectorAll('.lens tr th:first-child')].map((c) => c.textContent)") == [
        "", "layer 1", "layer 0", "embedding",
    ]  # fmt: skip
    tab.value("document.querySelector('.lens button').focus()")
    tab.key("ArrowDown")
    tab.key("ArrowRight", 2)
    said = tab.value("document.querySelector('#part0 [data-is=said]').textContent")
    assert said == "After t2 layer 0 would say 220 (57.1 %), 121 (61.8 %)."
    tab.key("ArrowDown", 4)  # below the embedding there is nothing
    assert tab.value("document.activeElement.textContent") == "020"
    bold = "[...document.querySelectorAll('.lens button')].filter((b) => b.style.fontWeight).map((b) => b.textContent)"
    assert tab.value(bold) == ["200", "210", "220", "220"]


def test_the_map_changes_its_layout_and_names_what_is_near(tab):
    tab.value("document.querySelector('#tab1').click()")
    first = "document.querySelectorAll('.points button')[4].style.left"
    assert tab.value(first) == "96%"
    tab.value("{const s = document.querySelector('[data-is=layout]'); s.value = 'other';"
              "s.dispatchEvent(new Event('change'))}")  # fmt: skip
    assert tab.value(first) == "4%"
    tab.value("document.querySelector('.points button').focus()")
    tab.key("End")
    assert tab.value("document.querySelector('#part1 [data-is=said]').textContent") == (
        "Most like d: <b> (0.50), a (0.50)."
    )
