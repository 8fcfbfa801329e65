"""Texts and token limits: whether a text fits, and how much of it does.

Counts are not monotonic. Of GPT-2's tokens " strawberr" takes three and " strawberry" one, so a search for the longest
beginning that fits cannot stop at the first that does not. Three facts make it quick and keep it exact:

1. The counts of the two sides of a safe cut (``last_safe_cut``) add up. Every side has at least one token, so only the
   stretch between two safe cuts in which the limit is passed has to be searched, from its end down.
2. Within that, a piece stays as it is in every beginning that goes further than the scan looked (``reaches``).
3. Within a piece the tokens of every beginning follow from those of shorter ones (``beginnings``).

The time grows with n; with its square only where spaces and line ends alternate for long, and every beginning is cut in
another way.
"""

from __future__ import annotations

import unicodedata
from bisect import bisect_left
from collections.abc import Iterator
from itertools import accumulate
from typing import TYPE_CHECKING

import numpy as np

from ..errors import ConfigError, DTypeError
from . import bytepair
from .split import Pattern, last_safe_cut, reaches, split
from .surrogates import without_surrogates
from .unicode16 import CASELESS, LOWER, MARK, OTHER, SPACE, UPPER, classes

if TYPE_CHECKING:
    from .encoding import Encoding

_SMALL, _LARGE = 16, 1 << 16  # characters counted at once
_LOOK = 64  # how many characters beyond a piece a regex of the user's own is taken to look at
_LONG = 256  # characters between two safe cuts that are worth a first estimate
_NEWLINE = 7  # as a class of its own
# classes of characters that make no difference to a scan in the middle of a run of them
_ALIKE = {
    "gpt2": bytes.maketrans(bytes((LOWER, CASELESS, MARK)), bytes((UPPER, UPPER, OTHER))),
    "cl100k": bytes.maketrans(bytes((LOWER, CASELESS, MARK)), bytes((UPPER, UPPER, OTHER))),
    "o200k": bytes.maketrans(bytes((MARK,)), bytes((CASELESS,))),
    "whole": bytes(256),
}


def within_limit(encoding: Encoding, text: str, n: int) -> bool:
    """Tell whether a text has at most n tokens, reading no further than needed; special tokens are plain text.

    Args:
        encoding: whose tokens are meant.
        text: any str.
        n: a number of tokens.

    Raises:
        ConfigError: n is negative or no whole number.
        DTypeError: text is no str.

    Example:
        >>> from tinyllm.tokenizer import Encoding
        >>> toy = Encoding("toy", pat_str="gpt2", mergeable_ranks={bytes((i,)): i for i in range(256)} | {b"no": 256})
        >>> within_limit(toy, "no no", 3), within_limit(toy, "on on", 3)
        (True, False)
    """
    text = _checked(text, n)
    if len(text) > _most_characters(encoding, n):
        return False
    used = 0
    for begin, end in _blocks(text, encoding.pattern, min(max(4 * n, 256), _LARGE)):
        used += encoding.count(text[begin:end], disallowed_special=())
        if used > n:
            return False
    return True


def truncate(encoding: Encoding, text: str, n: int) -> str:
    """Return the longest beginning of a text, in characters, that by itself has at most n tokens.

    Special tokens are plain text; surrogates are joined or replaced first. The result is exact, but for one case: with
    a pattern that is a regex of the user's own it is the longest if the regex looks at most 64 characters beyond the
    end of a piece. It has at most n tokens even then.

    Args:
        encoding: whose tokens are meant.
        text: any str.
        n: a number of tokens.

    Raises:
        ConfigError: n is negative or no whole number.
        DTypeError: text is no str.

    Example:
        >>> from tinyllm.tokenizer import Encoding
        >>> toy = Encoding("toy", pat_str="gpt2", mergeable_ranks={bytes((i,)): i for i in range(256)} | {b"no": 256})
        >>> truncate(toy, "no no", 3), truncate(toy, "on on", 3)
        ('no no', 'on ')
    """
    text = _checked(text, n)
    text = text[: _most_characters(encoding, n)]
    begin, end = 0, len(text)
    size = min(max(4 * n, 256), _LARGE)
    while size >= _SMALL:  # closer and closer to where the limit is passed
        for first, last in _blocks(text[begin:end], encoding.pattern, size):
            used = encoding.count(text[begin + first : begin + last], disallowed_special=())
            if used > n:
                begin, end = begin + first, begin + last
                break
            n -= used
        else:
            return text
        size //= 8
    return text[: begin + _longest(encoding, text[begin:end], n)]


def _checked(text: str, n: int) -> str:
    if not isinstance(n, int | np.integer) or n < 0:
        raise ConfigError(f"a limit of {n!r} tokens makes no sense", hint="a whole number of at least 0")
    if not isinstance(text, str):
        raise DTypeError(f"the text is a {type(text).__name__}", hint="a str")
    return without_surrogates(text)


def _most_characters(encoding: Encoding, n: int) -> int:
    """Return how many characters n tokens may spell; to one character NFC may join four."""
    return int(n) * encoding.longest_token * (4 if encoding.pattern.normalize else 1)


def _blocks(text: str, pattern: Pattern, size: int) -> Iterator[tuple[int, int]]:
    """Yield (begin, end) of blocks of about this many characters, cut at safe places."""
    begin = 0
    while begin < len(text):
        wide, cut = size, 0
        while begin + wide < len(text) and not (cut := last_safe_cut(text[begin : begin + wide], pattern)):
            wide *= 2
        end = begin + cut if cut else len(text)
        yield begin, end
        begin = end


