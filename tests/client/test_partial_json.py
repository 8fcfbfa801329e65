"""Every prefix is taken, the value only grows, and in the end it is what json.loads says."""

from __future__ import annotations

import json
import math
import sys
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tinyllm.client import partial_json
from tinyllm.client.errors import ProtocolError
from tinyllm.client.partial_json import Part, PartialJSON
from tinyllm.client.surrogates import mend

LAW = settings(derandomize=True, deadline=None, max_examples=40)

CHARACTERS = st.sampled_from('aé"\\/\n\t\x00\x7f\u2028\ufeff\U0001f642\ud83d\ude42,:{}[]1')
TEXTS = st.text(CHARACTERS, max_size=6)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4), max_leaves=12
)


@st.composite
def documents(draw) -> str:
    """A JSON text: of any value, escaped or raw, tight or wide."""
    value, ascii_only = draw(VALUES), draw(st.booleans())
    written = json.dumps(value, ensure_ascii=ascii_only, indent=draw(st.sampled_from([None, 0, 2])))
    if not ascii_only:  # halves of a character that stand raw in the text are another test's matter
        written = written.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return draw(st.sampled_from(["", " ", "\r\n\t"])) + written + draw(st.sampled_from(["", " \n"]))


def read(*pieces: str, **limits: int) -> tuple[list[tuple[str, tuple, Any]], PartialJSON, str | None]:
    """What a text adds, with the pieces of a string joined; its parser; its error."""
    parser, parts, error = PartialJSON(**limits), [], None
    try:
        for piece in pieces:
            parts += parser.feed(piece)
        parts += parser.close()
    except ProtocolError as caught:
        error = str(caught)
    joined: list[tuple[str, tuple, Any]] = []
    for part in parts:
        if joined and part.kind == "piece" and joined[-1][:2] == ("piece", part.path):
            joined[-1] = ("piece", part.path, joined[-1][2] + part.value)
        else:
            joined.append((part.kind, part.path, part.value))
    return joined, parser, error


def same(a: Any, b: Any) -> bool:
    """Equal in type, too: 1, 1.0 and True are three values."""
    return json.dumps(a, sort_keys=True) == json.dumps(b, sort_keys=True)


def grows(before: Any, after: Any) -> bool:
    """Whether ``after`` is ``before`` and perhaps more."""
    if isinstance(before, str) and isinstance(after, str):
        return after.startswith(before)
    if isinstance(before, list) and isinstance(after, list):
        return len(before) <= len(after) and all(map(grows, before, after))
    if isinstance(before, dict) and isinstance(after, dict):
        return all(key in after and grows(before[key], after[key]) for key in before)
    return before is None or (type(before) is type(after) and before == after)


@LAW
@given(documents())
@example('{"a": "\\ud83d\\ude42\\ud83d\\ud83d\\u0041\\ude42\\\\ud83d", "\\u0061\\"": -0.5e-7, "": [1, [], {}]}')
@example('"\\ud83d\\n\\ud83dx\\ud83d"')
@example(" 12 ")
@example("-0")
@example("1e999")
def test_every_prefix_is_taken_and_grows(document):
    parser, last = PartialJSON(), None
    for character in document:
        parser.feed(character)
        now = parser.snapshot
        assert grows(last, now)
        last = now
    parser.close()
    assert parser.complete and same(parser.value, json.loads(document)) and same(parser.snapshot, parser.value)


@LAW
@given(documents(), st.data())
def test_any_split_gives_the_same(document, data):
    cuts = sorted(data.draw(st.lists(st.integers(0, len(document)), max_size=6)))
    pieces = [document[a:b] for a, b in zip([0, *cuts], [*cuts, len(document)], strict=True)]
    whole, parser, error = read(document)
    parts, again, error_again = read(*pieces)
    assert error is error_again is None and parts == whole
    assert same(again.value, parser.value)


@st.composite
def almost_documents(draw) -> str:
    """A JSON text in which a few characters went, came or changed; or nothing like one."""
    text = list(draw(documents() | st.text(st.sampled_from('{}[]",:\\u0dD8a1-.eE+trufalsn \x01é'), max_size=14)))
    for _ in range(draw(st.integers(1, 2))):
        at = draw(st.integers(0, len(text)))
        text[at : at + draw(st.integers(0, 1))] = draw(st.sampled_from(["", *'{}[]",:\\u0d1-+.ex \n\x0b\xa0\x1f']))
    return "".join(text)


