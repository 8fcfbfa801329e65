"""A dictionary that works out what it does not hold, and never grows past its bound."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

Found = TypeVar("Found")


class WordCache(dict[str, Found]):
    """Remember what ``compute`` made of each short word.

    Few words make up most of a text, so nearly every question is answered by the dictionary itself, at its speed. A
    full cache starts again from nothing: the common words are back at once. Long words are worked out each time.

    Args:
        compute: what a word is turned into.
        size: how many words are kept.
        longest: how many characters a word that is kept may have.

    Example:
        >>> lengths = WordCache(len, size=2)
        >>> [lengths[word] for word in ("a", "be", "sea", "a")], len(lengths)
        ([1, 2, 3, 1], 2)
    """

    def __init__(self, compute: Callable[[str], Found], size: int = 2**16, longest: int = 48) -> None:
        super().__init__()
        self.compute = compute
        self.size = size
        self.longest = longest

    def __missing__(self, word: str) -> Found:
        found = self.compute(word)
        if len(word) <= self.longest:
            if len(self) >= self.size:
                self.clear()
            self[word] = found
        return found
