from __future__ import annotations

import random
import re
import unicodedata
from itertools import pairwise, product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinyllm.errors import ConfigError, DataError
from tinyllm.tokenizer.split import PATTERNS, SPELLINGS, Pattern, find_pattern, last_safe_cut, reaches, split
from tinyllm.tokenizer.unicode16 import classes

SCANS = ["gpt2", "cl100k", "llama3", "nanochat", "o200k", "qwen2"]
KINDS = "Aasl中\u0301\u09581'!/ \t\n"  # one character of every kind that a rule tells apart; U+0958 has another NFC
MORE = KINDS + "re\r<\u0338\u017f\u3000\u00bd"


def texts(rng: random.Random, count: int, alphabet: str | list[str], longest: int):
    return ["".join(rng.choices(alphabet, k=rng.randint(1, longest))) for _ in range(count)]


@pytest.mark.parametrize(
    ("pattern", "text", "pieces"),
    [
        ("gpt2", "x'S", ["x", "'", "S"]),
        ("cl100k", "x'S", ["x", "'S"]),
        ("o200k", "x'S", ["x'S"]),
        ("gpt2", "  123", [" ", " 123"]),
        ("cl100k", "  123", [" ", " ", "123"]),
        ("o200k", "  1234", [" ", " ", "123", "4"]),
        ("gpt2", "''s", ["''", "s"]),
        ("cl100k", "'\u017fabc", ["'\u017f", "abc"]),
        ("o200k", "'\u017fabc", ["'\u017fabc"]),
        ("cl100k", "don\u2019t", ["don", "\u2019t"]),
        ("cl100k", "a/\n/b", ["a", "/\n", "/b"]),
        ("o200k", "a/\n/b", ["a", "/\n/", "b"]),
        ("cl100k", "a\n  ", ["a", "\n  "]),
        ("llama3", "a\n  ", ["a", "\n", "  "]),
        ("o200k", "a\n  ", ["a", "\n", "  "]),
        ("gpt2", "a \n b", ["a", " \n", " b"]),
        ("o200k", "HELLOworldABC", ["HELLOworld", "ABC"]),
        ("o200k", "AB中C", ["AB中", "C"]),
        ("o200k", "\u0301AB", ["\u0301", "AB"]),
        ("gpt2", "नमस्ते", ["नमस", "\u094d", "त", "\u0947"]),
        ("o200k", "नमस्ते", ["नमस्ते"]),
        ("gpt2", "a\x1cb\x85c", ["a", "\x1c", "b", "\x85", "c"]),
        ("gpt2", "1\u00bd\u0663", ["1\u00bd\u0663"]),
        ("nanochat", "12345", ["12", "34", "5"]),
        ("qwen2", "12e\u0301", ["1", "2", "\u00e9"]),
        ("none", "any thing", ["any thing"]),
    ],
)
def test_what_must_come_out(pattern, text, pieces):
    assert split(text, pattern) == pieces


@pytest.mark.parametrize("name", PATTERNS)
def test_nothing_makes_no_pieces(name):
    assert split("", name) == []


@given(st.sampled_from(sorted(PATTERNS)), st.text(st.sampled_from(MORE) | st.characters(exclude_categories=())))
def test_the_pieces_are_the_text(name, text):
    pieces = split(text, name)
    assert "" not in pieces
    assert "".join(pieces) == (unicodedata.normalize("NFC", text) if PATTERNS[name].normalize else text)


def in_ascii(regex: str) -> re.Pattern[str]:
    """A published pattern as Python's ``re`` understands it, right for ASCII texts."""
    for published, ours in (
        (r"\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}", "A-Z"),
        (r"\p{Ll}\p{Lm}\p{Lo}\p{M}", "a-z"),
        (r"[^\r\n\p{L}\p{N}]", r"[^\r\nA-Za-z0-9]"),
        (r"[^\s\p{L}\p{N}]", r"[^\sA-Za-z0-9]"),
        (r"\p{L}", "A-Za-z" if r"[\p{L}]" in regex else "[A-Za-z]"),
        (r"\p{N}", "0-9" if r"[\p{N}]" in regex else "[0-9]"),
        (r"$", r"\Z"),  # to Python, $ also comes before a last line end
    ):
        regex = regex.replace(published, ours)
    return re.compile(regex, re.ASCII)


@pytest.mark.parametrize("regex", SPELLINGS, ids=lambda r: f"{SPELLINGS[r].name}-{len(r)}")
def test_scans_do_what_the_published_expressions_say(regex):
    rng, engine = random.Random(7), in_ascii(regex)
    for text in texts(rng, 3000, "  ''\n\r\t/!.sdlvetABab123", 14):
        assert split(text, regex) == engine.findall(text), text


