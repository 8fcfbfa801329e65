"""Objects are the same however their bytes are cut, and only a newline ends a line."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinyllm.client.errors import ProtocolError
from tinyllm.client.ndjson import NDJSON

LAW = settings(derandomize=True, deadline=None, max_examples=40)


def decode(*parts: bytes, limit: int = 1 << 20) -> tuple[list[dict], str | None]:
    """All objects of a stream, and the error it ended in."""
    stream, objects = NDJSON(limit), []
    try:
        for part in parts:
            objects += stream.feed(part)
        objects += stream.close()
    except ProtocolError as error:
        return objects, str(error)
    return objects, None


def cut(raw: bytes, draw) -> list[bytes]:
    cuts = sorted(draw.draw(st.lists(st.integers(0, len(raw)), max_size=6)))
    return [raw[a:b] for a, b in zip([0, *cuts], [*cuts, len(raw)], strict=True)]


def test_every_split():
    raw = '\ufeff{"a": "é\U0001f642\u2028\u2029\x85"}\r\n\n  \n{"b": [1]}\n{"c": null}'.encode()
    whole = [{"a": "é\U0001f642\u2028\u2029\x85"}, {"b": [1]}, {"c": None}]
    for at in range(len(raw) + 1):
        assert decode(raw[:at], raw[at:]) == (whole, None)
    assert decode(*(raw[n : n + 1] for n in range(len(raw)))) == (whole, None)


TEXTS = st.text(st.sampled_from('aé"\\\n\r\x00\x85\u2028\u2029\U0001f642'), max_size=4)
OBJECTS = st.lists(st.dictionaries(TEXTS, TEXTS | st.integers() | st.none(), max_size=3), max_size=5)


@LAW
@given(OBJECTS, st.sampled_from(["\n", "\r\n", "\n\n"]), st.booleans(), st.booleans(), st.data())
def test_what_was_written_is_read(objects, newline, last, ascii_only, draw):
    raw = newline.join(json.dumps(one, ensure_ascii=ascii_only) for one in objects).encode()
    raw += newline.encode() if last else b""
    expected = [json.loads(line) for line in raw.decode().split("\n") if line.strip(" \r")]
    assert decode(*cut(raw, draw)) == (expected, None)


@LAW
@given(
    st.lists(st.sampled_from([b'{"a":1}', b"\n", b"{", b"[1]", b"\xff", b" ", b'{"b":"', b'"}']), max_size=12),
    st.data(),
)
def test_faults_do_not_depend_on_the_split(pieces, draw):
    raw = b"".join(pieces)
    assert decode(*cut(raw, draw), limit=12) == decode(raw, limit=12)


def test_a_last_line_that_was_cut_is_no_object():
    assert decode(b'{"a": 1}\n{"done": tr') == ([{"a": 1}], None)
    assert decode(b"12") == decode(b"") == decode(b"\n") == ([], None)
    stream = NDJSON()
    stream.feed(b'{"a": 1}')
    assert stream.close() == [{"a": 1}] and stream.close() == []


def test_what_is_whole_is_given_out_before_the_error():
    for bad in (b"<html>", b"[1]", b"12", b'{"a": NaN}', b"{" * 5000):
        stream = NDJSON()
        assert stream.feed(b'{"a": 1}\n' + bad + b"\n") == [{"a": 1}]
        for again in (lambda: stream.feed(b"{}\n"), stream.close):  # noqa: B023
            with pytest.raises(ProtocolError):
                again()


def test_the_limit():
    assert decode(b'{"a": 123}\n', limit=10) == ([{"a": 123}], None)
    assert decode(b'{"a": 123}\n' * 2, limit=10) == ([{"a": 123}] * 2, None), "of a line, not of all"
    assert decode(b'{"a": 1234}\n', limit=10)[1] is not None
    with pytest.raises(ProtocolError):
        NDJSON(10).feed(b"x" * 11)


def test_broken_utf8_is_replaced():
    assert decode(b'{"a": "\xff"}\n') == ([{"a": "\ufffd"}], None)


def test_many_small_bytes_are_scanned_once():
    raw = b'{"a": "' + b"x" * 60_000 + b'"}\n'
    assert len(decode(*(raw[n : n + 1] for n in range(len(raw))))[0][0]["a"]) == 60_000
