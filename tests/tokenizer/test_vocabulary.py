from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinyllm.errors import ConfigError, DTypeError, TokenError
from tinyllm.tokenizer.vocabulary import Vocabulary

BYTES = {bytes((i,)): i for i in range(256)}
RANKS = BYTES | {b"he": 256, b"\xe2\x82": 257, b"\xac!": 258, "né".encode(): 260}
SPECIALS = {"<|end|>": 300, "<|also the end|>": 300, "<|endoftext|>": 301}


@pytest.fixture
def toy() -> Vocabulary:
    return Vocabulary("toy", RANKS, SPECIALS)


ids_of_the_toy = st.lists(st.sampled_from([*range(259), 260, 300, 301]))


def test_what_there_is(toy):
    assert (toy.n_vocab, toy.max_token_value, toy.eot_token) == (302, 301, 301)
    assert toy.special_tokens_set == set(SPECIALS)
    assert toy.token_byte_values() == sorted(RANKS) and toy.longest_token == 3
    assert [i for i in range(302) if toy.is_special_token(i)] == [300, 301]
    assert toy.token_byte_values() is not toy.token_byte_values()  # a list that the caller may change


def test_every_token_goes_both_ways(toy):
    for token, i in RANKS.items():
        assert toy.encode_single_token(token) == i and toy.decode_single_token_bytes(i) == token
    assert toy.encode_single_token("né") == 260 and toy.encode_single_token("<|also the end|>") == 300
    assert toy.decode([300]) == "<|end|>"  # of two names for one id, the first


@given(ids_of_the_toy)
def test_decoding_joins_the_bytes(ids):
    toy = Vocabulary("toy", RANKS, SPECIALS)
    spelled = {i: token for token, i in RANKS.items()} | {300: b"<|end|>", 301: b"<|endoftext|>"}
    data = b"".join([spelled[i] for i in ids])
    assert toy.decode_bytes(ids) == data == b"".join(toy.decode_tokens_bytes(ids))
    assert toy.decode(ids) == data.decode("utf-8", "replace")
    assert toy.decode(ids, errors="ignore") == data.decode("utf-8", "ignore")
    for dtype in (np.uint16, np.int64):
        assert toy.decode(np.array(ids, dtype)) == toy.decode(ids) == toy.decode(iter(ids))


def test_decoding_may_be_strict(toy):
    with pytest.raises(UnicodeDecodeError):
        toy.decode([257], errors="strict")


@pytest.mark.parametrize("wrong", [-1, -302, 259, 299, 302, 10**30])
def test_an_id_that_stands_for_nothing_is_named(toy, wrong):
    for decode in (toy.decode, toy.decode_bytes, toy.decode_tokens_bytes, toy.decode_with_offsets, toy.spans):
        with pytest.raises(TokenError, match=f"no token {wrong}\\b"):
            decode([97, wrong, 98])
    with pytest.raises(KeyError):
        toy.decode_single_token_bytes(wrong)
    with pytest.raises(IndexError):
        list(toy.decode_stream([wrong]))


@pytest.mark.parametrize("wrong", [5, None, "ab", ["a"], [1.5], [None], [[1]], np.array([[1]]), np.array([1.0])])
def test_what_is_no_ids_is_refused(toy, wrong):
    with pytest.raises(DTypeError, match="no token ids"):
        toy.decode(wrong)


def test_what_is_no_token_is_named(toy):
    for wrong in ("hello", b"hello", "\ud800", b"", 5):
        with pytest.raises(TokenError, match="is no token"):
            toy.encode_single_token(wrong)
    with pytest.raises(KeyError, match="endoftext"):
        Vocabulary("bare", BYTES, {}).eot_token  # noqa: B018


def test_offsets_of_tokens(toy):
    assert toy.decode_with_offsets([256, 257, 258, 260, 300]) == ("he€!né<|end|>", [0, 2, 2, 4, 6])
    with pytest.raises(UnicodeDecodeError):
        toy.decode_with_offsets([257])


def test_batches(toy):
    batch = [[256], [], [97, 98]]
    assert toy.decode_batch(batch) == ["he", "", "ab"] and toy.decode_bytes_batch(batch) == [b"he", b"", b"ab"]
    assert toy.decode_batch([[257]], errors="ignore") == [""]


@pytest.mark.parametrize(
    ("ranks", "specials", "said"),
    [
        ({}, {}, "256 of the 256 single bytes"),
        ({token: i for token, i in BYTES.items() if i != 7}, {}, "0x07 for one"),
        (BYTES | {b"": 256}, {}, "b'' cannot be a token"),
        (BYTES | {"ab": 256}, {}, "'ab' cannot be a token"),
        (BYTES | {b"ab": 255}, {}, "two tokens have the same id"),
        (BYTES | {b"ab": -1}, {}, "-1 cannot be the id"),
        (BYTES | {b"ab": 1.5}, {}, "1.5 cannot be the id"),
        (BYTES | {b"ab": 1 << 31}, {}, "2147483648 cannot be the id"),
        (BYTES, {"<|a|>": 5}, "another token's"),
        (BYTES, {"<|a|>": -5}, "-5 cannot be the id"),
        (BYTES, {"<|a|>": None}, "None cannot be the id"),
        (BYTES, {"": 256}, "cannot be a special token"),
    ],
)
def test_a_vocabulary_that_contradicts_itself_is_refused(ranks, specials, said):
    with pytest.raises(ConfigError, match=said):
        Vocabulary("wrong", ranks, specials)


@pytest.mark.parametrize(
    ("merges", "counts", "said"),
    [
        ([(b"a", b"b")], None, "b'a' and b'b' is not one of tokens"),
        ([(b"h", b"e"), (b"he", b"x")], None, "b'he' and b'x'"),
        ([(b"h", b"e")], [1, 2], "2 counts for 1 merges"),
        (None, [1], "1 counts for 0 merges"),
    ],
)
def test_merges_are_of_tokens(merges, counts, said):
    Vocabulary("right", RANKS, {}, [(b"h", b"e")], [3])
    with pytest.raises(ConfigError, match=said):
        Vocabulary("wrong", RANKS, {}, merges, counts)


def test_what_was_given_is_copied():
    ranks, specials, merges = dict(RANKS), dict(SPECIALS), [(b"h", b"e")]
    toy = Vocabulary("toy", ranks, specials, merges)
    ranks.clear(), specials.clear(), merges.clear()
    assert toy.ranks == RANKS and toy.specials.ids == SPECIALS and toy.merges == [(b"h", b"e")]


def test_copies_decode_the_same(toy):
    assert toy.token_byte_values()
    for again in (pickle.loads(pickle.dumps(toy)), copy.copy(toy), copy.deepcopy(toy)):
        assert again.decode([256, 300]) == "he<|end|>" and again.token_byte_values() == sorted(RANKS)
