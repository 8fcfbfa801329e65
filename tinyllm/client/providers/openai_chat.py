r"""Chat completions, ``POST /chat/completions``: OpenAI's older format, which every compatible server speaks.

    data: {"id":"c9","model":"m","choices":[{"index":0,"delta":{"content":"Hel"}}]}
    data: {..,"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}
    data: {..,"choices":[],"usage":{"prompt_tokens":9,"completion_tokens":2}}
    data: [DONE]

An answer is whole when a ``finish_reason`` came and then ``[DONE]`` or the end of the line. Tokens are counted after
the reason, so ``Done`` waits for one of these two.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..errors import ProtocolError
from ..types import (
    Began,
    Call,
    Delta,
    Done,
    EchoDelta,
    Finish,
    HttpRequest,
    Message,
    ReasoningDelta,
    Spec,
    TextDelta,
    UsageUpdate,
)
from .adapter import Characters, EventFrames, StreamDecoder, count, get, objects, post
from .openai_fields import build_embed, check, decode_embed, error_of, schema_format, usage_of, word
from .openai_tools import ToolCalls

__all__ = ["Decoder", "build_embed", "build_request", "decode_embed"]

FINISH: Mapping[str, Finish] = {
    "stop": "stop",
    "eos": "stop",
    "length": "length",
    "model_length": "length",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
    "content_filter": "content_filter",
    "error": "error",
}
WORDS = ("auto", "none", "required")
SIGN = {"[DONE]": True}  # what stands for the line that is no JSON

# request


def build_request(call: Call, spec: Spec) -> HttpRequest:
    """Return the request for an answer.

    Args:
        call: what is asked; ``extra`` goes into the body as it is.
        spec: where it goes; its capabilities say which names this server has for things (``max_tokens``, ``seed``,
            ``system_role``) and what it does not take (``stream_options``, ``temperature``, ...).

    Raises:
        UnsupportedParamError: the provider's row says that this model does not take a parameter.
        BadRequestError: the body cannot be written as JSON.

    Example:
        >>> call = Call((Message("user", "Hi"),), "m", max_tokens=9, stream=False)
        >>> build_request(call, Spec("x", "openai_chat", "http://127.0.0.1/v1")).body
        b'{"model":"m","messages":[{"role":"user","content":"Hi"}],"max_completion_tokens":9}'
    """
    check(call, spec, call.extra.get("reasoning_effort"))
    body: dict[str, Any] = {"model": call.model, "messages": [_message(one, spec) for one in call.messages]}
    if call.stream:
        body["stream"] = True
        if spec.capabilities.get("stream_options") is not False:
            body["stream_options"] = {"include_usage": True}
    if call.max_tokens is not None:
        body[word(spec, "max_tokens", "max_completion_tokens")] = call.max_tokens
    for name in ("temperature", "top_p"):
        if getattr(call, name) is not None:
            body[name] = getattr(call, name)
    if call.stop:
        body["stop"] = list(call.stop)
    if call.seed is not None:
        body[word(spec, "seed", "seed")] = call.seed
    if call.tools:
        body["tools"] = [{"type": "function", "function": _function(tool)} for tool in call.tools]
    if call.tool_choice is not None:
        body["tool_choice"] = _choice(call.tool_choice, spec)
    if call.schema is not None:
        body["response_format"] = {"type": "json_schema", "json_schema": schema_format(call.schema)}
    accept = "text/event-stream" if call.stream else "application/json"
    return post(spec, "/chat/completions", {**body, **call.extra}, accept=accept)


def _function(tool: Any) -> dict[str, Any]:
    function: dict[str, Any] = {"name": tool.name}
    if tool.description:
        function["description"] = tool.description
    function["parameters"] = tool.parameters
    if tool.strict:
        function["strict"] = True
    return function


def _choice(choice: str, spec: Spec) -> Any:
    if choice == "required":
        return word(spec, "tool_required", choice)
    return choice if choice in WORDS else {"type": "function", "function": {"name": choice}}


def _message(one: Message, spec: Spec) -> dict[str, Any]:
    if one.role == "tool":
        return {"role": "tool", "tool_call_id": one.tool_call_id, "content": one.content}
    role = word(spec, "system_role", "system") if one.role == "system" else one.role
    if not one.tool_calls:
        return {"role": role, "content": one.content}
    calls = [
        {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments or "{}"}}
        for call in one.tool_calls
    ]
    message = {"role": role, "content": one.content or None, "tool_calls": calls}
    if spec.capabilities.get("echo_reasoning"):  # DeepSeek answers 400 to a turn with tools that lacks it
        message |= {key: one.echo[key] for key in ("reasoning_content", "reasoning") if key in one.echo}
    return message


# reply


class Decoder(StreamDecoder):
    r"""The bytes of a reply to deltas, whatever the dialect; of several choices the first is read.

    Attributes:
        finished: the reason of the end is known, and only a record of usage may still come.

    Errors:
        ProtocolError: from ``feed`` or ``close``, after all deltas before that place: the bytes are no such reply.

    Example:
        >>> decoder = Decoder()
        >>> decoder.feed(b'data: {"id":"c9","choices":[{"delta":{"content":"Hi"},"finish_reason":"stop"}]}\n\n')
        [Began(id='c9', model=None), TextDelta(text='Hi')]
        >>> decoder.feed(b"data: [DONE]\n\n")
        [Done(finish='stop', raw='stop')]
    """

    def __init__(self) -> None:
        super().__init__(EventFrames(SIGN))
        self._began = False
        self._reason: str | None = None
        self._refused = False
        self._tools = ToolCalls()
        self._text = Characters()
        self._thought = Characters()
        self._thoughts: dict[str, list[str]] = {}  # by the server's name for them, for the next turn

    def _read(self, frame: dict[str, Any], deltas: list[Delta]) -> None:
        if frame is SIGN:
            self._finish(deltas)
            return
        choices = objects(frame, "choices")
        error = error_of(frame, whole=self._frames.whole and "choices" not in frame)
        error = error or next((found for found in map(error_of, choices) if found), None)
        if error is not None:
            deltas.append(error)
            return
        if self._frames.whole and "choices" not in frame:
            raise ProtocolError(
                "the reply has no choices", "does this server speak this format?", body=str(frame)[:4096]
            )
        if not self._began and "choices" in frame:
            self._began = True
            deltas.append(Began(get(frame, "id", str) or None, get(frame, "model", str) or None))
        for choice in choices:
            if not choice.get("index"):
                self._choice(choice, deltas)
        counts = get(frame, "usage", dict) or get(get(frame, "x_groq", dict), "usage", dict)
        if counts:
            deltas.append(UsageUpdate(_usage(counts)))

    def _choice(self, choice: dict[str, Any], deltas: list[Delta]) -> None:
        said = get(choice, "delta", dict) or get(choice, "message", dict)
        for key in ("reasoning_content", "reasoning"):
            if isinstance(said.get(key), str) and said[key]:
                self._thoughts.setdefault(key, []).append(said[key])
                _append(deltas, ReasoningDelta, self._thought.feed(said[key]))
                break  # who sends both sends the same twice
        content = said.get("content")
        if isinstance(content, list):
            self._parts(objects(said, "content"), deltas)
        else:
            _append(deltas, TextDelta, self._text.feed(get(said, "content", str)))
        refusal = get(said, "refusal", str)
        self._refused = self._refused or bool(refusal)
        _append(deltas, TextDelta, self._text.feed(refusal))
        for place, piece in enumerate(objects(said, "tool_calls")):
            deltas += self._tools.feed({"index": place, **piece} if "message" in choice else piece)
        function = get(said, "function_call", dict)
        if function:
            deltas += self._tools.feed({"index": -1, "function": function})
        reason = get(choice, "finish_reason", str)
        if reason:
            self._reason = reason
            self.finished = True

    def _parts(self, parts: list[dict[str, Any]], deltas: list[Delta]) -> None:
        """Read content in parts, as Mistral's reasoning models send it."""
        for part in parts:
            _append(deltas, TextDelta, self._text.feed(get(part, "text", str)))
            thinking = part.get("thinking")
            pieces = objects(part, "thinking") if isinstance(thinking, list) else [{"text": thinking}]
            for piece in pieces:
                _append(deltas, ReasoningDelta, self._thought.feed(get(piece, "text", str)))

    def _finish(self, deltas: list[Delta]) -> None:
        finish: Finish = "other"
        if self._reason is not None:
            finish = FINISH.get(self._reason, "other")
            if finish == "stop" and self._refused:
                finish = "refusal"
        _append(deltas, ReasoningDelta, self._thought.close())
        _append(deltas, TextDelta, self._text.close())
        if finish in ("stop", "tool_calls"):
            deltas += self._tools.close()
        if self._tools:
            deltas += [EchoDelta(key, "".join(pieces)) for key, pieces in self._thoughts.items()]
        deltas.append(Done(finish, self._reason))

    def _end(self, deltas: list[Delta]) -> None:
        if self._reason is not None and self._frames.clean:
            self._finish(deltas)


def _append(deltas: list[Delta], kind: type[TextDelta] | type[ReasoningDelta], text: str) -> None:
    if text:
        deltas.append(kind(text))


def _usage(counts: dict[str, Any]) -> Any:
    prompt, answer = get(counts, "prompt_tokens_details", dict), get(counts, "completion_tokens_details", dict)
    cached = count(prompt, "cached_tokens")
    return usage_of(
        count(counts, "total_tokens"),
        count(counts, "prompt_tokens"),
        count(counts, "completion_tokens"),
        count(counts, "prompt_cache_hit_tokens") if cached is None else cached,  # DeepSeek's name for them
        count(prompt, "cache_write_tokens"),
        count(answer, "reasoning_tokens"),
    )
