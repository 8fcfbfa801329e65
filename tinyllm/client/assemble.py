"""Deltas in, one completion out: texts joined, calls put together, and the end looked for.

What may be executed: a call with a name, whose arguments are one whole JSON object, in an answer that the provider
itself ended with "tool_calls" or "stop". Every other call is kept in ``partial``. Without the provider's sign of an end
the answer is "truncated", whatever has come; an error before that sign makes it "error", one after it changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from .errors import ProtocolError
from .frame import json_object
from .surrogates import mend
from .types import (
    Began,
    Completion,
    Delta,
    Done,
    EchoDelta,
    ErrorDelta,
    Finish,
    ReasoningDelta,
    TextDelta,
    ToolArgsDelta,
    ToolCall,
    ToolDone,
    ToolStart,
    Usage,
    UsageUpdate,
)

EXECUTABLE = ("tool_calls", "stop")  # the ends of an answer that leave its calls whole


@dataclass(slots=True)
class _OpenCall:
    index: int
    id: str = ""
    name: str = ""
    parts: list[str] = field(default_factory=list)
    done: bool = False

    def call(self) -> ToolCall:
        return ToolCall(self.id, self.name, mend("".join(self.parts)), self.index)


class Assembler:
    """What has come of one answer.

    Args:
        provider: who answers.
        model: who was asked; what the answer says of itself replaces it.
        keep_text: whether text and reasoning are kept; without, a long stream takes no memory.

    Attributes:
        done: the provider's sign of the end, None before it.
        error: the provider's error, if one came before the end.

    Example:
        >>> from tinyllm.client.types import Done, TextDelta
        >>> answer = Assembler()
        >>> answer.add(TextDelta("4 "))
        >>> answer.add(TextDelta("C"))
        >>> answer.completion().finish
        'truncated'
        >>> answer.add(Done("stop"))
        >>> answer.completion().text, answer.completion().finish
        ('4 C', 'stop')
    """

    def __init__(self, provider: str = "", model: str = "", keep_text: bool = True) -> None:
        self.done: Done | None = None
        self.error: ErrorDelta | None = None
        self._provider, self._model, self._keep_text = provider, model, keep_text
        self._id: str | None = None
        self._text: list[str] = []
        self._reasoning: list[str] = []
        self._calls: list[_OpenCall] = []  # in the order of their beginnings
        self._current: dict[int, _OpenCall] = {}  # by index
        self._echo: dict[str, list[Any]] = {}
        self._usage = Usage()

    def add(self, delta: Delta) -> None:
        """Take one more delta."""
        match delta:
            case TextDelta(text):
                if self._keep_text:
                    self._text.append(text)
            case ReasoningDelta(text):
                if self._keep_text:
                    self._reasoning.append(text)
            case ToolArgsDelta(index, text):
                self._add_arguments(index, text)
            case ToolStart(index, id_, name):
                self._start(index, id_, name)
            case ToolDone(index, arguments):
                self._finish_call(index, arguments)
            case EchoDelta(key, value):
                self._echo.setdefault(key, []).append(value)
            case UsageUpdate(usage):
                self._usage = usage
            case Began(id_, model):
                self._id, self._model = id_ or self._id, model or self._model
            case Done():
                self.done = self.done or delta
            case ErrorDelta():
                if self.done is None:
                    self.error = self.error or delta

    def completion(self) -> Completion:
        """Return the answer, or what there is of it."""
        finish, raw_finish = self._finish()
        whole: list[ToolCall] = []
        partial: list[ToolCall] = []
        for one in self._calls:
            call = one.call()
            if finish in EXECUTABLE and not call.arguments:
                call = ToolCall(call.id, call.name, "{}", call.index)  # how some write that there are none
            (whole if finish in EXECUTABLE and _is_executable(call) else partial).append(call)
        return Completion(
            text=mend("".join(self._text), replace=True),
            tool_calls=tuple(whole),
            finish=finish,
            raw_finish=raw_finish,
            usage=self._usage,
            provider=self._provider,
            model=self._model,
            reasoning=mend("".join(self._reasoning), replace=True),
            echo={key: _joined(values) for key, values in self._echo.items()},
            partial=tuple(partial),
            raw={} if self._id is None else {"id": self._id},
        )

    def _finish(self) -> tuple[Finish, str | None]:
        if self.error is not None:
            return "error", self.error.type or self.error.code
        if self.done is not None:
            return self.done.finish, self.done.raw
        return "truncated", None

    def _start(self, index: int, id_: str, name: str) -> None:
        known = self._current.get(index)
        if known is None or (known.id and id_ and known.id != id_):  # another id at a known index is another call
            known = self._current[index] = _OpenCall(index)
            self._calls.append(known)
        known.id, known.name = known.id or id_, known.name or name

    def _open_call(self, index: int) -> _OpenCall:
        if index not in self._current:  # arguments of a call that nobody announced: kept, never executed
            self._start(index, "", "")
        return self._current[index]

    def _add_arguments(self, index: int, text: str) -> None:
        one = self._open_call(index)
        if one.done and text == "".join(one.parts):  # some send all of it once more
            return
        one.parts.append(text)

    def _finish_call(self, index: int, arguments: str | None) -> None:
        one = self._open_call(index)
        one.done = True
        if arguments is not None:
            one.parts = [arguments]


def _is_executable(call: ToolCall) -> bool:
    try:
        json_object(call.arguments)
    except ProtocolError:
        return False
    return bool(call.name)


def _joined(values: list[Any]) -> Any:
    """Lists and texts end to end; of anything else the last one."""
    if all(isinstance(one, str) for one in values):
        return "".join(values)
    if all(isinstance(one, list) for one in values):
        return [item for one in values for item in one]
    return values[-1]
