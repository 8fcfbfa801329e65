"""One token per character, numbered in the order of their code points, as nanoGPT's Shakespeare has them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from ..errors import DataError
from .known import known_ids
from .surrogates import without_surrogates


class CharTokenizer:
    """The tokenizer whose vocabulary is the characters of one text.

    Args:
        text: every character that occurs in it gets an id.

    Raises:
        DataError: the text is empty.

    Example:
        >>> tokenizer = CharTokenizer("hello")
        >>> tokenizer.chars, tokenizer.encode("hole")
        ('ehlo', [1, 3, 2, 0])
    """

    name = "chars"

    def __init__(self, text: str) -> None:
        codes = np.unique(_codes(without_surrogates(text)))
        if not len(codes):
            raise DataError("CharTokenizer: the text is empty, so there is no character to number")
        self.chars = "".join(map(chr, codes))
        self._codes = codes
        self._ids = {char: i for i, char in enumerate(self.chars)}

    @property
    def n_vocab(self) -> int:
        """How many ids there are: one per character."""
        return len(self.chars)

    def encode(self, text: str) -> list[int]:
        """Turn a text into ids, one per character.

        Raises:
            DataError: a character is not in the vocabulary; it is named, with its place.
        """
        text = without_surrogates(text)
        try:
            return [self._ids[char] for char in text]
        except KeyError:
            raise self._unknown(text) from None

    def encode_to_numpy(self, text: str) -> np.ndarray[Any, Any]:
        """Turn a text into an array of ids, uint16 where V fits and uint32 where it does not.

        Raises:
            DataError: a character is not in the vocabulary; it is named, with its place.
        """
        text = without_surrogates(text)
        codes = _codes(text)
        ids = np.searchsorted(self._codes, codes).clip(max=self.n_vocab - 1)
        if not np.array_equal(self._codes[ids], codes):
            raise self._unknown(text)
        return ids.astype(np.uint16 if self.n_vocab <= 2**16 else np.uint32)

    def decode(self, ids: Iterable[int]) -> str:
        """Turn ids back into text.

        Raises:
            TokenError: an id is not in the vocabulary.
        """
        ids = known_ids(ids, self.n_vocab)
        return "".join([self.chars[i] for i in ids])

    def decode_bytes(self, ids: Iterable[int]) -> bytes:
        """Turn ids into the UTF-8 of their characters.

        Raises:
            TokenError: an id is not in the vocabulary.
        """
        return self.decode(ids).encode()

    def to_dict(self) -> dict[str, Any]:
        """Return what ``from_dict`` needs, as JSON can hold it."""
        return {"kind": self.name, "chars": self.chars}

    @classmethod
    def from_dict(cls, saved: Mapping[str, Any]) -> CharTokenizer:
        """Make the tokenizer that ``to_dict`` described.

        Raises:
            DataError: the characters are missing.
        """
        chars = saved.get("chars")
        if not isinstance(chars, str):
            raise DataError("CharTokenizer: the saved description has no 'chars'")
        return cls(chars)

    def _unknown(self, text: str) -> DataError:
        place, char = next((i, char) for i, char in enumerate(text) if char not in self._ids)
        return DataError(
            f"encode: {char!r} (U+{ord(char):04X}, at character {place}) is not among the {self.n_vocab} characters "
            "this tokenizer was made from",
            hint="leave it out, or train with tokenizer='bytes', which spells every character",
        )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, CharTokenizer) and self.chars == other.chars

    def __hash__(self) -> int:
        return hash(self.chars)

    def __repr__(self) -> str:
        return f"CharTokenizer({self.chars!r})"


def _codes(text: str) -> np.ndarray[Any, Any]:
    return np.frombuffer(text.encode("utf-32-le"), np.uint32)
