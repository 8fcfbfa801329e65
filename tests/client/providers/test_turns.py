"""What three wires have in common: an answer is put together, its calls are run or not, and the next turn fits it."""

from __future__ import annotations

import json

import pytest

from tinyllm.client.assemble import Assembler
from tinyllm.client.errors import ProtocolError
from tinyllm.client.providers import anthropic, gemini, ollama
from tinyllm.client.types import Call, Message, Spec, ToolCall

WIRES = {"anthropic": anthropic, "gemini": gemini, "ollama": ollama}
ARGS = {"city": 'Østre \u2028 \U0001f600 \\ " end'}
SIGNED = {"thoughtSignature": "c2ln"}


def sse(*frames):
    return "".join(f"data: {json.dumps(frame)}\n\n" for frame in frames).encode()


def streams(reason_a, reason_g, reason_o):
    """Return one answer in each format: a thought, a text, a call."""
    start = {"type": "content_block_start", "index": 0}
    delta = {"type": "content_block_delta", "index": 0}
    stop = {"type": "content_block_stop", "index": 0}
    text = json.dumps(ARGS)
    args = [
        delta | {"delta": {"type": "input_json_delta", "partial_json": text[i : i + 5]}} for i in range(0, len(text), 5)
    ]
    part = {"functionCall": {"id": "t1", "name": "weather", "args": ARGS}} | SIGNED
    said = [{"thought": True, "text": "Hm."}, {"text": "Looking"}]
    return {
        "anthropic": sse(
            {"type": "message_start", "message": {"id": "m1", "model": "m", "usage": {"input_tokens": 9}}},
            start | {"content_block": {"type": "thinking", "thinking": "Hm."}},
            delta | {"delta": {"type": "signature_delta", "signature": "s"}},
            stop,
            start | {"content_block": {"type": "text", "text": "Looking"}},
            stop,
            start | {"content_block": {"type": "tool_use", "id": "t1", "name": "weather", "input": {}}},
            *args,
            stop,
            {"type": "message_delta", "delta": {"stop_reason": reason_a}, "usage": {"output_tokens": 5}},
            {"type": "message_stop"},
        ),
        "gemini": sse(
            {"candidates": [{"content": {"parts": [*said, part]}}], "modelVersion": "m"},
            {
                "candidates": [{"finishReason": reason_g}],
                "usageMetadata": {"promptTokenCount": 9, "candidatesTokenCount": 5},
            },
        ),
        "ollama": b"".join(
            json.dumps({"model": "m", **line}).encode() + b"\n"
            for line in (
                {"message": {"thinking": "Hm."}, "done": False},
                {"message": {"content": "Looking"}, "done": False},
                {"message": {"tool_calls": [{"function": {"name": "weather", "arguments": ARGS}}]}, "done": False},
                {"message": {}, "done": True, "done_reason": reason_o, "prompt_eval_count": 9, "eval_count": 5},
            )
        ),
    }


WHOLE = streams("tool_use", "STOP", "stop")
LIMITED = streams("max_tokens", "MAX_TOKENS", "length")


def answer(wire, data):
    decoder, assembler = WIRES[wire].Decoder(), Assembler(wire, "asked")
    for delta in [*decoder.feed(data), *decoder.close()]:
        assembler.add(delta)
    return assembler.completion()


