"""Anthropic: requests as JSON, a recorded stream cut at every byte, what goes back on the next turn."""

from __future__ import annotations

import json

import pytest

from tinyllm.client.errors import BadRequestError, ProtocolError, UnsupportedParamError
from tinyllm.client.providers.anthropic import Decoder, build_request
from tinyllm.client.registry import resolve
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
from tinyllm.errors import ConfigError

SPEC = Spec("anthropic", "anthropic", "https://api.example", key=Secret("sk-planted"))
OLD = Spec("anthropic", "anthropic", "https://api.example", "x-api-key", Secret("sk-planted"), "2023-06-01")
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
WEATHER = Tool("weather", "now", SCHEMA)
ASK = (Message("system", "Be brief."), Message("user", "Weather in Oslo?"))


def body(call, spec=SPEC):
    return json.loads(build_request(call, spec).body)


def sse(*frames, end="\n"):
    lines = [f"event: {frame['type']}{end}data: {json.dumps(frame, ensure_ascii=False)}{end}{end}" for frame in frames]
    return "".join(lines).encode()


def decode(*pieces):
    decoder = Decoder()
    deltas = [delta for piece in pieces for delta in decoder.feed(piece)]
    return deltas + decoder.close()


def block(index, start, *deltas, stop=True):
    yield {"type": "content_block_start", "index": index, "content_block": start}
    for delta in deltas:
        yield {"type": "content_block_delta", "index": index, "delta": delta}
    if stop:
        yield {"type": "content_block_stop", "index": index}


def text(piece):
    return {"type": "text_delta", "text": piece}


def args(piece):
    return {"type": "input_json_delta", "partial_json": piece}


def begin(**usage):
    message = {"id": "m1", "type": "message", "role": "assistant", "content": [], "model": "m", "stop_reason": None}
    return {"type": "message_start", "message": message | {"usage": {"input_tokens": 61, "output_tokens": 1} | usage}}


def end(reason, **usage):
    delta = {"stop_reason": reason, "stop_sequence": None}
    return {"type": "message_delta", "delta": delta, "usage": {"output_tokens": 22} | usage}


PING, STOP = {"type": "ping"}, {"type": "message_stop"}
USE = {"type": "tool_use", "id": "toolu_7", "name": "weather", "input": {}}
STREAM = sse(
    begin(cache_read_input_tokens=8, cache_creation_input_tokens=0),
    PING,
    *block(
        0,
        {"type": "thinking", "thinking": "", "signature": ""},
        {"type": "thinking_delta", "thinking": "Oslo \u2028 "},
        {"type": "thinking_delta", "thinking": "é?"},
        {"type": "signature_delta", "signature": "c2ln"},
    ),
    *block(1, {"type": "text", "text": ""}, text("Løoking "), text("\U0001f600")),
    *block(2, USE, args(""), args('{"city":'), args('"Oslo"}')),
    end("tool_use", output_tokens_details={"thinking_tokens": 9}),
    STOP,
)
THOUGHT = {"type": "thinking", "thinking": "Oslo \u2028 é?", "signature": "c2ln"}
DELTAS = [
    Began("m1", "m"),
    UsageUpdate(Usage(61, 1, 8, 0)),
    ReasoningDelta("Oslo \u2028 "),
    ReasoningDelta("é?"),
    TextDelta("Løoking "),
    TextDelta("\U0001f600"),
    ToolStart(0, "toolu_7", "weather"),
    ToolArgsDelta(0, '{"city":'),
    ToolArgsDelta(0, '"Oslo"}'),
    ToolDone(0),
    UsageUpdate(Usage(61, 13, 8, 0, 9)),
    EchoDelta("anthropic", [THOUGHT, {"type": "text", "length": 9}, {"type": "tool_use", "id": "toolu_7"}]),
    Done("tool_calls", "tool_use"),
]


# requests


