"""train_bpe: the same merges with and without kernels, however the text comes in, and clear words where it cannot."""

from __future__ import annotations

import logging
import random
import re
import sys
from itertools import pairwise

import numpy as np
import pytest

from tinyllm import kernels
from tinyllm.errors import ConfigError, DataError, DTypeError
from tinyllm.tokenizer import PATTERNS, bytepair, counting, split
from tinyllm.tokenizer.counting import Reader, count_fast, count_plain
from tinyllm.tokenizer.train import train_bpe

STORY = (
    "The cat's hat, the CAT'S HAT: 1234 cats & 56 hats!\r\n\r\n\tthe  cat\u00e9 sat\u3000on the mat \u4e2d\u6587\n"
    "don't  the\u0301 the\u0301 'they're' // the/the\n \n"
) * 3
OWN = re.compile(r"[a-z]+|[^a-z]")


@pytest.fixture(autouse=True)
def kernels_for_the_smallest_text(monkeypatch):
    """Without this, plain Python would do the little work of these tests."""
    monkeypatch.setattr("tinyllm.tokenizer.train.LITTLE_WORK", 0)


@pytest.fixture(params=kernels.BACKENDS)
def backend(request):
    with kernels.use(request.param):
        yield request.param


def as_dict(words):
    """Return counted words, of either kind, as a dictionary in their order."""
    if isinstance(words, dict):
        return words
    bounds = words.starts.tolist()
    found = [words.text[i:j].tobytes() for i, j in pairwise(bounds)]
    return dict(zip(found, words.counts.tolist(), strict=True))


# the vocabulary


def test_ids_are_single_bytes_then_merges_then_special_tokens(backend):
    own = train_bpe("aaab aaab<|a|>", 261, pattern="gpt2", special_tokens=["<|b|>", "<|a|>"], tie="ids")
    assert [own.ranks[bytes((byte,))] for byte in range(256)] == list(range(256))
    assert own.merges == [(b"a", b"a"), (b"a", b"b"), (b"aa", b"ab")] and own.counts == [4, 2, 2]
    assert own.ranks[b"aaab"] == 258 and own.specials.ids == {"<|b|>": 259, "<|a|>": 260}
    assert (own.n_vocab, own.tie, own.pattern, own.name) == (261, "ids", PATTERNS["gpt2"], "own")


@pytest.mark.parametrize("tie", ["huggingface", "hf"])
def test_huggingface_numbers_bytes_as_gpt2_does(backend, tie):
    own = train_bpe("!~ !~", 257, tie=tie, name="mine")
    assert [own.ranks[token] for token in (b"!", b"a", b"\x00", b" ")] == [0, 64, 188, 220]
    assert (own.tie, own.name) == ("huggingface", "mine")


@pytest.mark.parametrize("tie", bytepair.TIES)
@pytest.mark.parametrize("pattern", [*PATTERNS, OWN])
def test_kernels_change_nothing(tie, pattern):
    options = {"pattern": pattern, "tie": tie, "special_tokens": ["sat"], "min_frequency": 2, "max_token_length": 9}
    with kernels.use("numpy"):
        expected = train_bpe([STORY, STORY[::-1]], 340, **options)
    with kernels.use("numba"):
        assert train_bpe([STORY, STORY[::-1]], 340, **options) == expected
    assert len(expected.merges) > 30 and max(map(len, expected.ranks)) <= 9


def test_little_work_waits_for_no_kernels(monkeypatch):
    monkeypatch.setattr("tinyllm.tokenizer.train.LITTLE_WORK", 1 << 29)
    monkeypatch.delitem(sys.modules, "tinyllm.kernels.bpe.train", raising=False)
    train_bpe(STORY, 300)
    assert "tinyllm.kernels.bpe.train" not in sys.modules
    monkeypatch.setattr("tinyllm.tokenizer.train.LITTLE_WORK", 44 * len(STORY))
    train_bpe(STORY, 300)
    assert "tinyllm.kernels.bpe.train" in sys.modules


