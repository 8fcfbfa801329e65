"""What travels between a user, an adapter and a model: messages, tools, a call, the deltas of a stream, a completion.

A stream is a sequence of deltas, the same for every provider:

    Began TextDelta* (ToolStart ToolArgsDelta* ToolDone)* UsageUpdate* Done        or, at any place, ErrorDelta

An adapter turns a ``Call`` into an ``HttpRequest``, and bytes into deltas. It invents nothing: what a provider does not
say is None. Nothing here knows a socket, a clock or the environment.
"""

from __future__ import annotations

import json
from array import array
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

Role = Literal["system", "user", "assistant", "tool"]
Finish = Literal["stop", "length", "tool_calls", "content_filter", "refusal", "pause", "error", "other", "truncated"]


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A tool that the model wants called; ``arguments`` is JSON as it came, ``index`` its place in the answer."""

    id: str
    name: str
    arguments: str
    index: int = 0

    def parsed(self) -> Any:
        """Return the arguments as Python has them.

        Raises:
            ValueError: they are no JSON, as those of a call that was cut off.

        Example:
            >>> ToolCall("call_7", "weather", '{"city": "Oslo"}').parsed()
            {'city': 'Oslo'}
        """
        return json.loads(self.arguments or "{}")


@dataclass(frozen=True, slots=True)
class Message:
    """One turn.

    Args:
        role: whose: "system", "user", "assistant", or "tool" for a tool's result.
        content: its text.
        tool_calls: of an assistant.
        tool_call_id: of a tool's result: the call it answers.
        name: of the tool.
        is_error: whether the result is an error's text.
        echo: what a provider wants back unchanged with an assistant's turn (signatures, reasoning), by its own keys.
    """

    role: Role
    content: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str = ""
    name: str = ""
    is_error: bool = False
    echo: Mapping[str, Any] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True)
class Tool:
    """Something a model may call: name, what it does, parameters as JSON Schema, and the function, if it is here."""

    name: str
    description: str = ""
    parameters: Mapping[str, Any] = field(default_factory=lambda: {"type": "object", "properties": {}}, hash=False)
    function: Callable[..., Any] | None = field(default=None, compare=False, repr=False)
    strict: bool = False


@dataclass(frozen=True, slots=True)
class Call:
    """One request, in nobody's dialect; what is None is not sent.

    Args:
        messages: the conversation so far.
        model: the provider's name of it.
        max_tokens: of the answer.
        temperature, top_p, stop, seed: as everywhere.
        tools: that may be called.
        tool_choice: "auto", "none", "required", or a tool's name.
        schema: JSON Schema that the answer has to follow.
        stream: whether deltas are wanted as they come.
        extra: further fields of the body, in the provider's own words.
    """

    messages: tuple[Message, ...]
    model: str
    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    stop: tuple[str, ...] = ()
    seed: int | None = None
    tools: tuple[Tool, ...] = ()
    tool_choice: str | None = None
    schema: Mapping[str, Any] | None = field(default=None, hash=False)
    stream: bool = True
    extra: Mapping[str, Any] = field(default_factory=dict, hash=False)


class Secret:
    """A key that shows itself to ``reveal`` only.

    Example:
        >>> key = Secret("sk-123")
        >>> key, f"{key}", key.reveal()
        (Secret(***), '***', 'sk-123')
    """

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """Return it."""
        return self._value

    def __bool__(self) -> bool:
        return bool(self._value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash((Secret, self._value))

    def __str__(self) -> str:
        return "***"

    def __repr__(self) -> str:
        return "Secret(***)"

    def __reduce__(self) -> Any:
        raise TypeError("a Secret is not pickled")


@dataclass(frozen=True, slots=True)
class Spec:
    """Where a call goes: a row of providers.json with what the environment and the user added.

    Args:
        name: of the provider.
        wire: which adapter: "openai_chat", "openai_responses", "anthropic", "gemini", "ollama" or "local".
        base_url: without a slash at its end.
        auth: how the key goes along: "bearer", "x-api-key", "x-goog-api-key" or "none".
        key: the key.
        api_version: where the wire has versions.
        capabilities: what this provider's model can do, by name: True, False, or a word.
        headers: that go along with every request.
    """

    name: str
    wire: str
    base_url: str = ""
    auth: str = "bearer"
    key: Secret | None = None
    api_version: str | None = None
    capabilities: Mapping[str, Any] = field(default_factory=dict, hash=False)
    headers: Mapping[str, str] = field(default_factory=dict, hash=False)


SECRET_HEADERS = frozenset({"authorization", "x-api-key", "x-goog-api-key", "proxy-authorization", "api-key", "cookie"})


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """What goes over the line; its repr shows no secret."""

    method: str
    url: str
    headers: Mapping[str, str] = field(hash=False)
    body: bytes = b""

    def __repr__(self) -> str:
        shown = {name: "***" if name.lower() in SECRET_HEADERS else value for name, value in self.headers.items()}
        return f"HttpRequest({self.method} {self.url.partition('?')[0]}, {shown}, {len(self.body)} bytes)"


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens, in parts that do not overlap; None where nobody said.

    Args:
        input: read anew, without what came from or went to a cache.
        output: written, without reasoning.
        cache_read, cache_write: of the input.
        reasoning: written and not shown.

    Example:
        >>> Usage(input=50, output=14, cache_read=8).total
        72
    """

    input: int | None = None
    output: int | None = None
    cache_read: int | None = None
    cache_write: int | None = None
    reasoning: int | None = None

    @property
    def total(self) -> int | None:
        """All of them; None if input or output is unknown."""
        if self.input is None or self.output is None:
            return None
        return self.input + self.output + (self.cache_read or 0) + (self.cache_write or 0) + (self.reasoning or 0)


