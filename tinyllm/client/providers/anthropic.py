"""Anthropic Messages: POST /v1/messages, an event stream of numbered content blocks.

    message_start                                   id, model, tokens of the input
    content_block_start  0 thinking                 a block: text, thinking, tool_use, or what the server ran itself
    content_block_delta  0 thinking_delta ...       more of it; a signature closes a block of thinking
    content_block_stop   0
    message_delta        stop_reason, usage         tokens so far: they replace the ones before
    message_stop                                    the end: without it the answer is cut

The wire has versions, and what they differ in is data/anthropic_versions.json: the header of the key, and sampling
parameters that a version refuses even at their default values. A refused one is never sent.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any

from ...errors import ConfigError
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
    Usage,
    UsageUpdate,
)
from .adapter import Characters, EventFrames, StreamDecoder, arguments_of, count, get, objects, post, refuse

ECHO = "anthropic"  # the key of what goes back with an assistant's turn
MAX_TOKENS = 4096  # the wire demands a limit: this one if neither the call nor the capabilities name one
FINISH: Mapping[str, Finish] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "refusal",
    "pause_turn": "pause",
}


# the request


@cache
def versions() -> dict[str, Any]:
    """Return the dated rows of data/anthropic_versions.json.

    Example:
        >>> versions()["versions"]["2023-06-01"]["auth"]
        'x-api-key'
    """
    table = files("tinyllm.client").joinpath("data", "anthropic_versions.json")
    found: dict[str, Any] = json.loads(table.read_text(encoding="utf-8"))
    return found


def build_request(call: Call, spec: Spec) -> HttpRequest:
    """Return the request for a call; ``spec.api_version`` picks the version, the newest we know if it is None.

    Raises:
        ConfigError: a version that we do not know.
        UnsupportedParamError: a parameter that this version or this model does not take.
        BadRequestError: a turn that cannot be told in this format.
    """
    name = spec.api_version or versions()["default"]
    if name not in versions()["versions"]:
        known = ", ".join(sorted(versions()["versions"]))
        raise ConfigError(f"{spec.name}: api_version {name!r} is not one of {known}")
    version = versions()["versions"][name]
    system = "\n\n".join(message.content for message in call.messages if message.role == "system")
    body: dict[str, Any] = {
        "model": call.model,
        "max_tokens": call.max_tokens or spec.capabilities.get("max_output_tokens") or MAX_TOKENS,
        "messages": turns(call.messages, spec),
    }
    body |= {"stream": True} if call.stream else {}
    body |= {"system": system} if system else {}
    body |= {key: value for key in ("temperature", "top_p") if (value := getattr(call, key)) is not None}
    body |= {"stop_sequences": list(call.stop)} if call.stop else {}
    if call.seed is not None:
        raise refuse(spec, "seed", "this wire has none", "leave it out; the local GPT takes one")
    if call.tools:
        body["tools"] = [_tool(one) for one in call.tools]
        body |= {"tool_choice": _choice(call.tool_choice)} if call.tool_choice else {}
    if call.schema is not None:
        body["output_config"] = {"format": {"type": "json_schema", "schema": call.schema}}
    body |= call.extra
    for key in ("temperature", "top_p", "top_k"):
        if key in body and (key in version["refused"] or spec.capabilities.get(key) is False):
            raise refuse(spec, key, f"version {name} refuses it for {call.model!r}", _advice(key))
    accept = "text/event-stream" if call.stream else "application/json"
    auth = "none" if spec.auth == "none" else version["auth"]
    return post(spec, "/v1/messages", body, accept=accept, auth=auth, headers={"anthropic-version": name})


def _advice(key: str) -> str:
    takes = [name for name, row in versions()["versions"].items() if key not in row["refused"]]
    return f"leave it out, or pass api_version={takes[0]!r}" if takes else "leave it out"


def _tool(tool: Any) -> dict[str, Any]:
    told = {"name": tool.name, "description": tool.description, "input_schema": tool.parameters}
    return {key: value for key, value in told.items() if value} | ({"strict": True} if tool.strict else {})


def _choice(choice: str) -> dict[str, str]:
    kinds = {"auto": "auto", "required": "any", "none": "none"}
    return {"type": kinds[choice]} if choice in kinds else {"type": "tool", "name": choice}


def turns(messages: Sequence[Message], spec: Spec) -> list[dict[str, Any]]:
    """Return a conversation in this format: results of tools are the user's, and all those of one turn stand together.

    Raises:
        BadRequestError: a call whose arguments are no JSON object.
    """
    found: list[dict[str, Any]] = []
    for message in messages:
        if message.role == "system":
            continue
        if message.role == "assistant":
            found.append({"role": "assistant", "content": _assistant(message, spec)})
            continue
        content: Any = message.content
        if message.role == "tool":
            content = [{"type": "tool_result", "tool_use_id": message.tool_call_id, "content": message.content}]
            content[0] |= {"is_error": True} if message.is_error else {}
        if found and found[-1]["role"] == "user":
            found[-1]["content"] = [*_blocks(found[-1]["content"]), *_blocks(content)]
        else:
            found.append({"role": "user", "content": content})
    return found


def _blocks(content: Any) -> list[dict[str, Any]]:
    if isinstance(content, str):
        return [{"type": "text", "text": content}] if content else []
    return list(content)


def _assistant(message: Message, spec: Spec) -> Any:
    """Return an assistant's content, with the blocks that were kept for it unchanged and in their places.

    What was kept tells texts by their lengths and calls by their ids. If the turn was edited since, so that they no
    longer fit, the kept blocks go first, then text and calls as the turn has them now.
    """
    calls = {
        call.id: {"type": "tool_use", "id": call.id, "name": call.name, "input": arguments_of(call, spec)}
        for call in message.tool_calls
    }
    kept = message.echo.get(ECHO) or []
    if not kept and not calls:
        return message.content
    if sum(block["length"] for block in kept if block["type"] == "text") != len(message.content):
        kept = [block for block in kept if block["type"] not in ("text", "tool_use")]
        kept += [{"type": "text", "length": len(message.content)}]
    blocks, place = [], 0
    for block in kept:
        if block["type"] == "text":
            blocks += _blocks(message.content[place : place + block["length"]])
            place += block["length"]
        elif block["type"] == "tool_use":
            blocks += [calls.pop(block["id"])] if block["id"] in calls else []
        else:
            blocks.append(block)
    return [*blocks, *calls.values()]


# the reply


@dataclass(slots=True)
class _Block:
    """A content block that has begun: what it began with, and the pieces of JSON or thought that followed."""

    kind: str
    start: dict[str, Any]
    tool: int = -1
    pieces: list[str] = field(default_factory=list)
    text: Characters = field(default_factory=Characters)
    kept: dict[str, Any] | None = None  # a text's entry in the echo, which grows


class Decoder(StreamDecoder):
    """Bytes of a reply, a stream or one JSON text, to deltas."""

    def __init__(self) -> None:
        super().__init__(EventFrames())
        self._blocks: dict[int, _Block] = {}
        self._tools = 0
        self._echo: list[dict[str, Any]] = []
        self._usage: dict[str, int] = {}
        self._reason: str | None = None

    def _read(self, frame: dict[str, Any], deltas: list[Delta]) -> None:
        kind = get(frame, "type", str)
        index = count(frame, "index") or 0
        if kind == "message_start":
            message = get(frame, "message", dict)
            deltas.append(Began(get(message, "id", str) or None, get(message, "model", str) or None))
            self._count(get(message, "usage", dict), deltas)
        elif kind == "content_block_start":
            self._start(index, get(frame, "content_block", dict), deltas)
        elif kind == "content_block_delta":
            self._more(index, get(frame, "delta", dict), deltas)
        elif kind == "content_block_stop":
            self._stop(index, deltas)
        elif kind == "message_delta":
            self._reason = get(get(frame, "delta", dict), "stop_reason", str) or self._reason
            self.finished = self._reason is not None
            self._count(get(frame, "usage", dict), deltas)
        elif kind == "message_stop":
            self._done(deltas)
        elif kind == "error" or "error" in frame:
            deltas.append(error_of(frame))
        elif kind == "message":
            self._message(frame, deltas)
        elif self._frames.whole:
            raise ProtocolError("the reply is neither a message nor an error", body=json.dumps(frame)[:4096])

    def _message(self, frame: dict[str, Any], deltas: list[Delta]) -> None:
        """Read a reply that came in one piece."""
        deltas.append(Began(get(frame, "id", str) or None, get(frame, "model", str) or None))
        for index, block in enumerate(objects(frame, "content")):
            self._start(index, block, deltas)
            self._stop(index, deltas)
        self._count(get(frame, "usage", dict), deltas)
        self._reason = get(frame, "stop_reason", str) or None
        if self._reason is not None:
            self._done(deltas)

    def _start(self, index: int, start: dict[str, Any], deltas: list[Delta]) -> None:
        kind = get(start, "type", str)
        if not kind:
            raise ProtocolError("a content block began that says of no kind", body=json.dumps(start)[:4096])
        block = self._blocks[index] = _Block(kind, start)
        if block.kind == "text":
            block.kept = {"type": "text", "length": 0}
            self._echo.append(block.kept)
            self._text(block, get(start, "text", str), deltas)
        elif block.kind == "thinking":
            self._think(block, get(start, "thinking", str), deltas)
        elif block.kind == "tool_use":
            block.tool = self._tools
            self._tools += 1
            call = get(start, "id", str)
            self._echo.append({"type": "tool_use", "id": call})
            deltas.append(ToolStart(block.tool, call, get(start, "name", str)))

    def _more(self, index: int, delta: dict[str, Any], deltas: list[Delta]) -> None:
        kind = get(delta, "type", str)
        block = self._blocks.get(index)
        if block is None:
            raise ProtocolError(f"more of content block {index} came, which never began", body=json.dumps(delta)[:4096])
        if kind == "text_delta":
            self._text(block, get(delta, "text", str), deltas)
        elif kind == "thinking_delta":
            self._think(block, get(delta, "thinking", str), deltas)
        elif kind == "signature_delta":
            block.start["signature"] = get(delta, "signature", str)
        elif kind == "input_json_delta":
            self._arguments(block, block.text.feed(get(delta, "partial_json", str)), deltas)

    def _text(self, block: _Block, text: str, deltas: list[Delta]) -> None:
        whole = block.text.feed(text)
        if whole:
            deltas.append(TextDelta(whole))
            if block.kept is not None:
                block.kept["length"] += len(whole)

    def _think(self, block: _Block, text: str, deltas: list[Delta]) -> None:
        whole = block.text.feed(text)
        if whole:
            block.pieces.append(whole)
            deltas.append(ReasoningDelta(whole))

    def _arguments(self, block: _Block, text: str, deltas: list[Delta]) -> None:
        if text:
            block.pieces.append(text)
            if block.tool >= 0:
                deltas.append(ToolArgsDelta(block.tool, text))

    def _stop(self, index: int, deltas: list[Delta]) -> None:
        """End a block. A call is whole only if its JSON is: a limit on tokens may have cut it just here."""
        block = self._blocks.pop(index, None)
        if block is None:
            return
        rest = block.text.close()
        if block.kind == "text":
            if rest and block.kept is not None:
                deltas.append(TextDelta(rest))
                block.kept["length"] += 1
        elif block.kind == "thinking":
            if rest:
                block.pieces.append(rest)
                deltas.append(ReasoningDelta(rest))
            if get(block.start, "signature", str):  # without one it is not taken back
                self._echo.append(block.start | {"thinking": "".join(block.pieces)})
        elif block.kind == "tool_use":
            if not block.pieces:
                given = json.dumps(get(block.start, "input", dict), ensure_ascii=False)
                self._arguments(block, block.text.feed(given), deltas)
            if _object("".join(block.pieces)) is not None:
                deltas.append(ToolDone(block.tool))
        else:  # the server's own: a search and its result, reasoning that is not shown
            told = _object("".join(block.pieces))
            self._echo.append(block.start | ({"input": told} if told is not None else {}))

    def _count(self, usage: dict[str, Any], deltas: list[Delta]) -> None:
        """Overwrite the numbers so far: the wire sends totals, of which the output includes the thinking."""
        names = ("input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")
        found = {name: number for name in names if (number := count(usage, name)) is not None}
        thought = count(get(usage, "output_tokens_details", dict), "thinking_tokens")
        found |= {} if thought is None else {"thinking": thought}
        if not found:
            return
        self._usage |= found
        have = self._usage.get
        written, thought = have("output_tokens"), have("thinking")
        if written is not None and thought is not None:
            written = max(written - thought, 0)
        read, made = have("cache_read_input_tokens"), have("cache_creation_input_tokens")
        deltas.append(UsageUpdate(Usage(have("input_tokens"), written, read, made, thought)))

    def _done(self, deltas: list[Delta]) -> None:
        if any(block["type"] not in ("text", "tool_use") for block in self._echo):
            deltas.append(EchoDelta(ECHO, self._echo))
        deltas.append(Done(FINISH.get(self._reason or "", "other"), self._reason))


def _object(text: str) -> dict[str, Any] | None:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def error_of(frame: Mapping[str, Any]) -> ErrorDelta:
    """Return what an error's body says.

    Example:
        >>> error_of({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}).type
        'overloaded_error'
    """
    error = frame.get("error")
    if not isinstance(error, dict):
        return ErrorDelta(str(error), body=dict(frame))
    details = error.get("details")
    code = details.get("error_code") if isinstance(details, dict) else None
    kind = error.get("type")
    return ErrorDelta(
        str(error.get("message") or "no message"),
        type=kind if isinstance(kind, str) else None,
        code=code if isinstance(code, str) else None,
        body=dict(frame),
    )