def test_a_request():
    request = build_request(Call(ASK, "m", 64, tools=(WEATHER,), tool_choice="auto"), SPEC)
    assert (request.method, request.url) == ("POST", "https://api.example/v1/messages")
    assert json.loads(request.body) == {
        "model": "m",
        "max_tokens": 64,
        "stream": True,
        "system": "Be brief.",
        "messages": [{"role": "user", "content": "Weather in Oslo?"}],
        "tools": [{"name": "weather", "description": "now", "input_schema": SCHEMA}],
        "tool_choice": {"type": "auto"},
    }
    assert "sk-planted" not in repr(request)


def test_each_version_has_its_one_header():
    new, old = build_request(Call(ASK, "m"), SPEC).headers, build_request(Call(ASK, "m"), OLD).headers
    assert new["anthropic-version"] == "2026-10-21" and new["Authorization"] == "Bearer sk-planted"
    assert old["anthropic-version"] == "2023-06-01" and old["x-api-key"] == "sk-planted"
    assert "x-api-key" not in new and "Authorization" not in old
    with pytest.raises(ConfigError, match="1999-01-01"):
        build_request(Call(ASK, "m"), Spec("a", "anthropic", api_version="1999-01-01"))


@pytest.mark.parametrize("name", ["temperature", "top_p", "top_k"])
def test_sampling_parameters_by_version(name):
    call = Call(ASK, "m", extra={name: 1}) if name == "top_k" else Call(ASK, "m", **{name: 1.0})
    with pytest.raises(UnsupportedParamError, match=f"{name}.*2026-10-21.*m.*2023-06-01") as refused:
        build_request(call, SPEC)
    assert refused.value.reason == name and not refused.value.retryable
    assert body(call, OLD)[name] == 1
    strict = Spec("anthropic", "anthropic", "", "x-api-key", None, "2023-06-01", capabilities={name: False})
    with pytest.raises(UnsupportedParamError):
        build_request(call, strict)


def test_a_strict_tool():
    (sent,) = body(Call(ASK, "m", tools=(Tool("now", strict=True),)))["tools"]
    assert sent == {"name": "now", "input_schema": {"type": "object", "properties": {}}, "strict": True}


def test_all_else_of_a_call():
    sent = body(
        Call(ASK, "m", stop=("END",), schema=SCHEMA, stream=False, extra={"metadata": {"user_id": "u"}}),
        Spec("anthropic", "anthropic", capabilities={"max_output_tokens": 99}),
    )
    assert sent["stop_sequences"] == ["END"] and sent["metadata"] == {"user_id": "u"} and sent["max_tokens"] == 99
    assert sent["output_config"] == {"format": {"type": "json_schema", "schema": SCHEMA}} and "stream" not in sent
    assert body(Call(ASK, "m"))["max_tokens"] > 0
    with pytest.raises(UnsupportedParamError):
        build_request(Call(ASK, "m", seed=0), SPEC)
    with pytest.raises(BadRequestError):
        build_request(Call(ASK, "m", extra={"x": object()}), SPEC)


@pytest.mark.parametrize(
    ("choice", "sent"),
    [("none", {"type": "none"}), ("required", {"type": "any"}), ("weather", {"type": "tool", "name": "weather"})],
)
def test_choices(choice, sent):
    assert body(Call(ASK, "m", tools=(WEATHER,), tool_choice=choice))["tool_choice"] == sent


def test_half_a_character_is_sent_as_json_calls_it():
    request = build_request(Call((Message("user", "a\ud83d é"),), "m"), SPEC)
    assert json.loads(request.body)["messages"][0]["content"] == "a\ud83d é" and "é".encode() in request.body


