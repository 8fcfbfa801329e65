"""From ranks to merges and back: the claim that a token is only ever made of one pair."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinyllm.errors import ConfigError
from tinyllm.tokenizer import Encoding
from tinyllm.tokenizer.bytepair import by_id
from tinyllm.tokenizer.files.merges import check_ids_say_it_all, made_of, merges_of, never_made

BYTES = [bytes((byte,)) for byte in range(256)]
words = st.lists(st.text("abc", min_size=2, max_size=6), unique=True, max_size=14)
probes = st.lists(st.text("abc", max_size=24), min_size=1, max_size=6)


def of_ranks(tokens: list[str]) -> Encoding:
    ranks = {token: i for i, token in enumerate(BYTES + [word.encode() for word in tokens])}
    return Encoding("ranks", pat_str=None, mergeable_ranks=dict(sorted(ranks.items())))  # not in the order of ids


@given(words, probes)
def test_merges_give_the_ids_of_any_ranks_whatever_their_order(tokens, texts):
    """Even where a token of low rank is only reached through one of high rank."""
    by_ranks = of_ranks(tokens)
    merges = merges_of(by_ranks)
    by_merges = Encoding("merges", pat_str=None, mergeable_ranks=by_ranks.ranks, merges=merges, ignore_merges=True)
    for text in [*texts, *tokens]:
        assert by_merges.encode(text) == by_ranks.encode(text)


@given(words, probes, st.randoms(use_true_random=False))
def test_ranks_that_are_said_to_do_give_the_ids_of_merges(tokens, texts, random):
    """Any list of merges: either it is refused, or its ranks alone give the same ids."""
    by_ranks = of_ranks(tokens)
    ranks = by_ranks.ranks
    pairs = [(t[:k], t[k:]) for t in ranks for k in range(1, len(t)) if t[:k] in ranks and t[k:] in ranks]
    merges = merges_of(by_ranks) if random.random() < 0.8 else []
    merges += random.sample(pairs, random.randint(0, len(pairs)))
    if random.random() < 0.8:
        merges.sort(key=lambda pair: ranks[pair[0] + pair[1]])
    whole = random.random() < 0.8
    encoding = Encoding("merges", pat_str=None, mergeable_ranks=ranks, merges=merges, ignore_merges=whole)
    try:
        check_ids_say_it_all(encoding)
    except ConfigError:
        return
    for text in [*texts, *tokens]:
        assert by_ranks.encode(text) == encoding.encode(text)


def test_learned_merges_follow_from_their_ids(made):
    for name in ("merges", "llama3", "o200k", "none"):
        encoding = made(name)
        check_ids_say_it_all(encoding)
        made_again = made_of(encoding.ranks, by_id(encoding.ranks))
        assert [made_again[left + right] for left, right in encoding.merges] == encoding.merges


def test_what_ranks_cannot_say_is_refused_and_named(made):
    with pytest.raises(ConfigError, match=r"unordered: the merges cannot be told from the ids, b'.*keep the merges"):
        check_ids_say_it_all(made("unordered"))
    ranks = {token: i for i, token in enumerate([*BYTES, b"ab", b"bc", b"abc"])}
    other = Encoding("other", pat_str=None, mergeable_ranks=ranks, merges=[(b"a", b"b"), (b"b", b"c"), (b"a", b"bc")])
    with pytest.raises(ConfigError, match="b'abc' for one"):
        check_ids_say_it_all(other)


def test_tokens_that_no_merge_makes(made):
    assert never_made(made("merges")) == never_made(made("ranks")) == []
    assert never_made(made("whole")) == [b" quixotic", "\u00e9t\u00e9s".encode()]


def test_a_merge_that_is_there_twice_counts_once():
    ranks = {token: i for i, token in enumerate([*BYTES, b"ab", b"bc"])}
    merges = [(b"a", b"b"), (b"b", b"c"), (b"a", b"b")]
    encoding = Encoding("twice", pat_str=None, mergeable_ranks=ranks, merges=merges)
    assert merges_of(encoding) == merges[:2]


def test_long_tokens_take_no_quadratic_time():
    tokens = ["a" * 2**k for k in range(1, 15)]
    assert list(made_of([token.encode() for token in tokens], by_id(of_ranks(tokens).ranks)).values())[-1] == (
        b"a" * 2**13, b"a" * 2**13,
    )  # fmt: skip
