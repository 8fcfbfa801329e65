"""Our merges beside those of live trainers: each tie rule agrees with the tool it is named for, merge by merge."""

from __future__ import annotations

import json
import sysconfig
from base64 import b64decode
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from tinyllm.tokenizer import PATTERNS, bytepair, split
from tinyllm.tokenizer.train import train_bpe

pytestmark = pytest.mark.oracle

CORPORA = ["shakespeare", "python", "languages"]
SIZE = 10_000


@pytest.fixture(scope="module")
def corpus(data_file):
    """About a megabyte each of English, of Python, and of words in all languages."""

    def python():
        files = sorted(Path(sysconfig.get_path("stdlib")).glob("*.py"))
        return "".join(file.read_bytes().decode("utf-8", "replace") for file in files)[:1_200_000]

    def languages():
        """Tokens of o200k that are characters, in any order, the frequent ones often."""
        lines = data_file("encodings/o200k_base.tiktoken").read_bytes().splitlines()
        tokens = [b64decode(line.split()[0]).decode("utf-8", "replace") for line in lines]
        tokens = [token for token in tokens if "\ufffd" not in token]
        rng = np.random.default_rng(3)
        order = rng.permutation(len(tokens))
        return "".join(tokens[order[i % len(tokens)]] for i in rng.zipf(1.2, 250_000).tolist())

    def shakespeare():
        return data_file("corpora/tinyshakespeare.txt").read_bytes().decode()

    made = {}

    def text_of(name):
        if name not in made:
            made[name] = {"python": python, "languages": languages, "shakespeare": shakespeare}[name]()
        return made[name]

    return text_of


def spelled(token):
    """Write a token in the byte alphabet, as tokenizers does."""
    return "".join(chr(byte) if place < 188 else chr(256 + place - 188) for byte in token for place in [PLACES[byte]])


PLACES = {byte: place for place, byte in enumerate(bytepair.ALPHABET)}


# tie="ids"


@pytest.mark.parametrize("name", CORPORA)
def test_rustbpe(name, corpus):
    rustbpe = pytest.importorskip("rustbpe", reason="rustbpe is not installed")
    for pattern in ("llama3", "o200k"):
        theirs = rustbpe.Tokenizer()
        theirs.train_from_iterator([corpus(name)], SIZE, pattern=PATTERNS[pattern].regex)
        own = train_bpe(corpus(name), SIZE, pattern=pattern, tie="ids")
        assert list(own.ranks.items()) == [(bytes(token), i) for token, i in theirs.get_mergeable_ranks()]
        assert own.n_vocab == SIZE


# tie="huggingface"


def tokenizers_merges(texts, pattern, **options):
    tokenizers = pytest.importorskip("tokenizers", reason="tokenizers is not installed")
    cut = tokenizers.pre_tokenizers.Split(tokenizers.Regex(PATTERNS[pattern].regex), "isolated")
    spell = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    theirs = tokenizers.Tokenizer(tokenizers.models.BPE())
    theirs.pre_tokenizer = tokenizers.pre_tokenizers.Sequence([cut, spell])
    trainer = tokenizers.trainers.BpeTrainer(initial_alphabet=spell.alphabet(), show_progress=False, **options)
    theirs.train_from_iterator(texts, trainer)
    return [tuple(merge) for merge in json.loads(theirs.to_str())["model"]["merges"]]


@pytest.mark.parametrize(("name", "pattern"), [("shakespeare", "gpt2"), ("python", "o200k"), ("languages", "llama3")])
def test_tokenizers(name, pattern, corpus):
    own = train_bpe(corpus(name), SIZE, pattern=pattern, tie="huggingface")
    merges = [(spelled(left), spelled(right)) for left, right in own.merges]
    assert merges == tokenizers_merges([corpus(name)], pattern, vocab_size=SIZE)
    assert len(merges) == SIZE - 256


def test_tokenizers_by_lines_until_no_pair_is_frequent_enough(corpus):
    """Its max_token_length is one more than its longest merged token, but two bytes always merge."""
    lines = corpus("shakespeare")[:200_000].splitlines(keepends=True)
    own = train_bpe(lines, SIZE, pattern="gpt2", tie="hf", min_frequency=7, max_token_length=4)
    merges = [(spelled(left), spelled(right)) for left, right in own.merges]
    expected = tokenizers_merges(lines, "gpt2", vocab_size=SIZE, min_frequency=7, max_token_length=5)
    assert merges == expected and 500 < len(merges) < SIZE - 256 and min(own.counts) == 7


# tie="bytes_min" and again the two above


@pytest.mark.parametrize("name", CORPORA)
@pytest.mark.parametrize(
    ("tie", "theirs"), [("bytes_min", "assembled_bytes"), ("ids", "raw_token_ids"), ("hf", "huggingface")]
)
def test_gigatoken(name, tie, theirs, corpus):
    gigatoken = pytest.importorskip("gigatoken", reason="gigatoken is not installed")
    text = corpus(name)
    _, merges = gigatoken.train_bpe(text.encode(), SIZE, [], tie_breaking=theirs)
    assert train_bpe(text, SIZE, pattern="gpt2", tie=tie).merges == [tuple(merge) for merge in merges]


# tie="first"


@pytest.mark.parametrize("name", CORPORA)
def test_tiktoken_s_lesson(name, corpus):
    pytest.importorskip("regex", reason="regex is not installed")
    lesson = pytest.importorskip("tiktoken._educational", reason="tiktoken is not installed")
    text = corpus(name)[:40_000]
    ranks = lesson.bpe_train(text, 256 + 120, PATTERNS["gpt2"].regex, visualise=None)
    assert train_bpe(text, 256 + 120, pattern="gpt2", tie="first").ranks == ranks


@pytest.mark.parametrize("name", CORPORA)
def test_the_rule_of_minbpe_taken_literally(name, corpus):
    """Count all pairs of all pieces into one dictionary, take the maximum, replace; nothing is remembered."""
    text = corpus(name)[-40_000:]
    pieces = [list(piece.encode()) for piece in split(text, "llama3")]
    merges = []
    for new in range(256, 256 + 150):
        counts = {}
        for piece in pieces:
            for pair in pairwise(piece):
                counts[pair] = counts.get(pair, 0) + 1
        best = max(counts, key=counts.get)
        merges.append((best, counts[best]))
        for piece in pieces:
            i = 0
            while i + 1 < len(piece):
                if (piece[i], piece[i + 1]) == best:
                    piece[i : i + 2] = [new]
                i += 1
    own = train_bpe(text, 256 + 150, pattern="llama3", tie="first")
    ours = [((own.ranks[left], own.ranks[right]), n) for (left, right), n in zip(own.merges, own.counts, strict=True)]
    assert ours == merges


def test_the_rules_part_early(corpus):
    """Were all rules the same on real text, agreement would say nothing about ties."""
    learned = {tie: train_bpe(corpus("shakespeare"), 1000, tie=tie).merges for tie in bytepair.TIES}
    for tie, merges in learned.items():
        assert all(merges[:400] != others[:400] for other, others in learned.items() if other != tie)
