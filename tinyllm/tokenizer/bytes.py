"""One token per byte of UTF-8: 256 tokens spell every text there is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from ..errors import RangeError
from .surrogates import without_surrogates


class ByteTokenizer:
    """The tokenizer that needs no vocabulary: the id of a byte is its value.

    Example:
        >>> tokenizer = ByteTokenizer()
        >>> tokenizer.encode("né")
        [110, 195, 169]
        >>> tokenizer.decode([110, 195, 169])
        'né'
    """

    name = "bytes"

    @property
    def n_vocab(self) -> int:
        """How many ids there are: 256."""
        return 256

    def encode(self, text: str) -> list[int]:
        """Turn a text into the bytes of its UTF-8 form; a lone surrogate becomes U+FFFD."""
        return list(without_surrogates(text).encode())

    def encode_to_numpy(self, text: str) -> np.ndarray[Any, Any]:
        """Turn a text into a uint16 array of byte values."""
        return np.frombuffer(without_surrogates(text).encode(), np.uint8).astype(np.uint16)

    def decode(self, ids: Iterable[int]) -> str:
        """Turn byte values back into text; what is not UTF-8 becomes U+FFFD.

        Raises:
            RangeError: an id is not a byte.
        """
        return self.decode_bytes(ids).decode("utf-8", "replace")

    def decode_bytes(self, ids: Iterable[int]) -> bytes:
        """Turn byte values into bytes.

        Raises:
            RangeError: an id is not a byte.
        """
        ids = list(ids)
        try:
            return bytes(ids)
        except ValueError:
            wrong = next(i for i in ids if not 0 <= i < 256)
            raise RangeError(f"decode: there is no byte {wrong}", hint="ids from 0 to 255") from None

    def to_dict(self) -> dict[str, Any]:
        """Return what ``from_dict`` needs, as JSON can hold it."""
        return {"kind": self.name}

    @classmethod
    def from_dict(cls, saved: Mapping[str, Any]) -> ByteTokenizer:
        """Make the tokenizer that ``to_dict`` described."""
        return cls()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ByteTokenizer)

    def __hash__(self) -> int:
        return hash(self.name)

    def __repr__(self) -> str:
        return "ByteTokenizer()"