def test_the_next_turn():
    calls = (ToolCall("t1", "weather", '{"city": "Oslo"}'), ToolCall("t2", "weather", ""))
    turn = (
        *ASK,
        Message("assistant", "Looking", calls),
        Message("tool", "4 C", tool_call_id="t1"),
        Message("tool", "no such city", tool_call_id="t2", is_error=True),
        Message("user", "And?"),
    )
    assert body(Call(turn, "m"))["messages"][1:] == [
        {
            "role": "assistant",
            "content": [
                {"type": "text", "text": "Looking"},
                {"type": "tool_use", "id": "t1", "name": "weather", "input": {"city": "Oslo"}},
                {"type": "tool_use", "id": "t2", "name": "weather", "input": {}},
            ],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "t1", "content": "4 C"},
                {"type": "tool_result", "tool_use_id": "t2", "content": "no such city", "is_error": True},
                {"type": "text", "text": "And?"},
            ],
        },
    ]
    with pytest.raises(BadRequestError, match="'t3'"):
        build_request(Call((Message("assistant", "", (ToolCall("t3", "weather", '{"ci'),)),), "m"), SPEC)


def test_thinking_goes_back_unchanged():
    kept = {"anthropic": DELTAS[-2].value}
    call = ToolCall("toolu_7", "weather", '{"city": "Oslo"}')
    used = {"type": "tool_use", "id": "toolu_7", "name": "weather", "input": {"city": "Oslo"}}

    def content(*args):
        return body(Call((*ASK, Message("assistant", *args, echo=kept)), "m"))["messages"][1]["content"]

    said = {"type": "text", "text": "Løoking \U0001f600"}
    assert content("Løoking \U0001f600", (call,)) == [THOUGHT, said, used]
    assert content("Løoking \U0001f600", ()) == [THOUGHT, said]  # a call without its result would be refused
    assert content("Else.", (call,)) == [THOUGHT, {"type": "text", "text": "Else."}, used]


# replies


def test_a_stream():
    assert decode(STREAM) == DELTAS


@pytest.mark.parametrize(("line", "step"), [("\n", 1), ("\r\n", 7), ("\r", 7)])
def test_every_split_gives_the_same_deltas(line, step):
    stream = STREAM.replace(b"\n", line.encode())
    for cut in range(0, len(stream) + 1, step):
        assert decode(stream[:cut], stream[cut:]) == DELTAS
    assert decode(*(stream[place : place + 1] for place in range(len(stream)))) == DELTAS


def test_a_cut_stream_is_never_done():
    whole = STREAM.rindex(b"}") + 1
    for cut in range(len(STREAM)):
        deltas = decode(STREAM[:cut])
        assert (deltas == DELTAS) if cut >= whole else (deltas == DELTAS[: len(deltas)] and len(deltas) < len(DELTAS))
    assert not any(isinstance(delta, Done) for delta in decode(STREAM[:whole], b"x"))


def test_a_reply_in_one_piece():
    reply = {
        "id": "m1",
        "type": "message",
        "role": "assistant",
        "model": "m",
        "content": [
            THOUGHT,
            {"type": "text", "text": "Løoking \U0001f600"},
            USE | {"input": {"city": "Oslo"}},
        ],
        "stop_reason": "tool_use",
        "usage": {"input_tokens": 61, "output_tokens": 22, "cache_read_input_tokens": 8},
    }
    data = json.dumps(reply, indent=1).encode()
    deltas = decode(data)
    assert deltas == [
        Began("m1", "m"),
        ReasoningDelta("Oslo \u2028 é?"),
        TextDelta("Løoking \U0001f600"),
        ToolStart(0, "toolu_7", "weather"),
        ToolArgsDelta(0, '{"city": "Oslo"}'),
        ToolDone(0),
        UsageUpdate(Usage(61, 22, 8)),
        *DELTAS[-2:],
    ]
    for cut in range(0, len(data), 7):
        assert decode(data[:cut], data[cut:]) == deltas
        if cut:
            with pytest.raises(ProtocolError):
                decode(data[:cut])
    assert not any(isinstance(d, Done) for d in decode(json.dumps(reply | {"stop_reason": None}).encode()))


