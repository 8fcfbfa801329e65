"""Cutting text in Numba, held to the plain Python of tokenizer/split.py: every rung, around the borders of blocks."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinyllm.kernels.bpe.split import FAMILIES, PADDING, fill_ends_v1, fill_ends_v2, next_end, padded, split
from tinyllm.tokenizer.split import PATTERNS
from tinyllm.tokenizer.split import split as plain_split
from tinyllm.tokenizer.unicode16 import classes

CLASSES = np.frombuffer(classes(), np.uint8).copy()
RUNGS = [fill_ends_v1, fill_ends_v2]
NAMES = [name for name in PATTERNS if not PATTERNS[name].normalize] + ["qwen2"]
# one character of every kind that a rule tells apart, the ones with many rules more often, in one to four bytes
PLAIN = "aZ  ''sStTmMdDlLrReEvV\n\r\t!/.09_\x00\x1c"
WIDE = "\u017fé\u00c9中\u02b0\u01c5\u0301\u0903\u00bd\u0663\u00a0\u3000\u2028\x85\u2019€\U0001f600\U00010400\U00010428"
ALPHABET = PLAIN * 2 + WIDE


def rule(name):
    pattern = PATTERNS[name]
    return FAMILIES[pattern.family], pattern.digits, int(pattern.ends_whole)


def ends_of(text, name):
    """The ends of the pieces in bytes, by the reference."""
    pattern = PATTERNS[name]
    if pattern.normalize:  # a matter of the text, not of cutting it
        pattern = type(pattern)(**{**vars(pattern), "normalize": ""})
    return np.cumsum([len(piece.encode()) for piece in plain_split(text, pattern)], dtype=np.int64).tolist()


def fill(rung, data, n, name, room=None, p=0):
    """All ends, asked for ``room`` at a time."""
    ends, found = np.empty(n + 1 if room is None else room, np.int64), []
    while p < n:
        count = rung(data, p, n, CLASSES, *rule(name), ends)
        assert 0 < count <= ends.size
        found += ends[:count].tolist()
        p = found[-1]
    return found


def random_texts(rng, count, longest, alphabet=ALPHABET):
    letters = np.array(list(alphabet))
    return ["".join(rng.choice(letters, rng.integers(1, longest + 1))) for _ in range(count)]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("rung", RUNGS, ids=lambda rung: rung.__name__)
def test_random_texts(rung, name, rng):
    texts = random_texts(rng, 300, 23) + random_texts(rng, 100, 211) + random_texts(rng, 100, 211, PLAIN)
    texts += random_texts(rng, 50, 211, "aZ' s\u0301") + random_texts(rng, 50, 211, "a/\n\r !中") + [""]
    texts += random_texts(rng, 50, 211, "aA中\u0301\u0416\u0436'sé") + random_texts(rng, 50, 97, "1\u00bd2 a")
    for text in texts:
        data = padded(text.encode())
        assert fill(rung, data, len(text.encode()), name) == ends_of(text, name), text


@pytest.mark.parametrize("name", NAMES)
@given(text=st.text(st.sampled_from(ALPHABET) | st.characters(exclude_categories=("Cs",)), max_size=150))
def test_any_text(name, text):
    data = padded(text.encode())
    assert fill(fill_ends_v2, data, len(text.encode()), name) == ends_of(text, name)


@pytest.mark.parametrize("name", NAMES)
def test_the_first_rung_knows_every_class_of_every_range(name):
    """Both sides of each border between classes, alone, after a space, and inside a word."""
    borders = np.flatnonzero(np.diff(CLASSES)) + 1
    codes = [code for code in sorted({*borders, *borders - 1, 0x10FFFF}) if not 0xD800 <= code < 0xE000]
    for before, after in [("\x01", "\x01"), (" ", " "), ("a", "b")]:
        text = "".join(f"{before}{chr(code)}{after}1" for code in codes)
        assert fill(fill_ends_v1, padded(text.encode()), len(text.encode()), name) == ends_of(text, name)


@pytest.mark.parametrize(("before", "after"), [("a", "B"), (" ", "'s\n")])
def test_the_second_rung_agrees_on_every_code_point(before, after):
    text = "".join(f"{before}{chr(code)}{after}" for code in range(0x110000) if not 0xD800 <= code < 0xE000)
    data, n = padded(text.encode()), len(text.encode())
    found = np.empty((2, n), np.int64)
    for name in ("gpt2", "cl100k", "o200k"):
        counts = [rung(data, 0, n, CLASSES, *rule(name), ends) for rung, ends in zip(RUNGS, found, strict=True)]
        assert counts[0] == counts[1]
        np.testing.assert_array_equal(*found[:, : counts[0]])


@pytest.mark.parametrize("name", NAMES)
def test_every_rule_at_every_place_of_a_block(name):
    awkward = "it's 'LL IT'S'll''s 1234  567\r\n\r\n  x/\n/\n!! !x \t x ab中Cd\u0301E "
    awkward += "\u00a0é\u3000\u00bd\u00bd12\u00bd \n \n y\n    \n  \nz  "
    for lead in ("a", " ", "\n", "é", "!", "1", "A"):
        for size in range(71):
            text = lead * size + awkward
            for tail in ("", "z"):
                data, n = padded((text + tail).encode()), len((text + tail).encode())
                assert fill(fill_ends_v2, data, n, name) == fill(fill_ends_v1, data, n, name), text + tail
    assert fill(fill_ends_v1, padded(awkward.encode()), len(awkward.encode()), name) == ends_of(awkward, name)


@pytest.mark.parametrize("name", NAMES)
def test_long_runs(name):
    for run in ("a", "A", " ", "\n", "1", "!", "é", "中", "\u0301", "\u00a0", "\u00bd", "'s", "aA", " \n", "/\n"):
        for size in (31, 64, 65, 500):
            text = "x" + run * size + " y"
            data, n = padded(text.encode()), len(text.encode())
            assert fill(fill_ends_v2, data, n, name) == ends_of(text, name), (run, size)


@pytest.mark.parametrize("name", NAMES)
def test_the_doors_agree(name, rng):
    """One piece at a time, a few at a time, from the middle, all at once."""
    for text in random_texts(rng, 30, 307):
        data, n = padded(text.encode()), len(text.encode())
        ends = fill(fill_ends_v2, data, n, name)
        assert [next_end(data, p, n, CLASSES, *rule(name)) for p in [0, *ends[:-1]]] == ends
        assert split(data, n, CLASSES, *rule(name)).tolist() == ends
        for room in (1, 3, 64):
            assert fill(fill_ends_v2, data, n, name, room) == ends
        middle = len(ends) // 2
        assert fill(fill_ends_v2, data, n, name, p=ends[middle]) == ends[middle + 1 :]


@pytest.mark.parametrize("name", NAMES)
def test_what_follows_the_slice_has_no_say(name, rng):
    """16 zero bytes end a slice, be there more of them, nothing, or another text."""
    for text in random_texts(rng, 60, 150):
        raw = text.encode()
        ends = fill(fill_ends_v1, padded(raw), len(raw), name)
        for follows in (b"", b"s" * 100, b"\n" * 100, "é".encode() * 50):
            data = np.frombuffer(raw + bytes(16) + follows, np.uint8).copy()
            assert fill(fill_ends_v2, data, len(raw), name) == ends


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("rung", RUNGS, ids=lambda rung: rung.__name__)
def test_bytes_that_are_no_utf8_are_cut_somehow(rung, name, rng):
    for size in (1, 2, 3, 63, 64, 65, 500):
        for high in (0, 0x80, 0xC0, 0xF0):
            raw = rng.integers(high, 256, size).astype(np.uint8).tobytes()
            ends = fill(rung, padded(raw), size, name)
            assert ends[-1] == size and (np.diff(ends) > 0).all()


def test_padding():
    data = padded(b"abc")
    assert bytes(data) == b"abc" + bytes(PADDING) and PADDING >= 16
