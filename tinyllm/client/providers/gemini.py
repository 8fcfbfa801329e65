"""Gemini: POST /v1/models/MODEL:streamGenerateContent?alt=sse, a stream of records, each shaped like a whole reply.

    {"candidates": [{"content": {"parts": [...]}}]}       parts: text, thought, functionCall with an object of arguments
    {"candidates": [{"finishReason": "STOP"}]}            some servers send it more than once
    (end of the stream)                                   the end, if a finishReason came: so Done comes with ``close``

A part may bear a ``thoughtSignature``, which the next turn has to give back on the same part: it travels as an echo.
The arguments of a call may also come in pieces, each with its place (``partialArgs``), until ``willContinue`` stops.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from ..errors import ProtocolError
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
from .adapter import Characters, EventFrames, StreamDecoder, arguments_of, count, embeddings, get, objects, post
from .gemini_args import PartialArgs

ECHO = "gemini"  # the key of what goes back with an assistant's turn
SIGNATURE = "thoughtSignature"
FILTERED = (
    "SAFETY RECITATION BLOCKLIST PROHIBITED_CONTENT SPII IMAGE_SAFETY IMAGE_PROHIBITED_CONTENT IMAGE_RECITATION "
    "MODEL_ARMOR"
)
FINISH: Mapping[str, Finish] = {
    "STOP": "stop",
    "MAX_TOKENS": "length",
    **dict.fromkeys(FILTERED.split(), "content_filter"),
}
MADE_UP = re.compile(r"call_\d+")  # an id of ours: the wire knows such a call by its name and place
# what the wire's own kind of schema knows; all else is JSON Schema and goes in another field
PLAIN = (
    "type format title description nullable enum default example anyOf items properties required propertyOrdering "
    "pattern minimum maximum minItems maxItems minProperties maxProperties minLength maxLength"
)
OPENAPI = frozenset(PLAIN.split())


# the request


def build_request(call: Call, spec: Spec) -> HttpRequest:
    """Return the request for a call.

    Raises:
        BadRequestError: a turn that cannot be told in this format.
    """
    system = "\n\n".join(message.content for message in call.messages if message.role == "system")
    body: dict[str, Any] = {"contents": contents(call.messages, spec)}
    body |= {"systemInstruction": {"parts": [{"text": system}]}} if system else {}
    settings: dict[str, Any] = {
        "temperature": call.temperature,
        "topP": call.top_p,
        "maxOutputTokens": call.max_tokens,
        "stopSequences": list(call.stop) or None,
        "seed": call.seed,
    }
    if call.schema is not None:
        field = "responseSchema" if _is_plain(call.schema) else "responseJsonSchema"
        settings |= {"responseMimeType": "application/json", field: call.schema}
    settings = {key: value for key, value in settings.items() if value is not None}
    extra = dict(call.extra)
    settings |= extra.pop("generationConfig", None) or {}
    body |= {"generationConfig": settings} if settings else {}
    if call.tools:
        body["tools"] = [{"functionDeclarations": [_declaration(tool) for tool in call.tools]}]
        body |= {"toolConfig": {"functionCallingConfig": _choice(call.tool_choice)}} if call.tool_choice else {}
    method = "streamGenerateContent?alt=sse" if call.stream else "generateContent"
    accept = "text/event-stream" if call.stream else "application/json"
    return post(spec, f"{_model(call.model, spec)}:{method}", body | extra, accept=accept)


def _model(model: str, spec: Spec) -> str:
    version = {None: "v1", "beta": "v1beta", "alpha": "v1alpha"}.get(spec.api_version, spec.api_version)
    name = model if "/" in model else f"models/{model}"
    return f"/{version}/{quote(name)}"


def _is_plain(schema: Any) -> bool:
    """Whether a JSON Schema says nothing that the wire's own kind cannot say."""
    waiting = [schema]
    while waiting:
        node = waiting.pop()
        if not isinstance(node, Mapping) or not OPENAPI.issuperset(node) or not isinstance(node.get("type", ""), str):
            return False
        waiting += [*(node.get("properties") or {}).values(), *(node.get("anyOf") or [])]
        waiting += [node["items"]] if "items" in node else []
    return True


def _declaration(tool: Any) -> dict[str, Any]:
    field = "parameters" if _is_plain(tool.parameters) else "parametersJsonSchema"
    told = {"name": tool.name, "description": tool.description}
    if tool.parameters.get("properties"):  # an object without fields is refused
        told[field] = tool.parameters
    return {key: value for key, value in told.items() if value}


def _choice(choice: str) -> dict[str, Any]:
    modes = {"auto": "AUTO", "required": "ANY", "none": "NONE"}
    return {"mode": modes[choice]} if choice in modes else {"mode": "ANY", "allowedFunctionNames": [choice]}


