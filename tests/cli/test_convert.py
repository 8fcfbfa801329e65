"""``tinyllm convert``: the same model in other files, and nothing that is there is lost."""

from __future__ import annotations

import json
from itertools import pairwise

import numpy as np
import pytest

import tinyllm as tl
from tinyllm.generate import perplexity
from tinyllm.tokenizer import ByteTokenizer

WRITE = ("--temperature", "0", "--tokens", "12")


def one_line(done, *words):
    assert (done.code, done.err.count("\n"), done.err[:9]) == (1, 1, "tinyllm: "), done.err
    for word in words:
        assert word in done.err


def test_a_run_becomes_a_folder_a_file_and_a_folder_again(tinyllm, trained):
    said = tinyllm("generate", trained, "The ", *WRITE).out
    chain = [trained, "folder", "m.gguf", "again", "half.gguf"]
    for before, after in pairwise(chain):
        done = tinyllm("convert", before, after)
        assert (done.code, done.err) == (0, ""), done.err
        assert done.out.startswith(f"{after}: ") and f"next: tinyllm generate {after}" in done.out
        assert tinyllm("generate", after, "The ", *WRITE).out == said


def test_json_tells_what_was_written(tinyllm, trained, tmp_path):
    told = json.loads(tinyllm("convert", trained, "out", "--shards", "10KB", "--json").out)
    files = [tmp_path / name for name in told["files"]]
    assert told["bytes"] == sum(file.stat().st_size for file in files) and len(files) > 4
    assert (told["format"], told["dtype"], told["tokenizer"]) == ("hf", "float32", True)
    assert told["parameters"] == tl.load(trained)[0].count_parameters()
    assert len(told["notes"]) == 1 and "tinyllm_tokenizer.json" in told["notes"][0]


@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "Q8_0"])
def test_fewer_bits_cost_little(tinyllm, trained, dtype):
    assert tinyllm("convert", trained, "m.gguf", "--dtype", dtype).code == 0
    text = "The with statement is used to wrap the execution of a block"
    exact, words = tl.load(trained)
    before, after = (perplexity(model, words, text) for model in (exact, tl.load("m.gguf")[0]))
    assert abs(after / before - 1) < 0.01
    different = [
        not np.array_equal(p.data, q.data)
        for (_, p), (_, q) in zip(exact.named_parameters(), tl.load("m.gguf")[0].named_parameters(), strict=False)
    ]
    assert any(different)


def test_the_name_says_the_format_unless_told_otherwise(tinyllm, trained, tmp_path):
    assert tinyllm("convert", trained, "odd.gguf", "--to", "hf").code == 0 and (tmp_path / "odd.gguf").is_dir()
    assert tinyllm("convert", trained, "odd", "--to", "gguf").code == 0 and (tmp_path / "odd").is_file()


def test_nothing_is_replaced_unasked(tinyllm, trained, tmp_path):
    for name in ("m.gguf", "folder"):
        assert tinyllm("convert", trained, name).code == 0
        before = [file.read_bytes() for file in sorted((tmp_path / name).rglob("*")) or [tmp_path / name]]
        one_line(tinyllm("convert", trained, name), name, "Try:", "--overwrite")
        after = [file.read_bytes() for file in sorted((tmp_path / name).rglob("*")) or [tmp_path / name]]
        assert before == after
        assert tinyllm("convert", trained, name, "--overwrite").code == 0
    (tmp_path / "file").write_text("mine")
    (tmp_path / "dir.gguf").mkdir()
    one_line(tinyllm("convert", trained, "file"), "file")
    one_line(tinyllm("convert", trained, "file", "--overwrite"), "file")
    one_line(tinyllm("convert", trained, "dir.gguf", "--overwrite"), "dir.gguf", "is there already")
    assert (tmp_path / "file").read_text() == "mine" and not list((tmp_path / "dir.gguf").iterdir())


def test_what_does_not_go_together(tinyllm, trained):
    one_line(tinyllm("convert", trained, "out", "--dtype", "Q8_0"), "Q8_0", "Try:")
    one_line(tinyllm("convert", trained, "m.gguf", "--shards", "1MB"), "--shards is for folders", "Try: --to hf")
    one_line(tinyllm("convert", trained, "out", "--shards", "many"), "many")
    assert tinyllm("convert", trained).code == 2
    assert tinyllm("convert", trained, "out", "--dtype", "int3").code == 2


def test_a_model_alone_and_an_encoder(tinyllm, tmp_path):
    from tinyllm.models.bert import Bert
    from tinyllm.models.bert_config import BertConfig

    config = BertConfig(vocab_size=64, block_size=8, n_layer=1, n_head=2, n_embd=8, n_hidden=8)
    rng = np.random.default_rng(0)
    tl.save(Bert(config, rng), None, tmp_path / "bert")
    done = tinyllm("convert", "bert", "half", "--dtype", "float16")
    assert done.code == 0 and "note: there was no tokenizer to write" in done.out and "next:" not in done.out
    model = tl.GPT(tl.GPTConfig.preset("gpt2", vocab_size=256, block_size=8, n_layer=1, n_head=2, n_embd=8), rng)
    tl.save(model, ByteTokenizer(), tmp_path / "ours")
    assert tinyllm("generate", "ours", "a", "--tokens", "2").code == 0
