"""Events are the same however their bytes are cut; what was cut off is no event."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinyllm.client.errors import ProtocolError
from tinyllm.client.frame import json_object
from tinyllm.client.sse import SSE, Event

LAW = settings(derandomize=True, deadline=None, max_examples=40)


def decode(*parts: bytes, limit: int = 1 << 20, close: bool = True) -> tuple[list[Event], str | None]:
    """All events of a stream, and the error it ended in."""
    stream, events = SSE(limit), []
    try:
        for part in parts:
            events += stream.feed(part)
        if close:
            events += stream.close()
    except ProtocolError as error:
        return events, str(error)
    return events, None


def data(*parts: bytes) -> list[str]:
    events, error = decode(*parts)
    assert error is None
    return [event.data for event in events]


def told_simply(raw: bytes) -> list[Event]:
    """The format once more, over the whole stream at once and without a thought for speed."""
    text = raw.decode("utf-8", "replace").removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    events, last = [], ""
    *blocks, _ = text.split("\n\n")
    for block in blocks:
        lines, name, retry = [], "message", None
        for line in block.split("\n"):
            field, _, value = line.partition(":")
            value = value[1:] if value.startswith(" ") else value
            if field == "data":
                lines.append(value)
            elif field == "event":
                name = value or "message"
            elif field == "id" and "\0" not in value:
                last = value
            elif field == "retry" and value and set(value) <= set("0123456789") and len(value) <= 15:
                retry = int(value)
        if "\n".join(lines):
            events.append(Event(name, "\n".join(lines), last, retry))
    return events


EVERYTHING = (
    '\ufeffid: 7\nevent: über\r\ndata: {"text": "\U0001f642\u2028\u2029\x85"}\r\n\r\n: note\r\rdata:a\rdata\r'
    "data:  b\r\rretry: 250\n\ndata:\n\nid: 8\0\nretry: 1x\nunknown: 1\ndata: \0\n\ndata: é\n\n"
).encode() + b"data: \xff\xf0\x9f\x98\n\nid\nretry: 30\ndata: {}\n\ndata: [DONE]"


def test_the_whole_format():
    found, error = decode(EVERYTHING)
    assert error is None
    assert found == [
        Event("über", '{"text": "\U0001f642\u2028\u2029\x85"}', "7"),
        Event("message", "a\n\n b", "7"),
        Event("message", "\0", "7"),
        Event("message", "é", "7"),
        Event("message", "\ufffd\ufffd", "7"),
        Event("message", "{}", "", 30),
        Event("message", "[DONE]", ""),
    ]


def test_any_split_gives_the_same_events():
    whole = decode(EVERYTHING)
    for cut in range(len(EVERYTHING) + 1):
        assert decode(EVERYTHING[:cut], EVERYTHING[cut:]) == whole
    assert decode(*(EVERYTHING[n : n + 1] for n in range(len(EVERYTHING)))) == whole


FIELDS = [
    b"data",
    b"data: ",
    b"data:x",
    b"event: e",
    b"id: 1",
    b"id",
    b"retry: 5",
    b"retry: \xd9\xa1",
    b": c",
    b"foo: 1",
]
BYTES = [b"\n", b"\r", b"\r\n", b"\n\n", b"\xef\xbb\xbf", b"\xc3", b"\xa9", b"\0", b" ", b"{}", b":", b""]
PIECES = st.lists(st.sampled_from(FIELDS + BYTES), max_size=24)


@LAW
@given(PIECES, st.data())
def test_cut_or_whole_it_is_what_the_simple_telling_says(pieces, draw):
    raw = b"".join(pieces)
    cuts = sorted(draw.draw(st.lists(st.integers(0, len(raw)), max_size=6)))
    parts = [raw[a:b] for a, b in zip([0, *cuts], [*cuts, len(raw)], strict=True)]
    assert decode(*parts, close=False)[0] == told_simply(raw)
    assert decode(*parts) == decode(raw)


@LAW
@given(PIECES, st.integers(1, 12), st.data())
def test_limits_do_not_depend_on_the_split_either(pieces, limit, draw):
    raw = b"".join(pieces)
    cuts = sorted(draw.draw(st.lists(st.integers(0, len(raw)), max_size=6)))
    parts = [raw[a:b] for a, b in zip([0, *cuts], [*cuts, len(raw)], strict=True)]
    assert decode(*parts, limit=limit) == decode(raw, limit=limit)


def test_limits():
    assert decode(b"data: 12345", limit=10, close=False)[1] is not None
    assert decode(b": 34567890\n", limit=10)[1] is None
    assert decode(b": 345678901\n", limit=10)[1] is not None
    assert decode(b"data: 1\n" * 5 + b"\n", limit=10)[0][0].data == "1\n1\n1\n1\n1"
    assert decode(b"data: 1\n" * 6 + b"\n", limit=10)[1].startswith("E-PROTOCOL an event")
    stream = SSE(10)
    assert stream.feed(b"data: 1\n\n: 345678901") == [Event("message", "1")], "what was whole is given out first"
    for again in (lambda: stream.feed(b"data: 2\n\n"), stream.close, lambda: stream.feed(b"")):
        with pytest.raises(ProtocolError):
            again()


def test_an_event_is_sent_off_at_a_lone_cr():
    stream = SSE()
    assert stream.feed(b"data: 1\r\r") == [Event("message", "1")], "it must not wait for an LF that may never come"
    assert stream.feed(b"") == [] == stream.feed(b"\n")
    assert stream.feed(b"data: 2\n\n") == [Event("message", "2")]
    assert data(b"data: 1\r", b"", b"\n", b"data: 2\n\n") == ["1\n2"], "nothing in between changes nothing"


def test_odd_bytes():
    assert decode(b"event: \xff\nid: \xff\ndata: \xff\n\n")[0] == [Event("\ufffd", "\ufffd", "\ufffd")]
    assert data(b"data: 1\n\n\xef\xbb\xbfdata: 2\n\ndata: \xef\xbb\xbf3\n\n") == ["1", "\ufeff3"], (
        "no BOM but at the start"
    )


def test_the_end_without_a_blank_line():
    assert data(b"data: [DONE]") == data(b"data: [DONE]\n") == ["[DONE]"]
    assert data(b'data: {"type": "message_stop"}') == ['{"type": "message_stop"}']
    assert data(b'data: {"a":\ndata: 1}') == ['{"a":\n1}']
    for cut in (b"data: [DON", b'data: {"type": "mess', b"data: 12", b"data: 12\n", b'data: {}\ndata: {"a"', b"data"):
        assert data(cut) == []
    stream = SSE()
    stream.feed(b"event: a\ndata: {}\nevent: message_st")
    assert stream.close() == [Event("a", "{}")] and stream.close() == []
    stream.feed(b"id: 12")
    assert stream.close() == [] and stream.id == "", "an id may have lost its end"
    assert data(b"\xef\xbb\xbfdata: {}") == ["{}"]


def test_retry_counts_without_data():
    stream = SSE()
    assert stream.feed(b"retry: 1500\n\nretry: -1\n\nretry: " + b"9" * 5000 + b"\n\n") == [] and stream.retry == 1500


def test_data_as_json():
    assert Event("message", '{"a": [1]}').json() == {"a": [1]}
    for bad in (
        "{",
        "[1]",
        "12",
        '{"a": NaN}',
        '{"a": -Infinity}',
        "[" * 100_000,
        '{"a": ' + "1" * 5000 + "}",
        "<html>",
    ):
        with pytest.raises(ProtocolError) as caught:
            json_object(bad)
        assert "\n" not in str(caught.value) and caught.value.body == bad[:4096]


def test_many_small_bytes_are_scanned_once():
    """A line in 60 000 pieces: quadratic work would take minutes."""
    raw = b"data: " + b"x" * 60_000 + b"\n\n"
    assert len(data(*(raw[n : n + 1] for n in range(len(raw))))[0]) == 60_000
