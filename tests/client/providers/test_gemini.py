"""Gemini: requests as JSON, signatures that go back, arguments in pieces, streams cut at every byte, vectors."""

from __future__ import annotations

import json

import pytest

from tinyllm.client.errors import BadRequestError, ProtocolError, UnsupportedParamError
from tinyllm.client.providers.gemini import Decoder, build_embed, build_request, decode_embed
from tinyllm.client.providers.gemini_args import PartialArgs
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

SPEC = Spec("gemini", "gemini", "https://api.example", "x-goog-api-key", Secret("planted"), "v1")
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
ASK = (Message("system", "Be brief."), Message("user", "Weather in Oslo?"))


def body(call):
    return json.loads(build_request(call, SPEC).body)


def record(*parts, reason=None, **more):
    candidate = {"index": 0, "content": {"role": "model", "parts": list(parts)}}
    return {"candidates": [candidate | ({"finishReason": reason} if reason else {})], "modelVersion": "m"} | more


def sse(*frames):
    return "".join(f"data: {json.dumps(frame, ensure_ascii=False)}\r\n\r\n" for frame in frames).encode()


def decode(*pieces):
    decoder = Decoder()
    deltas = [delta for piece in pieces for delta in decoder.feed(piece)]
    return deltas + decoder.close()


def tokens(**counts):
    return {"usageMetadata": {f"{name}TokenCount": count for name, count in counts.items()}}


def call(**fields):
    return {"functionCall": fields}


SIGNED = {"thoughtSignature": "c2ln"}
FRAMES = [
    record({"text": "Hm \u2028", "thought": True}, responseId="r1"),
    record({"text": "Løok"}, **tokens(prompt=58, total=58)),
    record({"text": "ing \U0001f600"}),
    record(call(id="f7", name="weather", args={"city": "Ø"}) | SIGNED, call(name="now")),
    record(reason="STOP", **tokens(prompt=58, cachedContent=8, candidates=14, thoughts=5, total=77)),
]
STREAM = sse(*FRAMES)
ECHO = [{"length": 9}, {"call": "f7", **SIGNED}, {"call": "call_1"}]
DELTAS = [
    Began("r1", "m"),
    ReasoningDelta("Hm \u2028"),
    TextDelta("Løok"),
    UsageUpdate(Usage(58, 0)),
    TextDelta("ing \U0001f600"),
    ToolStart(0, "f7", "weather"),
    ToolArgsDelta(0, '{"city": "Ø"}'),
    ToolDone(0),
    ToolStart(1, "call_1", "now"),
    ToolArgsDelta(1, "{}"),
    ToolDone(1),
    UsageUpdate(Usage(50, 14, cache_read=8, reasoning=5)),
    EchoDelta("gemini", ECHO),
    Done("tool_calls", "STOP"),
]


# requests


def test_a_request():
    tool = Tool("weather", "now", SCHEMA)
    asked = Call(ASK, "m", 64, 0.2, 0.9, ("END",), 7, (tool, Tool("now")), "auto")
    request = build_request(asked, SPEC)
    assert request.url == "https://api.example/v1/models/m:streamGenerateContent?alt=sse"
    assert request.headers["x-goog-api-key"] == "planted" and "Authorization" not in request.headers
    assert "planted" not in repr(request)
    assert json.loads(request.body) == {
        "systemInstruction": {"parts": [{"text": "Be brief."}]},
        "contents": [{"role": "user", "parts": [{"text": "Weather in Oslo?"}]}],
        "generationConfig": {
            "temperature": 0.2,
            "topP": 0.9,
            "maxOutputTokens": 64,
            "stopSequences": ["END"],
            "seed": 7,
        },
        "tools": [
            {
                "functionDeclarations": [
                    {"name": "weather", "description": "now", "parametersJsonSchema": SCHEMA},
                    {"name": "now"},
                ]
            }
        ],
        "toolConfig": {"functionCallingConfig": {"mode": "AUTO"}},
    }


