"""Truncation at sentences: in budget as joined, in one piece, as much as fits, and never nothing without need."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinyllm.errors import ConfigError, DTypeError
from tinyllm.tokenizer import Encoding
from tinyllm.tokenizer.sentences import sentence_spans
from tinyllm.tokenizer.truncate import furthest, smart_truncate, word_spans

RANKS = {bytes((i,)): i for i in range(256)}
for merged in (b"he", b"in", b"the", b". ", b"no", b"not", b"ing", b" a"):
    RANKS[merged] = len(RANKS)
TOY = Encoding("toy", pat_str="gpt2", mergeable_ranks=RANKS)
COUNTS = {
    "bytes": lambda text: len(text.encode("utf-8", "surrogatepass")),
    "words": lambda text: len(text.split()),
    "bpe": lambda text: TOY.count(text, disallowed_special=()),
    "odd": lambda text: len(text) - 3 * text.endswith("y"),  # shrinks where the text grows
}
TEXT = "Pi is 3.14, e.g. in the U.S. Who knew? Nobody did! Not one. See Fig. 3."
counts = st.sampled_from(sorted(COUNTS))
keeps = st.sampled_from(["start", "end", "both"])
parts = st.sampled_from(["One", "two", "Fig.", "3.14", ".", "?", " ", " ", "\n\n", "\u3002", "\u4f60\u597d", "y"])
texts = st.one_of(st.text(max_size=60), st.lists(parts, max_size=30).map("".join))


@given(texts, st.integers(0, 70), counts, keeps)
def test_laws(text, limit, name, keep):
    count = COUNTS[name]
    short = smart_truncate(text, limit, count, keep)
    if count(text) <= limit:
        assert short == text
        return
    assert not short or count(short) <= limit
    assert smart_truncate(short, limit, count, keep) == short
    if keep == "both" and " [...] " in short:
        head, tail = short.split(" [...] ") if short.count(" [...] ") == 1 else ("", "")
        assert text.strip().startswith(head) and text.strip().endswith(tail)
    else:
        assert (text.strip().endswith if keep == "end" else text.strip().startswith)(short) or not text.strip()
    if not short and text.strip():
        stripped = text.strip()
        assert count(stripped[-1 if keep == "end" else 0]) > limit


@given(st.lists(parts, min_size=3, max_size=30).map("".join), st.floats(0, 1), st.sampled_from(["words", "bytes"]))
def test_as_much_as_fits(text, share, name):
    """With a count that only grows, the next longer stretch at sentences is over the limit."""
    text, count = "One. " + text, COUNTS[name]
    spans, limit = sentence_spans(text), int(share * count(text))
    if limit == count(text):
        return
    begin, last = spans[0][0], spans[-1][1]
    starts = [text[begin:end] for _, end in spans if count(text[begin:end]) <= limit]
    ends = [text[first:last] for first, _ in reversed(spans) if count(text[first:last]) <= limit]
    if starts:
        assert smart_truncate(text, limit, count) == starts[-1]
    if ends:
        assert smart_truncate(text, limit, count, "end") == ends[-1]


@pytest.mark.parametrize(
    "limit, keep, short",
    [
        (7, "start", "Pi is 3.14, e.g. in the U.S."),
        (6, "start", "Pi is 3.14, e.g. in the"),
        (3, "end", "See Fig. 3."),
        (2, "end", "Fig. 3."),
        (5, "end", "Not one. See Fig. 3."),
        (13, "both", "Pi is 3.14, e.g. in the U.S. [...] Not one. See Fig. 3."),
        (11, "both", "Pi is 3.14, e.g. in the U.S. [...] See Fig. 3."),
        (5, "both", "Pi is [...] Fig. 3."),
        (3, "both", "Pi [...] 3."),
        (2, "both", "Pi is"),  # not even a mark between two words: the start alone
        (0, "both", ""),
    ],
)
def test_by_hand(limit, keep, short):
    assert smart_truncate(TEXT, limit, COUNTS["words"], keep) == short


def test_both_sides_are_filled():
    """Where the next sentence of one side is too long, the other side goes on alone."""
    long = "L" + 9 * " l" + "."
    count = COUNTS["words"]
    assert smart_truncate(f"A b. {long} D d. E e. F f.", 9, count, "both") == "A b. [...] D d. E e. F f."
    assert smart_truncate(f"A a b. C c. D d. {long} F f.", 10, count, "both") == "A a b. C c. D d. [...] F f."


def test_characters_where_not_one_word_fits():
    count = COUNTS["bytes"]
    assert smart_truncate("strawberry jam", 5, count) == "straw"
    assert smart_truncate("jam of strawberries", 7, count, "end") == "berries"
    assert smart_truncate("\u4f60\u597d\u5417", 7, count) == "\u4f60\u597d"
    assert smart_truncate("\u4f60\u597d\u5417", 2, count) == ""
    assert smart_truncate("abcdefgh", 5, count, "both", mark="..") == "ab..h"
    assert smart_truncate("abcdefgh", 3, count, "both", mark="...") == "abc"  # no room for a mark and both sides
    assert smart_truncate("    ", 2, count) == smart_truncate("    ", 2, count, "end") == "  "


def test_counts_are_never_added_up():
    """A count that knows only joined texts: of two sentences it takes more than of each."""
    assert smart_truncate("A b. C d. E f.", 9, lambda text: len(text) + 3 * (len(text) > 5)) == "A b."


@given(st.integers(1, 200), st.integers(0, 220), st.integers(-5, 300))
def test_furthest(n, most, guess):
    asked = []

    def fits(i):
        asked.append(i)
        return i <= most

    assert furthest(n, fits, guess) == min(n, most)
    assert all(1 <= i <= n for i in asked) and len(asked) <= 40


def test_furthest_looks_beyond_a_gap():
    assert furthest(50, lambda i: i <= 10 or i == 17) == 17
    assert furthest(50, lambda i: i == 7) == 7
    assert furthest(0, lambda i: True) == 0


def test_word_spans():
    assert word_spans("a  bc d", 0, 7) == [(0, 1), (3, 5), (6, 7)] and word_spans("a", 1, 1) == []


def test_bad_settings():
    count = COUNTS["words"]
    for bad in (-1, 2.5, True, None):
        with pytest.raises(ConfigError, match="tokens makes no sense"):
            smart_truncate(TEXT, bad, count)
    with pytest.raises(ConfigError, match="keep='middle'"):
        smart_truncate(TEXT, 3, count, "middle")
    with pytest.raises(DTypeError, match="bytes"):
        smart_truncate(b"text", 3, count)


def test_a_long_text_takes_few_counts():
    text, calls = "Ducks swim. Cats do not! " * 4000, []
    short = smart_truncate(text, 200, lambda piece: calls.append(len(piece)) or len(piece.split()))
    assert len(short.split()) == 200 and sum(calls) < 3 * len(text)