@pytest.mark.parametrize("wire", WIRES)
def test_an_answer_and_its_next_turn(wire):
    found = answer(wire, WHOLE[wire])
    (call,) = found.tool_calls
    assert (found.text, found.reasoning, found.finish, found.model) == ("Looking", "Hm.", "tool_calls", "m")
    assert (call.name, call.parsed(), found.partial) == ("weather", ARGS, ()) and not found.incomplete
    assert (found.usage.input, found.usage.output) == (9, 5)
    turn = (Message("user", "?"), found.message(), Message("tool", "4 C", tool_call_id=call.id))
    sent = json.loads(WIRES[wire].build_request(Call(turn, "m"), Spec(wire, wire)).body)
    thought, signed = {"type": "thinking", "thinking": "Hm.", "signature": "s"}, {"type": "text", "text": "Looking"}
    used = {"name": "weather", "args": ARGS, "id": "t1"}
    assert (
        sent.get("messages", sent.get("contents"))[1]
        == {
            "anthropic": {
                "role": "assistant",
                "content": [thought, signed, {"type": "tool_use", "id": "t1", "name": "weather", "input": ARGS}],
            },
            "gemini": {"role": "model", "parts": [{"text": "Looking"}, {"functionCall": used} | SIGNED]},
            "ollama": {
                "role": "assistant",
                "content": "Looking",
                "thinking": "Hm.",
                "tool_calls": [{"function": {"name": "weather", "arguments": ARGS}}],
            },
        }[wire]
    )


@pytest.mark.parametrize("wire", WIRES)
def test_a_call_that_the_limit_stopped_stays_partial(wire):
    found = answer(wire, LIMITED[wire])
    assert found.finish == "length" and found.tool_calls == () and found.partial[0].name == "weather"
    turn = (Message("user", "?"), found.message(), Message("user", "Go on."))
    body = WIRES[wire].build_request(Call(turn, "m"), Spec(wire, wire)).body
    assert b"weather" not in body  # no call is told without its result


@pytest.mark.parametrize("wire", WIRES)
def test_every_prefix_is_whole_or_truncated(wire):
    data, full = WHOLE[wire], answer(wire, WHOLE[wire])
    whole = data.rindex(b"}") + 1
    for cut in range(0, len(data)):
        found = answer(wire, data[:cut])
        if cut >= whole:
            assert found == full
        else:
            assert found.finish == "truncated" and found.incomplete and found.tool_calls == ()
            assert full.text.startswith(found.text) and full.reasoning.startswith(found.reasoning)


@pytest.mark.parametrize("wire", WIRES)
def test_a_frame_of_nonsense_is_a_protocol_error_or_nothing(wire):
    """Each field of each frame is replaced by what it should not be: no other error leaves, every call has a name."""
    lines = [line for line in WHOLE[wire].split(b"\n") if line]
    assert _answered(wire, lines) == answer(wire, WHOLE[wire])
    refused = 0
    for place, line in enumerate(lines):
        frame = json.loads(line.removeprefix(b"data: "))
        for path in list(_paths(frame))[1:]:
            for value in (None, 7, -1, True, "x", "\ud800", [], [7], {}, {"type": "x"}):
                bad = json.dumps(_replaced(frame, path, value)).encode()
                bad = bad if wire == "ollama" else b"data: " + bad
                try:
                    found = _answered(wire, [*lines[:place], bad, *lines[place + 1 :]])
                except ProtocolError:
                    refused += 1
                    continue
                assert all(call.name and isinstance(call.parsed(), dict) for call in found.tool_calls)
    assert refused > 20


def _answered(wire, lines):
    return answer(wire, b"".join(line + (b"\n" if wire == "ollama" else b"\n\n") for line in lines))


def _paths(value, path=()):
    yield path
    if isinstance(value, dict | list):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _paths(inner, (*path, key))


def _replaced(value, path, new):
    if not path:
        return new
    copied = dict(value) if isinstance(value, dict) else list(value)
    copied[path[0]] = _replaced(value[path[0]], path[1:], new)
    return copied


@pytest.mark.parametrize("wire", WIRES)
def test_calls_of_another_provider_are_told_in_this_one_s_words(wire):
    turn = (
        Message("user", "?"),
        Message("assistant", "", (ToolCall("call_9", "f", "{}"),)),
        Message("tool", "x", tool_call_id="call_9"),
    )
    body = WIRES[wire].build_request(Call(turn, "m"), Spec(wire, wire)).body.decode()
    assert '"name":"f"' in body and ("call_9" in body) == (wire == "anthropic")