@pytest.mark.parametrize("name", SCANS)
def test_a_text_can_be_cut_at_every_safe_place(name):
    pattern, rng, tried = PATTERNS[name], random.Random(1), 0
    short = ["".join(kinds) for size in (2, 3, 4) for kinds in product(KINDS, repeat=size)]
    for text in rng.sample(short, 6000) + texts(rng, 3000, MORE, 12):
        whole, end = split(text, pattern), len(text)
        while end := last_safe_cut(text[:end], pattern):
            assert split(text[:end], pattern) + split(text[end:], pattern) == whole, (text, end)
            tried += 1
    assert tried > 5000


@pytest.mark.slow
@pytest.mark.parametrize("name", SCANS)
def test_every_string_of_five_kinds_can_be_cut(name):
    pattern = PATTERNS[name]
    for kinds in product(KINDS, repeat=5):
        text = "".join(kinds)
        if cut := last_safe_cut(text, pattern):
            assert split(text[:cut], pattern) + split(text[cut:], pattern) == split(text, pattern), (text, cut)


def test_safe_places_are_not_rare():
    for name in SCANS:
        assert last_safe_cut("Words, 12 of them.\nAnother li", PATTERNS[name]) == 26
    assert last_safe_cut("你好,世", PATTERNS["o200k"]) == 2
    assert last_safe_cut("a。\nb", PATTERNS["llama3"]) == 3
    assert last_safe_cut("a\n", PATTERNS["llama3"]) == last_safe_cut("1\n", PATTERNS["o200k"]) == 1


def test_no_place_is_safe_where_nobody_knows_the_rules():
    assert last_safe_cut("a b c", find_pattern(re.compile(r"\S+|\s+"))) == 0
    assert last_safe_cut("a b c", PATTERNS["none"]) == 0
    assert last_safe_cut("", PATTERNS["gpt2"]) == last_safe_cut("a", PATTERNS["gpt2"]) == 0


def test_normal_forms_join_nothing_across_a_safe_place():
    """What ``last_safe_cut`` takes for granted of NFC, for every character that may stand on its right."""
    seconds = set()
    for code in range(0x110000):
        parts = unicodedata.decomposition(chr(code)).split()
        if len(parts) == 2 and not parts[0].startswith("<"):
            seconds.add(unicodedata.category(chr(int(parts[1], 16)))[0])
    assert seconds <= {"M", "L"}
    table = classes()
    for code in range(0x110000):
        char = chr(code)
        if unicodedata.category(char)[0] not in "LMC" and not unicodedata.is_normalized("NFC", char):
            assert table[ord(unicodedata.normalize("NFC", char)[0])] == table[code], hex(code)


@pytest.mark.parametrize("name", SCANS[:-1])
def test_a_piece_stays_in_every_text_beyond_its_reach(name):
    pattern, rng, kept = PATTERNS[name], random.Random(2), 0
    runs = ["AAAA", "   ", "\n", "中", "b", "111", "!", "'ll", "/"]
    for text in texts(rng, 1500, MORE, 14) + texts(rng, 1500, runs, 6):
        found = list(reaches(text, pattern))
        assert [text[a:b] for a, b in pairwise([0, *(end for end, _ in found)])] == split(text, pattern)
        for end in range(len(text)):
            pieces = split(text[:end], pattern)
            settled = sum(reach < end for _, reach in found)
            assert pieces[:settled] == split(text, pattern)[:settled], (text, end)
            kept += settled
    assert kept > 10_000


def test_a_pattern_is_found_by_every_spelling():
    assert find_pattern(None) is PATTERNS["none"]
    assert find_pattern("o200k") is find_pattern(PATTERNS["o200k"].regex) is find_pattern(PATTERNS["o200k"])
    assert all(find_pattern(regex) is pattern for regex, pattern in SPELLINGS.items())


def test_a_pattern_of_ones_own_keeps_its_flags():
    assert split("aAbB", re.compile("a+ | .", re.IGNORECASE | re.VERBOSE)) == ["aA", "b", "B"]
    assert split("a\nb", re.compile(".+", re.DOTALL)) == ["a\nb"]


@pytest.mark.parametrize("wrong", ["gtp2", "", 3, re.compile(b"a"), ["gpt2"]])
def test_what_is_no_pattern_is_refused(wrong):
    with pytest.raises(ConfigError):
        find_pattern(wrong)
    with pytest.raises(ConfigError, match="Try: gpt2"):
        find_pattern("gtp2")


def test_a_pattern_of_ones_own_must_cover_the_text():
    with pytest.raises(DataError, match="' b' at character 1"):
        split("a b", re.compile("a+|b+"))


def test_no_limit_of_digits():
    assert split("1" * 20 + "a", Pattern("own", "", "cl100k")) == ["1" * 20, "a"]