@pytest.mark.parametrize(
    ("model", "version", "path"),
    [
        ("m", None, "/v1/models/m"),
        ("tunedModels/t", "v1", "/v1/tunedModels/t"),
        ("m", "v1beta", "/v1beta/models/m"),
        ("a b?#", "v1", "/v1/models/a%20b%3F%23"),
    ],
)
def test_addresses(model, version, path):
    spec = Spec("gemini", "gemini", "https://api.example", api_version=version)
    url = build_request(Call(ASK, model, stream=False), spec).url
    assert url == f"https://api.example{path}:generateContent"


@pytest.mark.parametrize(
    ("choice", "sent"),
    [
        ("none", {"mode": "NONE"}),
        ("required", {"mode": "ANY"}),
        ("weather", {"mode": "ANY", "allowedFunctionNames": ["weather"]}),
    ],
)
def test_choices(choice, sent):
    asked = body(Call(ASK, "m", tools=(Tool("weather"),), tool_choice=choice))
    assert asked["toolConfig"] == {"functionCallingConfig": sent}


def test_schemas_go_in_the_field_of_their_kind():
    asked = Call(ASK, "m", schema=SCHEMA, extra={"generationConfig": {"topK": 3}, "safetySettings": []})
    settings = {"responseMimeType": "application/json", "responseJsonSchema": SCHEMA, "topK": 3}
    assert body(asked)["generationConfig"] == settings and body(asked)["safetySettings"] == []


def test_what_a_model_does_not_take_is_not_sent():
    with pytest.raises(UnsupportedParamError, match="seed"):
        build_request(Call(ASK, "m", seed=1), Spec("gemini", "gemini", capabilities={"seed": False}))


def test_the_next_turn():
    calls = (ToolCall("f7", "weather", '{"city": "Oslo"}'), ToolCall("call_1", "now", ""))
    turn = (
        *ASK,
        Message("assistant", "Løoking \U0001f600", calls, echo={"gemini": ECHO}),
        Message("tool", "4 C", tool_call_id="f7"),
        Message("tool", "broken", tool_call_id="call_1", is_error=True),
    )
    model, results = body(Call(turn, "m"))["contents"][1:]
    used = {"functionCall": {"id": "f7", "name": "weather", "args": {"city": "Oslo"}}}
    second = {"functionCall": {"name": "now", "args": {}}}
    said = {"text": "Løoking \U0001f600"}
    assert model == {"role": "model", "parts": [said, used | SIGNED, second]}
    assert results == {
        "role": "user",
        "parts": [
            {"functionResponse": {"id": "f7", "name": "weather", "response": {"output": "4 C"}}},
            {"functionResponse": {"name": "now", "response": {"error": "broken"}}},
        ],
    }

    def parts(*args):
        return body(Call((*ASK, Message("assistant", *args, echo={"gemini": ECHO})), "m"))["contents"][1]["parts"]

    assert parts("Løoking \U0001f600") == [said]  # a call without its result would be refused
    assert parts("Else.", calls) == [{"text": "Else."}, used | SIGNED, second]
    with pytest.raises(BadRequestError, match="'f8'"):
        build_request(Call((Message("assistant", "", (ToolCall("f8", "weather", '{"ci'),)),), "m"), SPEC)


def test_signed_texts_keep_their_bounds():
    run = {"executableCode": {"code": "1"}}
    frames = [record({"text": "a"}), record({"text": "b"}, run, {"text": "c"}), record({"text": ""} | SIGNED)]
    deltas = decode(sse(*frames, record(reason="STOP")))
    echo = deltas[-2].value
    assert echo == [{"length": 2}, run, {"length": 1}, {"length": 0, **SIGNED}]
    turn = (*ASK, Message("assistant", "abc", echo={"gemini": echo}))
    assert body(Call(turn, "m"))["contents"][1]["parts"] == [{"text": "ab"}, run, {"text": "c"}, {"text": ""} | SIGNED]

    signed = decode(sse(record({"text": "a"} | SIGNED), record({"text": "b"}, reason="STOP")))[-2].value
    assert signed == [{"length": 1, **SIGNED}, {"length": 1}]


