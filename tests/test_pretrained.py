"""A model together with its tokenizer: out and in again, in every format, with every kind of tokenizer, and by name."""

from __future__ import annotations

import json
import logging
import shutil

import numpy as np
import pytest

import tinyllm as tl
from tinyllm import assets, pretrained
from tinyllm.errors import CheckpointError, ConfigError, DataError
from tinyllm.models import Llama, LlamaConfig

TEXT = "the owl and the pussycat went to sea in a beautiful pea green boat " * 9
IDX = np.array([[1, 5, 2]])


@pytest.fixture(scope="module")
def words():
    trained = tl.tokenizer.train_bpe(TEXT, 270, pattern="gpt2", special_tokens=["<|endoftext|>"])
    trained.settings = {"eos_token": "<|endoftext|>", "chat_template": "{{ messages }}"}
    return trained


def model_of(V, preset="modern"):
    config = tl.GPTConfig.preset(preset, vocab_size=V, block_size=16, n_layer=1, n_head=2, n_embd=32)
    return tl.GPT(config, np.random.default_rng(1)).eval()


def both(path, model, tokenizer, **settings):
    """Save and load again; the logits and ids must be those."""
    again, same = tl.load(tl.save(model, tokenizer, path, **settings))
    np.testing.assert_allclose(again(IDX).data, model(IDX).data, atol=1e-5)
    assert same.encode("the sea") == tokenizer.encode("the sea")
    return again, same


def test_the_names_at_the_top():
    assert tl.load is pretrained.load and tl.save is pretrained.save
    assert {"load", "save"} <= set(dir(tl))


@pytest.mark.parametrize("preset", ["gpt2", "modern"])
def test_a_folder_and_what_is_in_it(preset, words, tmp_path):
    again, same = both(tmp_path / "hf", model_of(words.n_vocab, preset), words)
    assert same.settings == words.settings
    assert again.config.extra["eos_token_id"] == words.specials.ids["<|endoftext|>"]
    files = {file.name for file in (tmp_path / "hf").iterdir()}
    assert files == {
        "config.json",
        "generation_config.json",
        "model.safetensors",
        "tokenizer.json",
        "tokenizer_config.json",
    }
    second = tl.save(again, same, tmp_path / "second")
    assert all((second / name).read_bytes() == (tmp_path / "hf" / name).read_bytes() for name in files)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16", "Q8_0"])
def test_a_gguf_file(dtype, words, tmp_path):
    path = tmp_path / "toy.gguf"
    model = model_of(words.n_vocab)
    again, same = tl.load(tl.save(model, words, path, format="gguf", dtype=dtype))
    np.testing.assert_allclose(again(IDX).data, model(IDX).data, atol=0.02 if dtype != "float32" else 1e-6)
    assert same.encode("the sea") == words.encode("the sea") and same.settings == words.settings
    with pytest.raises(ConfigError, match=r"toy\.gguf: is there already"):
        tl.save(model, words, path, format="gguf")
    tl.save(model, None, path, format="gguf", overwrite=True)
    assert tl.load(path)[1] is None


@pytest.mark.parametrize("format", ["hf", "gguf"])
@pytest.mark.parametrize("kind", ["chars", "bytes", "pattern of one's own"])
def test_a_tokenizer_that_no_other_tool_reads(kind, format, tmp_path, caplog):
    if kind == "chars":
        tokenizer = tl.tokenizer.CharTokenizer(TEXT)
    elif kind == "bytes":
        tokenizer = tl.tokenizer.ByteTokenizer()
    else:
        import re

        tokenizer = tl.tokenizer.train_bpe(TEXT, 270, pattern=re.compile(r"\w+|\W"))
        tokenizer.settings = {"chat_template": "{{ messages }}"}
    model = model_of(tokenizer.n_vocab)
    with caplog.at_level(logging.WARNING, logger=pretrained.__name__):
        _, same = both(tmp_path / "any", model, tokenizer, format=format)
    assert getattr(same, "settings", None) == getattr(tokenizer, "settings", None)
    assert pretrained.OWN in caplog.text or pretrained.OWN_KEY in caplog.text
    if format == "hf":
        tl.save(model, None, tmp_path / "any", overwrite=True)
        assert tl.load(tmp_path / "any")[1] is None


