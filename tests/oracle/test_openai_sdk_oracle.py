"""The official SDK beside us: it reads the same bytes to the same answer, and writes the same requests.

Left out are the bytes on which it errs: a stream that was cut is an answer to it, an error within a Responses stream an
event among others.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

openai = pytest.importorskip("openai", reason="the oracle tests of the client need openai: pip install openai")
httpx = pytest.importorskip("httpx2", reason="openai 3 talks through httpx2")

from tinyllm.client.providers import openai_chat, openai_responses  # noqa: E402
from tinyllm.client.types import (  # noqa: E402
    Began,
    Call,
    Done,
    ErrorDelta,
    Message,
    Secret,
    Spec,
    TextDelta,
    Tool,
    ToolArgsDelta,
    ToolCall,
    ToolDone,
    ToolStart,
    UsageUpdate,
)

pytestmark = pytest.mark.oracle

STREAMS = Path(__file__).parents[1] / "client" / "providers" / "streams"
OSLO = '{"city":"Oslo"}'
WEATHER = Tool("weather", "now", {"type": "object", "properties": {"city": {"type": "string"}}})
SCHEMA = {
    "type": "object",
    "properties": {"a": {"type": "integer"}},
    "required": ["a"],
    "additionalProperties": False,
}


@pytest.fixture(scope="module")
def talk():
    """An SDK whose line is a function: what it is answered, and what it sent."""
    sent = []

    def client(reply: bytes, kind: str = "text/event-stream"):
        def handler(request):
            sent.append(request)
            return httpx.Response(200, headers={"content-type": kind}, content=reply)

        line = httpx.Client(transport=httpx.MockTransport(handler))
        return openai.OpenAI(api_key="sk-1", base_url="http://127.0.0.1/v1", http_client=line, max_retries=0)

    return client, sent


def ours(decoder, data: bytes) -> dict:
    """What our deltas come to."""
    found: dict = {"text": "", "calls": {}, "usage": None, "finish": None, "id": None, "error": None}
    for delta in [*decoder.feed(data), *decoder.close()]:
        match delta:
            case Began(id=id):
                found["id"] = id
            case TextDelta(text=text):
                found["text"] += text
            case ToolStart(index=index, id=id, name=name):
                found["calls"][index] = [id, name, ""]
            case ToolArgsDelta(index=index, text=text):
                found["calls"][index][2] += text
            case ToolDone(index=index, arguments=str(arguments)):
                found["calls"][index][2] = arguments
            case UsageUpdate(usage=usage):
                found["usage"] = usage
            case Done(raw=raw):
                found["finish"] = raw
            case ErrorDelta(message=message):
                found["error"] = message
    found["calls"] = [tuple(call) for call in found["calls"].values()]
    return found


def theirs_of_chunks(chunks: list) -> dict:
    """What the SDK's typed chunks come to, put together as its documentation says: by index."""
    text, calls, usage, finish = "", {}, None, None
    for chunk in chunks:
        usage = chunk.usage or usage
        for choice in chunk.choices:
            finish = choice.finish_reason or finish
            text += (choice.delta.content or "") + (choice.delta.refusal or "")
            for call in choice.delta.tool_calls or ():
                known = calls.setdefault(call.index, ["", "", ""])
                known[0] += call.id or ""
                known[1] += call.function.name or ""
                known[2] += call.function.arguments or ""
    return {"text": text, "calls": [tuple(call) for call in calls.values()], "usage": usage, "finish": finish}


@pytest.mark.parametrize("name", ["text", "parallel", "length", "deepseek", "vllm", "llama", "refusal"])
def test_a_chat_stream(talk, name):
    data = (STREAMS / f"chat_{name}.sse").read_bytes()
    mine = ours(openai_chat.Decoder(), data)
    chunks = list(talk[0](data).chat.completions.create(model="m", messages=[], stream=True))
    theirs = theirs_of_chunks(chunks)
    assert (mine["text"], mine["calls"], mine["finish"]) == (theirs["text"], theirs["calls"], theirs["finish"])
    assert mine["id"] == chunks[0].id
    usage = theirs["usage"]
    assert (mine["usage"] is None) == (usage is None)
    if usage is not None:
        assert mine["usage"].total == usage.total_tokens