def test_numbers_are_overwritten():
    deltas = decode(sse(begin(), end(None, output_tokens=5), end("end_turn", input_tokens=70, output_tokens=9), STOP))
    assert [d.usage for d in deltas if isinstance(d, UsageUpdate)] == [Usage(61, 1), Usage(61, 5), Usage(70, 9)]
    assert decode(sse({"type": "message_start", "message": {}}))[0] == Began(None, None)


@pytest.mark.parametrize(
    ("raw", "finish"),
    [
        ("end_turn", "stop"),
        ("stop_sequence", "stop"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("refusal", "refusal"),
        ("pause_turn", "pause"),
        ("something new", "other"),
        (None, "other"),
    ],
)
def test_reasons(raw, finish):
    assert decode(sse(begin(), end(raw), STOP))[-1] == Done(finish, raw)


def test_a_block_whose_stop_is_missing_is_whole_if_the_answer_is():
    whole = block(0, USE | {"input": {"city": "Oslo"}}, stop=False)
    deltas = decode(sse(begin(), *whole, end("tool_use"), STOP))
    assert deltas[-3:-1] == [ToolArgsDelta(0, '{"city": "Oslo"}'), ToolDone(0)]


def test_versions_are_those_of_the_registry():
    """A key from the environment goes in the header of the version that was asked for, or of the variable."""
    for version, variable, auth in (
        (None, "ANTHROPIC_API_KEY", "Authorization"),
        ("2023-06-01", "ANTHROPIC_API_KEY", "x-api-key"),
        ("2023-06-01", "ANTHROPIC_AUTH_TOKEN", "Authorization"),
    ):
        spec = resolve("anthropic", "m", api_version=version, environ={variable: "planted"})
        sent = build_request(Call(ASK, "m", temperature=None if version is None else 1.0), spec)
        assert [name for name, value in sent.headers.items() if "planted" in value] == [auth]
        assert sent.headers["anthropic-version"] == (version or "2026-10-21")


@pytest.mark.parametrize("stopped", [True, False])
def test_a_call_that_the_limit_cut_is_not_done(stopped):
    cut = block(0, USE, args(""), args('{"city":'), args('"Os'), stop=stopped)
    deltas = decode(sse(begin(), *cut, end("max_tokens"), STOP))
    assert not any(isinstance(delta, ToolDone) for delta in deltas) and deltas[-1] == Done("length", "max_tokens")
    assert [delta.text for delta in deltas if isinstance(delta, ToolArgsDelta)] == ['{"city":', '"Os']


def test_calls_are_numbered_and_may_have_no_arguments():
    second = USE | {"id": "toolu_8", "name": "now"}
    interleaved = [*block(3, USE, args('{"city":"O"}'), stop=False), *block(4, second, args(""))]
    stopped = {"type": "content_block_stop", "index": 3}
    deltas = decode(sse(begin(), *interleaved, stopped, end("tool_use"), STOP))
    assert deltas[2:7] == [
        ToolStart(0, "toolu_7", "weather"),
        ToolArgsDelta(0, '{"city":"O"}'),
        ToolStart(1, "toolu_8", "now"),
        ToolArgsDelta(1, "{}"),
        ToolDone(1),
    ]
    assert deltas[7] == ToolDone(0)


def test_what_the_server_ran_goes_back_and_is_not_ours_to_run():
    search = {"type": "server_tool_use", "id": "s1", "name": "web_search", "input": {}}
    result = {"type": "web_search_tool_result", "tool_use_id": "s1", "content": [{"url": "u"}]}
    hidden = {"type": "redacted_thinking", "data": "xyz"}
    frames = [*block(0, hidden), *block(1, search, args('{"query":"q"}')), *block(2, result)]
    deltas = decode(sse(begin(), *frames, end("end_turn"), STOP))
    assert deltas[2:4] == [
        UsageUpdate(Usage(61, 22)),
        EchoDelta("anthropic", [hidden, search | {"input": {"query": "q"}}, result]),
    ]


def test_thinking_without_a_signature_does_not_go_back():
    deltas = decode(sse(begin(), *block(0, {"type": "thinking", "thinking": "Hm"}), end("end_turn"), STOP))
    assert deltas[2:] == [ReasoningDelta("Hm"), UsageUpdate(Usage(61, 22)), Done("stop", "end_turn")]


def test_a_limit_that_came_before_any_argument_makes_none_up():
    deltas = decode(sse(begin(), *block(0, USE, stop=False), end("max_tokens"), STOP))
    assert deltas[2:-2] == [ToolStart(0, "toolu_7", "weather")]


def test_half_a_character_at_the_end_of_a_text_counts_as_one():
    hidden = {"type": "redacted_thinking", "data": "xyz"}
    frames = sse(begin(), *block(0, {"type": "text", "text": "a\\ud83d"}), *block(1, hidden), end("end_turn"), STOP)
    kept = EchoDelta("anthropic", [{"type": "text", "length": 2}, hidden])
    assert decode(frames.replace(b"\\\\u", b"\\u"))[-2] == kept


def test_the_reason_is_known_before_the_end():
    decoder = Decoder()
    decoder.feed(sse(begin()))
    assert not decoder.finished
    decoder.feed(sse(end("end_turn")))
    assert decoder.finished and decoder.close() == []


def test_half_characters_wait_for_their_other_half():
    frames = sse(begin(), *block(0, {"type": "text", "text": ""}, text("a\\ud83d"), text("\\ude00\\udead")))
    deltas = decode(frames.replace(b"\\\\u", b"\\u"))
    assert "".join(d.text for d in deltas if isinstance(d, TextDelta)) == "a\U0001f600\ufffd"


ERROR = {
    "type": "error",
    "error": {
        "type": "rate_limit_error",
        "message": "Spent",
        "details": {"error_code": "enforced_spend_limit_reached"},
    },
    "request_id": "r1",
}


def test_errors():
    spent = ErrorDelta("Spent", "rate_limit_error", "enforced_spend_limit_reached", None, ERROR)
    assert decode(sse(ERROR)) == decode(json.dumps(ERROR).encode()) == [spent]
    said = sse(begin(), *block(0, {"type": "text", "text": "a"}), ERROR, end("end_turn"), STOP)
    assert decode(said)[2:] == [TextDelta("a"), spent]
    assert decode(b'data: {"type": "error", "error": "text"}\n\n')[0].message == "text"


@pytest.mark.parametrize(
    "data",
    [
        b"<html>busy</html>",
        b"data: {x\n\n",
        b"data: 7\n\n",
        b'{"hello": 1}',
        b'data: {"type": "message_start", "message": 7}\n\n',
        b'data: {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "x"}}\n\n',
        b'data: {"type": "content_block_start", "index": 0, "content_block": {}}\n\n',
    ],
)
def test_no_reply_of_this_format(data):
    with pytest.raises(ProtocolError):
        decode(data)


def test_what_came_before_a_broken_frame_is_given_out_first():
    decoder = Decoder()
    usage = {"cache_read_input_tokens": 8, "cache_creation_input_tokens": 0}
    assert decoder.feed(sse(begin(**usage)) + b"data: {x\n\n") == DELTAS[:2]
    for call in (lambda: decoder.feed(b""), decoder.close):
        with pytest.raises(ProtocolError):
            call()


def test_a_last_frame_that_is_broken_ends_in_an_error():
    assert decode(b'{"type": "message", "id": "m1", "content": 7}')[0] == Began("m1", None)
    assert decode(b'{"type": "message", "id": "m1", "content": 7}')[-1].type == "protocol_error"


def test_nothing_after_the_end_counts():
    assert decode(STREAM, b"data: {x\n\n", STREAM) == DELTAS
    assert decode() == decode(b"") == decode(b"\r\n: hello\n\n") == []