@LAW
@given(almost_documents(), st.floats(0, 1))
def test_it_takes_what_json_takes_and_no_more(text, share):
    check_against_json(text, int(share * len(text)))


def check_against_json(text: str, cut: int) -> None:
    try:
        expected, valid = json.loads(mend(text), parse_constant=int), True
    except ValueError:
        expected, valid = None, False
    parts, parser, error = read(text)
    assert parser.complete == valid and not (valid and error)
    if valid:
        assert same(parser.value, expected)
    else:
        with pytest.raises(ProtocolError):
            _ = parser.value
    again, _, error_again = read(text[:cut], text[cut:])
    assert (again, error_again is None) == (parts, error is None)


NO_JSON = ['{"a" 1}', '{"a":1,}', "[1,]", "[1 2]", "[1}", '{"a":1]', "{1:2}", '{"a"}', "{,}", "[,1]", "{]", "[}", "01"]
NO_JSON += [
    "1.",
    ".5",
    "+1",
    "--1",
    "1e",
    "0x1",
    '"\x1f"',
    '"\n"',
    '"\\x"',
    '"\\ud83d\\uxxxx"',
    "'a'",
    "\x0b1",
    "\xa01",
]
NO_JSON += ["\ufeff1", "//", "tru", "truth", '"a', '{"a": tru}', ":", ",", "nulll", "[nullnull]", '["a""b"]', "1 2"]
JSON = [
    '"\\/\\b\\f\\n\\r\\t\\\\\\""',
    "\n[\r]\t",
    "-0.0",
    "1E+2",
    "0e-0",
    '"\x7f"',
    '{"": {}}',
    '"\\uD83D\\uDE42\\u0000"',
]


@pytest.mark.parametrize("text", NO_JSON + JSON)
def test_the_corners_of_the_format(text):
    for cut in range(len(text) + 1):
        check_against_json(text, cut)
    assert read(text)[1].complete == (text in JSON)


def test_what_can_become_no_json_is_refused_at_once():
    for text in ("[+", '"\\x', '"\\u00g', '"\\ud83d\\x', '"\x1f', "[tru3", '{"a":,', '{"a",', "[1}", "]"):
        assert read(text)[2] is not None and read(*text)[2] is not None


def test_what_the_pieces_add():
    parts, parser, _ = read('{"a": [1, "x', 'y", {}], "b": nu', "ll}")
    assert parts == [
        ("open", (), "{"),
        ("key", ("a",), "a"),
        ("open", ("a",), "["),
        ("value", ("a", 0), 1),
        ("piece", ("a", 1), "xy"),
        ("value", ("a", 1), "xy"),
        ("open", ("a", 2), "{"),
        ("close", ("a", 2), {}),
        ("close", ("a",), [1, "xy", {}]),
        ("key", ("b",), "b"),
        ("value", ("b",), None),
        ("close", (), {"a": [1, "xy", {}], "b": None}),
    ]
    assert parser.duplicates == []
    assert [Part(kind, None, 0)[0] for kind in ("open", "close")] == ["open", "close"]


def test_a_number_ends_at_a_delimiter_or_at_close():
    parser = PartialJSON()
    assert parser.feed("12") == [] and not parser.complete and parser.snapshot is None
    assert [part.value for part in parser.feed("3 ")] == [123] and parser.complete
    parser = PartialJSON()
    parser.feed("12")
    assert [part.value for part in parser.close()] == [12] and parser.complete and parser.value == 12
    parser = PartialJSON()
    parser.feed("[1, 2")
    assert parser.close() == [] and not parser.complete and parser.snapshot == [1]
    parser = PartialJSON()
    parser.feed("12.")
    for again in (parser.close, parser.close, lambda: parser.feed(" ")):
        with pytest.raises(ProtocolError, match="no number"):
            again()
    assert not parser.complete


def test_json_has_no_nan():
    for word in ("NaN", "Infinity", "-Infinity", "[NaN]", '{"a": -Infinity}', "nan", "nul1", "True"):
        assert read(word)[2] is not None
    assert math.isinf(read("1e999")[1].value)
    assert read("[" + "1" * 5000 + "]")[2] is not None, "Python refuses such a number, with an error of its own"


def test_keys_that_come_twice():
    _, parser, _ = read('{"a": 1, "b": {"a": 2, "c": [{"x": 1, "x": 2}], "a": 3}, "a": 4}')
    assert parser.value == {"a": 4, "b": {"a": 3, "c": [{"x": 2}]}}
    assert parser.duplicates == [("b", "c", 0, "x"), ("b", "a"), ("a",)]


