r"""Tokens made visible: what can be printed as it is, and signs for the rest, in two notations.

``cells`` is for places with color: text is text, and what cannot be printed is a sign, to be drawn in another ink.
``escaped`` is for plain text: everything is spelled with backslashes, and can be read back without doubt.

A character of several bytes may be shared by several tokens. None of them spells it, so the first gets it as a sign,
and the others a sign that there is more of it.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

# backgrounds for tokens in turn, light enough for black text: sky, orange, green, purple and yellow of Okabe and Ito
BACKGROUNDS = ("#AFDCF5", "#FBD28B", "#A6E3C9", "#EFC7DE", "#EFE99A")
INK = "#000000"
FAINT = "#595959"  # signs
SPECIAL, SPECIAL_INK = "#00538A", "#FFFFFF"  # a special token

REST = "…"  # the rest of a character that began in the token before
_SIGNS = {"\n": "⏎", "\r": r"\r", "\t": "→"}
_PLAIN = {"\n": r"\n", "\r": r"\r", "\t": r"\t", "\\": r"\\", "|": r"\|"}
_BACK = {sign[1]: char for char, sign in _PLAIN.items()}
_ESCAPE = re.compile(rb"\\(?:x([0-9a-f]{2})|u([0-9a-f]{4})|U([0-9a-f]{8})|(.))", re.DOTALL)


class Part(NamedTuple):
    """Some text of a token, or a sign that stands for something else.

    Attributes:
        text: what is shown.
        sign: is it a sign?
        after: what it stands for that must still come, to keep the layout of the text: "\\n", "\\t" or nothing.
        true: is the sign text all the same, the character that several tokens share?
    """

    text: str
    sign: bool = False
    after: str = ""
    true: bool = False


class Character(NamedTuple):
    """A character of a text (or one byte that belongs to none), its bytes, and the token that each of these lies in."""

    text: str | None
    data: bytes
    places: Sequence[int]


def cells(tokens: Sequence[bytes], apart: Iterable[int] = ()) -> list[list[Part]]:
    r"""Return what is to be shown of each token.

    Args:
        tokens: the bytes of each.
        apart: places of tokens that are no text, as special tokens: no character reaches into or out of them.

    Example:
        >>> [[part.text for part in cell] for cell in cells([b"a b\n", b"\x1b", b"\xe6\x97", b"\xa5"])]
        [['a b', '⏎'], ['\\x1b'], ['日'], ['…']]
    """
    made: list[list[Part]] = [[] for _ in tokens]
    for char in characters(tokens, apart):
        first, *others = dict.fromkeys(char.places)
        cell = made[first]
        if char.text is None:
            cell.append(Part(f"\\x{char.data[0]:02x}", sign=True))
        elif others:
            shown = char.text if _stands_alone(char.text) else _escape(char.text)
            cell.append(Part(shown, sign=True, true=shown == char.text))
            for other in others:
                made[other].append(Part(REST, sign=True))
        elif char.text in _SIGNS:
            cell.append(Part(_SIGNS[char.text], sign=True, after="" if char.text == "\r" else char.text))
        elif not char.text.isprintable():
            cell.append(Part(_escape(char.text), sign=True))
        elif not cell and not _stands_alone(char.text):
            cell.append(Part("◌" + char.text, sign=True))
        elif cell and not cell[-1].sign:
            cell[-1] = Part(cell[-1].text + char.text)
        else:
            cell.append(Part(char.text))
    return made


def escaped(tokens: Sequence[bytes], apart: Iterable[int] = (), unicode: bool = True) -> list[str]:
    r"""Spell each token so that it can be printed anywhere, and be read back by ``unescaped``.

    Args:
        tokens: the bytes of each.
        apart: places of tokens that are no text, as special tokens.
        unicode: may characters beyond ASCII be printed? Otherwise they are spelled byte by byte.

    Example:
        >>> escaped([b"a|b\n", b"\x1b\\", b"\xe6\x97", b"\xa5", "é\u202e".encode()])
        ['a\\|b\\n', '\\x1b\\\\', '\\xe6\\x97', '\\xa5', 'é\\u202e']
    """
    made = ["" for _ in tokens]
    for char in characters(tokens, apart):
        text, first = char.text, char.places[0]
        if text in _PLAIN:
            made[first] += _PLAIN[text]
        elif text is None or first < char.places[-1] or not (unicode or text.isascii()):
            for place, byte in zip(char.places, char.data, strict=True):
                made[place] += f"\\x{byte:02x}"
        elif text.isprintable() and (made[first] or _stands_alone(text)):
            made[first] += text
        else:
            made[first] += _escape(text)
    return made


def unescaped(text: str) -> bytes:
    r"""Read back what ``escaped`` has spelled.

    Example:
        >>> unescaped("a\\|b\\n\\xe6\\x97")
        b'a|b\n\xe6\x97'
    """

    def back(found: re.Match[bytes]) -> bytes:
        byte, short, long, other = found.groups()
        if byte:
            return bytes((int(byte, 16),))
        return (chr(int(short or long, 16)) if short or long else _BACK[other.decode()]).encode()

    return _ESCAPE.sub(back, text.encode())


def characters(tokens: Sequence[bytes], apart: Iterable[int] = ()) -> Iterator[Character]:
    """Yield the characters that the tokens spell together, and one by one the bytes that are no part of any."""
    apart = set(apart)
    begin = 0
    for end in range(1, len(tokens) + 1):
        if end == len(tokens) or end in apart or end - 1 in apart:
            yield from _run(tokens, begin, end)
            begin = end


def _run(tokens: Sequence[bytes], begin: int, end: int) -> Iterator[Character]:
    data = b"".join(tokens[begin:end])
    owner = [place for place in range(begin, end) for _ in tokens[place]]
    i = 0
    while i < len(data):
        text = _character_at(data, i)
        n = len(text.encode()) if text else 1
        yield Character(text, data[i : i + n], owner[i : i + n])
        i += n


def _character_at(data: bytes, i: int) -> str | None:
    lead = data[i]
    n = 1 if lead < 0x80 else 2 if lead < 0xE0 else 3 if lead < 0xF0 else 4
    try:
        text = data[i : i + n].decode()
    except UnicodeDecodeError:
        return None
    return text if len(text) == 1 else None


def columns(text: str) -> int:
    """Return how many columns of a terminal a printable text takes.

    Example:
        >>> columns("abc"), columns("日本"), columns("e\u0301")
        (3, 4, 1)
    """
    if text.isascii():
        return len(text)
    wide = sum(unicodedata.east_asian_width(char) in "WF" for char in text)
    return len(text) + wide - sum(unicodedata.category(char) in ("Mn", "Me") for char in text)


def _stands_alone(char: str) -> bool:
    """Is it printable, and nothing that would join what stands before it, such as an accent or the color of a skin?"""
    return char.isprintable() and unicodedata.category(char)[0] != "M" and not "\U0001f3fb" <= char <= "\U0001f3ff"


def _escape(char: str) -> str:
    code = ord(char)
    return f"\\x{code:02x}" if code < 0x80 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
