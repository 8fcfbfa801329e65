"""Ollama: requests as JSON, lines cut at every byte, calls that we number, thinking, vectors."""

from __future__ import annotations

import json

import pytest

from tinyllm.client.errors import BadRequestError, ProtocolError, UnsupportedParamError
from tinyllm.client.providers.ollama import Decoder, build_embed, build_request, decode_embed
from tinyllm.client.types import (
    Began,
    Call,
    Done,
    EchoDelta,
    ErrorDelta,
    Message,
    ReasoningDelta,
    Secret,
    Spec,
    TextDelta,
    Tool,
    ToolArgsDelta,
    ToolCall,
    ToolDone,
    ToolStart,
    Usage,
    UsageUpdate,
)

SPEC = Spec("ollama", "ollama", "http://127.0.0.1:11434", "none")
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}
WEATHER = Tool("weather", "now", SCHEMA)
ASK = (Message("system", "Be brief."), Message("user", "Hi"))


def body(call):
    return json.loads(build_request(call, SPEC).body)


def line(done=False, done_reason=None, more=None, **message):
    frame = {"model": "m", "created_at": "2026-11-21T09:00:00Z", "message": {"role": "assistant", **message}}
    return frame | {"done": done} | ({"done_reason": done_reason} if done_reason else {}) | (more or {})


def lines(*frames):
    return "".join(json.dumps(frame, ensure_ascii=False) + "\n" for frame in frames).encode()


def decode(*pieces):
    decoder = Decoder()
    deltas = [delta for piece in pieces for delta in decoder.feed(piece)]
    return deltas + decoder.close()


def use(name, **args):
    return {"function": {"name": name, "arguments": args}}


COUNTS = {"prompt_eval_count": 9, "eval_count": 2, "eval_duration": 10**12}
STREAM = lines(
    line(content="", thinking="Hm\u2028"),
    line(content="", thinking="."),
    line(content="Hé"),
    line(content="l\U0001f600"),
    line(content="", tool_calls=[use("weather", city="Ø"), use("now")]),
    line(content="", tool_calls=[use("now")]),
    line(True, "stop", COUNTS, content=""),
)
DELTAS = [
    Began(None, "m"),
    ReasoningDelta("Hm\u2028"),
    ReasoningDelta("."),
    TextDelta("Hé"),
    TextDelta("l\U0001f600"),
    ToolStart(0, "call_0", "weather"),
    ToolArgsDelta(0, '{"city": "Ø"}'),
    ToolDone(0),
    ToolStart(1, "call_1", "now"),
    ToolArgsDelta(1, "{}"),
    ToolDone(1),
    ToolStart(2, "call_2", "now"),
    ToolArgsDelta(2, "{}"),
    ToolDone(2),
    UsageUpdate(Usage(9, 2)),
    EchoDelta("ollama", ["Hm\u2028", "."]),
    Done("tool_calls", "stop"),
]


# requests


def test_a_request():
    request = build_request(Call(ASK, "m", 64, 0.2, 0.9, ("END",), 7, (WEATHER,), "auto", SCHEMA), SPEC)
    assert request.url == "http://127.0.0.1:11434/api/chat" and "Authorization" not in request.headers
    assert json.loads(request.body) == {
        "model": "m",
        "stream": True,
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}],
        "options": {"num_predict": 64, "temperature": 0.2, "top_p": 0.9, "seed": 7, "stop": ["END"]},
        "format": SCHEMA,
        "tools": [{"type": "function", "function": {"name": "weather", "description": "now", "parameters": SCHEMA}}],
    }


def test_it_streams_unless_told_not_to():
    sent = body(Call(ASK, "m", 5, stream=False, extra={"think": True, "options": {"num_ctx": 99}}))
    assert sent["stream"] is False and sent["think"] is True and sent["options"] == {"num_predict": 5, "num_ctx": 99}
    assert "options" not in body(Call(ASK, "m"))
    keyed = build_request(Call(ASK, "m"), Spec("ollama", "ollama", "https://api.example", key=Secret("planted")))
    assert keyed.headers["Authorization"] == "Bearer planted" and "planted" not in repr(keyed)


def test_choices():
    assert "tools" not in body(Call(ASK, "m", tools=(WEATHER,), tool_choice="none"))
    for choice in ("required", "weather"):
        with pytest.raises(UnsupportedParamError, match=choice) as refused:
            build_request(Call(ASK, "m", tools=(WEATHER,), tool_choice=choice), SPEC)
        assert refused.value.reason == "tool_choice"


def test_the_next_turn():
    calls = (ToolCall("call_0", "weather", '{"city": "Oslo"}'), ToolCall("call_1", "now", ""))
    turn = (
        *ASK,
        Message("assistant", "", calls, echo={"ollama": ["Hm", "."]}),
        Message("tool", "4 C", tool_call_id="call_0"),
        Message("tool", "9:00", tool_call_id="call_1", name="clock"),
    )
    assert body(Call(turn, "m"))["messages"][2:] == [
        {
            "role": "assistant",
            "content": "",
            "thinking": "Hm.",
            "tool_calls": [
                {"function": {"name": "weather", "arguments": {"city": "Oslo"}}},
                {"function": {"name": "now", "arguments": {}}},
            ],
        },
        {"role": "tool", "content": "4 C", "tool_name": "weather"},
        {"role": "tool", "content": "9:00", "tool_name": "clock"},
    ]
    with pytest.raises(BadRequestError, match="'call_9'"):
        build_request(Call((Message("assistant", "", (ToolCall("call_9", "weather", "[]"),)),), "m"), SPEC)


