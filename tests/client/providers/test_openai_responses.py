"""Responses: requests word by word, and replies of named events, however their bytes are cut."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tinyllm.client.errors import ProtocolError, UnsupportedParamError
from tinyllm.client.providers.openai_responses import ECHO, Decoder, build_request
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

STREAMS = Path(__file__).parent / "streams"
SPEC = Spec("toy", "openai_responses", "http://127.0.0.1/v1", key=Secret("sk-1"))
OSLO = '{"city":"Oslo"}'
BEGAN = Began("r1", "m")
CALL = {"type": "function_call", "id": "i1", "call_id": "call_7", "name": "weather", "arguments": OSLO}


def decode(data: bytes, size: int | None = None) -> list:
    decoder = Decoder()
    size = size or max(len(data), 1)
    deltas = [delta for at in range(0, len(data), size) for delta in decoder.feed(data[at : at + size])]
    return deltas + decoder.close()


def sse(*events: dict) -> bytes:
    return b"".join(b"event: x\ndata: " + json.dumps(event).encode() + b"\n\n" for event in events)


def last(status: str = "completed", **fields: object) -> dict:
    return {"type": f"response.{status}", "response": {"status": status, **fields}}


# requests


def sent(call: Call, spec: Spec = SPEC) -> dict:
    return json.loads(build_request(call, spec).body)


def test_a_request_word_by_word():
    call = Call(
        (Message("system", "Be brief."), Message("system", "Be kind."), Message("user", "Weather in Oslo?")),
        "m",
        max_tokens=64,
        temperature=0.2,
        top_p=0.9,
        tools=(Tool("weather", "now", {"type": "object"}, strict=True), Tool("clock", "", {"type": "object"})),
        tool_choice="weather",
        extra={"reasoning": {"effort": "low"}},
    )
    request = build_request(call, SPEC)
    assert (request.method, request.url) == ("POST", "http://127.0.0.1/v1/responses")
    assert dict(request.headers) == {
        "Content-Type": "application/json",
        "Accept": "text/event-stream",
        "Authorization": "Bearer sk-1",
    }
    assert request.body == (
        b'{"model":"m","store":false,"stream":true,"max_output_tokens":64,"temperature":0.2,"top_p":0.9,'
        b'"instructions":"Be brief.\\n\\nBe kind.","input":[{"role":"user","content":"Weather in Oslo?"}],'
        b'"tools":[{"type":"function","name":"weather","description":"now","parameters":{"type":"object"},"strict":true},'
        b'{"type":"function","name":"clock","parameters":{"type":"object"},"strict":false}],'
        b'"tool_choice":{"type":"function","name":"weather"},"reasoning":{"effort":"low"}}'
    )


def test_the_next_turn_holds_thoughts_calls_and_results_as_items():
    thought = {"type": "reasoning", "id": "rs1", "summary": [], "encrypted_content": "QUJD"}
    turn = Message(
        "assistant", "", (ToolCall("call_7", "weather", OSLO), ToolCall("b", "f", "")), echo={ECHO: [thought]}
    )
    turns = (Message("user", "?"), turn, Message("tool", "4 C", tool_call_id="call_7"), Message("system", "Stop."))
    assert sent(Call((*turns, Message("assistant", "Cold.")), "m"))["input"] == [
        {"role": "user", "content": "?"},
        thought,
        {"type": "function_call", "call_id": "call_7", "name": "weather", "arguments": OSLO},
        {"type": "function_call", "call_id": "b", "name": "f", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "call_7", "output": "4 C"},
        {"role": "developer", "content": "Stop."},
        {"role": "assistant", "content": "Cold."},
    ]


def test_a_schema_and_nothing_else():
    assert build_request(Call((), "m", stream=False), SPEC).headers["Accept"] == "application/json"
    assert sent(Call((), "m", schema={"type": "integer"}, stream=False, extra={"store": True})) == {
        "model": "m",
        "store": True,
        "input": [],
        "text": {"format": {"type": "json_schema", "name": "answer", "schema": {"type": "integer"}, "strict": True}},
    }


@pytest.mark.parametrize(("name", "value"), [("stop", ("x",)), ("seed", 0)])
def test_the_format_has_no_stop_words_and_no_seed(name, value):
    with pytest.raises(UnsupportedParamError, match=name) as raised:
        build_request(Call((), "m", **{name: value}), SPEC)
    assert raised.value.reason == name


def test_a_temperature_without_reasoning_only():
    spec = Spec("openai", "openai_responses", capabilities={"temperature": "effort none"})
    for extra in ({}, {"reasoning": {"effort": "low"}}, {"reasoning": None}):
        with pytest.raises(UnsupportedParamError, match="temperature"):
            build_request(Call((), "m", temperature=0.5, extra=extra), spec)
    assert sent(Call((), "m", temperature=0.5, extra={"reasoning": {"effort": "none"}}), spec)["temperature"] == 0.5


# recorded streams

START = ToolStart(0, "call_7", "weather")
TOOLS = [
    BEGAN,
    TextDelta("Looking"),
    TextDelta(" ☃"),
    START,
    ToolArgsDelta(0, '{"city":'),
    ToolArgsDelta(0, '"Oslo"}'),
    ToolDone(0, OSLO),
]
RECORDED = {
    "tools": [*TOOLS, UsageUpdate(Usage(50, 14, 8, 0, 0)), Done("tool_calls", "completed")],
    "done_only": [
        BEGAN,
        START,
        ToolDone(0, OSLO),
        UsageUpdate(Usage(10, 5, 0, 0, 0)),
        Done("tool_calls", "completed"),
    ],
    "reasoning": [
        BEGAN,
        ReasoningDelta("Think."),
        EchoDelta(
            ECHO,
            [
                {
                    "id": "rs1",
                    "type": "reasoning",
                    "summary": [{"type": "summary_text", "text": "Think."}],
                    "encrypted_content": "QUJD",
                }
            ],
        ),
        TextDelta("Looking ☃"),
        UsageUpdate(Usage(58, 4, 0, 0, 10)),
        Done("stop", "completed"),
    ],
    "incomplete": [
        BEGAN,
        START,
        ToolArgsDelta(0, '{"ci'),
        UsageUpdate(Usage(10, 64, 0, 0, 0)),
        Done("length", "max_output_tokens"),
    ],
    "refusal": [BEGAN, TextDelta("No."), UsageUpdate(Usage(9, 2, 0, 0, 0)), Done("refusal", "completed")],
    "cut": TOOLS,
}
FAILED = {
    "failed": ("The model broke.", "server_error"),
    "error": ("Slow down.", "rate_limit_exceeded"),
}


def test_every_recorded_stream_is_looked_at():
    found = {path.stem for path in STREAMS.glob("responses_*.sse")}
    assert found == {f"responses_{name}" for name in [*RECORDED, *FAILED]}


@pytest.mark.parametrize("name", RECORDED)
def test_a_recorded_stream_split_at_every_byte(name):
    data = (STREAMS / f"responses_{name}.sse").read_bytes()
    assert decode(data) == decode(data, 1) == RECORDED[name]
    for at in range(1, len(data), 1 if len(data) < 2000 else 3):
        decoder = Decoder()
        assert decoder.feed(data[:at]) + decoder.feed(data[at:]) + decoder.close() == RECORDED[name], at


@pytest.mark.parametrize("name", FAILED)
def test_a_failure_is_an_error_and_no_end(name):
    data = (STREAMS / f"responses_{name}.sse").read_bytes()
    for size in (None, 1, 7):
        began, error = decode(data, size)
        assert began == BEGAN and (error.message, error.code) == FAILED[name]


# what servers leave out, and what they say twice


def calls_of(deltas: list) -> list[tuple[str, str, str]]:
    found: dict[int, list[str]] = {}
    for delta in deltas:
        if isinstance(delta, ToolStart):
            assert delta.index not in found
            found[delta.index] = [delta.name, delta.id, ""]
        elif isinstance(delta, ToolArgsDelta):
            found[delta.index][2] += delta.text
        elif isinstance(delta, ToolDone) and delta.arguments is not None:
            found[delta.index][2] = delta.arguments
    return [(name, id, arguments) for name, id, arguments in found.values()]


def test_what_was_not_streamed_comes_from_the_last_event():
    message = {"type": "message", "id": "i0", "content": [{"type": "output_text", "text": "Hi"}]}
    thought = {"type": "reasoning", "id": "rs1", "content": [{"type": "reasoning_text", "text": "hm"}]}
    assert decode(sse(last(output=[thought, message, CALL]))) == [
        ReasoningDelta("hm"),
        EchoDelta(ECHO, [thought]),
        TextDelta("Hi"),
        START,
        ToolDone(0, OSLO),
        Done("tool_calls", "completed"),
    ]


def test_what_was_streamed_is_not_said_again_whatever_the_ids():
    events = (
        {"type": "response.output_text.delta", "item_id": "x", "output_index": 0, "content_index": 0, "delta": "Hi"},
        {"type": "response.output_text.done", "item_id": "x", "output_index": 0, "content_index": 0, "text": "Hi"},
        {"type": "response.output_item.added", "output_index": 5, "item": CALL},
        {"type": "response.function_call_arguments.delta", "item_id": "i1", "output_index": 5, "delta": OSLO},
    )
    message = {"type": "message", "id": "y", "content": [{"type": "output_text", "text": "Hi"}]}
    deltas = decode(sse(*events, last(output=[message, {**CALL, "id": "z"}])))
    assert [delta.text for delta in deltas if isinstance(delta, TextDelta)] == ["Hi"]
    assert calls_of(deltas) == [("weather", "call_7", OSLO)]


def test_a_text_that_comes_whole_only():
    events = [
        {"type": "response.output_text.done", "output_index": 0, "content_index": n, "text": text}
        for n, text in enumerate(("one", "two"))
    ]
    events.append({"type": "response.refusal.done", "output_index": 1, "content_index": 0, "refusal": "three"})
    assert decode(sse(*events, last())) == [
        TextDelta("one"),
        TextDelta("two"),
        TextDelta("three"),
        Done("refusal", "completed"),
    ]


def test_arguments_as_a_whole_override_the_pieces():
    events = (
        {"type": "response.output_item.added", "output_index": 0, "item": {**CALL, "arguments": ""}},
        {"type": "response.function_call_arguments.delta", "output_index": 0, "delta": '{"wrong'},
        {"type": "response.function_call_arguments.done", "output_index": 0, "name": "never", "arguments": OSLO},
        {"type": "response.output_item.done", "output_index": 0, "item": CALL},
    )
    deltas = decode(sse(*events, last(output=[CALL])))
    assert calls_of(deltas) == [("weather", "call_7", OSLO)]
    assert sum(isinstance(delta, ToolDone) for delta in deltas) == 1


def test_arguments_at_the_end_of_the_arguments_alone():
    events = (
        {"type": "response.output_item.added", "output_index": 0, "item": {**CALL, "arguments": ""}},
        {"type": "response.function_call_arguments.done", "item_id": "i1", "arguments": OSLO},
    )
    assert decode(sse(*events, last(output=[]))) == [START, ToolDone(0, OSLO), Done("tool_calls", "completed")]


def test_each_thought_goes_back_once():
    thoughts = [{"type": "reasoning", "id": id, "summary": [{"text": id}]} for id in ("rs1", "rs2")]
    events = [
        {"type": f"response.output_item.{word}", "output_index": n, "item": item}
        for n, item in enumerate(thoughts)
        for word in ("added", "done")
    ]
    deltas = decode(sse(*events, last(output=thoughts)))
    assert [delta.value for delta in deltas if isinstance(delta, EchoDelta)] == [[one] for one in thoughts]
    assert [delta.text for delta in deltas if isinstance(delta, ReasoningDelta)] == ["rs1", "rs2"]
    nameless = [{"type": "reasoning"}, {"type": "reasoning", "status": "incomplete"}, {"type": "reasoning"}]
    assert decode(sse(last(output=nameless)))[:-1] == [EchoDelta(ECHO, [{"type": "reasoning"}])] * 2


def test_a_character_in_two_deltas():
    texts = ("a\ud83d", "\ude00b", "\ud83d")
    for kind, delta in (("output_text", TextDelta), ("reasoning_text", ReasoningDelta)):
        events = [{"type": f"response.{kind}.delta", "output_index": 0, "delta": text} for text in texts]
        found = decode(sse(*events, last()))
        assert "".join(one.text for one in found if isinstance(one, delta)) == "a\U0001f600b\ufffd"
    events = [{"type": "response.output_item.added", "output_index": 0, "item": {**CALL, "arguments": ""}}]
    kind = "response.function_call_arguments.delta"
    events += [{"type": kind, "output_index": 0, "delta": text} for text in ('"\ud83d', '\ude00"')]
    assert calls_of(decode(sse(*events, last()))) == [("weather", "call_7", '"\U0001f600"')]


def test_calls_are_told_apart_by_item_or_by_index():
    a, b = {**CALL, "arguments": ""}, {**CALL, "id": "i2", "call_id": "call_8", "arguments": ""}
    events = (
        {"type": "response.output_item.added", "output_index": 0, "item": a},
        {"type": "response.output_item.added", "output_index": 1, "item": b},
        {"type": "response.function_call_arguments.delta", "item_id": "i2", "delta": "{}"},
        {"type": "response.function_call_arguments.delta", "output_index": 0, "delta": OSLO},
    )
    assert calls_of(decode(sse(*events, last()))) == [("weather", "call_7", OSLO), ("weather", "call_8", "{}")]


def test_a_call_without_arguments_or_ids():
    item = {"type": "function_call", "name": "now"}
    events = ({"type": "response.output_item.added", "output_index": 0, "item": item},)
    events += ({"type": "response.output_item.done", "output_index": 0, "item": {**item, "arguments": ""}},)
    assert calls_of(decode(sse(*events, last(output=[item])))) == [("now", "call_0", "{}")]


def test_no_call_is_whole_when_the_answer_is_not():
    events = ({"type": "response.output_item.added", "output_index": 0, "item": {**CALL, "arguments": ""}},)
    for reason, finish in (("max_output_tokens", "length"), ("content_filter", "content_filter"), ("steered", "other")):
        deltas = decode(sse(*events, last("incomplete", incomplete_details={"reason": reason})))
        assert deltas == [START, Done(finish, reason)]
    assert decode(sse(*events, last("incomplete")))[-1] == Done("other", "incomplete")
    assert decode(sse(*events)) == [START]


def test_after_the_end_nothing_is_read_and_the_sign_of_the_older_format_is_passed_over():
    assert decode(sse(last()) + b"data: no JSON\n\n") == [Done("stop", "completed")]
    assert decode(b"data: [DONE]\n\n" + sse(last())) == [Done("stop", "completed")]


def test_unknown_events_and_items_are_passed_over():
    events = (
        {"type": "response.web_search_call.searching", "output_index": 0},
        {"type": "response.output_item.added", "output_index": 0, "item": {"type": "web_search_call", "id": "w"}},
        {"type": "ping"},
        {},
    )
    assert decode(sse(*events, last(output=[{"type": "web_search_call"}]))) == [Done("stop", "completed")]


@pytest.mark.parametrize(
    "event",
    [
        {"error": {"message": "no", "code": "c"}},
        {"type": "error", "error": {"message": "no", "code": "c"}},
        {"type": "error", "message": "no", "code": "c", "param": None},
        {"type": "response.failed", "response": {"error": {"message": "no", "code": "c"}}},
    ],
)
def test_each_form_of_an_error(event):
    error = decode(sse(event, last()))
    assert [(one.message, one.code) for one in error] == [("no", "c")]


@pytest.mark.parametrize(
    "data",
    [
        b"{}",
        b'{"id":"r1"}',
        b'{"status":"comp',
        b"<html>",
        b"data: {broken\n\n",
        sse({"type": "response.function_call_arguments.delta", "item_id": "i9", "delta": "{"}),
        sse({"type": "response.output_item.added", "output_index": [], "item": 7}),
        sse({"type": "response.output_text.delta", "delta": 7}),
        sse(last(output=[7])),
        sse({"type": 7}),
    ],
)
def test_what_is_no_such_reply_is_one_typed_error(data):
    for size in (None, 1):
        with pytest.raises(ProtocolError):
            decode(data, size)


# a reply in one piece


def test_a_whole_body_decodes_to_the_same_deltas():
    message = {
        "type": "message",
        "content": [{"type": "output_text", "text": "Hi"}, {"type": "refusal", "refusal": "No"}],
    }
    usage = {"input_tokens": 5, "output_tokens": 1}
    body = {"id": "r1", "object": "response", "model": "m", "status": "completed", "output": [message], "usage": usage}
    expected = [BEGAN, TextDelta("Hi"), TextDelta("No"), UsageUpdate(Usage(5, 1)), Done("refusal", "completed")]
    data = json.dumps(body).encode()
    assert decode(data) == decode(data, 1) == expected
    for status in ("in_progress", "queued"):
        assert decode(json.dumps({**body, "status": status}).encode()) == [BEGAN]
    assert decode(json.dumps({**body, "status": "cancelled"}).encode())[-1] == Done("other", "cancelled")


@pytest.mark.parametrize("body", [{"error": {"message": "no"}}, {"detail": "no"}, {"error": "no"}])
def test_an_error_in_one_piece(body):
    assert decode(json.dumps(body).encode()) == [ErrorDelta("no", body=body)]
