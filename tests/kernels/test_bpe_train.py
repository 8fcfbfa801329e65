"""Counting words and learning merges in Numba, held to plain Python: every rung and tie rule, any cut into blocks."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest

from tinyllm.errors import KernelError
from tinyllm.kernels.bpe import train as training
from tinyllm.kernels.bpe.count import WordCounter, Words, words_of
from tinyllm.kernels.bpe.packed import _SPREAD, packed_or_hashed
from tinyllm.kernels.bpe.split import FAMILIES, PADDING
from tinyllm.kernels.compiler import njit
from tinyllm.tokenizer import PATTERNS, bytepair, split
from tinyllm.tokenizer.unicode16 import classes

RUNGS = [training.train_v1, training.train_v2, training.train_v3]
MANY = 1000  # merges: more than any of these words have


def learn(words, tie, rung=training.train_v3, n_merges=MANY, **options):
    """Train on a dictionary of words; return (left, right, count) of each merge, in bytes."""
    tokens = [bytes((byte,)) for byte in (bytepair.ALPHABET if tie == "huggingface" else range(256))]
    byte_ids = np.empty(256, np.int32)
    byte_ids[[token[0] for token in tokens]] = np.arange(256)
    merges, times = training.train(words_of(words), byte_ids, n_merges, tie, rung=rung, **options)
    learned = []
    for (left, right), count in zip(merges.tolist(), times.tolist(), strict=True):
        learned.append((tokens[left], tokens[right], count))
        tokens.append(tokens[left] + tokens[right])
    return learned


def plain(words, tie, n_merges=MANY, min_frequency=1, max_token_length=None):
    return [tuple(merge) for merge in bytepair.train(words, 256 + n_merges, tie, min_frequency, max_token_length)]


def random_words(rng, letters, words, longest):
    found = {}
    for _ in range(words):
        word = bytes(rng.integers(97, 97 + letters, rng.integers(1, longest + 1)).astype(np.uint8))
        found[word] = found.get(word, 0) + int(rng.integers(1, 6))
    return found


# merges


@pytest.mark.parametrize("rung", RUNGS)
@pytest.mark.parametrize("tie", bytepair.TIES)
def test_random_words(rung, tie, rng):
    for letters, words, longest in [(1, 3, 23), (2, 5, 13), (2, 17, 7), (3, 31, 11), (5, 67, 5)] * 4:
        found = random_words(rng, letters, words, longest)
        least, limit = int(rng.integers(1, 4)), [None, 2, 3, 5][rng.integers(4)]
        options = {"min_frequency": least, "max_token_length": limit}
        assert learn(found, tie, rung, **options) == plain(found, tie, **options), (found, options)


@pytest.mark.parametrize("tie", bytepair.TIES)
def test_random_bytes(tie, rng):
    """All byte values, so that numbering them and comparing them as unsigned both matter."""
    data = rng.integers(0, 256, 3000).astype(np.uint8).tobytes()
    found = {data[i : i + 7]: 1 for i in range(0, len(data), 7)}
    expected = plain(found, tie, 200)
    for rung in RUNGS:
        assert learn(found, tie, rung, 200) == expected


@pytest.mark.parametrize("rung", RUNGS)
def test_overlapping_pairs_count_twice_and_merge_from_the_left(rung):
    assert learn({b"aaa": 1, b"xy": 1}, "ids", rung) == [(b"a", b"a", 2), (b"x", b"y", 1), (b"aa", b"a", 1)]
    assert learn({b"aaaaa": 1}, "ids", rung) == [(b"a", b"a", 4), (b"aa", b"a", 1), (b"aa", b"aaa", 1)]


@pytest.mark.parametrize("rung", RUNGS)
def test_the_rules_differ(rung):
    words = {b"dc": 5, b"ba": 5, b"!z": 5, b"\xffa": 5, b"\x00a": 5}
    firsts = {tie: learn(words, tie, rung)[0][0] for tie in bytepair.TIES}
    assert firsts == {"first": b"d", "ids": b"\x00", "huggingface": b"!", "bytes": b"\xff", "bytes_min": b"\x00"}


@pytest.mark.parametrize("rung", RUNGS)
def test_bytes_are_compared_beyond_what_fits_a_number(rung):
    """Tokens that begin with the same seven bytes and more, and one that another begins with."""
    words = {b"abcdefghij" + tail: 3 for tail in (b"", b"k", b"kl", b"m", b"\x00", b"\x00\x00", b"\xff")}
    words |= {tail + b"abcdefghij": 3 for tail in (b"k", b"kl", b"m", b"\x00", b"\xff")}
    for tie in ("bytes", "bytes_min"):
        assert learn(words, tie, rung) == plain(words, tie)


def test_every_pair_of_bytes():
    words = {bytes((a, b)): 1 + (a == b) for a in range(256) for b in range(256)}
    expected = [(bytes((a,)), bytes((a,)), 2) for a in range(256)]
    for rung in RUNGS[1:]:
        assert learn(words, "ids", rung, 300) == expected + [(b"\x00", bytes((b,)), 1) for b in range(1, 45)]


@pytest.mark.parametrize("rung", RUNGS)
def test_counts_beyond_32_bits(rung):
    words = {b"ab": 2**31, b"abc": 2**32, b"de": 2**40 + 1, b"def": 2**40}
    expected = [(b"d", b"e", 2**41 + 1), (b"de", b"f", 2**40), (b"a", b"b", 2**31 + 2**32), (b"ab", b"c", 2**32)]
    assert learn(words, "ids", rung) == expected


def test_no_two_merges_spell_the_same_bytes(rng):
    for letters in (1, 2, 3):
        for tie in bytepair.TIES:
            learned = learn(random_words(rng, letters, 29, 19), tie)
            assert len({left + right for left, right, _ in learned}) == len(learned) > 10


@pytest.mark.parametrize("rung", RUNGS)
def test_nothing_to_merge(rung):
    assert learn({b"a": 7, b"b": 5}, "ids", rung) == learn({b"ab": 7}, "ids", rung, 0) == learn({}, "ids", rung) == []
    assert learn({b"ab": 2}, "ids", rung, min_frequency=3) == learn({b"ab": 2}, "ids", rung, max_token_length=1) == []


def test_words_stay_as_they_are():
    words = words_of({b"abab": 3, b"ba": 2})
    before = [array.copy() for array in words]
    training.train(words, np.arange(256, dtype=np.int32), 5, "first")
    assert all(np.array_equal(a, b) for a, b in zip(words, before, strict=True))


def test_too_many_bytes():
    huge = Words(np.broadcast_to(np.uint8(97), 2**31), np.array([0, 2**31]), np.array([1]))
    with pytest.raises(KernelError, match="2,147,483,648 bytes"):
        training.train(huge, np.arange(256, dtype=np.int32), 1, "ids")


def test_an_interrupt_stops_the_kernel(rng):
    """The thread that waits may be interrupted; the kernel must then stop, not train to the end."""
    found = []

    def interrupt(done):
        raise KeyboardInterrupt

    words, byte_ids = words_of(random_words(rng, 20, 5000, 60)), np.arange(256, dtype=np.int32)
    with pytest.raises(KeyboardInterrupt):
        training.train(
            words, byte_ids, 9000, "ids", progress=interrupt, rung=lambda *all: found.append(training.train_v1(*all))
        )
    assert 0 < found[0] < 9000


# words


def counter(pattern):
    table = np.frombuffer(classes(), np.uint8)
    return WordCounter(table, FAMILIES[pattern.family], pattern.digits, int(pattern.ends_whole))


def block(*segments):
    """Return segments as a counter takes them."""
    data, bounds = b"", []
    for segment in segments:
        bounds.append((len(data), len(data) + len(segment)))
        data += segment + bytes(PADDING)
    return np.frombuffer(data, np.uint8), np.array(bounds, np.int64).reshape(-1, 2)


def as_dict(words):
    text, bounds = words.text.tobytes(), words.starts.tolist()
    found = [text[i:j] for i, j in pairwise(bounds)]
    assert len(set(found)) == len(found)
    return dict(zip(found, words.counts.tolist(), strict=True))


def counted(text, pattern):
    return dict(Counter(piece.encode() for piece in split(text, pattern)))


TEXT = "Don't say 'it's' 12345 times!\n\n  \u00e9t\u00e9 \u4e2d\u6587\u3002\r\n" + "x" * 40 + " \U0001f600\n" * 3


@pytest.mark.parametrize("name", ["gpt2", "cl100k", "llama3", "nanochat", "o200k", "none"])
def test_words_come_in_the_order_of_their_first_appearance(name):
    one = counter(PATTERNS[name])
    one.count(*block(TEXT.encode()), 0)
    expected = counted(TEXT, name)
    assert list(as_dict(one.ordered()).items()) == list(expected.items())
    assert one.known == len(expected)


def test_no_piece_reaches_from_one_segment_into_the_next():
    one = counter(PATTERNS["gpt2"])
    one.count(*block(b"I'", b"s a", b"", b"b "), 0)
    assert as_dict(one.ordered()) == {b"I": 1, b"'": 1, b"s": 1, b" a": 1, b"b": 1, b" ": 1}


def test_tables_grow(rng):
    """Many words, many letters, one word longer than all room, and words that share their hash's first bytes."""
    words = [f" w{i}" for i in range(30000)] + [" " + "ab" * n for n in range(400)] + ["c" * 300_000, "c" * 300_001]
    order = rng.permutation(len(words)).tolist() * 2
    text = "".join(words[i] for i in order)
    one = counter(PATTERNS["gpt2"])
    one.count(*block(text.encode()), 0)
    assert list(as_dict(one.ordered()).items()) == list(counted(text, "gpt2").items())