def test_what_is_learned_is_how_it_encodes(backend):
    own = train_bpe(STORY, 330, special_tokens=["<|end|>"])
    text = "the cat's hats <|end|> \u4e2d\u6587!"
    ids = own.encode(text, allowed_special="all")
    assert own.decode(ids) == text and own.specials.ids["<|end|>"] in ids
    pair_to_rank = {pair: place for place, pair in enumerate(own.merges)}
    expected = [
        i
        for piece in split(STORY, "cl100k")
        for i in bytepair.encode(piece.encode(), own.ranks, lambda a, b: pair_to_rank.get((a, b)))
    ]
    assert own.encode(STORY, disallowed_special=()) == expected


# however the text comes in


def test_texts_files_and_mixtures(backend, tmp_path):
    path = tmp_path / "story.txt"
    path.write_bytes(STORY.encode())
    expected = train_bpe([STORY, "low lower" * 20], 290)
    assert train_bpe([path, "low lower" * 20], 290) == expected
    assert train_bpe((part for part in (STORY, "low lower" * 20)), 290) == expected
    assert train_bpe(path, 290) == train_bpe(STORY, 290) != expected


def test_carriage_returns_survive(backend, tmp_path):
    path = tmp_path / "dos.txt"
    path.write_bytes(b"a\r\nb\r\n")
    assert train_bpe(path, 257).merges == [(b"\r", b"\n")]


def test_no_piece_reaches_from_one_document_into_the_next(backend):
    assert as_dict(count_plain(Reader(["ab", "cd", "", "e "], [], PATTERNS["gpt2"]))) == {
        b"ab": 1, b"cd": 1, b"e": 1, b" ": 1,
    }  # fmt: skip
    assert train_bpe(["xy"] * 2 + ["yx"] * 3, 300, pattern=None).merges == [(b"y", b"x"), (b"x", b"y")]


def test_special_tokens_are_cut_out_and_not_counted(backend):
    own = train_bpe("ab<|ab|>ab<|abab|>", 300, special_tokens=["<|ab|>", "<|abab|>"], pattern=None)
    assert own.merges == [(b"a", b"b")] and own.counts == [2]


def test_lone_surrogates_are_replaced_and_pairs_joined(backend):
    own = train_bpe(["\ud83d\ude00\ud83d\ude00", "\ud83d"], 300, pattern=None)
    assert own == train_bpe(["\U0001f600\U0001f600", "\ufffd"], 300, pattern=None)


def test_composed_characters_where_the_pattern_asks_for_them(backend):
    assert as_dict(count_fast(Reader("e\u0301", [], PATTERNS["qwen2"]), 1)) == {"\u00e9".encode(): 1}
    assert train_bpe("e\u0301", 300, pattern="qwen2").merges == [(b"\xc3", b"\xa9")]


ALPHABET = [
    "a",
    "B",
    "\u00e9",
    "\u0301",
    "\u4e2d",
    "7",
    "\u00b2",
    " ",
    " ",
    "\n",
    "\r",
    "\t",
    "\u3000",
    "'",
    "s",
    ".",
    "/",
]
SPECIALS = ["<|end|>", "<|end|>a", "s\n", "\u00e9\u4e2d"]


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("name", PATTERNS)
def test_any_cut_into_blocks_gives_the_same_words(name, threads, tmp_path, monkeypatch):
    """Blocks of a few bytes, so that cuts fall everywhere: in characters, runs of spaces, special tokens, pairs."""
    rng = random.Random(name)
    for trial in range(25):
        monkeypatch.setattr(counting, "_TAIL", rng.choice([5, 12, 1 << 16]))
        text = "".join(rng.choices([*ALPHABET, "<|end|>", "a\ud83d\ude00"], k=rng.randrange(120)))
        specials = SPECIALS[: rng.randrange(5)]
        expected = count_plain(Reader(text, specials, PATTERNS[name]))
        clean = text.encode("utf-16", "surrogatepass").decode("utf-16")
        path = tmp_path / f"{trial}.txt"
        path.write_bytes(clean.encode())
        for source in (text, path):
            reader = Reader(source, specials, PATTERNS[name], block=rng.randrange(1, 40))
            found = as_dict(count_fast(reader, threads))
            assert list(found.items()) == list(expected.items()), (text, source, reader.block, specials)