def test_a_signed_thought_goes_back_as_it_came():
    thought = {"thought": True, "text": "Hm"} | SIGNED
    echo = decode(sse(record(thought, {"text": "a"}, reason="STOP")))[-2].value
    turn = (*ASK, Message("assistant", "a", echo={"gemini": echo}), Message("assistant", ""))
    assert body(Call(turn, "m"))["contents"][1]["parts"] == [thought, {"text": "a"}, {"text": ""}]


# replies


def test_a_stream():
    assert decode(STREAM) == DELTAS


def test_every_split_gives_the_same_deltas():
    for cut in range(len(STREAM) + 1):
        assert decode(STREAM[:cut], STREAM[cut:]) == DELTAS
    assert decode(*(STREAM[place : place + 1] for place in range(len(STREAM)))) == DELTAS


def test_a_cut_stream_is_never_done():
    whole = STREAM.rindex(b"}") + 1
    for cut in range(len(STREAM)):
        deltas = decode(STREAM[:cut])
        assert (deltas == DELTAS) if cut >= whole else (deltas == DELTAS[: len(deltas)] and len(deltas) <= 11)


def test_a_reason_is_no_end_while_a_record_is_cut():
    """Some servers give the reason with every record: what is cut after one may be more of the answer."""
    stream = sse(record({"text": "a"}, reason="STOP"), record({"text": "b"}, reason="STOP"))
    first = stream.index(b"\r\n\r\n")
    for cut in range(first, len(stream)):
        done = isinstance(decode(stream[:cut])[-1], Done)
        assert done == (
            stream[:cut].rstrip(b"\r\n").endswith((b'b"}]}, "finishReason": "STOP"}], "modelVersion": "m"}',))
            or stream[:cut].rstrip(b"\r\n") == stream[:first]
        ), stream[:cut]
    decoder = Decoder()
    assert not decoder.finished
    decoder.feed(stream)
    assert decoder.finished and decoder.close()[-1] == Done("stop", "STOP") and decoder.close() == []


def test_a_reply_in_one_piece_or_as_a_list():
    whole = FRAMES[0] | FRAMES[4]
    whole["candidates"] = [
        {
            "content": {"parts": [part for frame in FRAMES for part in frame["candidates"][0]["content"]["parts"]]},
            "finishReason": "STOP",
        }
    ]
    deltas = decode(json.dumps(whole, indent=1).encode())
    assert deltas == DELTAS[:3] + DELTAS[4:]
    assert decode(json.dumps(FRAMES).encode()) == DELTAS
    data = json.dumps(whole).encode()
    for cut in range(1, len(data), 7):
        assert decode(data[:cut], data[cut:]) == deltas
        with pytest.raises(ProtocolError):
            decode(data[:cut])


@pytest.mark.parametrize(
    ("raw", "finish"),
    [
        ("STOP", "stop"),
        ("MAX_TOKENS", "length"),
        *((raw, "content_filter") for raw in ("SAFETY", "RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII")),
        ("CONTINUATION", "pause"),
        ("MALFORMED_FUNCTION_CALL", "other"),
    ],
)
def test_reasons(raw, finish):
    assert decode(sse(record({"text": "a"}, reason=raw)))[-1] == Done(finish, raw)
    assert decode(sse(record(call(name="f"), reason=raw)))[-1] == Done("tool_calls" if raw == "STOP" else finish, raw)


def test_a_prompt_that_is_refused():
    frame = {"promptFeedback": {"blockReason": "SAFETY"}, **tokens(prompt=4, total=4)}
    assert decode(sse(frame)) == [Began(), UsageUpdate(Usage(4, 0)), Done("content_filter", "SAFETY")]


