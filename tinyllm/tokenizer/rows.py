"""What an encoder takes: rows of tokens in their frame of special tokens, cut to a length and padded to a batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, TypeVar

import numpy as np

from ..errors import ConfigError

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Row:
    """One text, or one pair, as an encoder takes it; T tokens.

    Attributes:
        ids: the token ids.
        types: 0 for the first text and its frame, 1 for the second.
        offsets: the characters of its own text that each token came from, [begin, end); (0, 0) for the frame.
        cut: how many pieces ``max_length`` left out.
    """

    ids: list[int]
    types: list[int]
    offsets: list[tuple[int, int]]
    cut: int


@dataclass(frozen=True, slots=True)
class Batch:
    """Several rows, padded at their ends to the longest.

    Attributes:
        ids: int64 (B, T).
        mask: bool (B, T), true where a token is and false where padding is.
        types: int64 (B, T), 1 for tokens of the second text of a pair.
        cut: int64 (B,), how many pieces of each row ``max_length`` left out.
    """

    ids: np.ndarray[Any, Any]
    mask: np.ndarray[Any, Any]
    types: np.ndarray[Any, Any]
    cut: np.ndarray[Any, Any]


def frame(parts: Sequence[list[Item]], cls: Item, sep: Item) -> list[Item]:
    """Put ``cls`` before all parts and ``sep`` after each.

    Example:
        >>> frame([["to", "be"], ["or"]], "[CLS]", "[SEP]")
        ['[CLS]', 'to', 'be', '[SEP]', 'or', '[SEP]']
    """
    framed = [cls]
    for part in parts:
        framed += part
        framed.append(sep)
    return framed


def types(parts: Sequence[list[Any]], special: bool) -> list[int]:
    """Return the number of the part that each token belongs to; a frame's first token is of part 0.

    Example:
        >>> types([["to", "be"], ["or"]], special=True)
        [0, 0, 0, 0, 1, 1]
    """
    numbers = [0] if special else []
    for number, part in enumerate(parts):
        numbers += [number] * (len(part) + special)
    return numbers


def shortened(parts: list[list[Item]], max_length: int | None, special: bool) -> tuple[list[list[Item]], int]:
    """Cut the ends of one or two parts so that they fit; return what is left and how many tokens are not.

    Of two parts the longer is cut down to the shorter, then both alike: "longest first".

    Raises:
        ConfigError: ``max_length`` leaves no room for the frame.

    Example:
        >>> shortened([["to", "be"], ["or", "not", "to", "be"]], max_length=8, special=True)
        ([['to', 'be'], ['or', 'not', 'to']], 1)
    """
    total = sum(map(len, parts))
    around = 1 + len(parts) if special else 0
    if max_length is None or total + around <= max_length:
        return parts, 0
    room = max_length - around
    if room < 0:
        raise ConfigError(
            f"max_length={max_length} has no room for {around} special tokens", hint=f"{around + 1} or more"
        )
    lengths = [room]
    if len(parts) == 2:
        short = min(len(parts[0]), len(parts[1]), room // 2)
        lengths = [short, room - short] if len(parts[0]) <= len(parts[1]) else [room - short, short]
    return [part[:length] for part, length in zip(parts, lengths, strict=True)], total - room


def padded(rows: Sequence[list[int]], types: Sequence[list[int]], cut: Sequence[int], pad: int) -> Batch:
    """Put rows of ids, and of types, into arrays as wide as the longest of them.

    Example:
        >>> padded([[2, 7, 3], [2, 3]], [[0, 0, 0], [0, 0]], [0, 0], pad=0).mask.tolist()
        [[True, True, True], [True, True, False]]
    """
    lengths = np.array([len(row) for row in rows], np.int64)  # (B,)
    T = int(lengths.max(initial=0))
    mask = np.arange(T) < lengths[:, None]  # (B, T)
    ids = np.full(mask.shape, pad, np.int64)
    kinds = np.zeros(mask.shape, np.int64)
    ids[mask] = list(chain.from_iterable(rows))
    kinds[mask] = list(chain.from_iterable(types))
    return Batch(ids, mask, kinds, np.array(cut, np.int64))
