"""Chat completions: requests word by word, and replies in every dialect, however their bytes are cut."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tinyllm.client.errors import BadRequestError, ProtocolError, UnsupportedParamError
from tinyllm.client.providers.openai_chat import Decoder, build_request
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
SPEC = Spec("toy", "openai_chat", "http://127.0.0.1/v1", key=Secret("sk-1"))
WEATHER = Tool("weather", "now", {"type": "object", "properties": {"city": {"type": "string"}}})
OSLO = '{"city":"Oslo"}'
BEGAN = Began("c9", "m")


def decode(data: bytes, size: int | None = None) -> list:
    decoder = Decoder()
    size = size or max(len(data), 1)
    deltas = [delta for at in range(0, len(data), size) for delta in decoder.feed(data[at : at + size])]
    return deltas + decoder.close()


def sse(*deltas: dict, finish: str | None = "tool_calls", done: bool = True) -> bytes:
    """A stream of ``delta`` objects, then the reason, then the sign."""
    choices = [{"index": 0, "delta": delta} for delta in deltas]
    if finish:
        choices.append({"index": 0, "delta": {}, "finish_reason": finish})
    lines = [json.dumps({"id": "c9", "model": "m", "choices": [choice]}) for choice in choices]
    return "".join(f"data: {line}\n\n" for line in [*lines, *["[DONE]"] * done]).encode()


def piece(*functions: dict | None, **fields: object) -> dict:
    return {"tool_calls": [{"index": 0, "function": function, **fields} for function in functions]}


# requests


def sent(call: Call, spec: Spec = SPEC) -> dict:
    return json.loads(build_request(call, spec).body)


def test_a_request_word_by_word():
    call = Call(
        (Message("system", "Be brief."), Message("user", "Weather in Oslo?")),
        "m",
        max_tokens=64,
        temperature=0.2,
        top_p=0.9,
        stop=("END",),
        seed=7,
        tools=(WEATHER,),
        tool_choice="required",
        extra={"reasoning_effort": "low"},
    )
    request = build_request(call, SPEC)
    assert (request.method, request.url) == ("POST", "http://127.0.0.1/v1/chat/completions")
    assert dict(request.headers) == {
        "Content-Type": "application/json",
        "Accept": "text/event-stream",
        "Authorization": "Bearer sk-1",
    }
    assert request.body == (
        b'{"model":"m","messages":[{"role":"system","content":"Be brief."},'
        b'{"role":"user","content":"Weather in Oslo?"}],'
        b'"stream":true,"stream_options":{"include_usage":true},"max_completion_tokens":64,"temperature":0.2,"top_p":0.9,'
        b'"stop":["END"],"seed":7,"tools":[{"type":"function","function":{"name":"weather","description":"now",'
        b'"parameters":{"type":"object","properties":{"city":{"type":"string"}}}}}],"tool_choice":"required",'
        b'"reasoning_effort":"low"}'
    )


def test_nothing_is_sent_that_was_not_asked():
    assert sent(Call((Message("user", "Hi"),), "m", stream=False)) == {
        "model": "m",
        "messages": [{"role": "user", "content": "Hi"}],
    }
    assert build_request(Call((), "m", stream=False), SPEC).headers["Accept"] == "application/json"


def test_the_next_turn_holds_the_calls_and_their_results():
    turn = Message("assistant", "", (ToolCall("call_7", "weather", OSLO), ToolCall("call_8", "now", "", 1)))
    turns = (turn, Message("tool", "4 C", tool_call_id="call_7"), Message("assistant", "Cold."))
    assert sent(Call(turns, "m"))["messages"] == [
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {"id": "call_7", "type": "function", "function": {"name": "weather", "arguments": OSLO}},
                {"id": "call_8", "type": "function", "function": {"name": "now", "arguments": "{}"}},
            ],
        },
        {"role": "tool", "tool_call_id": "call_7", "content": "4 C"},
        {"role": "assistant", "content": "Cold."},
    ]


def test_a_servers_words_are_data():
    words = {
        "max_tokens": "max_tokens",
        "seed": "random_seed",
        "system_role": "developer",
        "tool_required": "any",
        "stream_options": False,
    }
    spec = Spec("odd", "openai_chat", "http://127.0.0.1", capabilities=words)
    call = Call((Message("system", "x"),), "m", max_tokens=3, seed=7, tools=(WEATHER,), tool_choice="required")
    body = sent(call, spec)
    assert (body["max_tokens"], body["random_seed"], body["tool_choice"]) == (3, 7, "any")
    assert body["messages"] == [{"role": "developer", "content": "x"}]
    assert not {"max_completion_tokens", "seed", "stream_options"} & set(body)
    assert "Authorization" not in build_request(call, spec).headers


@pytest.mark.parametrize(
    ("choice", "expected"),
    [("auto", "auto"), ("none", "none"), ("weather", {"type": "function", "function": {"name": "weather"}})],
)
def test_a_choice_of_tools(choice, expected):
    assert sent(Call((), "m", tools=(WEATHER,), tool_choice=choice))["tool_choice"] == expected


def test_a_schema_is_strict_where_it_may_be():
    loose = {"type": "object", "properties": {"a": {"type": "integer"}}}
    closed = {**loose, "required": ["a"], "additionalProperties": False}
    for schema, strict in ((loose, False), (closed, True), ({"type": "array", "items": loose}, False)):
        found = sent(Call((), "m", schema=schema))["response_format"]
        assert found == {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema, "strict": strict}}
    assert sent(Call((), "m", tools=(Tool("t", strict=True),)))["tools"][0]["function"] == {
        "name": "t",
        "parameters": {"type": "object", "properties": {}},
        "strict": True,
    }


def test_thoughts_go_back_where_they_are_wanted_only():
    turn = Message("assistant", "", (ToolCall("a", "f", "{}"),), echo={"reasoning_content": "hm", "thinking": []})
    plain = Message("assistant", "Hi", echo={"reasoning_content": "hm"})
    wants = Spec("deepseek", "openai_chat", capabilities={"echo_reasoning": True})
    assert sent(Call((turn,), "m"), wants)["messages"][0]["reasoning_content"] == "hm"
    assert "thinking" not in sent(Call((turn,), "m"), wants)["messages"][0]
    assert "reasoning_content" not in sent(Call((turn,), "m"))["messages"][0]
    assert "reasoning_content" not in sent(Call((plain,), "m"), wants)["messages"][0]


@pytest.mark.parametrize(
    ("name", "value"),
    [("temperature", 0.0), ("top_p", 1.0), ("seed", 0), ("stop", ("x",)), ("tools", (WEATHER,)), ("schema", {})],
)
def test_what_a_row_excludes_is_refused_by_name(name, value):
    spec = Spec("toy", "openai_chat", capabilities={name: False})
    with pytest.raises(UnsupportedParamError, match=name) as raised:
        build_request(Call((), "m", **{name: value}), spec)
    assert raised.value.reason == name
    build_request(Call((), "m"), spec)


def test_some_models_take_a_temperature_without_reasoning_only():
    spec = Spec("openai", "openai_chat", capabilities={"temperature": "effort none"})
    with pytest.raises(UnsupportedParamError, match="reasoning"):
        build_request(Call((), "m", temperature=1.0), spec)
    assert sent(Call((), "m", temperature=1.0, extra={"reasoning_effort": "none"}), spec)["temperature"] == 1.0


def test_what_is_no_json_is_a_bad_request():
    for extra in ({"a": object()}, {"a": float("nan")}):
        with pytest.raises(BadRequestError, match="JSON"):
            build_request(Call((), "m", extra=extra), SPEC)


# recorded streams

CALL_7 = [ToolStart(0, "call_7", "weather")]
RECORDED = {
    "text": [
        BEGAN,
        TextDelta("Grüße "),
        TextDelta("aus ☃ 𝄞\u2028!"),
        UsageUpdate(Usage(50, 10, 8, None, 4)),
        Done("stop", "stop"),
    ],
    "parallel": [
        BEGAN,
        *CALL_7,
        ToolArgsDelta(0, '{"city"'),
        ToolStart(1, "call_8", "clock"),
        ToolArgsDelta(0, ':"Oslo"}'),
        ToolArgsDelta(1, '{"zone":'),
        ToolArgsDelta(1, '"CET"}'),
        UsageUpdate(Usage(58, 30)),
        ToolDone(0),
        ToolDone(1),
        Done("tool_calls", "tool_calls"),
    ],
    "length": [BEGAN, TextDelta("Let me"), *CALL_7, ToolArgsDelta(0, '{"ci'), Done("length", "length")],
    "deepseek": [
        BEGAN,
        ReasoningDelta("Oslo is "),
        ReasoningDelta("cold."),
        ToolStart(0, "call_0_a", "weather"),
        ToolArgsDelta(0, OSLO),
        UsageUpdate(Usage(4, 4, 16, None, 5)),
        ToolDone(0),
        EchoDelta("reasoning_content", "Oslo is cold."),
        Done("tool_calls", "tool_calls"),
    ],
    "vllm": [
        BEGAN,
        ReasoningDelta("Two "),
        ReasoningDelta("words."),
        TextDelta("Good day"),
        UsageUpdate(Usage(7, 6)),
        Done("stop", "stop"),
    ],
    "llama": [BEGAN, TextDelta("Hi"), UsageUpdate(Usage(5, 1)), Done("stop", "stop")],
    "groq": [
        BEGAN,
        ToolStart(0, "call_a", "weather"),
        ToolArgsDelta(0, OSLO),
        ToolStart(1, "call_b", "weather"),
        ToolArgsDelta(1, '{"city":"Rome"}'),
        UsageUpdate(Usage(40, 20)),
        ToolDone(0),
        ToolDone(1),
        Done("tool_calls", "tool_calls"),
    ],
    "refusal": [BEGAN, TextDelta("I will not "), TextDelta("help."), Done("refusal", "stop")],
    "cut": [BEGAN, TextDelta("Grüße "), TextDelta("aus ☃ 𝄞\u2028!")],
}


def test_every_recorded_stream_is_looked_at():
    assert {path.stem for path in STREAMS.glob("chat_*.sse")} == {f"chat_{name}" for name in [*RECORDED, "openrouter"]}


@pytest.mark.parametrize("name", RECORDED)
def test_a_recorded_stream_split_at_every_byte(name):
    data = (STREAMS / f"chat_{name}.sse").read_bytes()
    assert decode(data) == RECORDED[name]
    assert decode(data, 1) == RECORDED[name]
    for at in range(1, len(data)):
        decoder = Decoder()
        assert decoder.feed(data[:at]) + decoder.feed(data[at:]) + decoder.close() == RECORDED[name], at


def test_openrouter_says_within_a_good_reply_that_it_failed():
    data = (STREAMS / "chat_openrouter.sse").read_bytes()
    for size in (None, 1, 7):
        began, text, error = decode(data, size)
        assert (began, text) == (Began("gen-1", "m"), TextDelta("One, two"))
        assert (error.message, error.code, error.status) == ("Provider disconnected", "502", 502)


# dialects: the calls


def calls_of(data: bytes) -> list[tuple[str, str, str]]:
    """Name, id and arguments of each call, as whoever puts the deltas together sees them."""
    found: dict[int, list[str]] = {}
    for delta in decode(data):
        if isinstance(delta, ToolStart):
            found[delta.index] = [delta.name, delta.id, ""]
        elif isinstance(delta, ToolArgsDelta):
            found[delta.index][2] += delta.text
        elif isinstance(delta, ToolDone) and delta.arguments is not None:
            found[delta.index][2] = delta.arguments
    assert sum(isinstance(delta, ToolDone) for delta in decode(data)) == len(found)
    return [(name, id, arguments) for name, id, arguments in found.values()]


FIRST = {
    "empty, then {}": [piece({"name": "now", "arguments": ""}, id="a"), piece({"arguments": "{}"})],
    "{} at once": [piece({"name": "now", "arguments": "{}"}, id="a")],
    "no arguments": [piece({"name": "now"}, id="a")],
    "null and nothing after": [piece({"name": "now", "arguments": None}, id="a")],
    "empty and nothing after": [piece({"name": "now", "arguments": ""}, id="a")],
    "an object": [piece({"name": "now", "arguments": {}}, id="a")],
    "id and name with every piece": [
        piece({"name": "now", "arguments": "{"}, id="a"),
        piece({"name": "now", "arguments": "}"}, id="a"),
    ],
    "the whole call once more": [
        piece({"name": "now", "arguments": "{"}, id="a"),
        piece({"arguments": "}"}),
        piece({"name": "now", "arguments": "{}"}, id="a"),
    ],
    "the id before the name": [piece(None, id="a"), piece({"name": "now", "arguments": "{}"})],
    "arguments before the name": [piece({"arguments": "{"}, id="a"), piece({"name": "now", "arguments": "}"})],
}


@pytest.mark.parametrize("variant", FIRST)
def test_a_call_without_arguments_in_each_variant(variant):
    for finish in ("tool_calls", "stop", "function_call"):
        assert calls_of(sse(*FIRST[variant], finish=finish)) == [("now", "a", "{}")]


def test_an_empty_id_is_made_up_and_not_taken_for_another():
    data = sse(piece({"name": "now", "arguments": "{"}, id=""), piece({"arguments": "}"}, id=""))
    assert calls_of(data) == [("now", "call_0", "{}")]


def test_calls_without_an_index():
    whole = [{"id": id, "function": {"name": "now", "arguments": "{}"}} for id in ("a", "b")]
    assert calls_of(sse({"tool_calls": whole})) == [("now", "a", "{}"), ("now", "b", "{}")]
    named = [{"function": {"name": name, "arguments": "{}"}} for name in ("a", "b")]
    assert calls_of(sse({"tool_calls": named})) == [("a", "call_0", "{}"), ("b", "call_1", "{}")]
    nameless = [{"id": None, "function": {"name": "now", "arguments": "{"}}, {"function": {"arguments": "}"}}]
    assert calls_of(sse({"tool_calls": nameless})) == [("now", "call_0", "{}")]


def test_pieces_that_repeat_are_no_copies():
    data = sse(
        piece({"name": "f", "arguments": '{"a":1'}, id="a"), piece({"arguments": "1"}), piece({"arguments": "1}"})
    )
    assert calls_of(data) == [("f", "a", '{"a":111}')]


def test_the_format_before_tools():
    data = sse(
        {"function_call": {"name": "f", "arguments": ""}},
        {"function_call": {"arguments": "{}"}},
        finish="function_call",
    )
    assert calls_of(data) == [("f", "call_0", "{}")]
    assert decode(data)[-1] == Done("tool_calls", "function_call")


@pytest.mark.parametrize("finish", ["length", "content_filter", None, "strange"])
def test_no_call_is_whole_when_the_answer_is_not(finish):
    data = sse(piece({"name": "now"}, id="a"), finish=finish)
    assert not [delta for delta in decode(data) if isinstance(delta, ToolDone)]


# dialects: everything else


@pytest.mark.parametrize(
    ("raw", "finish"),
    [
        ("stop", "stop"),
        ("length", "length"),
        ("tool_calls", "tool_calls"),
        ("function_call", "tool_calls"),
        ("eos", "stop"),
        ("model_length", "length"),
        ("content_filter", "content_filter"),
        ("error", "error"),
        ("insufficient_system_resource", "other"),
    ],
)
def test_reasons(raw, finish):
    for done in (True, False):
        assert decode(sse({"content": "x"}, finish=raw, done=done))[-1] == Done(finish, raw)


def test_an_end_is_never_invented():
    assert decode(sse({"content": "x"}, finish=None))[-1] == Done("other", None)
    assert decode(sse({"content": "x"}, finish=None, done=False)) == [BEGAN, TextDelta("x")]
    assert decode(b"") == [] and decode(b": waiting\n\n") == []
    whole = sse({"content": "x"}, finish="stop", done=False)
    assert decode(whole[:-1])[-1] == Done("stop", "stop")  # only the blank line is missing
    assert decode(whole + b'data: {"choi') == [BEGAN, TextDelta("x")]  # no clean end


def test_other_frames_are_passed_over():
    loading = b'event: status\ndata: {"message": "loading", "detail": "a model"}\n\n'
    assert decode(loading + sse({"content": "x"}, finish="stop")) == [BEGAN, TextDelta("x"), Done("stop", "stop")]


def test_after_the_end_nothing_is_read():
    assert decode(sse({"content": "x"}, finish="stop") + b"data: no JSON\n\n")[-1] == Done("stop", "stop")


def test_finished_says_that_only_counts_may_come():
    decoder = Decoder()
    decoder.feed(sse({"content": "x"}, finish=None, done=False))
    assert not decoder.finished
    decoder.feed(sse(finish="stop", done=False))
    assert decoder.finished


def test_both_names_for_thoughts_are_read_once():
    deltas = decode(sse({"reasoning_content": "hm", "reasoning": "hm"}, {"content": "x"}, finish="stop"))
    assert deltas == [BEGAN, ReasoningDelta("hm"), TextDelta("x"), Done("stop", "stop")]


def test_content_in_parts():
    thinking = [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}, {"type": "text", "text": "x"}]
    assert decode(sse({"content": thinking}, finish="stop"))[1:3] == [ReasoningDelta("hm"), TextDelta("x")]


def test_a_character_in_two_deltas():
    data = sse({"content": "a\ud83d"}, {"content": "\ude00b"}, {"content": "\ud83d"}, finish="stop")
    assert "".join(delta.text for delta in decode(data) if isinstance(delta, TextDelta)) == "a\U0001f600b\ufffd"


def test_the_first_of_several_choices():
    both = {"choices": [{"index": n, "delta": {"content": str(n)}, "finish_reason": "stop"} for n in (1, 0)]}
    assert decode(b"data: " + json.dumps(both).encode() + b"\n\n") == [
        Began(),
        TextDelta("0"),
        Done("stop", "stop"),
    ]


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        ({"prompt_tokens": 9}, Usage(9)),
        ({"prompt_tokens": 9, "completion_tokens": 2, "total_tokens": 11}, Usage(9, 2)),
        ({"prompt_tokens": 9, "completion_tokens": None}, Usage(9)),
        # a total that leaves room for reasoning says that the answer was counted without it
        (
            {
                "prompt_tokens": 9,
                "completion_tokens": 2,
                "total_tokens": 16,
                "completion_tokens_details": {"reasoning_tokens": 5},
            },
            Usage(9, 2, reasoning=5),
        ),
        (
            {
                "prompt_tokens": 9,
                "completion_tokens": 7,
                "total_tokens": 16,
                "prompt_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 3},
                "completion_tokens_details": {"reasoning_tokens": 5},
            },
            Usage(2, 2, 4, 3, 5),
        ),
    ],
)
def test_counts_do_not_overlap(usage, expected):
    frame = {"choices": [], "usage": usage}
    found = decode(b"data: " + json.dumps(frame).encode() + b"\n\n")
    assert found == [Began(), UsageUpdate(expected)]
    if usage.get("total_tokens"):
        assert expected.total == usage["total_tokens"]


def test_the_last_count_wins_and_null_says_nothing():
    counts = [{"prompt_tokens": 1}, None, {"prompt_tokens": 2}]
    data = b"".join(b"data: " + json.dumps({"choices": [], "usage": one}).encode() + b"\n\n" for one in counts)
    assert decode(data) == [Began(), UsageUpdate(Usage(1)), UsageUpdate(Usage(2))]


# errors


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"error": {"message": "no", "type": "t", "code": "c"}}, ("no", "t", "c", None)),
        ({"error": {"message": "no", "code": 429}}, ("no", None, "429", 429)),
        ({"error": {"message": "no", "code": None, "type": None}}, ("no", None, None, None)),
        ({"error": "no"}, ("no", None, None, None)),
        (
            {"object": "error", "message": "no", "type": "BadRequestError", "code": 400},
            ("no", "BadRequestError", "400", 400),
        ),
        ({"choices": [{"error": {"message": "no", "code": 503}}]}, ("no", None, "503", 503)),
    ],
)
def test_an_error_in_a_stream_and_in_a_body(body, expected):
    text = json.dumps(body).encode()
    before = sse({"content": "x"}, finish=None, done=False)
    for data in (text, b"\xef\xbb\xbf \n" + text, b"data: " + text + b"\n\n", before + b"data: " + text + b"\n\n"):
        for size in (None, 1):
            error = decode(data, size)[-1]
            assert isinstance(error, ErrorDelta) and error.body in (body, body.get("choices", [None])[0])
            assert (error.message, error.type, error.code, error.status) == expected


@pytest.mark.parametrize("body", [{"detail": "no"}, {"message": "no"}])
def test_a_body_that_is_no_answer(body):
    assert decode(json.dumps(body).encode()) == [ErrorDelta("no", body=body)]


@pytest.mark.parametrize(
    "data",
    [
        b"{}",
        b'{"id":"x"}',
        b"[1]",
        b'{"choices":[{"index":0',
        b"<html><body>502 Bad Gateway</body></html>",
        b"data: {broken\n\n",
        b"data: [1]\n\n",
        b'data: {"choices":{}}\n\n',
        b'data: {"choices":[1]}\n\n',
        b'data: {"choices":[{"delta":{"content":7}}]}\n\n',
        b'data: {"choices":[{"delta":{"tool_calls":[{"index":0,"function":"x"}]}}]}\n\n',
        b'data: {"choices":[{"delta":{"content":NaN}}]}\n\n',
    ],
)
def test_what_is_no_such_reply_is_one_typed_error(data):
    begun = sse({"content": "x"}, finish=None, done=False) if data.startswith(b"data") else b""
    for size in (None, 1, 5):
        decoder, deltas, failed = Decoder(), [], False
        try:
            for at in range(0, len(begun + data), size or 1 << 20):
                deltas += decoder.feed((begun + data)[at : at + (size or 1 << 20)])
            deltas += decoder.close()
        except ProtocolError:
            failed = True
        assert failed and deltas[:2] == ([BEGAN, TextDelta("x")] if begun else [])
        assert not [delta for delta in deltas if isinstance(delta, Done)]


# a reply in one piece


def test_a_whole_body_decodes_to_the_same_deltas():
    calls = [{"id": "call_7", "type": "function", "function": {"name": "weather", "arguments": OSLO}}] * 2
    calls[1] = {**calls[1], "id": "call_8"}
    message = {"role": "assistant", "content": "Hi", "refusal": None, "reasoning_content": "hm", "tool_calls": calls}
    body = {
        "id": "c9",
        "object": "chat.completion",
        "model": "m",
        "choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}],
        "usage": {"prompt_tokens": 5, "completion_tokens": 1},
    }
    data = json.dumps(body).encode()
    expected = [
        BEGAN,
        ReasoningDelta("hm"),
        TextDelta("Hi"),
        ToolStart(0, "call_7", "weather"),
        ToolArgsDelta(0, OSLO),
        ToolStart(1, "call_8", "weather"),
        ToolArgsDelta(1, OSLO),
        UsageUpdate(Usage(5, 1)),
        ToolDone(0),
        ToolDone(1),
        EchoDelta("reasoning_content", "hm"),
        Done("tool_calls", "tool_calls"),
    ]
    assert decode(data) == decode(data, 1) == decode(b"\n\n" + data, 3) == expected


def test_a_whole_body_without_a_reason_has_no_end():
    body = {"choices": [{"message": {"content": "Hi"}, "finish_reason": None}]}
    assert decode(json.dumps(body).encode()) == [Began(), TextDelta("Hi")]
