from __future__ import annotations

import random
import re
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinyllm.errors import ConfigError, DTypeError
from tinyllm.tokenizer import Encoding, bytepair, limits, split
from tinyllm.tokenizer.limits import beginnings, truncate, within_limit

TEXT = "It's what they'll eat: bananas, 1234567 strawberries!!  \n\n /path/\n// HELLOworld \u4e2d\u6587\u4e2d ananas "
RUNS = [
    "a",
    "A",
    "ab",
    "aB",
    "\u4e2d",
    "\u0301",
    "\u4e2d\u0301",
    " ",
    "\n",
    " \n",
    "!\n",
    "!",
    "/",
    "'",
    "'ll",
    "1",
    "s",
]
PIECES = [
    *RUNS, "  ", " an", "anas", "straw", "berry", "<|end|>", "\r\n", "'re", "\u4e2dAAAAAAb", "\u0958", "\ud83d",
    "\U0001f600", "=\u0338",
]  # fmt: skip
ODD = ["straw", "wberry", "bananas", "ananas", "'l", "'r", "\u4e2dA", "Ab", "bA"]  # most of them no merges lead to
CUSTOM = re.compile(r"\w+(?=\s)|(?<= )\w|\s+$|.", re.DOTALL)
PATTERNS = ["gpt2", "cl100k", "llama3", "nanochat", "o200k", "qwen2", "none", CUSTOM]


def learned(pattern, order: str = "ranks") -> Encoding:
    """Tokens that make counts jump: long runs, and words whose beginnings are no tokens."""
    words: dict[bytes, int] = {}
    for piece in split(TEXT * 2, "none" if pattern == "none" else "gpt2"):
        words[piece.encode()] = words.get(piece.encode(), 0) + 1
    merges = [merge[:2] for merge in bytepair.train(words, 380)]
    tokens = {bytes((i,)): i for i in range(256)}
    for left, right in merges:
        tokens.setdefault(left + right, len(tokens))
    for token in [run * times for run in RUNS for times in (2, 3, 4, 5, 8)] + ODD:
        tokens.setdefault(token.encode(), len(tokens))
    if order == "merges":
        return Encoding("learned", pat_str=pattern, mergeable_ranks=tokens, merges=merges)
    if order == "shuffled":  # no training gives such ranks
        ids = list(range(256, len(tokens)))
        random.Random(2).shuffle(ids)
        tokens = dict(zip(tokens, [*range(256), *ids], strict=True))
    return Encoding("learned", pat_str=pattern, mergeable_ranks=tokens, special_tokens={"<|end|>": len(tokens)})


ENCODINGS = [learned(pattern, order) for pattern in PATTERNS for order in ("ranks", "merges", "shuffled")]
texts = st.lists(st.tuples(st.sampled_from(PIECES), st.integers(1, 5)), max_size=7)
texts = texts.map(lambda runs: "".join(piece * times for piece, times in runs))


def check(encoding: Encoding, text: str, wanted) -> bool:
    """Against the counts of all beginnings; tell whether they go down somewhere."""
    clean = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    counts = [encoding.count(clean[:end], disallowed_special=()) for end in range(len(clean) + 1)]
    for n in wanted(counts):
        longest = max(end for end, tokens in enumerate(counts) if tokens <= n)
        assert truncate(encoding, text, n) == clean[:longest], (encoding.pattern.name, text, n)
        assert within_limit(encoding, text, n) == (counts[-1] <= n), (encoding.pattern.name, text, n)
    return any(a > b for a, b in pairwise(counts))


@settings(max_examples=400)
@given(st.sampled_from(ENCODINGS), texts)
def test_every_limit_against_all_beginnings(encoding, text):
    check(encoding, text, lambda counts: {0, 1, 2, counts[-1] - 1, counts[-1], *range(3, counts[-1], 5)} - {-1})


def test_counts_go_down():
    """What makes the search hard does occur here."""
    rng = random.Random(1)
    down = [check(encoding, "".join(rng.choices(PIECES, k=9)), lambda counts: [3]) for encoding in ENCODINGS * 20]
    assert sum(down) > 0.1 * len(down)
    toy = learned("gpt2")
    assert toy.count("straw") > toy.count("strawb") or toy.count("banana") > toy.count("bananas")


@pytest.mark.parametrize("encoding", ENCODINGS, ids=lambda e: e.pattern.name)
def test_long_stretches_without_a_safe_place(encoding, monkeypatch):
    monkeypatch.setattr(limits, "_LONG", 40)
    rng = random.Random(3)
    size = 60 if encoding.pattern.family == "custom" or encoding.pattern.normalize else 250
    for _ in range(4):
        text = ""
        while len(text) < size:
            text += rng.choice(RUNS) * rng.choice([1, 2, 3, 9, 40])
        check(encoding, text, lambda counts: {0, 1, 2, counts[-1] - 1, *rng.choices(range(counts[-1]), k=5)})


