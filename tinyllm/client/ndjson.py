r"""Newline-delimited JSON: bytes in, objects out, one a line, however the bytes were cut.

Only the byte ``\n`` ends a line. Python's ``str.splitlines`` would also end it at U+2028 and U+0085, which JSON allows
within a string.
"""

from __future__ import annotations

from typing import Any

from .errors import ProtocolError
from .frame import is_whole, json_object
from .sse import BOM, LIMIT


class NDJSON:
    r"""A decoder of one stream.

    Args:
        limit: bytes that a line may have.

    Errors:
        ProtocolError: from ``feed`` or ``close``, when a line is no JSON object or has more than ``limit`` bytes.
        Objects before it are given out first; afterwards every call raises.

    Example:
        >>> stream = NDJSON()
        >>> stream.feed(b'{"a": 1}\n{"a"'), stream.feed(b': 2}'), stream.close()
        ([{'a': 1}], [], [{'a': 2}])
    """

    def __init__(self, limit: int = LIMIT) -> None:
        self._limit = limit
        self._pieces: list[bytes] = []  # of the line that has not ended
        self._pending = 0  # bytes in them
        self._first = True
        self._failure: ProtocolError | None = None

    def feed(self, data: bytes) -> list[dict[str, Any]]:
        """Return the objects whose lines these bytes end."""
        if self._failure is not None:
            raise self._failure
        objects: list[dict[str, Any]] = []
        try:
            *ended, rest = data.split(b"\n")
            for line in ended:
                self._take(line)
                text = self._line()
                if text:
                    objects.append(json_object(text))
            self._take(rest)
        except ProtocolError as error:
            self._failure = error
            if not objects:
                raise
        return objects

    def close(self) -> list[dict[str, Any]]:
        """Return the object of a last line without end, if it is whole; one that was cut off is not."""
        if self._failure is not None:
            raise self._failure
        text = self._line()
        return [json_object(text)] if is_whole(text) else []

    def _take(self, piece: bytes) -> None:
        self._pending += len(piece)
        if self._pending > self._limit:
            raise ProtocolError(
                f"a line of the reply has more than {self._limit} bytes",
                "no provider sends that: is this the address of the service that you meant?",
            )
        if piece:
            self._pieces.append(piece)

    def _line(self) -> str:
        line = b"".join(self._pieces)
        self._pieces.clear()
        self._pending = 0
        if self._first:
            self._first = False
            line = line.removeprefix(BOM)
        return line.decode("utf-8", "replace").strip(" \t\r")
