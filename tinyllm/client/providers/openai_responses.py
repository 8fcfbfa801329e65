r"""Responses, ``POST /responses``: OpenAI's newer format, a stream of named events about items.

    event: response.output_text.delta
    data: {"type":"response.output_text.delta","item_id":"i0","output_index":0,"content_index":0,"delta":"Looking"}
    data: {"type":"response.output_item.added","output_index":1,
           "item":{"type":"function_call","id":"i1","call_id":"call_7","name":"weather"}}
    data: {"type":"response.function_call_arguments.done","item_id":"i1","arguments":"{\"city\":\"Oslo\"}"}
    data: {"type":"response.completed","response":{"id":"r1","status":"completed","output":[..],"usage":{..}}}

The last event holds the whole answer once more: what a server did not stream is taken from there, and a reply in one
piece is nothing but that last event's ``response``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import ProtocolError
from ..types import (
    Began,
    Call,
    Delta,
    Done,
    EchoDelta,
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
    UsageUpdate,
)
from .adapter import Characters, EventFrames, StreamDecoder, count, get, objects, post, refuse
from .openai_fields import build_embed, check, decode_embed, error_of, schema_format, usage_of, word

__all__ = ["Decoder", "build_embed", "build_request", "decode_embed"]

ECHO = "reasoning_items"  # the key in Message.echo
INCOMPLETE: Mapping[str, Finish] = {"max_output_tokens": "length", "content_filter": "content_filter"}
WORDS = ("auto", "none", "required")
TEXT = ("response.output_text.delta", "response.refusal.delta")
THOUGHT = ("response.reasoning_text.delta", "response.reasoning_summary_text.delta")
LAST = ("response.completed", "response.incomplete", "response.failed")

# request


def build_request(call: Call, spec: Spec) -> HttpRequest:
    """Return the request for an answer; nothing is stored at the provider unless ``extra`` says so.

    Args:
        call: what is asked; ``extra`` goes into the body as it is.
        spec: where it goes.

    Raises:
        UnsupportedParamError: stop words or a seed, which this format lacks, or what the provider's row excludes.
        BadRequestError: the body cannot be written as JSON.

    Example:
        >>> call = Call((Message("system", "Be brief."), Message("user", "Hi")), "m", stream=False)
        >>> build_request(call, Spec("x", "openai_responses", "http://127.0.0.1/v1")).body
        b'{"model":"m","store":false,"instructions":"Be brief.","input":[{"role":"user","content":"Hi"}]}'
    """
    for name in ("stop", "seed"):
        if getattr(call, name) not in (None, ()):
            raise refuse(spec, name, "the Responses format has no such field", "leave it out, or use chat completions")
    reasoning = call.extra.get("reasoning")
    check(call, spec, reasoning.get("effort") if isinstance(reasoning, Mapping) else None)
    body: dict[str, Any] = {"model": call.model, "store": False}
    if call.stream:
        body["stream"] = True
    if call.max_tokens is not None:
        body["max_output_tokens"] = call.max_tokens
    for name in ("temperature", "top_p"):
        if getattr(call, name) is not None:
            body[name] = getattr(call, name)
    first = next((n for n, one in enumerate(call.messages) if one.role != "system"), len(call.messages))
    if first:
        body["instructions"] = "\n\n".join(one.content for one in call.messages[:first])
    body["input"] = [item for one in call.messages[first:] for item in _items(one, spec)]
    if call.tools:
        body["tools"] = [
            {
                "type": "function",
                "name": tool.name,
                **({"description": tool.description} if tool.description else {}),
                "parameters": tool.parameters,
                "strict": tool.strict,
            }
            for tool in call.tools
        ]
    if call.tool_choice is not None:
        choice = call.tool_choice
        body["tool_choice"] = choice if choice in WORDS else {"type": "function", "name": choice}
    if call.schema is not None:
        body["text"] = {"format": {"type": "json_schema", **schema_format(call.schema)}}
    accept = "text/event-stream" if call.stream else "application/json"
    return post(spec, "/responses", {**body, **call.extra}, accept=accept)


def _items(one: Message, spec: Spec) -> list[dict[str, Any]]:
    if one.role == "tool":
        return [{"type": "function_call_output", "call_id": one.tool_call_id, "output": one.content}]
    items = list(one.echo.get(ECHO, ()))
    if one.content or not one.tool_calls:
        role = word(spec, "system_role", "developer") if one.role == "system" else one.role
        items.append({"role": role, "content": one.content})
    for call in one.tool_calls:
        arguments = call.arguments or "{}"
        items.append({"type": "function_call", "call_id": call.id, "name": call.name, "arguments": arguments})
    return items


# reply


@dataclass(slots=True)
class _Call:
    number: int
    id: str
    size: int = 0
    done: bool = False


class Decoder(StreamDecoder):
    r"""The bytes of a reply to deltas.

    Attributes:
        finished: the last event came.

    Errors:
        ProtocolError: from ``feed`` or ``close``, after all deltas before that place: the bytes are no such reply.

    Example:
        >>> decoder = Decoder()
        >>> decoder.feed(b'data: {"type":"response.output_text.delta","output_index":0,"delta":"Hi"}\n\n')
        [TextDelta(text='Hi')]
        >>> decoder.feed(b'data: {"type":"response.completed","response":{"status":"completed"}}\n\n')
        [Done(finish='stop', raw='completed')]
    """

    def __init__(self) -> None:
        super().__init__(EventFrames())
        self._began = False
        self._refused = False
        self._texts: set[tuple[Any, Any]] = set()  # (item, part) of which text came
        self._echoed: set[str] = set()
        self._thought_came = False
        self._calls: list[_Call] = []
        self._by: dict[Any, _Call] = {}  # an item's id or index, and a call's id -> the call
        self._text = Characters()
        self._thought = Characters()
        self._arguments: dict[int, Characters] = {}

    def _read(self, frame: dict[str, Any], deltas: list[Delta]) -> None:
        kind = get(frame, "type", str)
        if self._frames.whole and not kind:
            self._read_whole(frame, deltas)
            return
        error = error_of(frame)
        if error is not None:
            deltas.append(error)
        elif kind in TEXT:
            self._refused = self._refused or kind == "response.refusal.delta"
            self._say(_place(frame), get(frame, "delta", str), deltas)
        elif kind in ("response.output_text.done", "response.refusal.done"):
            self._say_once(_place(frame), frame, deltas)
        elif kind in THOUGHT:
            self._think(get(frame, "delta", str), deltas)
        elif kind in ("response.output_item.added", "response.output_item.done"):
            self._item(get(frame, "item", dict), frame.get("output_index"), kind.endswith("done"), deltas)
        elif kind == "response.function_call_arguments.delta":
            self._more(frame, deltas)
        elif kind == "response.function_call_arguments.done":
            self._whole(self._find(frame), frame.get("arguments"), deltas)
        elif kind.startswith("response.") and isinstance(frame.get("response"), dict):
            self._begin(frame["response"], deltas)
            if kind in LAST:
                self._last(frame["response"], kind.removeprefix("response."), deltas)

    def _read_whole(self, reply: dict[str, Any], deltas: list[Delta]) -> None:
        status = get(reply, "status", str)
        error = error_of(reply, whole="output" not in reply)
        if error is not None:
            deltas.append(error)
        elif not status and "output" not in reply:
            raise ProtocolError(
                "the reply is no response", "does this server speak this format?", body=str(reply)[:4096]
            )
        else:
            self._begin(reply, deltas)
            if status not in ("in_progress", "queued"):
                self._last(reply, status, deltas)

    def _begin(self, response: dict[str, Any], deltas: list[Delta]) -> None:
        id, model = get(response, "id", str), get(response, "model", str)
        if not self._began and (id or model):
            self._began = True
            deltas.append(Began(id or None, model or None))

    def _say(self, place: tuple[Any, Any], text: str, deltas: list[Delta]) -> None:
        if text:
            self._texts.add(place)
        _append(deltas, TextDelta, self._text.feed(text))

    def _say_once(self, place: tuple[Any, Any], part: dict[str, Any], deltas: list[Delta]) -> None:
        """Take a part's text as a whole if none of it came in pieces."""
        refusal = get(part, "refusal", str)
        self._refused = self._refused or bool(refusal)
        if place not in self._texts:
            self._say(place, refusal or get(part, "text", str), deltas)

    def _think(self, text: str, deltas: list[Delta]) -> None:
        self._thought_came = self._thought_came or bool(text)
        _append(deltas, ReasoningDelta, self._thought.feed(text))

    def _item(self, item: dict[str, Any], index: Any, whole: bool, deltas: list[Delta]) -> None:
        kind, id = get(item, "type", str), get(item, "id", str) or str(index)
        if kind == "function_call":
            call = self._start(item, index, deltas)
            if whole and get(item, "status", str) != "incomplete":
                self._whole(call, item.get("arguments"), deltas)
        elif kind == "reasoning" and whole and id not in self._echoed:
            self._echoed.add(id)
            if not self._thought_came:
                for part in [*objects(item, "summary"), *objects(item, "content")]:
                    _append(deltas, ReasoningDelta, self._thought.feed(get(part, "text", str)))
            deltas.append(EchoDelta(ECHO, [item]))

    def _start(self, item: dict[str, Any], index: Any, deltas: list[Delta]) -> _Call:
        names = [name for name in (get(item, "call_id", str), get(item, "id", str)) if name]
        places = [index] if isinstance(index, int) else []
        call = next((self._by[name] for name in names or places if name in self._by), None)
        if call is None:
            number = len(self._calls)
            call = _Call(number, names[0] if names else f"call_{number}")
            self._calls.append(call)
            deltas.append(ToolStart(number, call.id, get(item, "name", str)))
        self._by.update(dict.fromkeys([*names, *places], call))
        return call

    def _find(self, frame: dict[str, Any]) -> _Call:
        for name in (frame.get("item_id"), frame.get("output_index")):
            if isinstance(name, str | int) and name in self._by:
                return self._by[name]
        raise ProtocolError("arguments came for a call that did not begin", "try again", body=str(frame)[:4096])

    def _more(self, frame: dict[str, Any], deltas: list[Delta]) -> None:
        call = self._find(frame)
        text = self._arguments.setdefault(call.number, Characters()).feed(get(frame, "delta", str))
        if text and not call.done:
            call.size += len(text)
            deltas.append(ToolArgsDelta(call.number, text))

    def _whole(self, call: _Call, arguments: Any, deltas: list[Delta]) -> None:
        """End a call; its arguments as a whole override the pieces, and no arguments at all are ``{}``."""
        if not call.done:
            call.done = True
            said = get({"arguments": arguments}, "arguments", str)
            deltas.append(ToolDone(call.number, said or (None if call.size else "{}")))

    def _last(self, response: dict[str, Any], status: str, deltas: list[Delta]) -> None:
        if status == "failed" or get(response, "error", dict):
            error = error_of(response) or ErrorDelta("the response failed and does not say why", body=response)
            deltas.append(error)
            return
        output = objects(response, "output")
        said = bool(self._texts)
        for index, item in enumerate(output):
            if get(item, "type", str) == "message":
                for part, content in enumerate(objects(item, "content")):
                    if not said:
                        self._say_once((index, part), content, deltas)
                    self._refused = self._refused or bool(get(content, "refusal", str))
            else:
                self._item(item, index, get(item, "status", str) != "incomplete", deltas)
        _append(deltas, ReasoningDelta, self._thought.close())
        _append(deltas, TextDelta, self._text.close())
        finish, raw = self._reason(response, status)
        if finish in ("stop", "tool_calls"):
            for call in self._calls:
                self._whole(call, None, deltas)
        counts = get(response, "usage", dict)
        if counts:
            deltas.append(UsageUpdate(_usage(counts)))
        deltas.append(Done(finish, raw))

    def _reason(self, response: dict[str, Any], status: str) -> tuple[Finish, str | None]:
        if status == "incomplete":
            raw = get(get(response, "incomplete_details", dict), "reason", str)
            return INCOMPLETE.get(raw, "other"), raw or status
        if status != "completed":
            return "other", status or None
        return "tool_calls" if self._calls else "refusal" if self._refused else "stop", status


def _place(frame: dict[str, Any]) -> tuple[Any, Any]:
    index = frame.get("output_index")
    return (index if isinstance(index, int) else str(frame.get("item_id")), str(frame.get("content_index")))


def _append(deltas: list[Delta], kind: type[TextDelta] | type[ReasoningDelta], text: str) -> None:
    if text:
        deltas.append(kind(text))


def _usage(counts: dict[str, Any]) -> Any:
    read, written = get(counts, "input_tokens_details", dict), get(counts, "output_tokens_details", dict)
    return usage_of(
        count(counts, "total_tokens"),
        count(counts, "input_tokens"),
        count(counts, "output_tokens"),
        count(read, "cached_tokens"),
        count(read, "cache_write_tokens"),
        count(written, "reasoning_tokens"),
    )