# replies


def test_a_stream():
    assert decode(STREAM) == DELTAS


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_every_split_gives_the_same_deltas(end):
    stream = STREAM.replace(b"\n", end)
    for cut in range(0, len(stream) + 1):
        assert decode(stream[:cut], stream[cut:]) == DELTAS
    assert decode(*(stream[place : place + 1] for place in range(len(stream)))) == DELTAS


def test_a_cut_stream_is_never_done():
    whole = STREAM.rindex(b"}") + 1
    for cut in range(len(STREAM)):
        deltas = decode(STREAM[:cut])
        assert (deltas == DELTAS) if cut >= whole else (deltas == DELTAS[: len(deltas)] and len(deltas) <= 14)


def test_a_reply_in_one_piece():
    whole = line(True, "stop", COUNTS, content="Hi", tool_calls=[use("now") | {"id": "c9"}])
    calls = [ToolStart(0, "c9", "now"), ToolArgsDelta(0, "{}"), ToolDone(0)]
    end = [UsageUpdate(Usage(9, 2)), Done("tool_calls", "stop")]
    assert decode(json.dumps(whole).encode()) == [Began(None, "m"), TextDelta("Hi"), *calls, *end]


@pytest.mark.parametrize(
    ("raw", "finish"), [("stop", "stop"), ("length", "length"), ("load", "other"), (None, "other")]
)
def test_reasons(raw, finish):
    assert decode(lines(line(True, raw))) == [Began(None, "m"), Done(finish, raw)]
    assert decode(lines(line(False, raw))) == [Began(None, "m")]


def test_a_call_that_the_limit_followed_is_no_call_to_run():
    assert decode(lines(line(tool_calls=[use("now")]), line(True, "length")))[-1] == Done("length", "length")


def test_thinking_without_a_call_does_not_go_back():
    deltas = decode(lines(line(thinking="Hm"), line(True, "stop")))
    assert deltas == [Began(None, "m"), ReasoningDelta("Hm"), Done("stop", "stop")]


def test_half_characters_wait_for_their_other_half():
    frames = lines(line(content="a\\ud83d"), line(content="\\ude00"), line(True, "stop", content="\\ud83d"))
    assert [d.text for d in decode(frames.replace(b"\\\\u", b"\\u")) if isinstance(d, TextDelta)] == [
        "a",
        "\U0001f600",
        "\ufffd",
    ]


def test_half_a_character_at_the_end_of_a_thought():
    frames = lines(line(True, "stop", thinking="a\\ud83d")).replace(b"\\\\u", b"\\u")
    assert decode(frames)[1] == ReasoningDelta("a\ufffd")


def test_errors():
    told = {"error": "model 'm' not found"}
    error = ErrorDelta("model 'm' not found", body=told)
    assert decode(lines(told)) == decode(json.dumps(told).encode()) == [error]
    assert decode(lines(line(content="a"), told, line(True, "stop"))) == [Began(None, "m"), TextDelta("a"), error]
    inner = {"error": {"message": "busy", "type": "overloaded", "code": "c", "status": 503}}
    assert decode(lines(inner)) == [ErrorDelta("busy", "overloaded", "c", 503, inner)]


@pytest.mark.parametrize(
    "data", [b"<html>\n", b"7\n", b'{"message": 7}\n', b'{"message": {"tool_calls": [1]}}\n', b"{\n"]
)
def test_no_reply_of_this_format(data):
    with pytest.raises(ProtocolError):
        decode(data, b"")


def test_nothing_after_the_end_counts():
    assert decode(STREAM, b"{x\n", STREAM) == DELTAS
    assert decode() == decode(b"\n\n") == []


# embeddings


def test_embeddings():
    request = build_embed(["a", "b"], "e", SPEC, 2)
    assert request.url == "http://127.0.0.1:11434/api/embed"
    assert json.loads(request.body) == {"model": "e", "input": ["a", "b"], "dimensions": 2}
    assert json.loads(build_embed(("a",), "e", SPEC).body) == {"model": "e", "input": ["a"]}
    found = decode_embed(b'{"model": "e", "embeddings": [[1, 0.5], [0, 2]], "prompt_eval_count": 3}')
    assert (found.shape, found[1], found.model, found.usage) == ((2, 2), [0.0, 2.0], "e", Usage(3))


@pytest.mark.parametrize(
    "data", [b"", b'{"embeddings": [[1], [1, 2]]}', b'{"embeddings": [[null]]}', b'{"embeddings": [7]}']
)
def test_no_embeddings(data):
    with pytest.raises(ProtocolError):
        decode_embed(data)