def test_another_candidate_is_not_ours():
    frame = record({"text": "a"}, reason="STOP")
    frame["candidates"].append({"index": 1, "content": {"parts": [{"text": "b"}]}, "finishReason": "SAFETY"})
    assert decode(sse(frame)) == [Began(None, "m"), TextDelta("a"), Done("stop", "STOP")]


def test_tokens_come_in_parts_that_do_not_overlap():
    counts = {"prompt": 50, "cachedContent": 10, "candidates": 3, "thoughts": 4, "toolUsePrompt": 6, "total": 63}
    update = decode(sse(record(**tokens(**counts))))[-1]
    assert update.usage == Usage(46, 3, 10, None, 4) and update.usage.total == 63
    unsaid = decode(sse(record(**tokens(prompt=50))))[-1]
    assert unsaid.usage == Usage(50) and unsaid.usage.total is None
    thought = decode(sse(record(**tokens(prompt=50, thoughts=4, total=54))))[-1]
    assert thought.usage == Usage(50, 0, reasoning=4)
    twice = decode(sse(record(**tokens(prompt=50)), record(**tokens(prompt=50)), record(**tokens(candidates=2))))
    assert [d.usage for d in twice if isinstance(d, UsageUpdate)] == [Usage(50), Usage(50, 2)]


# arguments in pieces


def piece(path, more=False, **value):
    return {"jsonPath": path, **value} | ({"willContinue": True} if more else {})


IN_PIECES = [
    record(call(id="f7", name="weather", willContinue=True) | SIGNED),
    record(call(partialArgs=[piece("$.city", True, stringValue="Os")], willContinue=True)),
    record(call(partialArgs=[piece("$.city", stringValue="lo")], willContinue=True)),
    record(call(partialArgs=[piece("$.days[0].n", numberValue=3), piece("$['a b']", nullValue="NULL_VALUE")])),
    record(reason="STOP"),
]


def test_arguments_in_pieces():
    deltas = decode(sse(*IN_PIECES))
    assert deltas[1:5] == [
        ToolStart(0, "f7", "weather"),
        ToolArgsDelta(0, "{"),
        ToolArgsDelta(0, '"city": "Oslo", "days": [{"n": 3}], "a b": null}'),
        ToolDone(0),
    ]
    last = [*IN_PIECES[:3], record(call()), record(reason="STOP")]
    assert decode(sse(*last))[3:5] == [ToolArgsDelta(0, '"city": "Oslo"}'), ToolDone(0)]
    whole = record(call(name="f", partialArgs=[piece("$.on", boolValue=True)]), reason="STOP")
    assert decode(sse(whole))[2:5] == [ToolArgsDelta(0, "{"), ToolArgsDelta(0, '"on": true}'), ToolDone(0)]


def test_two_calls_in_pieces():
    first, second = (record(call(name=name, partialArgs=[piece("$.a", numberValue=1)])) for name in "fg")
    deltas = decode(sse(first, second, record(reason="STOP")))
    assert [(d.index, d.name) for d in deltas if isinstance(d, ToolStart)] == [(0, "f"), (1, "g")]
    nameless = decode(sse(first, record(call(args={}), reason="STOP")))
    assert [(d.index, d.name) for d in nameless if isinstance(d, ToolStart)] == [(0, "f"), (1, "")]


def test_a_reason_is_kept_until_another_comes():
    stream = sse(record({"text": "a"}, reason="STOP"), record({"text": "b"}), {"usageMetadata": {}})
    assert decode(stream)[-1] == Done("stop", "STOP")


def test_half_a_character_at_the_end():
    stream = sse(record({"text": "a\\ud83d"}, reason="STOP")).replace(b"\\\\u", b"\\u")
    assert decode(stream)[1:] == [TextDelta("a"), TextDelta("\ufffd"), Done("stop", "STOP")]