def test_blocks_are_bounded_where_there_is_a_place_to_cut():
    reader = Reader("low lower " * 1000, [], PATTERNS["gpt2"], block=100)
    sizes = [len(segment) for segment in reader.segments()]
    assert max(sizes) <= 200 and sum(sizes) == 10_000
    reader = Reader("\u4e2d" * 10_000, [], PATTERNS["gpt2"], block=100)
    assert [len(segment) for segment in reader.segments()] == [30_000]


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_threads_change_nothing(threads, monkeypatch):
    monkeypatch.setattr("tinyllm.tokenizer.train.BLOCK", 64)
    assert train_bpe([STORY] * 5, 320, tie="first", threads=threads) == train_bpe([STORY] * 5, 320, tie="first")


def test_progress_is_told(backend, tmp_path):
    path = tmp_path / "story.txt"
    path.write_bytes(STORY.encode())
    told = []
    train_bpe([path, STORY], 280, progress=lambda *step: told.append(step))
    size = len(STORY.encode())
    assert told[:3] == [("count", size, 2 * size), ("count", 2 * size, 2 * size), ("merge", 0, 24)]
    assert told[-1] == ("merge", 24, 24)
    told.clear()
    train_bpe(iter(["low lower"]), 257, progress=lambda *step: told.append(step))
    assert told[0] == ("count", 9, None)


# clear words


def test_a_small_corpus_stops_early_and_says_so(backend, caplog):
    with caplog.at_level(logging.WARNING):
        own = train_bpe("aab aab", 300, special_tokens=["<|end|>"], min_frequency=2)
    assert own.n_vocab == 256 + 2 + 1 and own.specials.ids == {"<|end|>": 258}
    assert "after 2 merges no pair is left that occurs 2 times or more" in caplog.text
    assert "259 tokens, not 300" in caplog.text


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"vocab_size": 257, "special_tokens": ["a", "b"]}, ConfigError, "vocab_size 257 is too small. Try: 258"),
        ({"tie": "byte"}, ConfigError, "no tie rule 'byte'. Try: bytes"),
        ({"tie": "q"}, ConfigError, "one of bytes, bytes_min, ids"),
        ({"pattern": "gpt-2"}, ConfigError, "gpt2"),
        ({"special_tokens": "<|end|>"}, ConfigError, r"special_tokens is one string. Try: \['<|end|>'\]"),
        ({"special_tokens": ["a", "a"]}, ConfigError, "'a'"),
        ({"special_tokens": [""]}, ConfigError, "''"),
        ({"min_frequency": -1}, ConfigError, "min_frequency is -1"),
        ({"max_token_length": 0}, ConfigError, "max_token_length is 0"),
        ({"threads": 0}, ConfigError, "threads is 0"),
        ({"texts": ""}, DataError, "there is no text"),
        ({"texts": []}, DataError, "there is no text"),
        ({"texts": ["<|end|>"], "special_tokens": ["<|end|>"]}, DataError, "there is no text"),
        ({"texts": [b"bytes"]}, DTypeError, "a document is a bytes"),
        ({"texts": "low 3", "pattern": re.compile("[a-z]+| ")}, DataError, "nothing matches '3' at character 4"),
    ],
)
def test_mistakes(backend, options, error, message):
    options = {"texts": "low lower", "vocab_size": 300} | options
    with pytest.raises(error, match=message):
        train_bpe(**options)


def test_files_that_cannot_be_read(backend, tmp_path):
    with pytest.raises(DataError, match=r"nowhere\.txt cannot be read: No such file"):
        train_bpe(tmp_path / "nowhere.txt", 300)
    with pytest.raises(DataError, match="cannot be read"):
        train_bpe(tmp_path, 300)


@pytest.mark.parametrize("block", [1, 3, 7, 1000])
@pytest.mark.parametrize(
    ("data", "place", "byte"),
    [(b"abc\xffdef", 3, "0xff"), ("\u4e2d\u4e2d".encode() + b"\xe4\xb8", 6, "0xe4"), (b"\xed\xa0\x80", 0, "0xed")],
)
def test_bytes_that_are_no_utf8(block, data, place, byte, tmp_path):
    path = tmp_path / "latin.txt"
    path.write_bytes(data)
    with pytest.raises(DataError, match=f"latin.txt is no UTF-8: byte {place} is {byte}"):
        list(Reader(path, [], PATTERNS["gpt2"], block=block).segments())


def test_counts_are_python_numbers(backend):
    own = train_bpe("low low", 259)
    assert all(type(count) is int for count in own.counts) and not isinstance(own.ranks[b"a"], np.integer)
