"""As much of a text as fits a number of tokens, cut where a reader would cut it.

The version one meets most splits at every ".", loses the full stops, cuts 3.14 in two, adds up the counts of the parts
(which for byte-pair encoding is not the count of the whole), and returns "" when one sentence is too long. Here:

1. The result is one stretch of the text or, for ``keep="both"``, its head, a mark and its tail.
2. It ends at a sentence; if not one sentence fits, at a word; if not one word does, at a character.
3. It fits as it is: the joined result is counted, nothing is added up.
4. A text that fits comes back as it went in; so truncating twice is truncating once.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Literal

from ..errors import ConfigError, DTypeError
from .sentences import sentence_spans

Keep = Literal["start", "end", "both"]
Span = tuple[int, int]

_AHEAD = 8  # a longer text can have fewer tokens: this many longer ones are looked at before giving up
_WORD = re.compile(r"\S+")


def smart_truncate(
    text: str, max_tokens: int, count: Callable[[str], int], keep: Keep = "start", mark: str = " [...] "
) -> str:
    """Return as much of a text as has at most ``max_tokens`` tokens.

    Args:
        text: any str.
        max_tokens: the most tokens of the result, its mark included.
        count: how many tokens a text has, such as ``encoding.count``.
        keep: which part of the text stays; "both" takes about as much from its start as from its end.
        mark: stands for what is left out, with "both" only. Where head, mark and tail together do not fit even with
            one character each, the start alone is kept, without a mark.

    Returns:
        The text itself if it fits. Else a stretch that no next longer one of the same kind fits; "" only if not one
        character does.

    Raises:
        DTypeError: text is no str.
        ConfigError: max_tokens is negative or no whole number, or keep is none of the three.

    Example:
        >>> words = lambda text: len(text.split())
        >>> smart_truncate("Pi is 3.14. Who knew? Nobody did.", 5, words)
        'Pi is 3.14. Who knew?'
        >>> smart_truncate("Pi is 3.14. Who knew? Nobody did.", 6, words, keep="both")
        'Pi is 3.14. [...] Nobody did.'
        >>> smart_truncate("Pi is 3.14. Who knew? Nobody did.", 1, words, keep="end")
        'did.'
    """
    if not isinstance(text, str):
        raise DTypeError(f"the text is a {type(text).__name__}", hint="a str")
    if not isinstance(max_tokens, int) or isinstance(max_tokens, bool) or max_tokens < 0:
        raise ConfigError(f"a limit of {max_tokens!r} tokens makes no sense", hint="a whole number of at least 0")
    if keep not in ("start", "end", "both"):
        raise ConfigError(f"smart_truncate: keep={keep!r}", hint='"start", "end" or "both"')

    def fits(piece: str) -> bool:
        return count(piece) <= max_tokens

    if not text or fits(text):
        return text
    if keep == "both":
        return _both(text, fits, mark) or _start(text, fits)
    return _start(text, fits) if keep == "start" else _end(text, fits)


def furthest(n: int, fits: Callable[[int], bool], guess: int = 1) -> int:
    """Find the largest of 1, 2, ..., n that fits, when small ones do and large ones do not; 0 if none is found.

    Token counts mostly grow with the text, but not always, so after the first that does not fit the next eight are
    looked at as well. What is returned fits, and none of the eight above it does.

    Args:
        n: the largest candidate.
        fits: whether a candidate does.
        guess: where to look first.

    Example:
        >>> furthest(1000, lambda i: i * i <= 200)
        14
    """
    low, high, step = 0, n + 1, 1  # low fits, or is 0; high does not, or is n + 1
    at = max(1, min(guess, n))
    while high - low > 1 and low < n:
        if fits(at):
            low, at = at, at + step
        else:
            high, at = at, at - step
        step *= 2
        if not low < at < high:
            at = min(n, low + step // 2) if high > n else (low + high) // 2
    while (more := next((i for i in range(low + 1, min(low + _AHEAD, n) + 1) if fits(i)), 0)) > low:
        low = more
    return low


def word_spans(text: str, begin: int, end: int) -> list[Span]:
    """Find the stretches without white space in ``text[begin:end]``.

    Example:
        >>> word_spans("to be or not", 3, 8)
        [(3, 5), (6, 8)]
    """
    return [found.span() for found in _WORD.finditer(text, begin, end)]


def _start(text: str, fits: Callable[[str], bool]) -> str:
    """Return the longest beginning that fits and ends at a sentence, else at a word, else at a character."""
    spans = sentence_spans(text)
    if not spans:  # white space only
        return text[: furthest(len(text), lambda i: fits(text[:i]))]
    begin, end = spans[0]
    if best := furthest(len(spans), lambda i: fits(text[begin : spans[i - 1][1]])):
        return text[begin : spans[best - 1][1]]
    words = word_spans(text, begin, end)
    if best := furthest(len(words), lambda i: fits(text[begin : words[i - 1][1]])):
        return text[begin : words[best - 1][1]]
    return text[begin : begin + furthest(words[0][1] - begin, lambda i: fits(text[begin : begin + i]))]


def _end(text: str, fits: Callable[[str], bool]) -> str:
    """Return the longest end that fits and begins at a sentence, else at a word, else at a character."""
    spans = sentence_spans(text)
    if not spans:
        return text[len(text) - furthest(len(text), lambda i: fits(text[len(text) - i :])) :]
    begin, end = spans[-1]
    if best := furthest(len(spans), lambda i: fits(text[spans[-i][0] : end])):
        return text[spans[-best][0] : end]
    words = word_spans(text, begin, end)
    if best := furthest(len(words), lambda i: fits(text[words[-i][0] : end])):
        return text[words[-best][0] : end]
    return text[end - furthest(end - words[-1][0], lambda i: fits(text[end - i : end])) : end]


def _both(text: str, fits: Callable[[str], bool], mark: str) -> str:
    """Return a head, the mark and a tail, of sentences, else of words, else of characters; "" if nothing fits."""
    sentences = sentence_spans(text)
    if not sentences:
        return ""
    first, last = sentences[0][0], sentences[-1][1]
    for units in (lambda: sentences, lambda: word_spans(text, first, last), lambda: _characters(text, first, last)):
        if made := _head_and_tail(text, units(), fits, mark):
            return made
    return ""


def _characters(text: str, begin: int, end: int) -> list[Span]:
    return [(i, i + 1) for i in range(begin, end) if not text[i].isspace()]


def _head_and_tail(text: str, units: list[Span], fits: Callable[[str], bool], mark: str) -> str:
    """Return as many units from both sides as fit around the mark, of each side at least one; else ""."""
    begin, end = units[0][0], units[-1][1]

    def joined(head: int, tail: int) -> str:
        return text[begin : units[head - 1][1]] + mark + text[units[-tail][0] : end]

    pairs = [(1, 1)]  # one more unit at a time, on the side that has fewer characters
    while sum(pairs[-1]) < len(units) - 1:
        head, tail = pairs[-1]
        shorter = units[head - 1][1] - begin <= end - units[-tail][0]
        pairs.append((head + shorter, tail + (not shorter)))
    if len(units) < 3:
        return ""
    best = furthest(len(pairs), lambda i: fits(joined(*pairs[i - 1])))
    if not best:
        return ""
    head, tail = pairs[best - 1]
    room = len(units) - 1 - tail - head  # what is left for one side alone; at least one unit is left out
    head += furthest(room, lambda i: fits(joined(head + i, tail))) if room else 0
    room = len(units) - 1 - tail - head
    tail += furthest(room, lambda i: fits(joined(head, tail + i))) if room else 0
    return joined(head, tail)
