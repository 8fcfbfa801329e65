from __future__ import annotations

import random
from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinyllm.errors import ConfigError, RangeError
from tinyllm.tokenizer import bytepair
from tinyllm.tokenizer.bytepair import ALPHABET, TIES, Merge, by_id, decode, encode, merge_all, merge_all_by_heap, train

BYTES = {bytes((i,)): i for i in range(256)}


def by_counting_anew(words: dict[bytes, int], count: int, tie: str) -> list[Merge]:
    """Training as it is told in one sentence: count all pairs, merge the best everywhere, begin again."""
    numbers = ALPHABET if tie == "huggingface" else range(256)
    ids = {bytes((byte,)): i for i, byte in enumerate(numbers)}
    texts = [([bytes((byte,)) for byte in word], n) for word, n in words.items()]
    merges = []
    while len(merges) < count:
        pairs: Counter[tuple[bytes, bytes]] = Counter()
        for parts, n in texts:
            for pair in pairwise(parts):
                pairs[pair] += n
        if not pairs:
            break
        most = max(pairs.values())
        best = [pair for pair, n in pairs.items() if n == most]  # in the order in which they occur
        if tie == "bytes":
            pair = max(best)
        elif tie == "bytes_min":
            pair = min(best)
        elif tie == "first":
            pair = best[0]
        else:
            pair = min(best, key=lambda p: (ids[p[0]], ids[p[1]]))
        merges.append(Merge(*pair, most))
        ids.setdefault(pair[0] + pair[1], len(ids))
        for parts, _ in texts:
            i = 0
            while i < len(parts) - 1:
                if (parts[i], parts[i + 1]) == pair:
                    parts[i : i + 2] = [parts[i] + parts[i + 1]]
                i += 1
    return merges


words = st.dictionaries(st.binary(min_size=1, max_size=9), st.integers(1, 5), min_size=1, max_size=9)


@pytest.mark.parametrize("tie", TIES)
@given(words=st.dictionaries(st.text("ab c", min_size=1, max_size=9).map(str.encode), st.integers(1, 5), max_size=9))
def test_training_is_counting_anew_for_every_merge(tie, words):
    expected = by_counting_anew(words, 12, tie)
    spelled = {merge.left + merge.right for merge in expected}
    assert train(words, 256 + len(spelled), tie)[: len(expected)] == expected


def test_known_merges():
    """From the paper's own example, with spaces for its ends of words."""
    learned = train({b"low ": 5, b"lower ": 2, b"newest ": 6, b"widest ": 3}, 256 + 6, "first")
    assert [merge.left + merge.right for merge in learned] == [b"es", b"est", b"est ", b"lo", b"low", b"ne"]
    assert [merge.times for merge in learned] == [9, 9, 9, 7, 7, 6]


def test_rules_part_where_counts_are_equal():
    words = {b"zy": 2, b"ab": 2, b"!a": 2, b"\xa1b": 2}
    first = {tie: train(words, 257, tie)[0][:2] for tie in TIES}
    assert first == {
        "bytes": (b"\xa1", b"b"),
        "bytes_min": (b"!", b"a"),
        "ids": (b"!", b"a"),
        "huggingface": (b"!", b"a"),
        "first": (b"z", b"y"),
    }
    words = {b" a": 2, b"aa": 2}  # the space is the 221st of the alphabet
    assert train(words, 257, "ids")[0][:2] == (b" ", b"a") and train(words, 257, "huggingface")[0][:2] == (b"a", b"a")


def test_training_stops_when_no_pair_is_left_or_frequent_enough():
    assert len(train({b"abc": 1}, 1000)) == 2
    assert train({b"abc": 1, b"ab": 1}, 1000, min_frequency=2) == [Merge(b"a", b"b", 2)]
    assert len(train({b"abc": 1}, 1000, min_frequency=0)) == 2
    assert train({}, 300) == train({b"a": 9}, 300) == []


def test_no_token_gets_longer_than_asked():
    learned = train({b"abababab": 3}, 300, max_token_length=3)
    assert learned and max(len(merge.left + merge.right) for merge in learned) <= 3


def test_an_unknown_rule_names_the_nearest():
    with pytest.raises(ConfigError, match="Try: first"):
        train({b"ab": 1}, 300, "frist")


def test_the_heap_merges_what_looking_over_all_merges():
    """With ranks in any order, some equal: what merges lead to may rank before them."""
    rng = random.Random(5)
    for _ in range(1500):
        piece = bytes(rng.choices(b"abc", k=rng.randint(0, 40)))
        tokens = [bytes(rng.choices(b"abc", k=rng.randint(2, 6))) for _ in range(60)]
        ranks = BYTES | {token: rng.randint(0, 30) for token in tokens}
        assert merge_all_by_heap(piece, by_id(ranks)) == merge_all(piece, by_id(ranks)), (piece, tokens)


@given(st.text("abc", max_size=70).map(str.encode), words)
def test_encode_spells_the_piece(piece, words):
    ranks = dict(BYTES)
    for merge in train({bytes(b % 3 + 97 for b in word): n for word, n in words.items()}, 290):
        ranks.setdefault(merge.left + merge.right, len(ranks))
    assert decode(encode(piece, ranks), {i: token for token, i in ranks.items()}) == piece


def test_a_piece_that_is_a_token_is_taken_whole():
    ranks = BYTES | {b"abc": 256}  # no two tokens join into it
    assert encode(b"abc", ranks) == [256]
    assert encode(b"abcd", ranks) == [97, 98, 99, 100]


def test_the_leftmost_of_equals_merges_first():
    assert merge_all(b"aaa", by_id(BYTES | {b"aa": 256})) == [b"aa", b"a"]
    assert bytepair.merged([b"a"] * 5, (b"a", b"a")) == [b"aa", b"aa", b"a"]


def test_merges_may_be_ranked_by_their_halves():
    order = {(b"b", b"c"): 0, (b"a", b"bc"): 1}
    ranks = BYTES | {b"bc": 256, b"abc": 257, b"ab": 258}
    assert encode(b"abcab", ranks, lambda left, right: order.get((left, right))) == [257, 97, 98]


def test_an_unknown_id_is_named():
    with pytest.raises(RangeError, match="no token 9"):
        decode([1, 9], {1: b"a"})


def test_the_alphabet_of_gpt2():
    assert sorted(ALPHABET) == list(range(256))
    assert [ALPHABET.index(byte) for byte in b"!a \x00"] == [0, 64, 220, 188]
