r"""JSON that is still being written: a parser to be fed with pieces of a text, cut anywhere.

    feed('{"city": "Os')   ->  open {, key city, piece "Os"
    feed('lo", "n": 12')   ->  piece "lo", value "Oslo", key n         12 may become 123
    feed('}')              ->  value 12, close {

Each character is looked at once: strings are scanned by one regular expression and joined when they end, nothing is
parsed again. What is open stands in a list, so depth costs no recursion. A prefix of good JSON never raises, and what
is whole in the end equals ``json.loads``. Nothing is repaired: a value that was cut off is no value.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any, Literal, NamedTuple

from .errors import ProtocolError
from .surrogates import Halves

LIMIT = 8 << 20  # characters
DEPTH = 512

_SPACE = " \t\n\r"
_ENDS = {"{": "}", "[": "]"}
_LITERALS = {"t": ("true", True), "f": ("false", False), "n": ("null", None)}
_NUMBER_PIECE = re.compile(r"[-+0-9.eE]*")
_NUMBER = re.compile(r"(-?(?:0|[1-9][0-9]*))((?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?)")
# what is decided of a string: a first half of a pair only together with what follows it
_STRING = re.compile(
    r"""(?: [^"\\\x00-\x1f]++
        |   \\ ["\\/bfnrt]
        |   \\u (?![dD][89abAB]) [0-9a-fA-F]{4}
        |   \\u [dD][89abAB][0-9a-fA-F]{2} (?= [^\\] | \\[^u] | \\u[0-9a-fA-F]{4} )
        )*+""",
    re.VERBOSE,
)
_STRING_TAIL = re.compile(r"(?:\\u[dD][89abAB][0-9a-fA-F]{2})?(?:\\(?:u[0-9a-fA-F]{0,3})?)?")


class Place:
    """Where a value stands: a key or an index, in the place of its container; the root has no parent."""

    __slots__ = ("key", "parent")

    def __init__(self, parent: Place | None = None, key: str | int = "") -> None:
        self.parent, self.key = parent, key

    @property
    def path(self) -> tuple[str | int, ...]:
        """The keys and indices from the root to here."""
        keys, place = [], self
        while place.parent is not None:
            keys.append(place.key)
            place = place.parent
        return tuple(reversed(keys))


class Part(NamedTuple):
    """What a piece of text added.

    Args:
        kind: "open" of an object or list, "key", "piece" of a string, "value" that is whole (a string's, too), "close".
        place: where; kept as a chain, since a tuple for each of a million elements would cost their depth.
        value: "{" or "[" that opens; the key; the piece; the value; the object or list that closes.
    """

    kind: Literal["open", "key", "piece", "value", "close"]
    place: Place
    value: Any

    @property
    def path(self) -> tuple[str | int, ...]:
        """Where, as keys and indices from the root."""
        return self.place.path


class PartialJSON:
    """A parser of one JSON text.

    Args:
        limit: characters that the text may have.
        depth: objects and lists that may be open at a time.

    Attributes:
        duplicates: paths of keys that came twice in one object; the last one counts.

    Errors:
        ProtocolError: from ``feed`` or ``close``: no JSON can begin like this, or it passes a limit. Parts that came
        before are given out first; afterwards every call raises.

    Example:
        >>> parser = PartialJSON()
        >>> [(part.kind, part.path, part.value) for part in parser.feed('{"city": "Os')]
        [('open', (), '{'), ('key', ('city',), 'city'), ('piece', ('city',), 'Os')]
        >>> parser.snapshot, parser.complete
        ({'city': 'Os'}, False)
        >>> [part.kind for part in parser.feed('lo"}')], parser.value
        (['piece', 'value', 'close'], {'city': 'Oslo'})
    """

    def __init__(self, limit: int = LIMIT, depth: int = DEPTH) -> None:
        self.duplicates: list[tuple[str | int, ...]] = []
        self._limit, self._depth = limit, depth
        self._size = 0  # characters so far
        self._halves = Halves()
        self._tail = ""  # an escape that is not whole, read again with what follows
        self._parts: list[str] = []  # of the string or number that is not whole
        self._is_key = False  # whether that string is one
        self._literal: tuple[str, Any] = ("", None)  # what is left of true, false or null
        self._open: list[dict[str, Any] | list[Any]] = []
        self._places: list[Place] = []  # of the open ones
        self._place = Place()  # of the value that comes next, or is coming
        self._root: Any = None
        self._state: _State = PartialJSON._before_value
        self._failure: ProtocolError | None = None

    @property
    def complete(self) -> bool:
        """Whether the text is one whole value; a number on its own is whole only after ``close``."""
        return self._state is PartialJSON._at_end and self._failure is None

    @property
    def value(self) -> Any:
        """The value; its objects and lists are those that the parts showed.

        Raises:
            ProtocolError: it is not complete.
        """
        if not self.complete:
            raise self._failure or ProtocolError("this JSON is not complete", "look at snapshot for what has come")
        return self._root

    @property
    def snapshot(self) -> Any:
        """A copy of what has come: strings as far as they go, no number, literal or key that is not whole.

        Making it costs as much as it is large: ask when it is to be shown, not at every piece. None if nothing came.
        """
        root, inner = _copy(self._root, self._open[-1] if self._open else None)
        if self._state is PartialJSON._string and not self._is_key:
            text = "".join(self._parts)
            if isinstance(inner, list):
                inner.append(text)
            elif inner is not None:
                inner[str(self._place.key)] = text
            else:
                root = text
        return root

    def feed(self, text: str) -> list[Part]:
        """Return what this piece of the text adds."""
        if self._failure is not None:
            raise self._failure
        found: list[Part] = []
        room = self._limit - self._size
        fits = text[:room]
        self._size += len(fits)
        try:
            self._read(self._tail + self._halves.feed(fits), found)
            if len(text) > room:
                raise self._error(f"has more than the {self._limit} characters allowed")
        except ProtocolError as error:
            self._failure = error
            if not found:
                raise
        return found

    def close(self) -> list[Part]:
        """Say that no more comes; return the number that this ends, if the text is one. What is open stays open."""
        if self._failure is not None:
            raise self._failure
        found: list[Part] = []
        if self._state is PartialJSON._number and not self._open:
            try:
                self._number(" ", 0, found)
            except ProtocolError as error:
                self._failure = error
                raise
        return found

    def _read(self, text: str, found: list[Part]) -> None:
        self._tail = ""
        at, end = 0, len(text)
        while at < end:
            at = self._state(self, text, at, found)

    # one method for each thing that may come next: it returns where it stopped, and sets what comes then

    def _before_value(self, text: str, at: int, found: list[Part]) -> int:
        mark = text[at]
        if mark == '"':
            self._state, self._is_key = PartialJSON._string, False
        elif mark in _ENDS:
            self._begin(mark, found)
        elif mark in _LITERALS:
            self._literal, self._state = _LITERALS[mark], PartialJSON._rest_of_literal
            return at
        elif mark in "-0123456789":
            self._state = PartialJSON._number
            return at
        elif mark not in _SPACE:
            raise self._unexpected(mark, "a value")
        return at + 1

    def _before_first_element(self, text: str, at: int, found: list[Part]) -> int:
        if text[at] == "]":
            self._end(found)
        elif text[at] not in _SPACE:
            self._place, self._state = Place(self._places[-1], 0), PartialJSON._before_value
            return at
        return at + 1

    def _before_first_key(self, text: str, at: int, found: list[Part]) -> int:
        if text[at] == "}":
            self._end(found)
        elif text[at] not in _SPACE:
            self._state = PartialJSON._before_key
            return at
        return at + 1

    def _before_key(self, text: str, at: int, found: list[Part]) -> int:
        if text[at] == '"':
            self._state, self._is_key = PartialJSON._string, True
        elif text[at] not in _SPACE:
            raise self._unexpected(text[at], "a key in quotes")
        return at + 1

    def _before_colon(self, text: str, at: int, found: list[Part]) -> int:
        if text[at] == ":":
            self._state = PartialJSON._before_value
        elif text[at] not in _SPACE:
            raise self._unexpected(text[at], "a colon")
        return at + 1

    def _after_value(self, text: str, at: int, found: list[Part]) -> int:
        mark, inner = text[at], self._open[-1]
        in_list = isinstance(inner, list)
        if mark == ",":
            if in_list:
                self._place, self._state = Place(self._places[-1], len(inner)), PartialJSON._before_value
            else:
                self._state = PartialJSON._before_key
        elif mark == ("]" if in_list else "}"):
            self._end(found)
        elif mark not in _SPACE:
            raise self._unexpected(mark, "a comma, or the end of " + ("a list" if in_list else "an object"))
        return at + 1

    def _at_end(self, text: str, at: int, found: list[Part]) -> int:
        if text[at] not in _SPACE:
            raise self._unexpected(text[at], "nothing more")
        return at + 1

    def _string(self, text: str, at: int, found: list[Part]) -> int:
        match = _STRING.match(text, at)
        end = match.end() if match else at
        if end > at:
            piece = text[at:end]
            if "\\" in piece:
                piece = json.loads(f'"{piece}"')  # whole escapes only: it cannot fail
            self._parts.append(piece)
            if not self._is_key:
                found.append(Part("piece", self._place, piece))
        if end == len(text):
            return end
        if text[end] == '"':
            whole = "".join(self._parts)
            self._parts.clear()
            if self._is_key:
                self._key(whole, found)
            else:
                self._value(whole, found)
            return end + 1
        if text[end] == "\\" and _STRING_TAIL.fullmatch(text, end):
            self._tail = text[end:]
            return len(text)
        raise self._unexpected(text[end : end + 2], "an escape, or a character that needs none")

    def _number(self, text: str, at: int, found: list[Part]) -> int:
        match = _NUMBER_PIECE.match(text, at)
        end = match.end() if match else at
        self._parts.append(text[at:end])
        if end < len(text):
            number = "".join(self._parts)
            self._parts.clear()
            shape = _NUMBER.fullmatch(number)
            try:
                value = None if shape is None else float(number) if shape[2] else int(number)
            except ValueError:  # Python makes no int of more than 4300 digits
                value = None
            if value is None:
                raise self._error(f"has no number {number[:40]!r}")
            self._value(value, found)
        return end

    def _rest_of_literal(self, text: str, at: int, found: list[Part]) -> int:
        rest, value = self._literal
        piece = text[at : at + len(rest)]
        if not rest.startswith(piece):
            raise self._unexpected(piece, repr(rest))
        self._literal = (rest[len(piece) :], value)
        if len(piece) == len(rest):
            self._value(value, found)
        return at + len(piece)

    # what values do

    def _key(self, key: str, found: list[Part]) -> None:
        self._place = Place(self._places[-1], key)
        if key in self._open[-1]:
            self.duplicates.append(self._place.path)
        found.append(Part("key", self._place, key))
        self._state = PartialJSON._before_colon

    def _value(self, value: Any, found: list[Part]) -> None:
        self._put(value)
        found.append(Part("value", self._place, value))
        self._state = PartialJSON._after_value if self._open else PartialJSON._at_end

    def _put(self, value: Any) -> None:
        if not self._open:
            self._root = value
            return
        inner = self._open[-1]
        if isinstance(inner, list):
            inner.append(value)
        else:
            inner[str(self._place.key)] = value

    def _begin(self, mark: str, found: list[Part]) -> None:
        if len(self._open) == self._depth:
            raise self._error(f"nests deeper than the {self._depth} levels allowed")
        inner: dict[str, Any] | list[Any] = {} if mark == "{" else []
        self._put(inner)
        self._open.append(inner)
        self._places.append(self._place)
        found.append(Part("open", self._place, mark))
        self._state = PartialJSON._before_first_key if mark == "{" else PartialJSON._before_first_element

    def _end(self, found: list[Part]) -> None:
        self._place = self._places.pop()
        found.append(Part("close", self._place, self._open.pop()))
        self._state = PartialJSON._after_value if self._open else PartialJSON._at_end

    def _unexpected(self, what: str, wanted: str) -> ProtocolError:
        return self._error(f"has {what!r} where {wanted} should be")

    def _error(self, what: str) -> ProtocolError:
        return ProtocolError(
            f"this is no JSON: it {what}", "whoever wrote it has to write it again: nothing is repaired"
        )


_State = Callable[[PartialJSON, str, int, list[Part]], int]


def _copy(root: Any, inner: Any) -> tuple[Any, Any]:
    """Copy objects and lists without recursion; return the root's copy and that of one of them."""
    if not isinstance(root, dict | list):
        return root, None
    top: Any = {} if isinstance(root, dict) else []
    waiting, found = [(root, top)], None
    while waiting:
        old, new = waiting.pop()
        if old is inner:
            found = new
        for key, value in old.items() if isinstance(old, dict) else enumerate(old):
            copied = value
            if isinstance(value, dict | list):
                copied = {} if isinstance(value, dict) else []
                waiting.append((value, copied))
            if isinstance(new, dict):
                new[key] = copied
            else:
                new.append(copied)
    return top, found
