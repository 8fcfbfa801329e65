r"""Stop sequences: a stream of text pieces that ends where one of some strings would begin.

A model's pieces are cut where its tokens end, and a stop can be cut anywhere: "</s>" may come as "<", "/s" and ">x".
So a piece cannot be passed on at once if its end may be the beginning of a stop: that much is held back until the next
piece tells, and nothing more.

The stop that is complete first ends the text; of several complete at one character, the longest. That depends only on
the text, not on how it was cut, and no token has to be waited for that a reader of the text would not need.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Sequence
from typing import Any

from ..errors import ConfigError


class Stops:
    """What holds text back as long as it may be the beginning of a stop.

    Args:
        stops: one string or several; none, or None, lets all text pass.

    Attributes:
        found: the stop that ended the text; None so far.

    Raises:
        ConfigError: a stop is empty, or no string.

    Example:
        >>> stops = Stops(["###", "END"])
        >>> stops.push("one #"), stops.push("#two E"), stops.push("ND three"), stops.found
        ('one ', '##two ', '', 'END')
    """

    def __init__(self, stops: str | Sequence[str] | None) -> None:
        given: Any = () if stops is None else stops
        several = isinstance(given, Iterable) and not isinstance(given, str)
        self.stops: tuple[str, ...] = tuple(given) if several else (given,)
        for stop in self.stops:
            if not isinstance(stop, str) or not stop:
                raise ConfigError(f"Stops: {stop!r} cannot end a text", hint="strings of one character or more")
        self.found: str | None = None
        self._held = ""

    def push(self, piece: str) -> str:
        """Take one more piece of text; return what can be said for certain to stand before any stop."""
        if self.found is not None:
            return ""
        text = self._held + piece
        ends = [(text.index(stop) + len(stop), -len(stop), stop) for stop in self.stops if stop in text]
        if ends:
            end, _, self.found = min(ends)
            self._held = ""
            return text[: end - len(self.found)]
        kept = len(text) - max((_overlap(text, stop) for stop in self.stops), default=0)
        self._held = text[kept:]
        return text[:kept]

    def finish(self) -> str:
        """Return what is still held back: the text is over, so it was no stop after all."""
        rest, self._held = self._held, ""
        return rest


def until(pieces: Iterable[str], stops: str | Sequence[str]) -> Iterator[str]:
    """Yield the text of some pieces up to the first stop, as soon as it is certain; after a stop ask for no more.

    Raises:
        ConfigError: a stop is empty, or no string; said at once, before the first piece.

    Example:
        >>> list(until(["a, ", "b.", "\\n", "\\nc"], "\\n\\n"))
        ['a, ', 'b.']
    """
    return _until(pieces, Stops(stops))


def _until(pieces: Iterable[str], stops: Stops) -> Iterator[str]:
    source = iter(pieces)
    for piece in source:
        if certain := stops.push(piece):
            yield certain
        if stops.found is not None:
            if isinstance(source, Generator):
                source.close()  # frees what makes the pieces now, not when it is collected
            return
    if rest := stops.finish():
        yield rest


def _overlap(text: str, stop: str) -> int:
    """Return how many characters at the end of a text are the beginning of a stop."""
    longest = min(len(text), len(stop) - 1)
    return next((n for n in range(longest, 0, -1) if text.endswith(stop[:n])), 0)
