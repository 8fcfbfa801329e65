"""The alphabet in which GPT-2 wrote bytes into text files: every byte is one printable character.

Bytes that print keep their character; the other 68 take U+0100, U+0101, ..., so that a space is U+0120.
"""

from __future__ import annotations

from ...errors import ConfigError
from ..bytepair import ALPHABET
from ..encoding import Encoding

_KEPT = 188  # bytes at the head of ALPHABET that print
_CHARS = {byte: chr(byte) if place < _KEPT else chr(256 + place - _KEPT) for place, byte in enumerate(ALPHABET)}
_BYTES = {char: byte for byte, char in _CHARS.items()}


def spelled(token: bytes) -> str:
    r"""Write bytes in the alphabet.

    Example:
        >>> spelled(b" hello\n")
        'ĠhelloĊ'
    """
    return token.decode("latin-1").translate(_CHARS)


def bytes_of(text: str) -> bytes | None:
    """Return the bytes that a text in the alphabet spells; None where a character is none of it.

    Example:
        >>> bytes_of("Ġhello"), bytes_of("two words")
        (b' hello', None)
    """
    try:
        return bytes([_BYTES[char] for char in text])
    except KeyError:
        return None


def spelled_tokens(encoding: Encoding) -> dict[str, int]:
    """Return all tokens in the order of their ids, ordinary ones in the alphabet and special ones as they are.

    Of two special tokens with one id only the first is there: the files of other tools know one name per id.

    Raises:
        ConfigError: a special token looks like an ordinary one, so that the files could not tell them apart.
    """
    found = {spelled(token): i for token, i in encoding.ranks.items()}
    taken: set[int] = set()
    for special, i in encoding.specials.ids.items():
        if special in found or (not special.isascii() and bytes_of(special) is not None):
            raise ConfigError(
                f"{encoding.name}: the special token {special!r} is spelled as bytes are in this format",
                hint="format='tinyllm', which keeps the two apart",
            )
        if i not in taken:
            found[special] = i
            taken.add(i)
    return dict(sorted(found.items(), key=lambda item: item[1]))


def first_names(encoding: Encoding) -> dict[str, int]:
    """Return the special tokens in the order of their ids, each id once, by its first name."""
    names = {i: special for special, i in reversed(encoding.specials.ids.items())}
    return {names[i]: i for i in sorted(names)}