def test_a_second_value_is_an_error():
    for text in ("{} {}", "1 2", "[]]", '""a', "true,", "nullx"):
        _, parser, error = read(text)
        assert error is not None and not parser.complete
    parser = PartialJSON()
    assert [part.kind for part in parser.feed("{}x")] == ["open", "close"], "what was whole is given out first"
    assert not parser.complete
    for again in (lambda: parser.feed(""), parser.close, lambda: parser.value):
        with pytest.raises(ProtocolError, match="nothing more"):
            again()


def test_depth():
    assert read("[" * 512 + "]" * 512)[1].complete
    assert read("[" * 513)[2] is not None and read('{"a":' * 9, depth=8)[2] is not None
    parser = PartialJSON(depth=20_000)
    parser.feed("[" * 20_000)
    assert parser.feed("1")[0:] == [] and len(parser.feed("]")[0].path) == 20_000
    parser.snapshot, parser.feed("]" * 19_999)
    assert parser.complete


def test_size():
    assert read('"abc"', limit=5)[1].complete
    for pieces in (['"abc" '], list('"abc" '), ['"abcd"']):
        parts, parser, error = read(*pieces, limit=5)
        assert error is not None and not parser.complete and parts[0][0] == "piece"


def test_characters_in_halves():
    r"""A frame may end between ``\ud83d`` and ``\ude42``: the halves then come raw, in two texts."""
    _, parser, _ = read('["\ud83d', '\ude42", "\ud83d"]')
    assert parser.value == ["\U0001f642", "\ud83d"]
    parser = PartialJSON()
    for piece in ('"a', "\\", "u", "d83", "d", "\\u", "de4"):
        parser.feed(piece)
        assert parser.snapshot == "a", "half a character is not shown"
    parser.feed("2")
    assert parser.snapshot == "a\U0001f642"
    parser = PartialJSON()
    parser.feed('"\\ud83d')
    assert parser.snapshot == "" and [part.value for part in parser.feed('"')] == ["\ud83d", "\ud83d"]


def test_a_snapshot_is_a_copy():
    parser = PartialJSON()
    parser.feed('{"a": [1, "x')
    shown = parser.snapshot
    assert shown == {"a": [1, "x"]}
    shown["a"].append(3)
    parser.feed('y"')
    assert parser.snapshot == {"a": [1, "xy"]} and shown == {"a": [1, "x", 3]}
    parser = PartialJSON()
    parser.feed('{"a": {"b": 1}, "a": {"k')
    assert parser.snapshot == {"a": {}}, "a key that is not whole is not shown"


class CountedPattern:
    """A regular expression that counts the characters it takes."""

    def __init__(self, pattern) -> None:
        self.pattern, self.taken = pattern, 0

    def match(self, text: str, at: int):
        match = self.pattern.match(text, at)
        self.taken += match.end() - at
        return match


class CountedParser(PartialJSON):
    """A parser that counts the characters it looks at."""

    looked_at = 0

    def _read(self, text: str, found: list[Part]) -> None:
        self.looked_at += len(text)
        super()._read(text, found)


@pytest.mark.parametrize("step", [1, 12])
def test_work_grows_with_the_text_and_not_with_its_square(step, monkeypatch):
    """Every character is taken once: neither what came before nor the string that is open is looked at again."""
    calls = {}
    for size in (100, 400):
        counted = CountedPattern(partial_json._STRING)
        monkeypatch.setattr(partial_json, "_STRING", counted)
        document = json.dumps({"text": "ab\U0001f642\n" * size, "list": [{"k": n} for n in range(size)], "n": 1})
        document = document[:-1] + "2" * 4 * size + "}"
        parser, seen, longest = CountedParser(), [0], 0

        def count(frame, event, argument, seen=seen):
            seen[0] += event in ("call", "c_call")

        before = sys.getprofile()
        sys.setprofile(count)
        try:
            for at in range(0, len(document), step):
                parser.feed(document[at : at + step])
                longest = max([longest, *map(len, parser._parts[-1:])])
        finally:
            sys.setprofile(before)
        monkeypatch.undo()
        assert parser.complete
        assert longest <= step + 11, "pieces are joined at the end of their string, not one by one"
        assert counted.taken <= len(document) and parser.looked_at <= (8 if step == 1 else 2) * len(document)
        calls[size] = seen[0]
    assert 3 * calls[100] < calls[400] < 4.4 * calls[100]
