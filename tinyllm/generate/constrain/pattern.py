r"""A regular expression as Python writes it, read into the language of the texts that fit it whole.

    alternatives  a|b          groups   (...) and (?:...)      counts  * + ? {2} {2,} {2,5}
    characters    . [a-z_] [^"]         escapes  \d \w \s \D \W \S \n \t \r \xHH \uHHHH, and any sign after a backslash

``\d``, ``\w`` and ``\s`` are those of ASCII. ``^`` in front and ``$`` at the end say nothing new. What only a search
needs (look-around, back references, lazy counts) is refused.
"""

from __future__ import annotations

from ...errors import ConfigError
from .regular import EMPTY, Language, cat, characters, either, many

Ranges = list[tuple[int, int]]
HIGHEST = 0x10FFFF
MOST_TIMES = 5000
CLASSES: dict[str, Ranges] = {
    "d": [(48, 57)],
    "w": [(48, 57), (65, 90), (95, 95), (97, 122)],
    "s": [(9, 13), (32, 32)],
}
SIGNS = {"n": 10, "t": 9, "r": 13, "f": 12, "v": 11, "0": 0}


def pattern(text: str) -> Language:
    r"""Read a regular expression.

    Raises:
        ConfigError: it is none, or uses what is not known here; the message says where.

    Example:
        >>> from .regular import accepts
        >>> date = pattern(r"\d{4}-\d\d-\d\d")
        >>> accepts(date, "2024-02-29"), accepts(date, "2024-2-29")
        (True, False)
    """
    inner = text.removeprefix("^")
    if inner.endswith("$") and not inner.endswith("\\$"):
        inner = inner[:-1]
    reader = _Reader(inner)
    found = reader.alternatives()
    if reader.more():
        raise reader.wrong("this ) closes nothing")
    return found


class _Reader:
    """Goes through a pattern from left to right."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0

    def more(self) -> bool:
        return self.at < len(self.text)

    def peek(self) -> str:
        return self.text[self.at : self.at + 1]

    def take(self, wanted: str = "") -> str:
        """Return the next sign; complain if there is none, or not the one that is wanted."""
        sign = self.peek()
        if not sign or (wanted and sign != wanted):
            raise self.wrong(f"expected {wanted or 'more'}")
        self.at += 1
        return sign

    def wrong(self, what: str) -> ConfigError:
        return ConfigError(
            f"pattern {self.text!r}: at {self.at}: {what}", hint="see tinyllm.generate.constrain.pattern"
        )

    def alternatives(self) -> Language:
        found = [self.sequence()]
        while self.peek() == "|":
            self.take()
            found.append(self.sequence())
        return either(*found)

    def sequence(self) -> Language:
        found = EMPTY
        while self.more() and self.peek() not in "|)":
            found = cat(found, self.counted())
        return found

    def counted(self) -> Language:
        found = self.one()
        sign = self.peek()
        if sign and sign in "*+?":
            self.take()
            found = many(found, int(sign == "+"), 1 if sign == "?" else None)
        elif sign == "{":
            found = many(found, *self.counts())
        else:
            return found
        if self.peek() and self.peek() in "*+?{":
            raise self.wrong("a count after a count: all of a text has to fit, so lazy ones mean nothing")
        return found

    def counts(self) -> tuple[int, int | None]:
        self.take("{")
        end = self.text.find("}", self.at)
        low, comma, high = self.text[self.at : max(end, self.at)].partition(",")
        try:
            least = int(low or "0")
            most = None if comma and not high else int(high if comma else low)
        except ValueError:
            raise self.wrong("a count is {2}, {2,} or {2,5}") from None
        if end < 0 or least < 0 or (most is not None and most < least) or max(least, most or 0) > MOST_TIMES:
            raise self.wrong(f"a count goes from a number to one that is not smaller, {MOST_TIMES} at most")
        self.at = end + 1
        return least, most

    def one(self) -> Language:
        sign = self.take()
        if sign == "(":
            if self.peek() == "?":
                self.take()
                if self.peek() != ":":
                    raise self.wrong("of groups with a question mark only (?:...) is known")
                self.take()
            found = self.alternatives()
            self.take(")")
            return found
        if sign == "[":
            return characters(self.set())
        if sign == ".":
            return characters([(0, 9), (11, HIGHEST)])
        if sign in "*+?{":
            raise self.wrong(f"{sign} counts nothing")
        if sign in "^$":
            raise self.wrong(f"{sign} inside of a pattern: all of the text has to fit anyway")
        return characters(self.escape() if sign == "\\" else [(ord(sign), ord(sign))])

    def set(self) -> Ranges:
        negated = self.peek() == "^"
        if negated:
            self.take()
        found: Ranges = []
        while self.peek() != "]" or not found:
            low = self.member()
            if self.peek() == "-" and self.text[self.at + 1 : self.at + 2] not in ("]", ""):
                self.take()
                high = self.member()
                if len(low) != 1 or len(high) != 1 or low[0][0] > high[0][1] or low[0][0] != low[0][1]:
                    raise self.wrong("a range goes from one sign to a later one")
                low = [(low[0][0], high[0][1])]
            found += low
        self.take("]")
        return _all_but(found) if negated else found

    def member(self) -> Ranges:
        sign = self.take()
        return self.escape() if sign == "\\" else [(ord(sign), ord(sign))]

    def escape(self) -> Ranges:
        sign = self.take()
        if sign.lower() in CLASSES:
            return CLASSES[sign] if sign.islower() else _all_but(CLASSES[sign.lower()])
        if sign in "xu":
            digits = self.text[self.at : self.at + (2 if sign == "x" else 4)]
            self.at += len(digits)
            try:
                return [(int(digits, 16),) * 2]
            except ValueError:
                raise self.wrong(f"\\{sign} needs {2 if sign == 'x' else 4} hexadecimal digits") from None
        if sign in SIGNS:
            return [(SIGNS[sign], SIGNS[sign])]
        if sign.isalnum():
            raise self.wrong(f"\\{sign} is not known here")
        return [(ord(sign), ord(sign))]


def _all_but(ranges: Ranges) -> Ranges:
    """Return the code points that are in none of some ranges."""
    found, start = [], 0
    for low, high in sorted(ranges):
        if low > start:
            found.append((start, low - 1))
        start = max(start, high + 1)
    return [*found, (start, HIGHEST)] if start <= HIGHEST else found
