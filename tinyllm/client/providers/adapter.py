"""What adapters share: a request with its key, frames however the server sends them, fields that are what they claim.

A decoder here keeps one order. ``feed`` gives the deltas that became known; when the bytes turn out to be no reply of
this format, deltas before that place are given out first, and every later call raises the ProtocolError. After ``Done``
or an ``ErrorDelta`` nothing more is read, so that a line which breaks afterwards breaks nothing. What was begun and not
ended by the provider's own sign gets no ``Done``.
"""

from __future__ import annotations

import json
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol, TypeVar

from ..errors import BadRequestError, ProtocolError, UnsupportedParamError
from ..frame import json_object, json_value
from ..ndjson import NDJSON
from ..sse import BOM, SSE, Event
from ..surrogates import Halves, mend
from ..types import Delta, Done, Embeddings, ErrorDelta, HttpRequest, Spec, ToolCall, Usage

Kind = TypeVar("Kind", str, dict, list, bool)
LONGEST_REPLY = 64 << 20  # bytes of a reply that comes in one piece


# requests


def post(
    spec: Spec,
    path: str,
    body: Mapping[str, Any],
    *,
    accept: str = "application/json",
    auth: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> HttpRequest:
    """Return a request with its key in the one header where this provider looks for it.

    Args:
        spec: where it goes; its own headers win over all others.
        path: after the base address.
        body: what is sent, as JSON.
        accept: what the reply should be.
        auth: the way of the key, if it is not ``spec.auth``.
        headers: that this wire needs.

    Raises:
        BadRequestError: the body cannot be written as JSON.
    """
    try:
        text = json.dumps(body, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    except (TypeError, ValueError, RecursionError) as error:
        raise BadRequestError(
            f"{spec.name}: the request cannot be written as JSON: {error}",
            "use texts, numbers, lists and dicts only",
            provider=spec.name,
        ) from error
    sent = {"Content-Type": "application/json", "Accept": accept, **(headers or {})}
    if spec.key:
        sent |= _key_header(spec.auth if auth is None else auth, spec.key.reveal())
    # half a surrogate pair has no UTF-8: it goes as a backslash, a u and four digits, which is what JSON calls it
    return HttpRequest("POST", spec.base_url + path, {**sent, **spec.headers}, text.encode("utf-8", "backslashreplace"))


def _key_header(auth: str, key: str) -> dict[str, str]:
    if auth == "none":
        return {}
    return {"Authorization": f"Bearer {key}"} if auth == "bearer" else {auth: key}


def refuse(spec: Spec, name: str, because: str, hint: str = "leave it out") -> UnsupportedParamError:
    """Return the error for a parameter that is not sent; its ``reason`` is the parameter's name."""
    return UnsupportedParamError(f"{spec.name}: {name} is not sent: {because}", hint, provider=spec.name, reason=name)


def arguments_of(call: ToolCall, spec: Spec) -> dict[str, Any]:
    """Return a call's arguments as the object that this wire wants back.

    Raises:
        BadRequestError: they are none, as those of a call that was cut off.
    """
    try:
        value = call.parsed()
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise BadRequestError(
            f"{spec.name}: the arguments of the call {call.id!r} to {call.name!r} are no JSON object",
            "leave a call out of the conversation when it was cut off",
            provider=spec.name,
        )
    return value


# frames


class Frames(Protocol):
    """Bytes to JSON objects.

    Attributes:
        whole: the reply is one JSON text and no stream.
        clean: after ``close``: nothing was cut off.
    """

    whole: bool
    clean: bool

    def feed(self, data: bytes) -> Iterable[dict[str, Any]]:
        """Give the objects that became whole, one by one: those before a bad one come out."""

    def close(self) -> Iterable[dict[str, Any]]:
        """Give the last ones."""


class EventFrames:
    """The objects of an event stream; or of one JSON text, from a server that does not stream.

    Args:
        sign: the object that stands for ``[DONE]``; without it that event is passed over.

    Errors:
        ProtocolError: a frame is no JSON, or the reply is a web page.
    """

    def __init__(self, sign: dict[str, Any] | None = None) -> None:
        self.whole = False
        self.clean = False
        self._sign = sign
        self._sse: SSE | None = None
        self._parts: list[bytes] = []  # of the reply's beginning, then of a reply in one piece
        self._size = 0
        self._tail = b""

    def feed(self, data: bytes) -> Iterator[dict[str, Any]]:
        """Give the objects of the events that became whole."""
        if self._sse is None and not self.whole:
            data = b"".join(self._parts) + data
            self._parts.clear()
            self._size = 0
            self._look(data)
        if self._sse is not None:
            self._tail = (self._tail + data[-4:])[-4:]
            yield from self._objects(self._sse.feed(data))
            return
        self._size += len(data)
        if self._size > LONGEST_REPLY:
            raise ProtocolError(f"the reply has more than {LONGEST_REPLY} bytes", "is this the address you meant?")
        self._parts.append(data)

    def _objects(self, events: Iterable[Event]) -> Iterator[dict[str, Any]]:
        for event in events:
            if event.data != "[DONE]":
                yield json_object(event.data)
            elif self._sign is not None:
                yield self._sign

    def _look(self, begun: bytes) -> None:
        """Tell a stream from one JSON text by its first byte."""
        if BOM.startswith(begun[:3]) and len(begun) < 3:
            return
        first = begun.removeprefix(BOM).lstrip()[:1]
        if first == b"<":
            raise ProtocolError(
                "the reply is a web page and no stream of events",
                "is this the address of the service that you meant?",
                body=begun.decode("utf-8", "replace"),
            )
        self.whole = first in (b"{", b"[")
        if first and not self.whole:
            self._sse = SSE()

    def close(self) -> Iterator[dict[str, Any]]:
        """Give the last object of a stream if only its blank line is missing, or all of a JSON text."""
        if self._sse is not None:
            rest = self._sse.close()
            ends = self._tail.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
            self.clean = bool(rest) or ends.endswith(b"\n\n")
            yield from self._objects(rest)
            return
        text = b"".join(self._parts).removeprefix(BOM).decode("utf-8", "replace")
        if text.strip():
            value = json_value(text)
            self.clean = True
            yield from objects({"reply": value if isinstance(value, list) else [value]}, "reply")


class LineFrames:
    """The objects of a stream of lines; a reply in one piece is a stream of one line."""

    def __init__(self) -> None:
        self.whole = False
        self.clean = False
        self._lines = NDJSON()

    def feed(self, data: bytes) -> list[dict[str, Any]]:
        """Return the objects whose lines ended."""
        return self._lines.feed(data)

    def close(self) -> list[dict[str, Any]]:
        """Return that of a last line which lacks only its end."""
        return self._lines.close()


class StreamDecoder:
    """A decoder without its wire: what is read comes to ``_read``, the end of the line to ``_end``.

    Attributes:
        finished: the reason of the end is known, and only a record of usage may still come.
    """

    def __init__(self, frames: Frames) -> None:
        self.finished = False
        self._frames = frames
        self._over = False
        self._failure: ProtocolError | None = None

    def feed(self, data: bytes) -> list[Delta]:
        """Return the deltas that these bytes complete.

        Raises:
            ProtocolError: they are no reply of this format.
        """
        return self._run(self._frames.feed, data)

    def close(self) -> list[Delta]:
        """Return the last deltas; without the provider's own sign of the end there is no ``Done`` among them.

        Raises:
            ProtocolError: the bytes were no reply of this format.
        """
        deltas = self._run(self._frames.close)
        if self._failure is not None:  # and something before it: there is no later call to raise it
            deltas.append(ErrorDelta(str(self._failure), type="protocol_error"))
        elif not self._over:
            self._end(deltas)
        self._over = True
        return deltas

    def _run(self, source: Callable[..., Iterable[dict[str, Any]]], *args: bytes) -> list[Delta]:
        if self._failure is not None:
            raise self._failure
        deltas: list[Delta] = []
        if self._over:
            return deltas
        try:
            for frame in source(*args):
                self._read(frame, deltas)
                if deltas and isinstance(deltas[-1], Done | ErrorDelta):
                    self._over = self.finished = True
                    break
        except ProtocolError as error:
            self._failure = error
            if not deltas:
                raise
        return deltas

    def _read(self, frame: dict[str, Any], deltas: list[Delta]) -> None:
        raise NotImplementedError

    def _end(self, deltas: list[Delta]) -> None:
        """Say what only the end of the line makes known."""


# fields


def get(frame: Mapping[str, Any], key: str, kind: type[Kind]) -> Kind:
    """Return a field, or nothing of its kind ("", {}, []) where it is absent or null.

    Raises:
        ProtocolError: it is something else.

    Example:
        >>> get({"a": {"b": 1}}, "a", dict), get({}, "a", str)
        ({'b': 1}, '')
    """
    value = frame.get(key)
    if value is None:
        return kind()
    if not isinstance(value, kind):
        raise ProtocolError(
            f"a frame of the reply has {type(value).__name__} where {key!r} should be {kind.__name__}",
            "does this server speak this provider's format?",
            body=str(frame)[:4096],
        )
    return value


def objects(frame: Mapping[str, Any], key: str) -> list[dict[str, Any]]:
    """Return a field that is a list of objects.

    Raises:
        ProtocolError: it is something else.
    """
    found = get(frame, key, list)
    return [get({key: one}, key, dict) for one in found]


def count(frame: Mapping[str, Any], key: str) -> int | None:
    """Return a number of tokens, or None where there is none.

    Example:
        >>> count({"n": 3}, "n"), count({"n": "many"}, "n"), count({}, "n")
        (3, None, None)
    """
    value = frame.get(key)
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


class Characters(Halves):
    r"""Texts in which a character may be cut in two, mended; a half without its other half is U+FFFD.

    Example:
        >>> text = Characters()
        >>> text.feed("a\ud83d") + text.feed("\ude00") == "a\U0001f600"
        True
    """

    def __init__(self) -> None:
        super().__init__(replace=True)


def json_text(value: Any) -> str:
    """Return arguments that came as an object as the text that they would have been.

    Example:
        >>> json_text({"city": "Oslo"})
        '{"city": "Oslo"}'
    """
    return mend(json.dumps(value, ensure_ascii=False), replace=True)


# vectors


def embeddings(rows: Sequence[Any], provider: str, model: str = "", usage: Usage | None = None) -> Embeddings:
    """Return vectors as they travel; whoever asked fills in the model where the reply does not name it.

    Raises:
        ProtocolError: a row is no list of numbers, or they differ in length.

    Example:
        >>> embeddings([[1, 0], [0, 1]], "toy").shape
        (2, 2)
    """
    data: array[float] = array("f")
    width = len(rows[0]) if rows and isinstance(rows[0], list) else 0
    for row in rows:
        if not isinstance(row, list) or len(row) != width or not width:
            raise ProtocolError(f"{provider}: the vectors differ in length, or are none", "try again with one text")
        try:
            data.extend(row)
        except (TypeError, OverflowError) as error:
            raise ProtocolError(f"{provider}: a vector holds what is no number", "try again with one text") from error
    return Embeddings(data, (len(rows), width), model, provider, usage or Usage())