@pytest.mark.parametrize("reason", ["MAX_TOKENS", "STOP"])
def test_arguments_that_were_cut_never_look_whole(reason):
    for count in range(1, 4):
        deltas = decode(sse(*IN_PIECES[:count], record(reason=reason)))
        assert [delta.text for delta in deltas if isinstance(delta, ToolArgsDelta)] == ["{"]
        assert not any(isinstance(delta, ToolDone) for delta in deltas)


@pytest.mark.parametrize(
    "path",
    ["", "$", "city", "$city", "$.", "$..a", "$[1]", "$.a[5]", "$.a[x]", "$.text.b", "$.list.b", "$[-1]", "$.a" * 99],
)
def test_places_that_are_none(path):
    args = PartialArgs(0, {"text": "x", "list": []})
    with pytest.raises(ProtocolError):
        args.add(piece(path, numberValue=1))


def test_places():
    args = PartialArgs(0)
    for path in ("$.a.b", '$["a"]["c.d"]', "$.l[0][0]", "$.l[0][1]", "$.l[1]", "$.l[1]"):
        args.add(piece(path, stringValue=path))
    assert args.value == {
        "a": {"b": "$.a.b", "c.d": '$["a"]["c.d"]'},
        "l": [["$.l[0][0]", "$.l[0][1]"], "$.l[1]"],
    }


# errors


ERROR = {
    "error": {
        "code": 429,
        "message": "Quota",
        "status": "RESOURCE_EXHAUSTED",
        "details": [{"retryDelay": "3s"}, {"reason": "RATE_LIMIT_EXCEEDED"}],
    }
}


def test_errors():
    error = ErrorDelta("Quota", "RESOURCE_EXHAUSTED", "RATE_LIMIT_EXCEEDED", 429, ERROR)
    assert decode(sse(ERROR)) == decode(json.dumps(ERROR).encode()) == decode(json.dumps([ERROR]).encode()) == [error]
    assert decode(sse(FRAMES[1], ERROR, FRAMES[4]))[1:] == [TextDelta("Løok"), UsageUpdate(Usage(58, 0)), error]
    assert decode(sse({"error": {"message": None, "details": 7}}))[0].message == "no message"


@pytest.mark.parametrize(
    "data",
    [
        b"<!doctype html>",
        b"data: [\n\n",
        b'{"hello": 1}',
        b"[7]",
        b'data: {"candidates": {}}\n\n',
        b'data: {"candidates": [7], "error_": 1}\n\n',
    ],
)
def test_no_reply_of_this_format(data):
    with pytest.raises(ProtocolError):
        decode(data)


def test_records_that_say_nothing():
    assert decode(b"data: {}\n\ndata: [DONE]\n\n: x\n\n") == []


# embeddings


def test_embeddings():
    request = build_embed(["a", "b"], "e", SPEC, 2)
    assert request.url == "https://api.example/v1/models/e:batchEmbedContents"
    one = {"model": "models/e", "content": {"parts": [{"text": "a"}]}, "outputDimensionality": 2}
    assert json.loads(request.body) == {"requests": [one, one | {"content": {"parts": [{"text": "b"}]}}]}
    assert "outputDimensionality" not in build_embed(["a"], "e", SPEC).body.decode()
    found = decode_embed(b'{"embeddings": [{"values": [1, 0.5]}, {"values": [0, 2]}]}')
    assert found.shape == (2, 2) and found[0] == [1.0, 0.5] and found.usage == Usage()


@pytest.mark.parametrize(
    "data", [b"", b"[]", b'{"embeddings": 1}', b'{"embeddings": [{"values": [1]}, {"values": []}]}',
             b'{"embeddings": [{"values": ["a"]}]}', b'{"embeddings": [{}]}', b"\xff"]
)  # fmt: skip
def test_no_embeddings(data):
    with pytest.raises(ProtocolError):
        decode_embed(data)
