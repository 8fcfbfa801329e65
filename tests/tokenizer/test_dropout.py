from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinyllm.errors import ConfigError, DTypeError
from tinyllm.tokenizer import Encoding
from tinyllm.tokenizer.dropout import encode_with_dropout

BYTES = {bytes((i,)): i for i in range(256)}
TOKENS = [b"an", b"na", b"ban", b"anan", b"ana", b"aa", b"nan", b" b"]
TOY = Encoding("toy", pat_str="gpt2", mergeable_ranks=BYTES | {token: 256 + i for i, token in enumerate(TOKENS)})
ODD = Encoding("odd", pat_str="gpt2", mergeable_ranks=BYTES | {b"abc": 256})  # no merges lead to abc


def law(parts: tuple[bytes, ...], rank, dropout: float) -> Counter:
    """The probability of every outcome, by the algorithm of the paper: drop pairs, merge the best that is left."""
    pairs = [(r, i) for i in range(len(parts) - 1) if (r := rank(parts[i], parts[i + 1])) is not None]
    outcomes: Counter = Counter({parts: dropout ** len(pairs)})
    for place, (_, i) in enumerate(sorted(pairs)):  # all before it dropped, and it not
        merged = (*parts[:i], parts[i] + parts[i + 1], *parts[i + 2 :])
        for outcome, chance in law(merged, rank, dropout).items():
            outcomes[outcome] += dropout**place * (1 - dropout) * chance
    return outcomes


@pytest.mark.parametrize("word", ["banan", "aaaa", "nanan"])
@pytest.mark.parametrize("dropout", [0.1, 0.5, 0.9])
def test_outcomes_have_the_probabilities_of_the_paper(word, dropout, rng):
    times = 4000
    expected = law(tuple(bytes((byte,)) for byte in word.encode()), TOY.rank, dropout)
    assert sum(expected.values()) == pytest.approx(1)
    found = Counter(tuple(TOY.decode_tokens_bytes(TOY.encode_with_dropout(word, dropout, rng))) for _ in range(times))
    assert set(found) <= set(expected)
    for outcome, chance in expected.items():
        spread = (times * chance * (1 - chance)) ** 0.5
        assert abs(found[outcome] - times * chance) < 4.5 * spread + 1, outcome


@given(st.text(max_size=30), st.floats(0, 1), st.integers(0, 1000))
def test_decode_gives_the_text_back(text, dropout, seed):
    ids = TOY.encode_with_dropout(text, dropout, np.random.default_rng(seed))
    assert TOY.decode(ids) == text


@given(st.text("ban abc", max_size=30))
def test_the_two_ends(text):
    rng = np.random.default_rng(1)
    for toy in (TOY, ODD):
        assert toy.encode_with_dropout(text, 0, rng) == toy.encode_ordinary(text)
        assert toy.encode_with_dropout(text, 1.0, rng) == list(text.encode())


def test_a_piece_is_taken_whole_only_where_nothing_is_dropped(rng):
    assert ODD.encode_with_dropout("abc", 0, rng) == [256]
    assert ODD.encode_with_dropout("abc", 1e-9, rng) == [97, 98, 99]


def test_only_the_generator_decides():
    once, again, other = (
        [TOY.encode_with_dropout("bananas and bananas", 0.3, np.random.default_rng(seed)) for _ in range(3)]
        for seed in (1, 1, 2)
    )
    assert once == again != other


def test_merges_in_their_order():
    ranks = BYTES | {b"ab": 256, b"bc": 257}
    toy = Encoding("toy", pat_str="gpt2", mergeable_ranks=ranks, merges=[(b"b", b"c"), (b"a", b"b")])
    found = Counter(tuple(toy.encode_with_dropout("abc", 0.2, np.random.default_rng(seed))) for seed in range(500))
    assert found[97, 257] > found[256, 99] > 20 and sum(found.values()) == 500


def test_long_pieces_take_no_quadratic_time():
    text = "a" * 20_000
    ids = TOY.encode_with_dropout(text, 0.1, np.random.default_rng(3))
    assert TOY.decode(ids) == text and 10_000 < len(ids) < 13_000


def test_special_tokens_and_surrogates():
    rng = np.random.default_rng(0)
    toy = Encoding("toy", pat_str="gpt2", mergeable_ranks=BYTES, special_tokens={"<|end|>": 256})
    assert toy.encode_with_dropout("<|end|>", 0.1, rng) == list(b"<|end|>")
    assert toy.decode(toy.encode_with_dropout("\ud83d\ude00 \ud83d", 0.1, rng)) == "\U0001f600 \ufffd"
    assert toy.encode_with_dropout("", 0.5, rng) == []


@pytest.mark.parametrize("wrong", [-0.1, 1.1, float("nan"), None, "0.1"])
def test_what_is_no_probability_is_refused(wrong, rng):
    with pytest.raises(ConfigError, match="not a probability"):
        encode_with_dropout(TOY, "text", wrong, rng)


@pytest.mark.parametrize("wrong", [None, 7, np.random.RandomState(1), np.random])
def test_what_is_no_generator_is_refused(wrong):
    with pytest.raises(DTypeError, match=r"default_rng\(seed\)"):
        encode_with_dropout(TOY, "text", 0.1, wrong)
    with pytest.raises(DTypeError, match="the text is a bytes"):
        encode_with_dropout(TOY, b"text", 0.1, np.random.default_rng(1))
