"""Which tokenizer a config means, what it is learned from, and how a text becomes ids."""

from __future__ import annotations

import logging

import numpy as np
import pytest

from tinyllm import kernels
from tinyllm.errors import ConfigError, DataError
from tinyllm.tokenizer import ByteTokenizer, CharTokenizer, Encoding
from tinyllm.train import TrainConfig, tokenizers
from tinyllm.train.material import gather


@pytest.mark.parametrize("spec", ["bytes", "chars", "bpe:256", "bpe:1024", "gpt2", "o200k_base", "a/b", "x.tiktoken"])
def test_what_a_config_takes(spec):
    assert TrainConfig(tokenizer=spec).tokenizer == spec


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("char", "Try: chars"),
        ("cl100k", "Try: cl100k_base"),
        ("nothing like it", "bpe:1024"),
        ("bpe", "Try: bpe:1024"),
        ("bpe:", "Try: bpe:1024"),
        ("bpe:many", "Try: bpe:1024"),
        ("bpe:1024.5", "Try: bpe:1024"),
        ("bpe:255", "256 single bytes"),
        ("bpe:-5", "256 single bytes"),
        ("", "bpe:1024"),
        (3, "not a text"),
        (None, "not a text"),
    ],
)
def test_what_it_refuses_in_one_line(spec, says):
    with pytest.raises(ConfigError) as caught:
        TrainConfig(tokenizer=spec)
    message = str(caught.value)
    assert says in message and "tokenizer" in message and "\n" not in message


def test_a_name_without_ending_is_a_path_where_there_is_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError):
        TrainConfig(tokenizer="mine")
    (tmp_path / "mine").mkdir()
    assert TrainConfig(tokenizer="mine").tokenizer == "mine"
    assert tokenizers.absolute("mine") == str(tmp_path.resolve() / "mine")
    assert [tokenizers.absolute(name) for name in ("gpt2", "bpe:300", "bytes")] == ["gpt2", "bpe:300", "bytes"]


def test_a_bpe_never_sees_the_validation_part(tmp_path, tiny):
    """A word that occurs in the validation part only is not learned, however often it is there."""
    text = "red green blue " * 150 + "xyzzy " * 60
    (tmp_path / "text.txt").write_text(text)
    tiny = tiny.but(data=str(tmp_path / "text.txt"), tokenizer="bpe:300", validation=0.2)
    found = gather(tiny)
    tokens = set(found.words.ranks)
    assert {b" red", b" green", b" blue"} <= tokens
    assert not [token for token in tokens if b"xy" in token or b"zz" in token]
    assert found.words.decode(found.tokens[: found.data["cut"]].tolist()) == text[: int(0.8 * len(text))]


@pytest.mark.parametrize("spec", ["bytes", "chars", "bpe:280", "bpe:400"])
def test_every_tokenizer_is_validated_on_the_same_text(tmp_path, tiny, spec):
    text = "Zürich, naïve, 5 € — grün\n" * 70
    (tmp_path / "text.txt").write_text(text, encoding="utf-8")
    found = gather(tiny.but(data=str(tmp_path / "text.txt"), tokenizer=spec))
    cut = found.data["cut"]
    parts = [found.words.decode(part.tolist()) for part in (found.tokens[:cut], found.tokens[cut:])]
    assert parts == [text[: int(0.9 * len(text))], text[int(0.9 * len(text)) :]]


def test_a_text_too_small_for_the_vocabulary_gives_fewer_tokens(tmp_path, tiny, caplog):
    (tmp_path / "text.txt").write_text("red green blue " * 100)
    with caplog.at_level(logging.WARNING):
        found = gather(tiny.but(data=str(tmp_path / "text.txt"), tokenizer="bpe:5000"))
    assert 256 < found.words.n_vocab < 300
    assert "no pair is left" in caplog.text


@pytest.mark.parametrize(("n_vocab", "dtype"), [(65_536, np.uint16), (65_537, np.uint32)])
def test_ids_are_as_small_as_the_vocabulary_allows(n_vocab, dtype):
    ranks = {bytes((i,)): i for i in range(256)} | {b"he": n_vocab - 1}
    ids = tokenizers.ids_of(Encoding("toy", pat_str="gpt2", mergeable_ranks=ranks), "the hen")
    assert ids.dtype == dtype and ids.tolist() == [116, n_vocab - 1, 32, n_vocab - 1, 110]


def test_special_tokens_in_a_text_are_text():
    ranks = {bytes((i,)): i for i in range(256)}
    words = Encoding("toy", pat_str="gpt2", mergeable_ranks=ranks, special_tokens={"<|endoftext|>": 256})
    assert bytes(tokenizers.ids_of(words, "a<|endoftext|>b").tolist()) == b"a<|endoftext|>b"


def test_the_same_ids_with_and_without_kernels(monkeypatch):
    text = "Merges, merges and 12,345 more of them.\n" * 30
    plain = tokenizers.make("bpe:270", text, 900)
    monkeypatch.setattr(tokenizers, "_LITTLE_TEXT", 0)
    monkeypatch.setattr("tinyllm.tokenizer.train.LITTLE_WORK", 0)
    told = []
    with kernels.use("numba"):
        fast = tokenizers.make("bpe:270", text, 900, lambda *news: told.append(news))
        ids = tokenizers.ids_of(fast, text, lambda *news: told.append(news))
    assert fast == plain and (ids == tokenizers.ids_of(plain, text)).all()
    stages = list(dict.fromkeys(what for what, _, _ in told))
    assert stages == ["counting words, in bytes of text", "learning merges", "turning the text into tokens"]
    assert told[-2][1] == told[-2][2] == 14


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(DataError) as caught:
        tokenizers.load(str(tmp_path / "mine.json"))
    assert "mine.json" in str(caught.value) and "\n" not in str(caught.value)


def test_a_file_is_loaded(tmp_path):
    words = tokenizers.make("bpe:270", "low lower lowest " * 9, 100)
    words.save(tmp_path / "mine.json", "tinyllm")
    assert tokenizers.load(str(tmp_path / "mine.json")) == words
    assert tokenizers.make(str(tmp_path / "mine.json"), "", 0) == words


def test_a_file_of_words_that_lose_the_text_is_refused(tmp_path):
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "b", "##a", "##b"]
    (tmp_path / "vocab.txt").write_text("\n".join(words) + "\n")
    with pytest.raises(ConfigError, match="byte-level BPE"):
        tokenizers.load(str(tmp_path / "vocab.txt"))


def test_simple_tokenizers():
    assert tokenizers.make("bytes", "abc", 1) == ByteTokenizer() == tokenizers.load("bytes")
    assert tokenizers.make("chars", "abc", 1) == CharTokenizer("abc")
