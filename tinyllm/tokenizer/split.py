r"""Text cut into pieces: the first half of every byte-level tokenizer, and the half that nobody reads.

GPT's tokenizers never merge across the border of two pieces, and say where the borders are with a regular expression.
Each of these expressions is one forward scan, written out below: at a place, take the first rule that fits. The scan
needs no regex engine, cannot backtrack into trouble, and does not change when the engine's Unicode tables do.

The classes of characters are those of ``unicode16``. Letters are UPPER, LOWER and CASELESS; what is no letter, number,
space or mark is OTHER. The end of the text means the end of what lies between two special tokens.

``kernels/bpe/split.py`` holds the same scanners over bytes, in Numba.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from ..errors import ConfigError, DataError, nearest
from .unicode16 import CASELESS, LOWER, MARK, NUMBER, OTHER, SPACE, UPPER, classes

_END = 7  # the class of the place after the last character
_LETTERS = frozenset((UPPER, LOWER, CASELESS))
_NUMBERS = frozenset((NUMBER,))
_OTHERS = frozenset((OTHER, MARK))
_SPACES = frozenset((SPACE,))
_HEADS = frozenset((UPPER, CASELESS, MARK))  # what the capital part of a word is made of in o200k
_TAILS = frozenset((LOWER, CASELESS, MARK))  # and its small part
_ANY_CASE = "sdmtSDMT\u017f"  # U+017F is an s to regular expressions that ignore case
_FLAGS = {"a": re.ASCII, "i": re.IGNORECASE, "m": re.MULTILINE, "s": re.DOTALL, "x": re.VERBOSE}  # spelled


@dataclass(frozen=True)
class Pattern:
    """A published way to cut text, and the scan that does it.

    Attributes:
        name: what it is called here and in files.
        regex: as published; nothing interprets it, but for a pattern of the user's own.
        family: which scan: "gpt2", "cl100k", "o200k", "whole" (no cutting) or "custom" (Python's ``re``).
        digits: how many digits a piece may hold; 0 for no limit.
        ends_whole: is a run of spaces at the end one piece?
        normalize: "NFC" where the text is brought into that form first, else "".
    """

    name: str
    regex: str
    family: str
    digits: int = 0
    ends_whole: bool = False
    normalize: str = ""


_CONTRACTIONS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)"
_LLAMA = (
    _CONTRACTIONS + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)  # what cl100k was before it was rewritten for speed
_O200K = "|".join(
    (
        r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+" + _CONTRACTIONS + "?",
        r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*" + _CONTRACTIONS + "?",
        r"\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    )
)
PATTERNS = {
    pattern.name: pattern
    for pattern in (
        Pattern(
            "gpt2", r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+", "gpt2"
        ),  # also r50k, p50k
        Pattern(
            "cl100k",
            r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+|\s++$"
            r"|\s*[\r\n]|\s+(?!\S)|\s",
            "cl100k",
            digits=3,
            ends_whole=True,
        ),
        Pattern("llama3", _LLAMA, "cl100k", digits=3),
        Pattern("nanochat", _LLAMA.replace("{1,3}", "{1,2}"), "cl100k", digits=2),
        Pattern("qwen2", _LLAMA.replace(r"\p{N}{1,3}", r"\p{N}"), "cl100k", digits=1, normalize="NFC"),
        Pattern("o200k", _O200K, "o200k", digits=3),
        Pattern("none", "", "whole"),
    )
}
# other spellings of the same scans, as the wheels that use them print them
SPELLINGS = {pattern.regex: pattern for pattern in PATTERNS.values() if pattern.regex} | {
    r"'(?:[sdmt]|ll|ve|re)| ?\p{L}++| ?\p{N}++| ?[^\s\p{L}\p{N}]++|\s++$|\s+(?!\S)|\s": PATTERNS["gpt2"],
    r"'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+": PATTERNS["gpt2"],
    r"'s|'t|'re|'ve|'m|'ll|'d| ?[\p{L}]+| ?[\p{N}]+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+": PATTERNS["gpt2"],
    r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+": (
        PATTERNS["llama3"]
    ),
    r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,2}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+": (
        PATTERNS["nanochat"]
    ),
}


def find_pattern(pattern: Pattern | re.Pattern[str] | str | None) -> Pattern:
    """Return the pattern that is meant: by name, by its published regex, or one of the user's own.

    Args:
        pattern: a name of PATTERNS, a published regex, a compiled ``re.Pattern``, or None for no cutting at all.

    Raises:
        ConfigError: it is none of these.

    Example:
        >>> find_pattern("gpt2").family, find_pattern(re.compile(r"\\S+|\\s+")).family
        ('gpt2', 'custom')
    """
    if isinstance(pattern, Pattern):
        return pattern
    if pattern is None:
        return PATTERNS["none"]
    if isinstance(pattern, re.Pattern) and isinstance(pattern.pattern, str):
        flags = "".join(letter for letter, flag in _FLAGS.items() if pattern.flags & flag)
        return Pattern("custom", f"(?{flags}){pattern.pattern}" if flags else pattern.pattern, "custom")
    if not isinstance(pattern, str):
        raise ConfigError(f"a split pattern cannot be {pattern!r}", hint="a name, a regex, or re.compile(...) of a str")
    found = PATTERNS.get(pattern) or SPELLINGS.get(pattern)
    if found is None:
        raise ConfigError(
            f"there is no split pattern {pattern!r}",
            hint=nearest(pattern, PATTERNS) or f"one of {', '.join(PATTERNS)}, or your own: re.compile(...)",
        )
    return found


def split(text: str, pattern: Pattern | re.Pattern[str] | str | None) -> list[str]:
    """Cut a text into pieces, which joined are the text again (after NFC, where the pattern asks for it).

    Raises:
        ConfigError: there is no such pattern.
        DataError: a pattern of the user's own leaves a part of the text uncovered.

    Example:
        >>> split("Don't pay $1234  now!", "cl100k")
        ['Don', "'t", ' pay', ' $', '123', '4', ' ', ' now', '!']
    """
    pattern = find_pattern(pattern)
    if pattern.normalize:
        text = unicodedata.normalize("NFC", text)
    if pattern.family == "whole":
        return [text] if text else []
    if pattern.family == "custom":
        return _split_by_regex(text, pattern.regex)
    next_end, table = _SCANS[pattern.family], classes()
    kinds = bytes([table[ord(char)] for char in text] + [_END])
    pieces, start = [], 0
    while start < len(text):
        end = next_end(text, kinds, start, pattern)
        pieces.append(text[start:end])
        start = end
    return pieces


def _split_by_regex(text: str, regex: str) -> list[str]:
    pieces, done = [], 0
    for match in re.finditer(regex, text):
        if match.start() != done:
            break
        if match.end() > done:
            pieces.append(match.group())
            done = match.end()
    if done < len(text):
        raise DataError(
            f"the pattern {regex!r} does not cover the text: nothing matches {text[done : done + 12]!r} "
            f"at character {done:,}",
            hint=r"an alternative for what is left, such as |\s+|.",
        )
    return pieces


# the three scans: from the start of a piece to its end


def _gpt2(text: str, kinds: bytes, p: int, pattern: Pattern) -> int:
    if text[p] == "'" and (end := _contraction(text, p, "sdmt")):
        return end
    q = p + (text[p] == " ")  # a run may carry one space before it
    for run in (_LETTERS, _NUMBERS, _OTHERS):
        if kinds[q] in run:
            return _over(kinds, q, run)
    return _spaces(kinds, p)


def _cl100k(text: str, kinds: bytes, p: int, pattern: Pattern) -> int:
    if text[p] == "'" and (end := _contraction(text, p, _ANY_CASE)):
        return end
    lead = kinds[p] not in _LETTERS and kinds[p] != NUMBER and text[p] not in "\r\n"  # nearly anything may lead a word
    if kinds[p + lead] in _LETTERS:
        return _over(kinds, p + lead, _LETTERS)
    if kinds[p] == NUMBER:
        return _numbers(kinds, p, pattern.digits)
    q = p + (text[p] == " ")
    if kinds[q] in _OTHERS:
        return _over_signs(text, _over(kinds, q, _OTHERS), "\r\n")
    return _lines(text, kinds, p, pattern.ends_whole)


def _o200k(text: str, kinds: bytes, p: int, pattern: Pattern) -> int:
    if end := _word(text, kinds, p):
        return (text[end : end + 1] == "'" and _contraction(text, end, _ANY_CASE)) or end
    if kinds[p] == NUMBER:
        return _numbers(kinds, p, pattern.digits)
    q = p + (text[p] == " ")
    if kinds[q] in _OTHERS:
        return _over_signs(text, _over(kinds, q, _OTHERS), "\r\n/")
    return _lines(text, kinds, p, ends_whole=False)


_SCANS: dict[str, Callable[[str, bytes, int, Pattern], int]] = {"gpt2": _gpt2, "cl100k": _cl100k, "o200k": _o200k}


# the rules that they share; each returns the end of what it took, and 0 where it does not fit


def _over(kinds: bytes, p: int, run: frozenset[int]) -> int:
    while kinds[p] in run:
        p += 1
    return p


def _numbers(kinds: bytes, p: int, most: int) -> int:
    end = p + 1
    while kinds[end] == NUMBER and end - p != most:
        end += 1
    return end


def _over_signs(text: str, p: int, signs: str) -> int:
    while p < len(text) and text[p] in signs:
        p += 1
    return p


def _contraction(text: str, p: int, letters: str) -> int:
    """'s 'd 'm 't 'll 've 're after the apostrophe at p; capitals count where they are among the letters."""
    if text[p + 1 : p + 2] and text[p + 1] in letters:
        return p + 2
    two = text[p + 1 : p + 3]
    if (two.lower() if "S" in letters else two) in ("ll", "ve", "re"):
        return p + 3
    return 0


def _spaces(kinds: bytes, p: int) -> int:
    """A run of spaces: whole at the end of the text; else its last one is left to the word that follows."""
    end = _over(kinds, p, _SPACES)
    return end if kinds[end] == _END or end == p + 1 else end - 1


def _lines(text: str, kinds: bytes, p: int, ends_whole: bool) -> int:
    """A run of spaces again, but line ends belong to what stands before them."""
    end = _over(kinds, p, _SPACES)
    if ends_whole and kinds[end] == _END:
        return end
    last = max(text.rfind("\n", p, end), text.rfind("\r", p, end))
    return last + 1 if last >= 0 else _spaces(kinds, p)


def _word(text: str, kinds: bytes, p: int) -> int:
    """A word of o200k: capitals, then small letters, after one character that may lead it."""
    lead = kinds[p] not in _LETTERS and kinds[p] != NUMBER and text[p] not in "\r\n"
    return (
        (lead and _capitals_then_small(kinds, p + 1))
        or _capitals_then_small(kinds, p)
        or (lead and kinds[p + 1] in _HEADS and _over(kinds, p + 1, _HEADS))
        or (kinds[p] in _HEADS and _over(kinds, p, _HEADS))
        or 0
    )


def _capitals_then_small(kinds: bytes, p: int) -> int:
    """Capitals as far as they go, then at least one small letter, for which caseless letters and marks may stand in."""
    end = _over(kinds, p, _HEADS)
    if kinds[end] == LOWER:
        return _over(kinds, end, _TAILS)
    while end > p and kinds[end - 1] == UPPER:  # the capitals give back until a stand-in is the last
        end -= 1
    return end if end > p else 0


# where a text may be cut before all of it is there


def last_safe_cut(text: str, pattern: Pattern) -> int:
    """Return the last place at which a piece starts whatever follows, and before which all is decided; 0 for none.

    What stands on its two sides can be split apart, and joined the pieces are those of the whole. Two characters tell:
    between them no rule of the family reaches across. Texts are encoded with it as they come in.

    Example:
        >>> last_safe_cut("It was the bes", PATTERNS["gpt2"])
        10
    """
    if pattern.family not in _SCANS:  # in a regex of the user's own, anything may reach anywhere
        return 0
    return next((q for q in range(len(text) - 1, 0, -1) if _is_safe(text, q, pattern)), 0)


def _is_safe(text: str, q: int, pattern: Pattern) -> bool:
    left, right = text[q - 1], text[q]
    table, family = classes(), pattern.family
    before, after = table[ord(left)], table[ord(right)]
    if pattern.normalize:
        if unicodedata.category(right)[0] in "LM":  # only marks and some letters join with what stands before them
            return False
        before = table[ord(unicodedata.normalize("NFC", left)[-1])]
    if before == SPACE:  # it may lead what follows; a line end does not
        if left not in "\r\n" or after == SPACE:
            return False
        if family == "gpt2":  # nor does it there, but it leaves the run of spaces that it ends
            return q > 1 and table[ord(text[q - 2])] != SPACE
        return right != "/" or family == "cl100k"
    if after == SPACE:  # line ends belong to the signs before them, but in gpt2
        return right not in "\r\n" or before not in _OTHERS or family == "gpt2"
    if before == NUMBER or after == NUMBER:
        return before != after
    if before in _LETTERS:  # in o200k marks are part of the word, and contractions, too
        return after not in _LETTERS and (family != "o200k" or (after == OTHER and right != "'"))
    return family == "gpt2" and after in _LETTERS and left != "'"  # elsewhere any sign may lead a word


class _Watched(bytes):
    """Classes of characters that remember the last place that was asked for."""

    reach = 0

    def __getitem__(self, place: int) -> int:  # type: ignore[override]
        self.reach = max(self.reach, place)
        return super().__getitem__(place)


def reaches(text: str, pattern: Pattern) -> Iterator[tuple[int, int]]:
    """Yield of each piece its end, and its reach: any text that is longer than that and begins alike has this piece.

    Only for the families that have a scan.

    Example:
        >>> list(reaches("a  b", PATTERNS["gpt2"]))
        [(1, 1), (2, 3), (4, 4)]
    """
    next_end, table = _SCANS[pattern.family], classes()
    kinds = _Watched(bytes([table[ord(char)] for char in text] + [_END]))
    start = 0
    while start < len(text):
        start = next_end(text, kinds, start, pattern)
        kinds.reach = max(kinds.reach, start)  # signs and contractions are looked for without asking for classes
        yield start, kinds.reach