def contents(messages: Sequence[Message], spec: Spec) -> list[dict[str, Any]]:
    """Return a conversation in this format: the assistant is "model", results of tools are parts of the user's turn.

    Raises:
        BadRequestError: a call whose arguments are no JSON object.
    """
    found: list[dict[str, Any]] = []
    names = {call.id: call.name for message in messages for call in message.tool_calls}
    for message in messages:
        if message.role == "system":
            continue
        if message.role == "assistant":
            role, parts = "model", _assistant(message, spec)
        elif message.role == "tool":
            role, parts = "user", [_result(message, message.name or names.get(message.tool_call_id, ""))]
        else:
            role, parts = "user", [{"text": message.content}]
        if found and found[-1]["role"] == role:
            found[-1]["parts"] += parts
        else:
            found.append({"role": role, "parts": parts})
    return found


def _id(call: str) -> dict[str, str]:
    return {} if not call or MADE_UP.fullmatch(call) else {"id": call}


def _result(message: Message, name: str) -> dict[str, Any]:
    response = {"error" if message.is_error else "output": message.content}
    return {"functionResponse": {**_id(message.tool_call_id), "name": name, "response": response}}


def _assistant(message: Message, spec: Spec) -> list[dict[str, Any]]:
    """Return an assistant's parts, each with the signature that was kept for it.

    What was kept tells texts by their lengths and calls by their ids. If the text was edited since, its signatures
    are left out: they would vouch for other words.
    """
    calls = {
        call.id: {"functionCall": {**_id(call.id), "name": call.name, "args": arguments_of(call, spec)}}
        for call in message.tool_calls
    }
    kept = message.echo.get(ECHO) or []
    if sum(part.get("length", 0) for part in kept) != len(message.content):
        kept = [{"length": len(message.content)}, *(part for part in kept if "length" not in part)]
    parts, place = [], 0
    for part in kept:
        signed = {SIGNATURE: part[SIGNATURE]} if SIGNATURE in part else {}
        if "length" in part:
            text = message.content[place : place + part["length"]]
            place += part["length"]
            parts += [{"text": text, **signed}] if text or signed else []
        elif "call" in part:
            parts += [calls.pop(part["call"]) | signed] if part["call"] in calls else []
        else:
            parts.append(dict(part))
    return [*parts, *calls.values()] or [{"text": ""}]


# the reply