@dataclass(frozen=True, slots=True)
class Began:
    """The answer begins: its id and the model's name as the provider gives them."""

    id: str | None = None
    model: str | None = None


@dataclass(frozen=True, slots=True)
class TextDelta:
    """More of the text."""

    text: str


@dataclass(frozen=True, slots=True)
class ReasoningDelta:
    """More of what the model thinks aloud."""

    text: str


@dataclass(frozen=True, slots=True)
class ToolStart:
    """A call begins; ``index`` tells calls apart, an ``id`` is made up ("call_0") where the provider has none."""

    index: int
    id: str
    name: str


@dataclass(frozen=True, slots=True)
class ToolArgsDelta:
    """More of a call's arguments, a piece of JSON."""

    index: int
    text: str


@dataclass(frozen=True, slots=True)
class ToolDone:
    """A call's arguments are whole; where the provider repeats them, ``arguments`` overrides what was put together."""

    index: int
    arguments: str | None = None


@dataclass(frozen=True, slots=True)
class EchoDelta:
    """What the provider wants back with this turn: kept in ``Message.echo`` by its key; lists are joined, and texts."""

    key: str
    value: Any


@dataclass(frozen=True, slots=True)
class UsageUpdate:
    """Tokens so far; the last one counts."""

    usage: Usage


@dataclass(frozen=True, slots=True)
class Done:
    """The provider's own sign that the answer is whole; ``raw`` is its word for the reason."""

    finish: Finish
    raw: str | None = None


@dataclass(frozen=True, slots=True)
class ErrorDelta:
    """The provider says that it failed, in the middle of a stream or in a body under HTTP 200.

    Args:
        message: its words.
        type: its kind of error, such as "overloaded_error".
        code: its code, such as "context_length_exceeded".
        status: of HTTP, or what the error says its status is.
        body: the error as it came.
    """

    message: str
    type: str | None = None
    code: str | None = None
    status: int | None = None
    body: Mapping[str, Any] = field(default_factory=dict, hash=False)


Delta = (
    Began
    | TextDelta
    | ReasoningDelta
    | ToolStart
    | ToolArgsDelta
    | ToolDone
    | EchoDelta
    | UsageUpdate
    | Done
    | ErrorDelta
)


@dataclass(frozen=True, slots=True)
class Completion:
    """An answer; ``str(completion)`` is its text.

    Args:
        text: what it says.
        tool_calls: whole ones, which may be executed.
        finish: why it ended; "truncated" if nobody said that it had.
        raw_finish: the provider's word for that.
        usage: tokens.
        cost: in micro-dollars; None if a price is unknown.
        provider, model: who answered.
        reasoning: what it thought aloud.
        echo: what goes back with it on the next turn.
        partial: calls that were cut off, never to be executed.
        attempts: how many requests it took.
        trace: times and sizes, see trace.py.
        raw: what else the provider said.
    """

    text: str
    tool_calls: tuple[ToolCall, ...] = ()
    finish: Finish = "truncated"
    raw_finish: str | None = None
    usage: Usage = field(default_factory=Usage)
    cost: int | None = None
    provider: str = ""
    model: str = ""
    reasoning: str = ""
    echo: Mapping[str, Any] = field(default_factory=dict, hash=False)
    partial: tuple[ToolCall, ...] = ()
    attempts: int = 1
    trace: Any = field(default=None, compare=False)
    raw: Mapping[str, Any] = field(default_factory=dict, hash=False, repr=False)

    @property
    def incomplete(self) -> bool:
        """Whether the end never came, the provider failed on the way, or a call was cut off."""
        return self.finish in ("truncated", "error") or bool(self.partial)

    def message(self) -> Message:
        """Return it as the assistant's turn of the conversation.

        Example:
            >>> Completion("4 C", finish="stop").message()
            Message(role='assistant', content='4 C', tool_calls=(), tool_call_id='', name='', is_error=False, echo={})
        """
        return Message("assistant", self.text, self.tool_calls, echo=self.echo)

    def with_(self, **changes: Any) -> Completion:
        """Return it with some fields changed."""
        return replace(self, **changes)

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class Embeddings:
    """Vectors, row after row in one array of float32; ``numpy.asarray(found.view)`` copies nothing.

    Example:
        >>> found = Embeddings(array("f", [1.0, 0.0, 0.0, 1.0]), (2, 2), "m", "toy")
        >>> found[1], found.view.shape
        ([0.0, 1.0], (2, 2))
    """

    data: array[float] = field(repr=False)
    shape: tuple[int, int]
    model: str
    provider: str
    usage: Usage = field(default_factory=Usage)

    @property
    def view(self) -> memoryview[Any]:
        """The vectors as a matrix."""
        return memoryview(self.data).cast("B").cast("f", shape=list(self.shape))

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, row: int) -> list[float]:
        """Return one vector."""
        place = range(self.shape[0])[row]
        return self.data[place * self.shape[1] : (place + 1) * self.shape[1]].tolist()


def messages_of(prompt: str | Sequence[Message | Mapping[str, Any]]) -> tuple[Message, ...]:
    """Return a prompt as messages: a text is the user's; dicts are as in OpenAI's format.

    Example:
        >>> messages_of("Hi")[0].role, messages_of([{"role": "system", "content": "Be brief."}])[0].content
        ('user', 'Be brief.')
    """
    if isinstance(prompt, str):
        return (Message("user", prompt),)
    return tuple(one if isinstance(one, Message) else Message(**one) for one in prompt)
