"""Where each token stands in the text that it was decoded into, in characters and in bytes."""

from __future__ import annotations

import codecs
from collections.abc import Iterable
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import ConfigError, nearest

if TYPE_CHECKING:
    from .vocabulary import Vocabulary

UNITS = ("characters", "bytes")
_BLOCK = 256  # bytes that are decoded again after a place that is no UTF-8


def spans(vocabulary: Vocabulary, tokens: Iterable[int], unit: str = "characters") -> list[tuple[int, int]]:
    """Return where each token begins and ends.

    A character that several tokens share belongs to each of them, so that ``text[begin:end]`` always holds all that the
    token has a part in.

    Args:
        vocabulary: whose ids they are.
        tokens: ids.
        unit: "characters" of ``decode(tokens)``, or "bytes" of ``decode_bytes(tokens)``.

    Raises:
        TokenError: an id stands for no token.
        ConfigError: there is no such unit.

    Example:
        >>> from tinyllm.tokenizer import Encoding
        >>> toy = Encoding("toy", pat_str="gpt2", mergeable_ranks={bytes((i,)): i for i in range(256)} | {b"no": 256})
        >>> spans(toy, toy.encode("né no"))
        [(0, 1), (1, 2), (1, 2), (2, 3), (3, 5)]
        >>> spans(toy, toy.encode("né no"), "bytes")
        [(0, 1), (1, 2), (2, 3), (3, 4), (4, 6)]
    """
    if unit not in UNITS:
        raise ConfigError(f"spans: there is no unit {unit!r}", hint=nearest(str(unit), UNITS) or " or ".join(UNITS))
    parts = vocabulary.decode_tokens_bytes(tokens)
    places = list(pairwise(accumulate(map(len, parts), initial=0)))
    if unit == "bytes":
        return places
    counted = np.cumsum(_begins(b"".join(parts)))  # of each byte, how many characters have begun up to it
    return [(int(counted[begin]) - 1, int(counted[end - 1])) for begin, end in places]


def _begins(data: bytes) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Tell of each byte whether a character of ``data.decode("utf-8", "replace")`` begins with it, (bytes,)."""
    begins = (np.frombuffer(data, np.uint8) & 0xC0) != 0x80
    place = 0
    while place < len(data):
        block = data[place : place + _BLOCK] if place else data
        try:
            place += codecs.utf_8_decode(block, "strict", place + len(block) == len(data))[1]
        except UnicodeDecodeError as error:  # from the first of these bytes on, whatever it is, they are one U+FFFD
            begins[place + error.start] = True
            place += error.end
    return begins
