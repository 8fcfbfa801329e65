r"""Characters beyond U+FFFF that arrive in halves.

JSON writes them as two escapes, ``\ud83d\ude42``, and some servers cut between the two: each frame is good JSON, and
each text holds half a character. Python keeps such halves apart even side by side, and fails when it has to encode one.
"""

from __future__ import annotations

import re

_HALF = re.compile("[\ud800-\udfff]")


def mend(text: str, replace: bool = False) -> str:
    r"""Return a text with halves that stand side by side made whole; lone ones stay, or become U+FFFD.

    Example:
        >>> mend("\ud83d\ude42") == "\U0001f642", mend("a\ud83d", replace=True) == "a\ufffd"
        (True, True)
    """
    if text.isascii() or not _HALF.search(text):
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace" if replace else "surrogatepass")


class Halves:
    r"""Mends a text that comes in pieces: a first half at a piece's end is held back until the next piece.

    Args:
        replace: whether lone halves become U+FFFD.

    Example:
        >>> halves = Halves()
        >>> halves.feed("a\ud83d"), halves.feed("\ude42b") == "\U0001f642b", halves.close()
        ('a', True, '')
    """

    def __init__(self, replace: bool = False) -> None:
        self._replace = replace
        self._held = ""

    def feed(self, text: str) -> str:
        """Return the text so far that is whole and was not returned before."""
        if not text:
            return ""
        text = self._held + text
        self._held = text[-1] if "\ud800" <= text[-1] <= "\udbff" else ""
        return mend(text[: len(text) - len(self._held)], self._replace)

    def close(self) -> str:
        """Return what was held back."""
        held, self._held = self._held, ""
        return mend(held, self._replace)