@pytest.mark.parametrize("pattern", ["gpt2", "cl100k", "o200k"])
@pytest.mark.parametrize("run", ["a", "ACGTTGCA", " ", "=", "1", "\u4e2d\u6587", " \n", "aB"])
def test_long_runs_take_no_quadratic_time(pattern, run, monkeypatch):
    """A search that counts every beginning of a long text would not come back."""
    encoding, text, looked = learned(pattern), run * (5_000 // len(run)), []
    monkeypatch.setattr(limits, "split", lambda text, pattern: looked.append(len(text)) or split(text, pattern))
    for n in (7, 300):
        short = truncate(encoding, text, n)
        assert encoding.count(short) <= n < min(encoding.count(text[: len(short) + i]) for i in range(1, 40))
        assert not within_limit(encoding, text, n)
    if (pattern, run) != ("o200k", " \n"):  # there each beginning is cut in another way
        assert sum(looked) < 20 * len(text)


def test_a_beginning_may_be_cut_otherwise_than_the_whole():
    """In o200k the small letter at the end holds the word together; without it the capitals stand apart."""
    ranks = {bytes((i,)): i for i in range(256)} | {b"\xaaA": 256, b"AA": 257, b"AAA": 258}
    toy = Encoding("toy", pat_str="o200k", mergeable_ranks=ranks)
    assert [toy.count("\u00aaAAAAb"[:end]) for end in range(7)] == [0, 2, 3, 3, 3, 4, 4]
    assert beginnings("\u00aaAAAA".encode(), toy, 9)[-1] == 3
    assert truncate(toy, "\u00aaAAAAb", 3) == "\u00aaAAA" and truncate(toy, "\u00aaAAAAb", 4) == "\u00aaAAAAb"


def test_a_text_that_is_too_long_is_not_read(monkeypatch):
    encoding = learned("gpt2")
    most = 3 * encoding.longest_token
    read = []
    monkeypatch.setattr(
        Encoding,
        "count",
        lambda self, text, real=Encoding.count, **how: read.append(len(text)) or real(self, text, **how),
    )
    assert not within_limit(encoding, "word " * 100_000, 300) and sum(read) < 3000
    read.clear()
    assert not within_limit(encoding, "a" * (most + 1), 3) and read == []
    assert len(truncate(encoding, "word " * 100_000, 300)) > 300 and sum(read) < 10_000


def test_the_longest_tokens_may_spell_all():
    ranks = {bytes((i,)): i for i in range(256)} | {b"a" * n: 255 + n for n in (2, 4, 8)}
    assert truncate(Encoding("x", pat_str="gpt2", mergeable_ranks=ranks), "a" * 99, 3) == "a" * 24
    ranks = {bytes((i,)): i for i in range(256)} | {"\u01d6".encode() * 8: 256}  # 3 characters are 2 bytes in NFC
    assert (
        truncate(Encoding("x", pat_str="qwen2", mergeable_ranks=ranks), "u\u0308\u0304" * 9, 1) == "u\u0308\u0304" * 8
    )


def test_special_tokens_are_plain_text():
    encoding = learned("gpt2")
    assert encoding.count("<|end|>", allowed_special="all") == 1
    assert not within_limit(encoding, "<|end|>", 1) and truncate(encoding, "<|end|>", 2) != "<|end|>"


def test_half_a_character_is_never_left():
    assert truncate(learned("gpt2"), "\U0001f600a", 3) == ""
    assert truncate(learned("gpt2"), "\ud83d\ude00a", 4) == "\U0001f600"


def test_nothing():
    encoding = learned("o200k")
    assert truncate(encoding, "", 0) == truncate(encoding, "", 5) == truncate(encoding, "words", 0) == ""
    assert within_limit(encoding, "", 0) and not within_limit(encoding, "a", 0)


@pytest.mark.parametrize("limit", [truncate, within_limit, Encoding.truncate, Encoding.within_limit])
def test_wrong_arguments_are_refused(limit):
    encoding = learned("gpt2")
    for wrong in (-1, 1.5, "3", None):
        with pytest.raises(ConfigError, match="a limit of"):
            limit(encoding, "text", wrong)
    with pytest.raises(DTypeError, match="the text is a bytes"):
        limit(encoding, b"text", 3)
    assert limit(encoding, "a", np.int64(1)) in ("a", True)


@given(
    st.sampled_from([e for e in ENCODINGS if e.pattern.name == "none"]),
    st.text("anstrwbey ", max_size=30),
    st.integers(1, 30),
)
def test_beginnings_are_those_of_merging_each(encoding, text, room):
    piece = text.encode()
    counts = [len(bytepair.merge_all(piece[:end], encoding.rank)) for end in range(len(piece) + 1)]
    found = beginnings(piece, encoding, room)
    assert found == counts[: len(found)]
    assert all(count > room for count in counts[len(found) :])


def test_beginnings_stop_where_none_can_fit():
    encoding = learned("none")
    assert len(beginnings(b"xq" * 1000, encoding, 10)) < 20 + encoding.longest_token