def test_pieces_of_words(tmp_path):
    from tinyllm.models.bert import Bert
    from tinyllm.models.bert_config import BertConfig

    pieces = tl.tokenizer.WordPiece(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "The", "sea", "##s"], lowercase=False)
    model = Bert(BertConfig(8, 9, n_layer=1, n_head=1, n_embd=4, n_hidden=5), np.random.default_rng(0)).eval()
    _, same = both(tmp_path, model, pieces)
    assert same == pieces and not same.lowercase and same.encode("The seas") == [2, 4, 5, 6, 3]


def test_a_model_without_a_tokenizer_and_with_another(words, tmp_path, caplog):
    model = model_of(words.n_vocab)
    with caplog.at_level(logging.INFO, logger=pretrained.__name__):
        again, none = tl.load(tl.save(model, None, tmp_path / "alone"), dtype=np.float64)
    assert none is None and again.wte.weight.dtype == np.float64 and "no tokenizer is beside" in caplog.text
    assert tl.load(tmp_path / "alone", tokenizer=words)[1] is words
    tl.tokenizer.files.save(words, tmp_path / "words.tiktoken")
    with pytest.raises(ConfigError):  # such a file does not say how text is cut
        tl.load(tmp_path / "alone", tokenizer=tmp_path / "words.tiktoken")
    tl.tokenizer.files.save(words, tmp_path / "words.json")
    assert tl.load(tmp_path / "alone", tokenizer=tmp_path / "words.json")[1].encode("sea") == words.encode("sea")
    with caplog.at_level(logging.WARNING, logger=pretrained.__name__):
        tl.load(tmp_path / "alone", tokenizer=tl.tokenizer.train_bpe(TEXT, 275))
    assert "the model knows the first" in caplog.text


def test_a_tokenizer_that_is_not_read(words, tmp_path):
    folder = tl.save(model_of(words.n_vocab), words, tmp_path / "hf")
    saved = json.loads((folder / "tokenizer.json").read_text())
    saved["model"]["byte_fallback"] = True
    (folder / "tokenizer.json").write_text(json.dumps(saved))
    with pytest.raises(DataError, match=r"byte_fallback.*not supported.*load_model\(path\)"):
        tl.load(folder)
    assert tl.load(folder, tokenizer=words)[1] is words


def test_a_chat_template_in_a_file_of_its_own(words, tmp_path):
    folder = tl.save(model_of(words.n_vocab), words, tmp_path / "hf")
    (folder / "chat_template.jinja").write_text("other")
    told = json.loads((folder / "tokenizer_config.json").read_text())
    told |= {"eos_token": {"content": "<|endoftext|>", "lstrip": False}, "add_prefix_space": False}
    (folder / "tokenizer_config.json").write_text(json.dumps(told))
    assert tl.load(folder)[1].settings == {"eos_token": "<|endoftext|>", "chat_template": "other"}


def test_nothing_is_overwritten_unasked(words, tmp_path):
    model = model_of(words.n_vocab)
    folder = tl.save(model, words, tmp_path / "hf")
    with pytest.raises(ConfigError, match=r"holds config\.json"):
        tl.save(model, words, folder)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "tokenizer.json").write_text("{}")
    with pytest.raises(ConfigError, match=r"holds tokenizer\.json already"):
        tl.save(model, words, tmp_path / "other")
    assert [file.name for file in (tmp_path / "other").iterdir()] == ["tokenizer.json"]
    both(tmp_path / "other", model, words, overwrite=True)


