"""``tinyllm explore``: a page whose numbers are the model's, and that a browser can open."""

from __future__ import annotations

import importlib.util
import json
import re
import sys
import webbrowser
from pathlib import Path

import numpy as np
import pytest

import tinyllm as tl
from tinyllm import kernels
from tinyllm.tokenizer import ByteTokenizer

# loaded by its path: tests are no package
_spec = importlib.util.spec_from_file_location("browser", Path(__file__).parents[1] / "viz" / "browser.py")
browser = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(browser)


@pytest.fixture(autouse=True)
def plain():
    with kernels.use("numpy"):
        yield


def held(path):
    (data,) = re.findall(r'id="data">(.*?)</script>', Path(path).read_text(encoding="utf-8"), re.DOTALL)
    return json.loads(data)


def test_the_numbers_are_the_model_s(tinyllm, trained):
    done = tinyllm("explore", trained, "The ", "--out", "deep/page.html")
    assert (done.code, done.err) == (0, "")
    assert re.fullmatch(r"deep/page.html: [\d.]+ [kM]B, 4 tokens; opens by double-click\n", done.out)
    model, words, _ = tl.train.load(trained)
    ids = np.array([words.encode("The ")])
    attention, lens, sampling, cache, points = held("deep/page.html")
    for mine, maps in zip(attention["data"]["maps"], model.attention_maps(ids), strict=True):
        np.testing.assert_allclose(mine, maps[0], atol=6e-4)
    with tl.no_grad():
        logits = model(ids).data[0]
    said = np.exp(logits - np.logaddexp.reduce(logits, axis=-1, keepdims=True)).max(axis=-1)
    np.testing.assert_allclose(np.array(lens["data"]["probabilities"])[-1, :, 0], said, atol=1e-4)
    assert lens["data"]["tokens"] == [*points["data"]["labels"][:3], "·"] == [*"The", "·"]  # a space is no point
    for place, row in zip(sampling["data"]["positions"], logits, strict=True):
        np.testing.assert_allclose(place["logits"], np.sort(row)[::-1][: len(place["logits"])], atol=6e-4)
        best = place["tokens"][0]
        assert best == words.decode([int(row.argmax())]).replace(" ", "·").replace("\n", "⏎")
    assert (cache["kind"], sampling["kind"], attention["kind"]) == ("cache", "sampling", "attention")


def test_a_run_has_a_text_and_a_place(tinyllm, trained, monkeypatch):
    opened = []
    monkeypatch.setattr(webbrowser, "open", opened.append)
    told = json.loads(tinyllm("explore", trained, "--json").out)
    page = trained / "explore.html"
    try:
        assert told["out"] == str(page) and told["bytes"] == page.stat().st_size
        assert told["tokens"] == min(64, tl.load(trained)[0].config.block_size) and opened == []
        monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
        monkeypatch.setenv("DISPLAY", ":0")
        assert tinyllm("explore", trained).code == 0 and opened == [page.resolve().as_uri()]
        assert tinyllm("explore", trained, "--no-open").code == 0 and len(opened) == 1
    finally:
        page.unlink()


def test_a_text_is_needed_and_may_be_long_or_empty(tinyllm, tmp_path):
    config = tl.GPTConfig.preset("modern", vocab_size=256, block_size=12, n_layer=1, n_head=2, n_embd=8)
    tl.save(tl.GPT(config, np.random.default_rng(0)), ByteTokenizer(), tmp_path / "ours")
    done = tinyllm("explore", "ours")
    assert (done.code, done.err) == (
        1, 'tinyllm: E-CONFIG ours: there is no text to read. Try: tinyllm explore ours "Some text"\n',
    )  # fmt: skip
    for text, count in (("</script><b>" * 9, 12), ("", 1), ("é", 2)):
        told = json.loads(tinyllm("explore", "ours", text, "--json").out)
        assert told["tokens"] == count and told["out"] == "explore.html"
        assert len(held("explore.html")) == 5
    (tmp_path / "dir").mkdir()
    done = tinyllm("explore", "ours", "x", "--out", "dir")
    assert done.code == 1 and "cannot write dir: is a directory" in done.err and done.err.count("\n") == 1


def test_a_browser_opens_it(tinyllm, trained, tmp_path):
    if browser.program() is None:
        pytest.skip("there is no Chromium here: the page is not opened")
    assert tinyllm("explore", trained, "The with", "--out", "page.html").code == 0
    model, words, _ = tl.train.load(trained)
    shares = model.attention_maps(np.array([words.encode("The with")]))
    with browser.Browser() as chromium:
        tab = chromium.open(tmp_path / "page.html", width=400)
        assert tab.value("document.documentElement.scrollWidth") == 400
        assert tab.value("document.querySelectorAll('[role=tab]').length") == 5
        layer, head = (
            int(tab.value(f"document.querySelector('[data-is={name}]').value")) for name in ("layer", "head")
        )
        told = tab.value("document.querySelector('[data-is=said]').textContent")
        most = re.match(r"h at position 7 takes ([\d.]+) from", told)[1]
        assert abs(float(most) - shares[layer][0, head, -1].max()) < 6e-3