class Decoder(StreamDecoder):
    """Bytes of a reply, a stream or one JSON text, to deltas; ``Done`` comes with ``close``."""

    def __init__(self) -> None:
        super().__init__(EventFrames())
        self._began = False
        self._reason: str | None = None
        self._blocked: str | None = None
        self._tools = 0
        self._open: PartialArgs | None = None  # a call whose arguments come in pieces
        self._echo: list[dict[str, Any]] = []
        self._words, self._thoughts = Characters(), Characters()
        self._usage: dict[str, int] = {}

    def _read(self, frame: dict[str, Any], deltas: list[Delta]) -> None:
        if "error" in frame:
            deltas.append(error_of(frame))
            return
        known = ("candidates", "usageMetadata", "promptFeedback", "modelVersion", "responseId")
        if not any(key in frame for key in known):
            if self._frames.whole:
                raise ProtocolError("the reply is neither an answer nor an error", body=json.dumps(frame)[:4096])
            return
        if not self._began:
            self._began = True
            deltas.append(Began(get(frame, "responseId", str) or None, get(frame, "modelVersion", str) or None))
        for candidate in objects(frame, "candidates"):
            if not count(candidate, "index"):  # the first one, which is all that we ask for
                for part in objects(get(candidate, "content", dict), "parts"):
                    self._part(part, deltas)
                self._reason = get(candidate, "finishReason", str) or self._reason
        self._blocked = get(get(frame, "promptFeedback", dict), "blockReason", str) or self._blocked
        self.finished = bool(self._reason or self._blocked)
        self._count(get(frame, "usageMetadata", dict), deltas)

    def _part(self, part: dict[str, Any], deltas: list[Delta]) -> None:
        signed = {SIGNATURE: sign} if (sign := get(part, SIGNATURE, str)) else {}
        if "functionCall" in part:
            self._call(get(part, "functionCall", dict), signed, deltas)
        elif get(part, "thought", bool):
            text = self._thoughts.feed(get(part, "text", str))
            deltas += [ReasoningDelta(text)] if text else []
            self._echo += [{"thought": True, "text": text, **signed}] if signed else []
        elif "text" in part:
            text = self._words.feed(get(part, "text", str))
            deltas += [TextDelta(text)] if text else []
            last = self._echo[-1] if self._echo else {}
            if "length" not in last or SIGNATURE in last or signed:
                self._echo.append({"length": len(text), **signed})
            else:
                last["length"] += len(text)
        elif part:
            self._echo.append(part)  # code that the server ran, a picture: no delta of ours, but of the turn

    def _call(self, call: dict[str, Any], signed: dict[str, str], deltas: list[Delta]) -> None:
        name, more = get(call, "name", str), get(call, "willContinue", bool)
        if self._open is None or name:
            index, self._tools = self._tools, self._tools + 1
            found = get(call, "id", str) or f"call_{index}"
            self._echo.append({"call": found, **signed})
            deltas.append(ToolStart(index, found, name))
            if not more and "partialArgs" not in call:
                args = json.dumps(get(call, "args", dict), ensure_ascii=False)
                deltas += [ToolArgsDelta(index, _whole(args)), ToolDone(index)]
                return
            self._open = PartialArgs(index, get(call, "args", dict))
            deltas.append(ToolArgsDelta(index, "{"))  # until the rest comes, nobody takes it for whole
        for piece in objects(call, "partialArgs"):
            self._open.add(piece)
        if not more:
            args = json.dumps(self._open.value, ensure_ascii=False)
            deltas += [ToolArgsDelta(self._open.index, _whole(args)[1:]), ToolDone(self._open.index)]
            self._open = None

    def _count(self, usage: dict[str, Any], deltas: list[Delta]) -> None:
        """Overwrite the numbers so far: the prompt includes what was cached, the candidates exclude the thoughts."""
        names = ("prompt", "cachedContent", "candidates", "thoughts", "toolUsePrompt", "total")
        found = {name: number for name in names if (number := count(usage, f"{name}TokenCount")) is not None}
        if not found or found.items() <= self._usage.items():
            return
        self._usage |= found
        have = self._usage
        read = have.get("cachedContent")
        asked = max(have["prompt"] - (read or 0), 0) + have.get("toolUsePrompt", 0) if "prompt" in have else None
        written = have.get("candidates")
        if written is None and "total" in have and "prompt" in have:  # a zero is not sent: the total tells
            others = have["prompt"] + have.get("thoughts", 0) + have.get("toolUsePrompt", 0)
            written = max(have["total"] - others, 0)
        deltas.append(UsageUpdate(Usage(asked, written, cache_read=read, reasoning=have.get("thoughts"))))

    def _end(self, deltas: list[Delta]) -> None:
        if not self._frames.clean or not self.finished:
            return
        rest = self._words.close()
        if rest:
            deltas.append(TextDelta(rest))
            self._echo.append({"length": len(rest)})
        if any(SIGNATURE in part or not {"call", "length"} & part.keys() for part in self._echo):
            deltas.append(EchoDelta(ECHO, self._echo))
        if self._reason is None:
            deltas.append(Done("content_filter", self._blocked))
            return
        finish = FINISH.get(self._reason, "other")
        deltas.append(Done("tool_calls" if finish == "stop" and self._tools else finish, self._reason))


def _whole(text: str) -> str:
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def error_of(frame: Mapping[str, Any]) -> ErrorDelta:
    """Return what an error's body says; ``code`` is the reason that its details give.

    Example:
        >>> error_of({"error": {"code": 503, "message": "Busy", "status": "UNAVAILABLE"}}).status
        503
    """
    error = frame.get("error")
    if not isinstance(error, dict):
        return ErrorDelta(str(error), body=dict(frame))
    details = error.get("details")
    rows = [row for row in details if isinstance(row, dict)] if isinstance(details, list) else []
    reasons = [row["reason"] for row in rows if isinstance(row.get("reason"), str)]
    kind = error.get("status")
    return ErrorDelta(
        str(error.get("message") or "no message"),
        type=kind if isinstance(kind, str) else None,
        code=reasons[0] if reasons else None,
        status=count(error, "code"),
        body=dict(frame),
    )


# embeddings


def build_embed(texts: Sequence[str], model: str, spec: Spec, dimensions: int | None = None) -> HttpRequest:
    """Return the request for vectors of texts, all in one batch."""
    name = model if "/" in model else f"models/{model}"
    size = {} if dimensions is None else {"outputDimensionality": dimensions}
    requests = [{"model": name, "content": {"parts": [{"text": text}]}, **size} for text in texts]
    return post(spec, f"{_model(model, spec)}:batchEmbedContents", {"requests": requests})


def decode_embed(body: bytes) -> Embeddings:
    """Return the vectors of a reply; it names no model.

    Raises:
        ProtocolError: there are none.
    """
    frame = json_object(body.decode("utf-8", "replace"))
    usage = Usage(input=count(get(frame, "usageMetadata", dict), "promptTokenCount"))
    return embeddings([get(row, "values", list) for row in objects(frame, "embeddings")], "gemini", usage=usage)