def _longest(encoding: Encoding, text: str, n: int) -> int:
    """Return the length of the longest beginning of a text that has at most n tokens, looking from its end down."""
    pattern = encoding.pattern
    if pattern.normalize and not unicodedata.is_normalized("NFC", text):
        return _longest_by_trying(encoding, text, n, len(text))
    settled = [(0, 0, 0)]  # of each piece: its reach, its end, and the tokens up to there
    top = len(text) if len(text) < _LONG else _covered(encoding, text, n)
    for piece, reach, end in _pieces(text, pattern):
        if reach >= top:
            break
        used = settled[-1][2] + len(encoding.encode_piece(piece.encode()))
        if used > n:
            top = reach  # whatever goes beyond has this piece, so it has too many
            break
        settled.append((reach, end, used))
    if pattern.family == "custom":
        return _longest_by_trying(encoding, text, n, top)
    runs = _runs(text, pattern)
    known: dict[tuple[int, int], list[int]] = {}  # begin of a piece, tokens left for it -> counts of its beginnings
    while top > 0:
        _, begin, used = settled[bisect_left(settled, (top,)) - 1]
        *before, last = split(text[begin:top], pattern)
        room = n - used - sum(len(encoding.encode_piece(piece.encode())) for piece in before)
        start = top - len(last)
        counts = known.get((start, room)) or known.setdefault((start, room), _counts(encoding, last, room))
        low = min(max(start, runs[top - 1] + 2), top - 1)  # down to there only the last piece gets shorter
        for p in range(min(top, start + len(counts) - 1), low, -1):
            if counts[p - start] <= room:
                return p
        top = low
    return 0


def _covered(encoding: Encoding, text: str, n: int) -> int:
    """Return how many characters of a text n tokens can cover at best, however it is cut and merged."""
    data, longest, ranks = text.encode(), encoding.longest_token, encoding.ranks
    fewest, covered = [0], 0  # tokens that spell each beginning; the last one that n can spell
    for end in range(1, len(data) + 1):
        begins = range(max(end - longest, 0), end)
        fewest.append(1 + min(fewest[begin] for begin in begins if data[begin:end] in ranks))
        covered = end if fewest[end] <= n else covered
        if end - covered >= longest:
            break
    return len(data[:covered].decode("utf-8", "ignore"))


def _longest_by_trying(encoding: Encoding, text: str, n: int, top: int) -> int:
    return next((p for p in range(top, 0, -1) if encoding.count(text[:p], disallowed_special=()) <= n), 0)


def _pieces(text: str, pattern: Pattern) -> Iterator[tuple[str, int, int]]:
    """Yield the pieces of a text, each with its reach and its end."""
    begin = 0
    if pattern.family == "custom":
        for piece in split(text, pattern):
            begin += len(piece)
            yield piece, begin + _LOOK, begin
    elif pattern.family != "whole":
        for end, reach in reaches(text, pattern):
            yield text[begin:end], reach, end
            begin = end


def _runs(text: str, pattern: Pattern) -> list[int]:
    """Return of each character where the run of its like begins that it is in."""
    table = classes()
    newline = SPACE if pattern.family == "gpt2" or pattern.ends_whole else _NEWLINE  # does it make a piece end?
    kinds = bytes(newline if char in "\r\n" else table[ord(char)] for char in text).translate(_ALIKE[pattern.family])
    starts = [i if i == 0 or kinds[i] != kinds[i - 1] else 0 for i in range(len(kinds))]
    return list(accumulate(starts, max))


def _counts(encoding: Encoding, piece: str, room: int) -> list[int]:
    """Return how many tokens each beginning of a piece has, as far as there may be one with at most ``room``."""
    by_bytes = beginnings(piece.encode(), encoding, room)
    counts, end = [0], 0
    for i, char in enumerate(piece, 1):
        end += len(char.encode())
        if end >= len(by_bytes):
            break
        whole = encoding.ignore_merges and end <= encoding.longest_token and piece[:i].encode() in encoding.ranks
        counts.append(1 if whole else by_bytes[end])
    return counts


def beginnings(piece: bytes, encoding: Encoding, room: int) -> list[int]:
    """Return how many tokens each beginning of a piece is merged into, in one pass over its bytes.

    Whatever is merged, no merge reaches across the border of two tokens that are left. So all tokens but the last of a
    beginning are those of a shorter beginning; and a token can stand last if, merged with the one before it alone, both
    come out as they are. Exactly one token can.

    Args:
        piece: bytes that are merged, never taken whole.
        encoding: how they are merged.
        room: where ``longest_token`` counts in a row have reached this, all that follow are greater: there it stops.

    Returns:
        The counts of piece[:0], piece[:1], ...

    Example:
        >>> from tinyllm.tokenizer import Encoding
        >>> ranks = {bytes((i,)): i for i in range(256)} | {b"he": 256, b"ll": 257, b"hell": 258}
        >>> beginnings(b"hello", Encoding("toy", pat_str="gpt2", mergeable_ranks=ranks), 9)
        [0, 1, 1, 2, 1, 2]
    """
    longest, ranks = encoding.longest_token, encoding.ranks
    counts, last, fitting = (
        [0],
        [b""],
        0,
    )  # of each beginning its count and its last token; the last with less than room
    together: dict[tuple[bytes, bytes], bool] = {}  # do two tokens stay as they are?
    for end in range(1, len(piece) + 1):
        for begin in range(end - 1, max(end - longest, 0) - 1, -1):
            token, left = piece[begin:end], last[begin]
            if token not in ranks:
                continue
            if (left, token) not in together:
                merged = bytepair.merge_all_by_heap(left + token, encoding.rank)
                together[left, token] = merged == [left, token]
            if together[left, token] or not begin:
                break
        counts.append(counts[begin] + 1)
        last.append(token)
        fitting = end if counts[end] < room else fitting
        if end - fitting >= longest:
            break
    return counts
