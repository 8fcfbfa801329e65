"""Small vocabularies that have what makes files go wrong, and texts that would show it."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from tinyllm.tokenizer import PATTERNS, Encoding, split
from tinyllm.tokenizer.bytepair import ALPHABET, train

SONG = "The owl and the pussycat went to sea in a beautiful pea-green boat, they took some honey " * 3
SONG += "'s 'LL don't 1234 56\n\n  aaaaaaa été \u4e2d\u6587 \u0928\u093f"
MADE = ("merges", "ranks", "unordered", "whole", "cl100k", "llama3", "o200k", "qwen2", "nfc", "nanochat", "none")


def learned(pattern: str, n: int = 340) -> list[tuple[bytes, bytes]]:
    """Merges learned from a song."""
    words: dict[bytes, int] = {}
    for piece in split(SONG, pattern):
        words[piece.encode()] = words.get(piece.encode(), 0) + 1
    return [(merge.left, merge.right) for merge in train(words, n)]


def numbered(merges: list[tuple[bytes, bytes]]) -> dict[bytes, int]:
    """Ids as GPT-2 gives them: single bytes in the order of its alphabet, then the merges."""
    tokens = [bytes((byte,)) for byte in ALPHABET] + [left + right for left, right in merges]
    return {token: i for i, token in enumerate(tokens)}


def make(name: str) -> Encoding:
    """One of MADE."""
    pattern = {"merges": "gpt2", "ranks": "gpt2", "unordered": "gpt2", "whole": "llama3", "nfc": "gpt2"}.get(name, name)
    merges = learned(pattern)
    ranks = numbered(merges)
    specials = {"<|endoftext|>": len(ranks), "<|a|>": len(ranks) + 3, "<|a|>>": len(ranks) + 1, "<\u4e2d>": 600}
    kept = merges if name not in ("ranks", "cl100k") else None
    if name == "unordered":  # ids that say nothing of the order of merges
        shuffled = np.random.default_rng(7).permutation(len(ranks))
        ranks = {token: int(i) for token, i in zip(ranks, shuffled, strict=True)}
    if name == "whole":  # tokens that no merge makes, as 588 of Llama 3's
        ranks |= {b" quixotic": 601, "\u00e9t\u00e9s".encode(): 602}
    found = PATTERNS[pattern]
    if name == "nfc":
        found = dataclasses.replace(found, normalize="NFC")
    return Encoding(
        name, pat_str=found, mergeable_ranks=ranks, special_tokens=specials, merges=kept,
        ignore_merges=True if name == "whole" else None,
    )  # fmt: skip


_CACHE: dict[str, Encoding] = {}


@pytest.fixture
def made():
    """Make one of MADE, once."""

    def get(name: str) -> Encoding:
        if name not in _CACHE:
            _CACHE[name] = make(name)
        return _CACHE[name]

    return get


@pytest.fixture(params=MADE)
def encoding(request, made) -> Encoding:
    """Each of MADE in turn."""
    return made(request.param)


@pytest.fixture(scope="session")
def texts() -> list[str]:
    """Texts rich in borders: spaces, quotes, digits, marks, line ends, special tokens, and the song."""
    rng = np.random.default_rng(11)
    parts = [*SONG.split(" "), *" \n\r\t'123/!", "  ", "'s", "'LL", "'\u017f", "\u0301", "e\u0301", "\u00e9t\u00e9s"]
    parts += ["\u4e2d", "\u093f", "\xa0", "\x85", "\x1c", "\u2028", "\U0001f600", "\u00bd", " quixotic", "quixotic"]
    parts += ["<|endoftext|>", "<|a|>", "<|a|>>", "<\u4e2d>", "<|a", "aaaa", " the", " beau"]
    made = ["".join(rng.choice(parts, size=rng.integers(0, 9))) for _ in range(400)]
    return [*made, "", " ", "quixotic quixotic", SONG]


@pytest.fixture
def same(texts):
    """Hold two encodings against each other on all texts."""

    def check(a: Encoding, b: Encoding) -> None:
        for text in texts:
            expected = a.encode(text, allowed_special="all")
            assert b.encode(text, allowed_special="all") == expected, text
            assert b.encode_ordinary(text) == a.encode_ordinary(text), text
        assert b.specials.ids == a.specials.ids
        assert b.ranks == a.ranks

    return check
