"""What BERT's normalizer makes of every character, frozen: the same words on every Python and in every year.

tokenizers, which the published models are run with, mixes four Unicode versions here, and Python's ``unicodedata`` is a
fifth. ``unicode_bert.txt`` holds what it answered for each code point (its head explains the format), and
``tests/frozen/make_unicode_bert.py`` tells how it was asked.

Source: https://github.com/google-research/bert, ``BasicTokenizer``, as tokenizers 0.23 runs it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from importlib import resources

CODE_POINTS = 0x110000
KEPT, DROPPED, SPACE, IDEOGRAPH, PUNCTUATION, MARK, BARRIER = range(7)
_SETS = {
    "dropped": DROPPED,
    "space": SPACE,
    "ideograph": IDEOGRAPH,
    "punctuation": PUNCTUATION,
    "mark": MARK,
    "barrier": BARRIER,
}
_REMEMBERED = 2**14  # characters a normalizer keeps answers for; few texts hold more than a few thousand
_HANGUL, _LEAD, _VOWEL, _TAIL = 0xAC00, 0x1100, 0x1161, 0x11A7
_HANGUL_END = _HANGUL + 19 * 21 * 28  # 19 leads, 21 vowels, 27 tails or none


class Normalizer(dict[int, str]):
    """Rewrite a text so that its words stand between spaces: clean, strip accents, lower-case, set punctuation apart.

    It is its own translation table: ``str.translate`` asks it for a code point, and it works the answer out the first
    time. Unassigned code points stay as they are.

    Args:
        lowercase: write each character in lower case, by itself (no final sigma).
        strip_accents: take characters apart (NFD) and drop the accents and other Mn.

    Example:
        >>> Normalizer(lowercase=True, strip_accents=True)("Café,\\t東京!").split()
        ['cafe', ',', '東', '京', '!']
    """

    def __init__(self, lowercase: bool, strip_accents: bool) -> None:
        super().__init__()
        self.lowercase = lowercase
        self.strip_accents = strip_accents

    def __missing__(self, code: int) -> str:
        answer = self._rewrite(code)
        if len(self) >= _REMEMBERED:
            self.clear()
        self[code] = answer
        return answer

    def _rewrite(self, code: int) -> str:
        kind = kinds()[code]
        if kind == DROPPED:
            return ""
        if kind == SPACE:
            return " "
        text = _plain(code, kind) if self.strip_accents else chr(code)
        if self.lowercase:
            lower = maps()["lower"]
            text = "".join([lower.get(ord(char), char) for char in text])
        if kind == IDEOGRAPH:
            return f" {text} "
        return "".join([f" {char} " if kinds()[ord(char)] == PUNCTUATION else char for char in text])

    def __call__(self, text: str) -> str:
        """Return the words of a text with spaces between them."""
        if self.strip_accents and _moving().search(text):
            text, _ = in_order(text)
        return text.translate(self)

    def with_places(self, text: str) -> tuple[str, list[int]]:
        """Return the words, and for each character the place in ``text`` of the one it came from."""
        places: list[int] = list(range(len(text)))
        if self.strip_accents and _moving().search(text):
            text, places = in_order(text)
        parts = [self[ord(char)] for char in text]
        return "".join(parts), [place for place, part in zip(places, parts, strict=True) for _ in part]


def in_order(text: str) -> tuple[str, list[int]]:
    """Sort runs of marks as NFD does, without those dropped anyway; return the text and each character's place.

    Only 83 marks, none of them common, both stay and move. Places keep rising: a run is sorted among its own places.
    """
    table, order, apart = kinds(), maps()["order"], _apart()
    done: list[str] = []
    run: list[str] = []
    places: list[int] = []
    for place, char in enumerate(text):
        if table[ord(char)] in (DROPPED, MARK):
            continue
        for part in apart.get(ord(char), char):
            if ord(part) in order:
                run.append(part)
            else:
                done += [*sorted(run, key=lambda mark: order[ord(mark)]), part]
                run = []
            places.append(place)
    return "".join([*done, *sorted(run, key=lambda mark: order[ord(mark)])]), places


@cache
def kinds() -> bytes:
    """Return the kind of every code point, one byte each, made from the ranges at the first call.

    Example:
        >>> [kinds()[ord(char)] for char in "a\\x00\\t中$"] == [KEPT, DROPPED, SPACE, IDEOGRAPH, PUNCTUATION]
        True
    """
    table = bytearray(CODE_POINTS)
    for name, kind in _SETS.items():
        for span in _sections()[name].split():
            first, _, last = span.partition("-")
            begin, end = int(first, 16), int(last or first, 16) + 1
            table[begin:end] = bytes((kind,)) * (end - begin)
    return bytes(table)


@cache
def maps() -> dict[str, dict[int, str]]:
    """Return what code points become: ``plain`` without accents, ``lower`` in lower case, ``order`` the mark's class.

    Example:
        >>> maps()["plain"][ord("é")], maps()["lower"][ord("Ж")]
        ('e', 'ж')
    """
    return {name: dict(_pairs(_sections()[name])) for name in ("plain", "lower", "order")}


def _pairs(body: str) -> Iterator[tuple[int, str]]:
    """Read "A=B,C.D  A-B=C  A-B/2+C" and yield each code point with its text."""
    for entry in body.split():
        first, last, step, sign, targets = _ENTRY.fullmatch(entry).groups()  # type: ignore[union-attr]
        codes = range(int(first, 16), int(last or first, 16) + 1, 2 if step else 1)
        if sign != "=":
            yield from ((code, chr(code + int(sign + targets, 16))) for code in codes)
        elif last:
            yield from ((code, chr(int(targets, 16))) for code in codes)
        else:
            for i, target in enumerate(targets.split(",")):
                yield codes[0] + i, "".join([chr(int(part, 16)) for part in target.split(".")])


_ENTRY = re.compile(r"([0-9A-F]+)(?:-([0-9A-F]+))?(/2)?([=+-])([0-9A-F.,]+)")


@cache
def _sections() -> dict[str, str]:
    text = resources.files(__package__).joinpath("unicode_bert.txt").read_text("ascii")
    found: dict[str, str] = {}
    for line in text.splitlines():
        if line.endswith(":") and not line.startswith("#"):
            name = line[:-1]
            found[name] = ""
        elif not line.startswith("#"):
            found[name] += line + " "
    return found


def _plain(code: int, kind: int) -> str:
    """Take a character apart and drop its accents."""
    if kind in (MARK, BARRIER):
        return ""
    if _HANGUL <= code < _HANGUL_END:
        syllable, tail = divmod(code - _HANGUL, 28)
        lead, vowel = divmod(syllable, 21)
        return chr(_LEAD + lead) + chr(_VOWEL + vowel) + (chr(_TAIL + tail) if tail else "")
    return maps()["plain"].get(code, chr(code))


@cache
def _apart() -> dict[int, str]:
    """The few characters (notes of music) that hold a mark that stays and moves, and their parts."""
    order = maps()["order"]
    return {code: text for code, text in maps()["plain"].items() if any(ord(char) in order for char in text)}


@cache
def _moving() -> re.Pattern[str]:
    """Match what ``in_order`` is for."""
    return re.compile("[" + "".join(map(chr, [*maps()["order"], *_apart()])) + "]")
