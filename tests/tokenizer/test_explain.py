from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinyllm.errors import ConfigError, DataError, DTypeError
from tinyllm.tokenizer import ByteTokenizer, CharTokenizer, Encoding
from tinyllm.tokenizer.explain import compression, cost, shown, trace

BYTES = {bytes((i,)): i for i in range(256)}
RANKS = BYTES | {b"he": 256, b"ll": 257, b"hell": 258, b"\xc3\xa9": 259, b" h": 260, b"aaa": 261}
TOY = Encoding("toy", pat_str="gpt2", mergeable_ranks=RANKS, special_tokens={"<|end|>": 300})


@given(st.text("hel \u00e9a\n", max_size=20))
def test_a_trace_is_the_way_to_the_ids(text):
    found = trace(TOY, text)
    assert found.ids == TOY.encode_ordinary(text)
    assert b"".join(piece.data for piece in found.pieces) == text.encode()
    for piece in found.pieces:
        parts = list(piece.start)
        assert b"".join(parts) == piece.data and all(len(part) == 1 for part in parts)
        for step in piece.steps:
            ranks = {i: TOY.rank(*parts[i : i + 2]) for i in range(len(parts) - 1)}
            lowest = min(r for r in ranks.values() if r is not None)
            assert (step.rank, step.at) == (lowest, min(i for i, r in ranks.items() if r == lowest))
            assert (step.left, step.right) == tuple(parts[step.at : step.at + 2])
            parts[step.at : step.at + 2] = [step.left + step.right]
            assert step.parts == tuple(parts) and step.token == RANKS[step.left + step.right] and step.times is None
        assert piece.whole == (piece.data in RANKS)
        if not piece.whole:
            assert list(piece.ids) == [RANKS[part] for part in parts]


def test_ranks_and_counts_of_learned_merges():
    ranks = BYTES | {b"ab": 300, b"bc": 301}
    merges = [(b"b", b"c"), (b"a", b"b")]
    toy = Encoding("toy", pat_str="gpt2", mergeable_ranks=ranks, merges=merges, counts=[9, 4])
    (first,) = trace(toy, "abc").pieces[0].steps
    assert (first.left, first.right, first.rank, first.token, first.times) == (b"b", b"c", 0, 301, 9)
    toy = Encoding("toy", pat_str="gpt2", mergeable_ranks=ranks | {b"abc": 302}, merges=merges)
    assert trace(toy, "abc").ids == toy.encode("abc") == [97, 301] and not trace(toy, "abc").pieces[0].whole


def test_a_piece_that_is_taken_whole():
    (piece,) = trace(TOY, "aaa").pieces
    assert (piece.whole, piece.steps, piece.ids) == (True, (), (261,))
    assert str(trace(TOY, "aaa")).splitlines() == [
        "aaa", "    a a a", "    no merges lead to it, but the piece is a token: taken whole", "    = 261",
    ]  # fmt: skip
    assert "taken whole" not in str(trace(TOY, "hell")) and trace(TOY, "hell").pieces[0].whole
    assert "taken whole" not in str(trace(TOY, "a"))


def test_lines_are_in_columns():
    lines = str(trace(TOY, " hell\u00e9"))
    assert lines.splitlines() == [
        "␣hellé",
        "    ␣ h e l l \\xc3 \\xa9",
        "    ␣ he l l \\xc3 \\xa9   h + e, rank 256",
        "    ␣ he ll \\xc3 \\xa9    l + l, rank 257",
        "    ␣ hell \\xc3 \\xa9     he + ll, rank 258",
        "    ␣ hell é             \\xc3 + \\xa9, rank 259",
        "    = 32 258 259",
    ]


def test_traces_of_all_kinds_of_text():
    assert trace(TOY, "").pieces == () and str(trace(TOY, "")) == ""
    assert trace(TOY, "<|end|>").ids == list(b"<|end|>")
    assert trace(TOY, "\ud83d").ids == list("\ufffd".encode())
    nfc = Encoding("nfc", pat_str="qwen2", mergeable_ranks=RANKS)
    assert trace(nfc, "e\u0301").ids == [259] and trace(nfc, "e\u0301").encoding == "nfc"
    with pytest.raises(DTypeError, match="the text is a bytes"):
        trace(TOY, b"hell")


def test_tokens_as_one_can_read_them():
    assert shown(b" \n\t\x00\xff") == "␣\\n\\t\\x00\\xff"
    assert shown("é\u200b\u4e2d".encode()) == "é\\u200b\u4e2d"


TEXTS = {"English": "hell he", "French": "hé là, hé", "Other": "\u4e2d\u6587"}


def test_compression_counts_every_text_in_every_encoding():
    chars = CharTokenizer("".join(TEXTS.values()))
    report = compression(TEXTS, [TOY, ByteTokenizer(), chars])
    assert [(row.language, row.encoding) for row in report.rows] == [
        (language, name) for language in TEXTS for name in ("toy", "bytes", "chars")
    ]
    for row in report.rows:
        text = TEXTS[row.language]
        tokens = {"toy": TOY.count(text), "bytes": len(text.encode()), "chars": len(text)}
        base = {"toy": 3, "bytes": 7, "chars": 7}  # of English
        assert (row.bytes, row.characters, row.tokens) == (len(text.encode()), len(text), tokens[row.encoding])
        assert row.bytes_per_token == row.bytes / row.tokens
        assert row.characters_per_token == row.characters / row.tokens
        assert row.to_language == row.tokens / base[row.encoding]
        assert row.to_encoding == row.tokens / tokens["toy"]
        assert report.row(row.language, row.encoding) is row
    assert (report.base_language, report.base_encoding) == ("English", "toy")


def test_ratios_are_to_what_is_asked_for():
    report = compression(TEXTS, [TOY, ByteTokenizer()], "Other", "bytes")
    assert report.row("Other", "bytes").to_language == report.row("English", "bytes").to_encoding == 1
    assert report.row("English", "toy").to_encoding == 3 / 7 and report.row("English", "toy").to_language == 3 / 6


def test_special_tokens_are_text_like_any_other():
    report = compression({"a": "<|end|> \ud83d\ude00"}, [TOY])
    assert (report.rows[0].tokens, report.rows[0].bytes, report.rows[0].characters) == (12, 12, 9)


@pytest.mark.parametrize(
    ("texts", "encodings", "bases", "error", "said"),
    [
        ({}, [TOY], (), ConfigError, "there is no language"),
        (TEXTS, [], (), ConfigError, "there is no encoding"),
        ({"a": "b", "c": ""}, [TOY], (), DataError, "the text of 'c' is empty"),
        (
            TEXTS,
            [TOY, ByteTokenizer(), Encoding("toy", pat_str=None, mergeable_ranks=BYTES)],
            (),
            ConfigError,
            "called 'toy'",
        ),
        (TEXTS, [TOY], ("Englisch",), ConfigError, "Try: English"),
        (TEXTS, [TOY], (None, "byte"), ConfigError, "base encoding 'byte' is not given"),
    ],
)
def test_what_cannot_be_compared_is_refused(texts, encodings, bases, error, said):
    with pytest.raises(error, match=re.escape(said)):
        compression(texts, encodings, *bases)
    with pytest.raises(ConfigError, match="no row for 'Klingon'"):
        compression(TEXTS, [TOY]).row("Klingon", "toy")


def test_cost():
    assert cost(0, 5.0) == cost(10, 0) == 0 and cost(2_000_000, 0.5) == 1.0
    for wrong in ((-1, 1.0), (1, -1.0), (float("nan"), 1.0)):
        with pytest.raises(ConfigError):
            cost(*wrong)
