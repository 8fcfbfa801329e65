from __future__ import annotations

import json
from collections import Counter

import pytest

from tinyllm.tokenizer import unicode16
from tinyllm.tokenizer.unicode16 import CASELESS, LOWER, MARK, NUMBER, OTHER, SPACE, UPPER, classes


def test_every_code_point_has_a_class():
    table = classes()
    assert isinstance(table, bytes) and len(table) == unicode16.CODE_POINTS == 0x110000
    counts = Counter(table)
    assert set(counts) == {OTHER, UPPER, LOWER, CASELESS, MARK, NUMBER, SPACE}
    assert counts[UPPER] + counts[LOWER] + counts[CASELESS] == 141_028
    assert (counts[MARK], counts[NUMBER], counts[SPACE]) == (2_501, 1_911, 25)
    assert classes() is table


def test_space_is_what_unicode_calls_white_space():
    spaces = [code for code, kind in enumerate(classes()) if kind == SPACE]
    assert spaces == [
        *range(0x09, 0x0E), 0x20, 0x85, 0xA0, 0x1680, *range(0x2000, 0x200B), 0x2028, 0x2029, 0x202F, 0x205F, 0x3000,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("chars", "kind"),
    [
        ("AÀ\u01c5Ω", UPPER),  # U+01C5 is title case
        ("aß\u017fω", LOWER),
        ("中あ한\u02b0ª", CASELESS),
        ("\u0301\u0903\u20dd", MARK),
        ("0\u00bd\u00b2\u2167\u0663", NUMBER),
        ("'_\x1c\x1f\u180e\u200b\ufeff\ufffd\u0378\ud800\U0010ffff\U0001f600", OTHER),
    ],
)
def test_examples(chars, kind):
    assert {char: classes()[ord(char)] for char in chars} == dict.fromkeys(chars, kind)


def test_the_version_is_that_of_the_table():
    assert unicode16.UNICODE_VERSION == "16.0.0"
    assert classes()[0x1C89] == UPPER and classes()[0x10D4E] == CASELESS  # new in 16.0
    assert classes()[0x088F] == OTHER  # a letter from 17.0 on


def test_the_ranges_are_those_that_tiktoken_has(data_file):
    ranges = json.loads(data_file("unicode/unicode16_ranges.json").read_text("ascii"))
    kinds = {"Lu": UPPER, "Lt": UPPER, "Ll": LOWER, "Lm": CASELESS, "Lo": CASELESS, "M": MARK, "N": NUMBER, "s": SPACE}
    expected = bytearray(unicode16.CODE_POINTS)
    for name, kind in kinds.items():
        for first, last in ranges[name]:
            expected[first : last + 1] = bytes((kind,)) * (last + 1 - first)
    assert classes() == bytes(expected)