@pytest.mark.parametrize("counters", [1, 2, 3])
def test_any_share_of_the_blocks_gives_the_same(counters, rng):
    lines = [" ".join(f"w{i}" for i in rng.zipf(1.3, 50) % 997) + "\n" for _ in range(60)]
    expected = counted("".join(lines), "cl100k")
    shares = [counter(PATTERNS["cl100k"]) for _ in range(counters)]
    offset = 0
    for line in lines:
        data, bounds = block(line.encode())
        shares[rng.integers(counters)].count(data, bounds, offset)
        offset += data.size
    for other in shares[:-1]:
        shares[-1].absorb(other)
    assert list(as_dict(shares[-1].ordered()).items()) == list(expected.items())


def test_a_counter_takes_in_more_than_it_has_room_for():
    one, other = counter(PATTERNS["none"]), counter(PATTERNS["none"])
    segments = [b"%d" % i for i in range(20000)] + [b"y" * 200_000]
    other.count(*block(*segments), 10**12)
    one.count(*block(b"7", b"z"), 0)
    one.absorb(other)
    assert as_dict(one.ordered()) == {b"7": 2, b"z": 1} | {s: 1 for s in segments if s != b"7"}
    assert list(as_dict(one.ordered()))[:4] == [b"7", b"z", b"0", b"1"]


def test_equal_hashes_are_no_equal_words():
    """Of long words the table knows a hash; two that share it are told apart by their bytes."""

    def stirred(state, eight):
        state = (state ^ int.from_bytes(eight, "little")) * int(_SPREAD) % 2**64
        return state ^ state >> 32

    def twin(word):
        """Change the first eight bytes, and the next eight so that the hash does not see it."""
        other = bytes(8)
        mend = stirred(len(word), word[:8]) ^ stirred(len(word), other) ^ int.from_bytes(word[8:16], "little")
        return other + mend.to_bytes(8, "little") + word[16:]

    word = bytes(range(97, 97 + 24))
    hashed = njit(lambda data: packed_or_hashed(data, 0, 24))
    both = [np.frombuffer(one + bytes(PADDING), np.uint8) for one in (word, twin(word))]
    assert hashed(both[0]) == hashed(both[1])
    one = counter(PATTERNS["none"])
    one.count(*block(word, twin(word), word), 0)
    assert as_dict(one.ordered()) == {word: 2, twin(word): 1}