@pytest.mark.parametrize("name", ["text", "parallel", "refusal"])
def test_a_chat_stream_put_together_by_the_sdk_itself(talk, name):
    data = (STREAMS / f"chat_{name}.sse").read_bytes()
    mine = ours(openai_chat.Decoder(), data)
    with talk[0](data).chat.completions.stream(model="m", messages=[]) as stream:
        choice = stream.get_final_completion().choices[0]
    said = choice.message
    assert mine["text"] == (said.content or "") + (said.refusal or "") and mine["finish"] == choice.finish_reason
    assert mine["calls"] == [(c.id, c.function.name, c.function.arguments) for c in said.tool_calls or ()]


def test_two_whole_calls_under_one_index_are_two_to_us_and_one_broken_one_to_the_sdk(talk):
    data = (STREAMS / "chat_groq.sse").read_bytes()
    theirs = theirs_of_chunks(list(talk[0](data).chat.completions.create(model="m", messages=[], stream=True)))
    assert len(ours(openai_chat.Decoder(), data)["calls"]) == 2 and len(theirs["calls"]) == 1


def test_an_error_within_a_chat_stream(talk):
    data = (STREAMS / "chat_openrouter.sse").read_bytes()
    with pytest.raises(openai.APIError) as raised:
        list(talk[0](data).chat.completions.create(model="m", messages=[], stream=True))
    assert ours(openai_chat.Decoder(), data)["error"] == raised.value.message


def test_a_chat_reply_in_one_piece(talk):
    call = {"id": "call_7", "type": "function", "function": {"name": "weather", "arguments": OSLO}}
    message = {"role": "assistant", "content": "Hi", "tool_calls": [call]}
    choice = {"index": 0, "message": message, "finish_reason": "tool_calls"}
    body = {"id": "c9", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice]}
    data = json.dumps(body).encode()
    mine = ours(openai_chat.Decoder(), data)
    said = talk[0](data, "application/json").chat.completions.create(model="m", messages=[]).choices[0]
    assert (mine["text"], mine["finish"]) == (said.message.content, said.finish_reason)
    assert mine["calls"] == [(c.id, c.function.name, c.function.arguments) for c in said.message.tool_calls]


@pytest.mark.parametrize("name", ["tools", "done_only", "reasoning", "refusal"])
def test_a_responses_stream(talk, name):
    data = (STREAMS / f"responses_{name}.sse").read_bytes()
    mine = ours(openai_responses.Decoder(), data)
    with talk[0](data).responses.stream(model="m", input="x") as stream:
        answer = stream.get_final_response()
    parts = [part for item in answer.output if item.type == "message" for part in item.content]
    assert mine["text"] == "".join(getattr(part, "text", None) or part.refusal for part in parts)
    calls = [item for item in answer.output if item.type == "function_call"]
    assert mine["calls"] == [(call.call_id, call.name, call.arguments) for call in calls]
    assert (mine["finish"], mine["id"], mine["usage"].total) == (answer.status, answer.id, answer.usage.total_tokens)


@pytest.mark.parametrize(("name", "kind"), [("failed", "response.failed"), ("error", "error")])
def test_a_failed_response_is_an_error_to_us_and_an_event_to_the_sdk(talk, name, kind):
    data = (STREAMS / f"responses_{name}.sse").read_bytes()
    events = list(talk[0](data).responses.create(model="m", input="x", stream=True))
    assert events[-1].type == kind
    said = events[-1].response.error if kind == "response.failed" else events[-1]
    assert ours(openai_responses.Decoder(), data)["error"] == said.message


