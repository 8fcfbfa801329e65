"""Ollama: POST /api/chat, one JSON object a line, until one says ``"done": true``.

    {"message": {"thinking": "..."}, "done": false}
    {"message": {"content": "Hel"}, "done": false}
    {"message": {"tool_calls": [{"function": {"name": "weather", "arguments": {...}}}]}, "done": false}
    {"message": {"content": ""}, "done": true, "done_reason": "stop", "eval_count": 2}

Arguments are objects and come whole; calls have no id, so we number them. Any line may be ``{"error": "text"}``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from ..frame import json_object
from ..types import (
    Began,
    Call,
    Delta,
    Done,
    EchoDelta,
    Embeddings,
    ErrorDelta,
    Finish,
    HttpRequest,
    Message,
    ReasoningDelta,
    Spec,
    TextDelta,
    ToolArgsDelta,
    ToolDone,
    ToolStart,
    Usage,
    UsageUpdate,
)
from .adapter import Characters, LineFrames, StreamDecoder, arguments_of, count, embeddings, get, objects, post, refuse

ECHO = "ollama"  # the key of what goes back with an assistant's turn
FINISH: Mapping[str, Finish] = {"stop": "stop", "length": "length"}


# the request


def build_request(call: Call, spec: Spec) -> HttpRequest:
    """Return the request for a call.

    Raises:
        UnsupportedParamError: a choice of tools that the wire has no word for.
        BadRequestError: a turn that cannot be told in this format.
    """
    options: dict[str, Any] = {
        "num_predict": call.max_tokens,
        "temperature": call.temperature,
        "top_p": call.top_p,
        "seed": call.seed,
        "stop": list(call.stop) or None,
    }
    extra = dict(call.extra)
    options = {key: value for key, value in options.items() if value is not None} | (extra.pop("options", None) or {})
    body: dict[str, Any] = {"model": call.model, "stream": call.stream, "messages": turns(call.messages, spec)}
    body |= {"options": options} if options else {}
    body |= {"format": call.schema} if call.schema is not None else {}
    if call.tool_choice not in (None, "auto", "none"):
        raise refuse(spec, "tool_choice", f"the wire has no word for {call.tool_choice!r}", "leave it out, or 'none'")
    if call.tools and call.tool_choice != "none":
        body["tools"] = [{"type": "function", "function": _function(tool)} for tool in call.tools]
    accept = "application/x-ndjson" if call.stream else "application/json"
    return post(spec, "/api/chat", body | extra, accept=accept)


def _function(tool: Any) -> dict[str, Any]:
    told = {"name": tool.name, "description": tool.description, "parameters": tool.parameters}
    return {key: value for key, value in told.items() if value}


def turns(messages: Sequence[Message], spec: Spec) -> list[dict[str, Any]]:
    """Return a conversation in this format: a call's arguments are an object, a result names its tool.

    Raises:
        BadRequestError: a call whose arguments are no JSON object.
    """
    found: list[dict[str, Any]] = []
    names = {call.id: call.name for message in messages for call in message.tool_calls}
    for message in messages:
        turn: dict[str, Any] = {"role": message.role, "content": message.content}
        if message.role == "tool":
            turn["tool_name"] = message.name or names.get(message.tool_call_id, "")
        if message.role == "assistant":
            thought = "".join(message.echo.get(ECHO) or [])
            turn |= {"thinking": thought} if thought else {}
        if message.tool_calls:
            calls = [{"name": call.name, "arguments": arguments_of(call, spec)} for call in message.tool_calls]
            turn["tool_calls"] = [{"function": call} for call in calls]
        found.append(turn)
    return found


# the reply


class Decoder(StreamDecoder):
    """Bytes of a reply, lines or one line, to deltas."""

    def __init__(self) -> None:
        super().__init__(LineFrames())
        self._began = False
        self._tools = 0
        self._words, self._thoughts = Characters(), Characters()
        self._thought: list[str] = []

    def _read(self, frame: dict[str, Any], deltas: list[Delta]) -> None:
        if "error" in frame:
            deltas.append(error_of(frame))
            return
        if not self._began:
            self._began = True
            deltas.append(Began(None, get(frame, "model", str) or None))
        message = get(frame, "message", dict)
        done = get(frame, "done", bool)
        thought = self._thoughts.feed(get(message, "thinking", str))
        thought += self._thoughts.close() if done else ""
        if thought:
            self._thought.append(thought)
            deltas.append(ReasoningDelta(thought))
        text = self._words.feed(get(message, "content", str))
        text += self._words.close() if done else ""
        if text:
            deltas.append(TextDelta(text))
        for call in objects(message, "tool_calls"):
            self._call(call, deltas)
        if done:
            self._done(frame, deltas)

    def _call(self, call: dict[str, Any], deltas: list[Delta]) -> None:
        function = get(call, "function", dict)
        index, self._tools = self._tools, self._tools + 1
        args = json.dumps(get(function, "arguments", dict), ensure_ascii=False)
        args = args.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        deltas.append(ToolStart(index, get(call, "id", str) or f"call_{index}", get(function, "name", str)))
        deltas += [ToolArgsDelta(index, args), ToolDone(index)]

    def _done(self, frame: dict[str, Any], deltas: list[Delta]) -> None:
        asked, written = count(frame, "prompt_eval_count"), count(frame, "eval_count")
        if asked is not None or written is not None:
            deltas.append(UsageUpdate(Usage(asked, written)))
        if self._tools and self._thought:  # what led to a call is read again when its result comes
            deltas.append(EchoDelta(ECHO, self._thought))
        reason = get(frame, "done_reason", str) or None
        finish = FINISH.get(reason or "", "other")
        deltas.append(Done("tool_calls" if finish == "stop" and self._tools else finish, reason))


def error_of(frame: Mapping[str, Any]) -> ErrorDelta:
    """Return what a line says that is an error.

    Example:
        >>> error_of({"error": "model 'm' not found"}).message
        "model 'm' not found"
    """
    error = frame.get("error")
    if not isinstance(error, dict):
        return ErrorDelta(str(error), status=count(frame, "status_code"), body=dict(frame))
    code, kind = error.get("code"), error.get("type")
    return ErrorDelta(
        str(error.get("message") or "no message"),
        type=kind if isinstance(kind, str) else None,
        code=code if isinstance(code, str) else None,
        status=count(error, "status"),
        body=dict(frame),
    )


# embeddings


def build_embed(texts: Sequence[str], model: str, spec: Spec, dimensions: int | None = None) -> HttpRequest:
    """Return the request for vectors of texts."""
    size = {} if dimensions is None else {"dimensions": dimensions}
    return post(spec, "/api/embed", {"model": model, "input": list(texts), **size})


def decode_embed(body: bytes) -> Embeddings:
    """Return the vectors of a reply.

    Raises:
        ProtocolError: there are none.
    """
    frame = json_object(body.decode("utf-8", "replace"))
    usage = Usage(input=count(frame, "prompt_eval_count"))
    return embeddings(get(frame, "embeddings", list), "ollama", get(frame, "model", str), usage)
