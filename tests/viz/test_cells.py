"""Tokens made visible: nothing is lost, nothing steers the terminal, and what is no text looks like no text."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinyllm.viz.cells import BACKGROUNDS, FAINT, INK, SPECIAL, SPECIAL_INK, cells, columns, escaped, unescaped

hostile = st.text(
    alphabet=st.sampled_from("ab |\\\n\r\t\x00\x1b\x85\xa0é日\u0301\u200d\u202e\u3000\U0001f600\U0001f3fd")
)
data = st.one_of(st.binary(max_size=40), hostile.map(str.encode))


@st.composite
def tokens(draw, source=data):
    """Bytes cut anywhere, in the middle of characters, too."""
    whole = draw(source)
    cuts = sorted(draw(st.sets(st.integers(1, max(len(whole) - 1, 1)), max_size=12)))
    edges = [0, *(cut for cut in cuts if cut < len(whole)), len(whole)]
    return [whole[a:b] for a, b in itertools.pairwise(edges) if a < b]


@given(tokens(), st.booleans())
def test_every_token_can_be_read_back(parts, unicode):
    spelled = escaped(parts, unicode=unicode)
    assert [unescaped(text) for text in spelled] == parts
    assert all(text.isprintable() for text in spelled)
    assert unicode or all(text.isascii() for text in spelled)


@given(tokens())
def test_a_line_with_bars_can_be_read_back(parts):
    line = "|".join(escaped(parts))
    cut, begin, i = [], 0, 0
    while i < len(line):
        if line[i] == "|":
            cut.append(line[begin:i])
            begin = i + 1
        i += 2 if line[i] == "\\" else 1
    assert [unescaped(text) for text in [*cut, line[begin:]]] == (parts or [b""])


@given(tokens())
def test_nothing_that_is_shown_moves_the_cursor(parts):
    shown = cells(parts)
    assert len(shown) == len(parts)
    assert all(cell for cell in shown)
    for cell in shown:
        for part in cell:
            assert part.text.isprintable() and part.text
            assert part.after in ("", "\n", "\t")


@given(tokens(hostile.map(str.encode)))
def test_what_is_no_sign_is_the_text_itself(parts):
    text = b"".join(parts).decode()
    plain = "".join(part.text for cell in cells(parts) for part in cell if not part.sign)
    rest = iter(text)
    assert all(char in rest for char in plain)  # in this order


def test_a_character_in_several_tokens_is_a_sign_and_the_others_say_so():
    shown = cells([b"a\xe6", b"\x97", b"\xa5b"])
    assert [[(part.text, part.sign, part.true) for part in cell] for cell in shown] == [
        [("a", False, False), ("日", True, True)],
        [("…", True, False)],
        [("…", True, False), ("b", False, False)],
    ]
    assert escaped([b"a\xe6", b"\x97", b"\xa5b"]) == ["a\\xe6", "\\x97", "\\xa5b"]


def test_no_character_reaches_into_a_special_token():
    parts = [b"\xe6\x97", b"\xa5", b"x"]
    assert [part.text for part in cells(parts, apart=[1])[0]] == ["\\xe6", "\\x97"]
    assert [part.text for part in cells(parts, apart=[0])[1]] == ["\\xa5"]
    assert cells(parts)[0][0].text == "日"


@pytest.mark.parametrize(
    ("token", "shown", "plain"),
    [
        (b" a\n", [" a", "⏎"], " a\\n"),
        (b"\t\r\n", ["→", "\\r", "⏎"], "\\t\\r\\n"),
        (b"\xff\x80", ["\\xff", "\\x80"], "\\xff\\x80"),
        ("\u202e".encode(), ["\\u202e"], "\\u202e"),
        ("\u0301x".encode(), ["◌\u0301", "x"], "\\u0301x"),
        ("e\u0301".encode(), ["e\u0301"], "e\u0301"),
        ("\xa0".encode(), ["\\u00a0"], "\\u00a0"),
        ("\U000e0001".encode(), ["\\U000e0001"], "\\U000e0001"),
        (b"a|\\", ["a|\\"], "a\\|\\\\"),
        ("⏎".encode(), ["⏎"], "⏎"),
    ],
)
def test_signs(token, shown, plain):
    assert [part.text for part in cells([token])[0]] == shown
    assert escaped([token]) == [plain]


def test_a_sign_of_the_text_itself_is_no_sign():
    assert [part.sign for part in cells(["⏎".encode(), b"\n"])[0]] == [False]


def test_columns_of_wide_characters():
    assert [columns(text) for text in ("abc", "日本", "é", "e\u0301", "\U0001f600", "")] == [3, 4, 1, 1, 2, 0]


def luminance(color):
    channels = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one, other):
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_letters_stand_out_from_their_background_as_the_web_guidelines_ask():
    for background in BACKGROUNDS:
        assert contrast(INK, background) > 7
        assert contrast(FAINT, background) > 4.5
    assert contrast(SPECIAL_INK, SPECIAL) > 7
