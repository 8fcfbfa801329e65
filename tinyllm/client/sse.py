r"""Server-sent events: bytes in, events out, however the bytes were cut.

    event: delta\n          a line ends with LF, CR or CRLF
    data: {"text":\n        a field's value loses one leading space
    data: "Hi"}\n           several data lines are joined by LF
    : still here\n          a comment
    \n                      a blank line sends the event off

Lines are found in bytes and decoded one by one. That equals decoding the stream as a whole: in UTF-8 the bytes of LF
and CR are never part of another character. So a character may be split anywhere, and a broken one costs only itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .errors import ProtocolError
from .frame import is_whole, json_object

LIMIT = 8 << 20  # bytes of a line, and of an event's data
BOM = b"\xef\xbb\xbf"
LONGEST_RETRY = 15  # digits: thirty thousand years


@dataclass(frozen=True, slots=True)
class Event:
    """One event.

    Args:
        event: its type, "message" where the stream names none.
        data: its lines, joined by LF; never empty.
        id: the last id that the stream gave, in this event or before.
        retry: milliseconds to wait before a new connection, if this event says so.
    """

    event: str
    data: str
    id: str = ""
    retry: int | None = None

    def json(self) -> dict[str, Any]:
        """Return the data as a JSON object.

        Raises:
            ProtocolError: it is none.
        """
        return json_object(self.data)


class SSE:
    r"""A decoder of one stream.

    Args:
        limit: bytes that a line, or an event's data, may have.

    Attributes:
        id: the last event id, "" before the first.
        retry: the last ``retry:`` in milliseconds; it counts even if it came without data.

    Errors:
        ProtocolError: from ``feed`` or ``close``, when a line or an event grows beyond ``limit``. Events that were
        whole before are given out first; afterwards every call raises.

    Example:
        >>> stream = SSE()
        >>> stream.feed(b"data: on"), stream.feed(b"e\n"), stream.feed(b"\n")
        ([], [], [Event(event='message', data='one', id='', retry=None)])
    """

    def __init__(self, limit: int = LIMIT) -> None:
        self.id = ""
        self.retry: int | None = None
        self._limit = limit
        self._pieces: list[bytes] = []  # of the line that has not ended
        self._pending = 0  # bytes in them
        self._first = True  # no line has ended yet: a BOM may stand here
        self._after_cr = False  # an LF that comes next belongs to the CR before
        self._failure: ProtocolError | None = None
        self._begin_event()

    def _begin_event(self) -> None:
        self._event = ""
        self._data: list[str] = []
        self._size = 0
        self._event_retry: int | None = None

    def feed(self, data: bytes) -> list[Event]:
        """Return the events that these bytes complete."""
        if self._failure is not None:
            raise self._failure
        if data and self._after_cr:
            self._after_cr = False
            if data[0] == 0x0A:
                data = data[1:]
        events: list[Event] = []
        try:
            for line in data.splitlines(keepends=True):  # of bytes: at LF, CR and CRLF only
                ended = line[-1:] in b"\r\n"
                self._take(line.rstrip(b"\r\n") if ended else line)
                if ended:
                    self._end_line(events)
            self._after_cr = self._after_cr or data[-1:] == b"\r"
        except ProtocolError as error:
            self._failure = error
            if not events:
                raise
        return events

    def close(self) -> list[Event]:
        """Return the last event if only its blank line is missing.

        It counts when its data is ``[DONE]`` or a JSON object or list that is whole; anything else was cut off.
        """
        if self._failure is not None:
            raise self._failure
        events: list[Event] = []
        rest = b"".join(self._pieces)
        if rest.removeprefix(BOM).startswith(b"data"):  # any other field may have lost its end
            self._end_line(events)
        self._pieces.clear()
        self._pending = 0
        text = "\n".join(self._data)
        if text == "[DONE]" or (text and is_whole(text)):
            self._dispatch(events)
        self._begin_event()
        return events

    def _take(self, piece: bytes) -> None:
        self._pending += len(piece)
        if self._pending > self._limit:
            raise self._too_large("a line")
        self._pieces.append(piece)

    def _end_line(self, events: list[Event]) -> None:
        line = self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)
        self._pieces.clear()
        self._pending = 0
        if self._first:
            self._first = False
            line = line.removeprefix(BOM)
        if line:
            self._field(line)
        else:
            self._dispatch(events)

    def _field(self, line: bytes) -> None:
        name, _, raw = line.partition(b":")
        raw = raw.removeprefix(b" ")
        if name == b"data":
            self._size += len(raw) + 1
            if self._size > self._limit:
                raise self._too_large("an event")
            self._data.append(raw.decode("utf-8", "replace"))
        elif name == b"event":
            self._event = raw.decode("utf-8", "replace")
        elif name == b"id":
            if b"\0" not in raw:
                self.id = raw.decode("utf-8", "replace")
        elif name == b"retry" and raw.isdigit() and len(raw) <= LONGEST_RETRY:  # of bytes: 0 to 9 only
            self.retry = self._event_retry = int(raw)

    def _dispatch(self, events: list[Event]) -> None:
        data = "\n".join(self._data)
        if data:
            events.append(Event(self._event or "message", data, self.id, self._event_retry))
        self._begin_event()

    def _too_large(self, what: str) -> ProtocolError:
        return ProtocolError(
            f"{what} of the event stream has more than {self._limit} bytes",
            "no provider sends that: is this the address of the service that you meant?",
        )
