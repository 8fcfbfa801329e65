"""``tinyllm quantize``: the price of fewer bits is the one that the library measures."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest

import tinyllm as tl
from tinyllm import kernels
from tinyllm.generate import token_log_probabilities


@pytest.fixture(autouse=True)
def plain():
    with kernels.use("numpy"):
        yield


def one_line(done, *words):
    assert (done.code, done.err.count("\n"), done.err[:9]) == (1, 1, "tinyllm: "), done.err
    for word in words:
        assert word in done.err


def test_perplexities_are_those_of_the_library(tinyllm, trained):
    model, _, run = tl.train.load(trained)
    T = model.config.block_size
    count = 5 * T + 1  # whole windows: the library would let a last short one see more
    told = json.loads(tinyllm("quantize", trained, "--tokens", count, "--json").out)
    ids = np.asarray(run.val_tokens[:count])
    exact = np.exp(-token_log_probabilities(model, ids, step=T).mean())
    rows = {row["weights"]: row for row in told["rows"]}
    assert list(rows) == ["float32", "int8", "int4", "int4x8"] and told["tokens"] == count
    assert np.isclose(rows["float32"]["perplexity"], exact, rtol=1e-5)
    for row in told["rows"]:
        assert np.isclose(row["perplexity"], np.exp(row["nats_per_token"])) and row["tokens_per_second"] > 0
    assert rows["float32"]["bytes"] > rows["int8"]["bytes"] > rows["int4"]["bytes"]
    assert rows["int8"]["perplexity"] != rows["float32"]["perplexity"]
    assert abs(rows["int8"]["perplexity"] / exact - 1) < 0.01
    assert abs(rows["int4"]["perplexity"] / exact - 1) < 0.1


def test_the_table_and_the_file(tinyllm, trained, tmp_path):
    (tmp_path / "notes.txt").write_text("The with statement wraps a block.")
    done = tinyllm("quantize", trained, "q4.gguf", "--bits", "4", "--text", "notes.txt")
    assert (done.code, done.err) == (0, "")
    lines = done.out.splitlines()
    assert lines[0] == "33 tokens of notes.txt, read one by one"
    assert [line.split()[0] for line in lines[1:6]] == ["weights", "float32", "int8", "int4", "int4x8"]
    assert lines[2].split()[4:6] == ["0.00", "%"] and max(map(len, lines)) <= 120
    assert any(line.startswith("q4.gguf: ") and line.endswith("4 bits a weight") for line in lines)
    size = (tmp_path / "q4.gguf").stat().st_size
    assert tinyllm("quantize", trained, "q8.gguf", "--text", "notes.txt").code == 0
    assert size < (tmp_path / "q8.gguf").stat().st_size
    assert tinyllm("generate", "q8.gguf", "The", "--tokens", "3").code == 0


def test_what_cannot_be_written_is_refused_before_anything_is_read(tinyllm, trained, tmp_path):
    (tmp_path / "here.gguf").write_text("mine")
    (tmp_path / "dir.gguf").mkdir()
    one_line(tinyllm("quantize", "no/model", "out"), "written to a .gguf file", "Try: out.gguf")
    one_line(tinyllm("quantize", "no/model", "here.gguf"), "is there already", "--overwrite")
    one_line(tinyllm("quantize", "no/model", "dir.gguf", "--overwrite"), "is there already")
    one_line(tinyllm("quantize", trained, "--bits", "4"), "--bits is for what is written")
    assert (tmp_path / "here.gguf").read_text() == "mine"
    assert tinyllm("quantize", trained, "here.gguf", "--overwrite", "--tokens", "9").code == 0
    assert (tmp_path / "here.gguf").read_bytes()[:4] == b"GGUF"


def test_a_text_is_needed(tinyllm, trained, tmp_path):
    tl.save(*tl.load(trained), tmp_path / "m.gguf", "gguf")
    one_line(tinyllm("quantize", "m.gguf"), "no text to measure on", "Try: --text FILE")
    done = tinyllm("quantize", "m.gguf", "q8.gguf")  # what is only to be written need not be measured
    assert done.code == 0 and re.match(r"q8.gguf: \d+ kB, 8 bits a weight\n", done.out) and "no text" in done.out
    assert json.loads(tinyllm("quantize", "m.gguf", "q4.gguf", "--bits", "4", "--json").out)["rows"] == []
    (tmp_path / "one.txt").write_text("a")
    one_line(tinyllm("quantize", "m.gguf", "--text", "one.txt"), "one.txt: has fewer than two tokens")
    one_line(tinyllm("quantize", "m.gguf", "--text", "none.txt"), "none.txt: no such file")
    (tmp_path / "odd.txt").write_text("日本")
    one_line(tinyllm("quantize", "m.gguf", "--text", "odd.txt"), "'日'")
    assert tinyllm("quantize", trained, "--tokens", "1").code == 2
