"""Texts into vectors and weights into memory: the cases, what is done in each, and the rows that come of it."""

from __future__ import annotations

import argparse
import json
import re

import numpy as np
import pytest

import tinyllm as tl
from tinyllm import assets, kernels
from tinyllm.models.bert import Bert
from tinyllm.models.bert_config import BertConfig
from tinyllm.models.pretrained import save_model

ARGS = argparse.Namespace(tiny=True, quick=False, peers="none", json=None)
WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *"abcdefghijklmnopqrstuvwxyz", *(f"##{c}" for c in "aeinorst")]


@pytest.fixture(autouse=True)
def data(tmp_path_factory, monkeypatch):
    """Nothing to compile, and two small collections of texts."""
    folder = tmp_path_factory.mktemp("data")
    (folder / "collections/scifact/beir").mkdir(parents=True)
    (folder / "collections/cranfield").mkdir()
    queries = "\n".join(json.dumps({"_id": i, "text": f"query {i}"}) for i in range(120))
    (folder / "collections/scifact/beir/queries.jsonl").write_text(queries)
    documents = "\n".join(f".I {i}\n.T\ntitle\n.W\nabstract {i}{' and so on' * i}\n" for i in range(120))
    (folder / "collections/cranfield/cran.all.1400").write_text(documents)
    monkeypatch.setenv("TINYLLM_DATA", str(folder))
    with kernels.use("numpy"):
        yield folder


@pytest.fixture
def encoder_folder(tmp_path):
    """An encoder of random weights, with its vocabulary."""
    config = BertConfig(len(WORDS), 64, n_layer=1, n_head=2, n_embd=6, n_hidden=7)
    save_model(Bert(config, np.random.default_rng(0)), tmp_path)
    (tmp_path / "vocab.txt").write_text("\n".join(WORDS) + "\n")
    return tmp_path


# texts into vectors


def test_the_texts_of_the_collections_and_of_shakespeare(load, monkeypatch):
    embed = load("embed")
    assert embed.texts_of("queries", 4) == ["query 0", "query 30", "query 60", "query 90"]
    mixed = [text[:11].strip() for text in embed.texts_of("mixed", 8)]
    assert mixed == [*(f"query {i}" for i in (0, 20, 40, 60, 80, 100)), "abstract 0", "abstract 60"]
    monkeypatch.setenv("TINYLLM_DATA", "")
    monkeypatch.setattr(assets, "read", lambda name: "\n\n".join(f"WHO:\nspeech {i}" for i in range(32)).encode())
    assert embed.texts_of("queries", 2) == ["speech 0", "speech 16"]
    assert embed.texts_of("abstracts", 2)[1].startswith("WHO:\nspeech 16 WHO:")


def test_the_mixture_has_as_many_texts_as_asked_for_and_all_kinds(load):
    embed = load("embed")
    for n in (1, 15, 200):
        texts = embed.mixture(n)
        assert len(texts) == n and texts == embed.mixture(n)
    assert "" in texts and "東京は日" in "".join(texts)
    lengths = {len(text) for text in texts}
    assert len(lengths) > 50 and max(lengths) > 500


def test_what_is_timed_embeds_the_texts(load, encoder_folder, tmp_path):
    embed = load("embed")
    cases = embed.cases(argparse.Namespace(**vars(ARGS), model=encoder_folder), tmp_path)
    assert [case["name"] for case in cases] == ["queries, 32", "one query, 1", "first text, new process"]
    for case, n in zip(cases, (32, 1), strict=False):
        vectors = embed.prepare("tinyllm", case)["tinyllm"].run()
        assert vectors.shape == (n, 6) and case["tokens"] > 3 * n
    assert embed.prepare("tinyllm", cases[2])["tinyllm"].run()["peak_bytes"] > 10_000_000
    with pytest.raises(load("turns").LeftOut):
        embed.encoder("nobody", str(encoder_folder))


def test_the_greatest_difference_is_found_and_told(load, encoder_folder, monkeypatch):
    embed = load("embed")
    encoder, said, asked = embed.encoder, [], []

    def instead(name, model):
        ours = encoder("tinyllm", model)

        def shifted(texts):
            asked.append((name, len(texts)))
            return ours(texts) + np.float32(0.25 * (name != "tinyllm")) * np.array([[text == ""] for text in texts])

        return shifted

    monkeypatch.setattr(embed, "encoder", instead)
    monkeypatch.setattr(embed, "PORTION", 8)
    assert embed.equal(20, encoder_folder, said.append) == pytest.approx(0.25)
    assert [size for name, size in asked if name == "tinyllm"][1:] == [8, 8, 4]  # each text once
    assert re.fullmatch(r"tinyllm: 8 of 20 texts, \d+\.\d s", said[0])
    assert "the greatest difference is 0.25, of ''" in said[-1] and "20 texts of 0 to" in said[-1]


def test_its_command_line(script, encoder_folder):
    options = ("--tiny", "--rounds=1", "--peers=none", "--json", "--only=one query", f"--model={encoder_folder}")
    done = script("embed", *options)
    assert done.returncode == 0, done.stderr
    (row,) = json.loads(done.stdout)["rows"]
    assert row["case"].startswith("one query, 1") and row["ours"] > 0


# weights into memory


@pytest.fixture
def files(load, tmp_path):
    """The files that are loaded, small."""
    bench = load("load")
    bench.prepare_files(tmp_path, bench.TINY)
    return tmp_path


def test_every_case_loads_what_its_name_says(load, files):
    bench = load("load")
    cases = [case for case in bench.cases(ARGS, files) if "peak" not in case]
    assert [case["kind"] for case in cases] == ["file", "model", "used", "one"]
    found = {case["kind"]: bench.loader("tinyllm", case["kind"], files)() for case in cases}
    assert {name: array.shape for name, array in found["file"].items()}["lm_head.weight"] == (40, 32)
    assert found["one"].shape == (1 << 18,) and not found["one"].any()
    ids = np.arange(bench.TOKENS)[None] % 40
    with tl.no_grad():
        np.testing.assert_array_equal(found["used"], found["model"](ids).data)
    for case in cases:
        result = bench.prepare("tinyllm", case)["tinyllm"].run()
        assert (result is None) == (case["kind"] != "used")


def test_memory_is_told_in_sizes_of_the_file(load, files, monkeypatch):
    bench = load("load")
    cases = [case for case in bench.cases(ARGS, files) if "peak" in case]
    monkeypatch.setattr(bench, "peak", lambda candidate, kind, folder: 3 * cases[0]["peak"])
    rows = bench.measure_peaks(cases, ARGS)
    assert [row["ours"] for row in rows] == [3, 3, 3] and {row["peer"] for row in rows} == {None}
    rows = bench.measure_peaks(cases, argparse.Namespace(**{**vars(ARGS), "peers": "transformers"}))
    assert [row["ratio"] for row in rows] == [None, 1, 1]


def test_the_peak_of_a_new_process(load, files):
    assert 0 <= load("load").peak("tinyllm", "model", files) < 50_000_000


@pytest.mark.oracle
def test_both_compute_the_same(load, files):
    pytest.importorskip("transformers")
    loader = load("load").loader
    ours, theirs = (loader(name, "used", files)() for name in ("tinyllm", "transformers"))
    np.testing.assert_allclose(ours, theirs.numpy(), rtol=0, atol=1e-5)