@pytest.mark.parametrize(
    ("settings", "match"),
    [
        ({"format": "ggfu"}, r"no format 'ggfu'\. Try: gguf"),
        ({"format": "gguf", "dtype": "Q8"}, "dtype is 'Q8'. Try: Q8_0"),
        ({"format": "gguf", "max_shard_size": "1MB"}, "is one file"),
        ({"dtype": "Q8_0"}, "dtype is 'Q8_0'"),
    ],
)
def test_what_cannot_be_saved(settings, match, words, tmp_path):
    with pytest.raises(ConfigError, match=match):
        tl.save(model_of(words.n_vocab), words, tmp_path / "new", **settings)
    with pytest.raises(ConfigError, match="the tokenizer has 270 tokens, and the model 269"):
        tl.save(model_of(words.n_vocab - 1), words, tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_a_run_of_ours(tmp_path):
    from tinyllm.train import Run, TrainConfig

    run = Run.create(tmp_path / "run", TrainConfig.preset("smoke", steps=2, sample_every=0))
    run.train(peak_flops=1e9)
    model, tokenizer = tl.load(tmp_path / "run")
    idx = np.array([tokenizer.encode("to be")])
    np.testing.assert_array_equal(model(idx).data, run.model.eval()(idx).data)
    again, _ = tl.load(tl.save(model, tokenizer, tmp_path / "hf"))
    np.testing.assert_allclose(again(idx).data, model(idx).data, atol=1e-5)
    with pytest.raises(ConfigError, match="holds a training run"):
        tl.save(model, tokenizer, tmp_path / "run", overwrite=True)


def test_a_published_model_by_its_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TINYLLM_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("TINYLLM_DATA", raising=False)
    with pytest.raises(CheckpointError, match=r"gpt2: this model is not here yet\. Try: tinyllm data get gpt2"):
        tl.load("gpt2")
    with pytest.raises(CheckpointError, match="there is no such file or folder"):
        tl.load("gpt3")
    words = tl.tokenizer.ScoredBPE(
        [*(f"<{i}>" for i in range(3)), *(f"<0x{i:02X}>" for i in range(256)), "a"], [0.0] * 260
    )
    model = Llama(
        LlamaConfig(vocab_size=260, block_size=16, n_layer=1, n_head=1, n_embd=4, n_hidden=5, norm_eps=1e-5),
        np.random.default_rng(0),
    )
    folder = tmp_path / "cache" / "models" / "toy"
    folder.mkdir(parents=True)
    from tinyllm.models.exchange.llama2c_model import save_llama2c

    save_llama2c(model, folder / "toy.bin")
    words.save(folder / "tok260.bin")
    monkeypatch.setattr(assets, "MODELS", {"toy": assets.ModelAsset("toy", (), "a toy")})
    monkeypatch.setattr(assets, "find_model", lambda name: folder)
    again, same = tl.load("toy")
    np.testing.assert_allclose(again(IDX).data, model(IDX).data, atol=1e-6)
    assert same == words
    shutil.move(folder / "tok260.bin", folder / "tokenizer.bin")
    assert tl.load(folder / "toy.bin")[1] == words
    for path in (tl.save(model, words, tmp_path / "hf"), tl.save(model, words, tmp_path / "a.gguf", format="gguf")):
        assert tl.load(path)[1] == words


def test_a_real_model_through_every_format_and_back(data_file, tmp_path):
    """stories260K: every parameter and the tokenizer survive, to the last bit; test_stories.py has its golden text."""
    path = data_file("models/stories260K/stories260K.bin")
    first, words = tl.load(path)
    folder = tl.save(first, words, tmp_path / "hf")
    again, same = tl.load(tl.save(*tl.load(folder), tmp_path / "a.gguf", format="gguf"))
    assert same == words and words.n_vocab == 512
    for p, q in zip(first.parameters(), again.parameters(), strict=True):
        np.testing.assert_array_equal(p.data, q.data)