TURNS = (
    Message("system", "Be brief."),
    Message("user", "Weather in Oslo? ☃"),
    Message("assistant", "", (ToolCall("call_7", "weather", OSLO),)),
    Message("tool", "4 C", tool_call_id="call_7"),
)


def check_request(mine, theirs) -> None:
    assert json.loads(mine.body) == json.loads(theirs.content)
    assert mine.url == str(theirs.url) and mine.method == theirs.method
    for name in ("authorization", "content-type"):
        assert {k.lower(): v for k, v in mine.headers.items()}[name] == theirs.headers[name]


def test_a_chat_request(talk):
    call = Call(TURNS, "m", 64, 0.2, 0.9, ("END",), 7, (WEATHER,), "required", SCHEMA)
    client, sent = talk
    client((STREAMS / "chat_text.sse").read_bytes()).chat.completions.create(
        model="m",
        max_completion_tokens=64,
        temperature=0.2,
        top_p=0.9,
        stop=["END"],
        seed=7,
        stream=True,
        stream_options={"include_usage": True},
        messages=[
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "Weather in Oslo? ☃"},
            {
                "role": "assistant",
                "content": None,
                "tool_calls": [
                    {"id": "call_7", "type": "function", "function": {"name": "weather", "arguments": OSLO}}
                ],
            },
            {"role": "tool", "tool_call_id": "call_7", "content": "4 C"},
        ],
        tools=[
            {
                "type": "function",
                "function": {"name": "weather", "description": "now", "parameters": WEATHER.parameters},
            }
        ],
        tool_choice="required",
        response_format={
            "type": "json_schema",
            "json_schema": {"name": "answer", "schema": SCHEMA, "strict": True},
        },
    ).close()
    check_request(
        openai_chat.build_request(call, Spec("x", "openai_chat", "http://127.0.0.1/v1", key=Secret("sk-1"))), sent[-1]
    )


def test_a_responses_request(talk):
    call = Call(TURNS, "m", 64, 0.2, 0.9, tools=(WEATHER,), tool_choice="weather", schema=SCHEMA)
    client, sent = talk
    client((STREAMS / "responses_tools.sse").read_bytes()).responses.create(
        model="m",
        store=False,
        stream=True,
        max_output_tokens=64,
        temperature=0.2,
        top_p=0.9,
        instructions="Be brief.",
        input=[
            {"role": "user", "content": "Weather in Oslo? ☃"},
            {"type": "function_call", "call_id": "call_7", "name": "weather", "arguments": OSLO},
            {"type": "function_call_output", "call_id": "call_7", "output": "4 C"},
        ],
        tools=[
            {
                "type": "function",
                "name": "weather",
                "description": "now",
                "parameters": WEATHER.parameters,
                "strict": False,
            }
        ],
        tool_choice={"type": "function", "name": "weather"},
        text={"format": {"type": "json_schema", "name": "answer", "schema": SCHEMA, "strict": True}},
    ).close()
    spec = Spec("x", "openai_responses", "http://127.0.0.1/v1", key=Secret("sk-1"))
    check_request(openai_responses.build_request(call, spec), sent[-1])


@pytest.mark.parametrize("base64", [True, False])
def test_vectors(talk, base64):
    client, sent = talk
    vector = "AACAPwAAAD8=" if base64 else [1.0, 0.5]
    rows = [{"object": "embedding", "index": 0, "embedding": vector}]
    body = {"object": "list", "data": rows, "model": "e", "usage": {"prompt_tokens": 3, "total_tokens": 3}}
    data = json.dumps(body).encode()
    asked = {} if base64 else {"encoding_format": "float"}
    theirs = client(data, "application/json").embeddings.create(model="e", input=["a"], dimensions=2, **asked)
    assert openai_chat.decode_embed(data)[0] == theirs.data[0].embedding == [1.0, 0.5]
    spec = Spec("x", "openai_chat", "http://127.0.0.1/v1", key=Secret("sk-1"), capabilities={"embed_base64": base64})
    check_request(openai_chat.build_embed(["a"], "e", spec, dimensions=2), sent[-1])
