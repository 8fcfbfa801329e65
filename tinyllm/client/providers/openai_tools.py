r"""The tool calls of a chat stream, put together by index: nine dialects of one format become one.

    {"index": 0, "id": "call_7", "function": {"name": "weather", "arguments": ""}}     id and name come once, normally
    {"index": 0, "function": {"arguments": "{\"city\":\"Oslo\"}"}}                     and the arguments in pieces

What servers do instead: leave ``arguments`` out, send null, an object, or ``"{}"`` at once; repeat the id and the name
with every piece; send a call whole, and the next one under the same index with another id; leave out the index; give no
id; resend the whole call at the end. Which call a piece belongs to is decided here. Only a missing id is made up.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..frame import is_whole
from ..types import Delta, ToolArgsDelta, ToolDone, ToolStart
from .adapter import Characters, get


@dataclass(slots=True)
class _Call:
    number: int
    id: str
    name: str = ""
    started: bool = False
    pieces: list[str] = field(default_factory=list)
    size: int = 0
    characters: Characters = field(default_factory=Characters)


class ToolCalls:
    """The calls of one answer.

    Example:
        >>> calls = ToolCalls()
        >>> calls.feed({"index": 0, "id": "a", "function": {"name": "now"}})
        [ToolStart(index=0, id='a', name='now')]
        >>> calls.close()
        [ToolDone(index=0, arguments='{}')]
    """

    def __init__(self) -> None:
        self._calls: list[_Call] = []
        self._at: dict[int, _Call] = {}  # the server's index -> the call that it means now

    def __len__(self) -> int:
        return len(self._calls)

    def feed(self, piece: Mapping[str, Any]) -> list[Delta]:
        """Return what an element of ``delta.tool_calls`` adds.

        Raises:
            ProtocolError: a field has the wrong type.
        """
        function = get(piece, "function", dict)
        call = self._find(piece, function)
        call.id = call.id or get(piece, "id", str)
        call.name = call.name or get(function, "name", str)
        deltas: list[Delta] = []
        text = call.characters.feed(_text(function))
        if text and not _is_copy(call, text):
            call.pieces.append(text)
            call.size += len(text)
            if call.started:
                deltas.append(ToolArgsDelta(call.number, text))
        if call.name and not call.started:
            deltas += _start(call)
        return deltas

    def _find(self, piece: Mapping[str, Any], function: Mapping[str, Any]) -> _Call:
        index, id = piece.get("index"), get(piece, "id", str)
        if isinstance(index, int):
            known = self._at.get(index)
            begins = known is None or bool(id and known.id and id != known.id)
        else:
            known = next((call for call in self._calls if call.id == id), None) if id else None
            if not id and self._calls and not get(function, "name", str):
                known = self._calls[-1]
            begins = known is None
        if known is None or begins:
            known = _Call(len(self._calls), id)
            self._calls.append(known)
            if isinstance(index, int):
                self._at[index] = known
        return known

    def close(self) -> list[Delta]:
        """Return the ends of all calls: the provider said that the answer is whole, and that it did not run out."""
        deltas: list[Delta] = []
        for call in self._calls:
            if not call.started:
                deltas += _start(call)
            deltas.append(ToolDone(call.number, None if call.size else "{}"))
        return deltas


def _start(call: _Call) -> list[Delta]:
    call.started = True
    begun: list[Delta] = [ToolStart(call.number, call.id or f"call_{call.number}", call.name)]
    return [*begun, *(ToolArgsDelta(call.number, text) for text in call.pieces)]


def _text(function: Mapping[str, Any]) -> str:
    value = function.get("arguments")
    if isinstance(value, dict):
        return json.dumps(value, ensure_ascii=False)
    return get(function, "arguments", str)


def _is_copy(call: _Call, text: str) -> bool:
    """Whether a piece is all that came, again: whole JSON followed by itself would be none, so nothing is lost."""
    if len(text) != call.size or "".join(call.pieces) != text:
        return False
    return is_whole(text)
