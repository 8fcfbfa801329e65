"""Text to token ids and back: bytes, characters, byte-pair encoding as GPT has it, WordPiece as BERT has it.

from tinyllm.tokenizer import get_encoding, load, train_bpe

get_encoding("gpt2").encode("hello world")
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Protocol

import numpy as np

from ..errors import DataError, nearest
from .bytes import ByteTokenizer
from .chars import CharTokenizer
from .encoding import Encoding
from .files import load
from .named import encoding_for_model, encoding_name_for_model, get_encoding, list_encoding_names
from .scores import ScoredBPE
from .sentences import sentence_spans
from .split import PATTERNS, Pattern, split
from .train import train_bpe
from .truncate import smart_truncate
from .unicode16 import UNICODE_VERSION
from .wordpiece import WordPiece

__all__ = [
    "KINDS",
    "PATTERNS",
    "UNICODE_VERSION",
    "ByteTokenizer",
    "CharTokenizer",
    "Encoding",
    "Pattern",
    "ScoredBPE",
    "Tokenizer",
    "WordPiece",
    "encoding_for_model",
    "encoding_name_for_model",
    "from_dict",
    "get_encoding",
    "list_encoding_names",
    "load",
    "sentence_spans",
    "smart_truncate",
    "split",
    "train_bpe",
]

# what ``to_dict`` writes under "kind" -> the class that reads it
KINDS: dict[str, Any] = {
    "bytes": ByteTokenizer,
    "chars": CharTokenizer,
    "bpe": Encoding,
    "wordpiece": WordPiece,
    "scores": ScoredBPE,
}


class Tokenizer(Protocol):
    """What the rest of the house asks of a tokenizer."""

    name: str

    @property
    def n_vocab(self) -> int:
        """How many ids there are, V: the largest id + 1."""

    def encode(self, text: str) -> list[int]:
        """Turn a text into token ids."""

    def encode_to_numpy(self, text: str) -> np.ndarray[Any, Any]:
        """Turn a text into an array of unsigned ids."""

    def decode(self, ids: Iterable[int]) -> str:
        """Turn ids back into text."""

    def decode_bytes(self, ids: Iterable[int]) -> bytes:
        """Turn ids into the UTF-8 bytes they spell, which may end inside a character."""

    def to_dict(self) -> dict[str, Any]:
        """Return all that ``from_dict`` needs to make an equal tokenizer, as JSON can hold it."""


def from_dict(saved: Mapping[str, Any]) -> Tokenizer:
    """Make the tokenizer that ``to_dict`` described.

    Raises:
        DataError: the description is of no kind that exists, or lacks a part.

    Example:
        >>> from_dict(CharTokenizer("abba").to_dict()).encode("ba")
        [1, 0]
    """
    kind = saved.get("kind") if isinstance(saved, Mapping) else None
    if not isinstance(kind, str) or kind not in KINDS:
        close = nearest(str(kind), KINDS)
        raise DataError(f"tokenizer: there is no kind {kind!r}", hint=close or "one of " + ", ".join(KINDS))
    made: Tokenizer = KINDS[kind].from_dict(saved)
    return made
