"""What every embedder asks of the texts it is given, and of the vectors it gives back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, get_args

import numpy as np

from ...errors import ConfigError, DataError
from ..types import Kind

Array = np.ndarray[Any, np.dtype[Any]]


def checked_texts(texts: Sequence[str], kind: str = "document") -> list[str]:
    """Return the texts as a list, or say what is wrong with them.

    Raises:
        DataError: one string instead of several, or something that is no string.
        ConfigError: they are said to be neither documents nor queries.

    Example:
        >>> checked_texts(("a text", ""))
        ['a text', '']
    """
    if kind not in get_args(Kind):
        raise ConfigError(f"embed: kind={kind!r}", hint="document or query")
    if isinstance(texts, str):
        raise DataError("embed: got one string where it takes several", hint="put it into a list: [text]")
    taken = list(texts)
    for i, text in enumerate(taken):
        if not isinstance(text, str):
            raise DataError(f"embed: text {i} is {type(text).__name__}, not a string")
    return taken


def unit(x: Array) -> Array:
    """Return rows divided by their lengths, float32; a row of zeros stays one.

    Example:
        >>> unit(np.array([[3.0, 4.0], [0.0, 0.0]])).tolist()
        [[0.6000000238418579, 0.800000011920929], [0.0, 0.0]]
    """
    x = np.asarray(x, np.float64)  # in float32 the squares of large numbers are infinite, and of small ones nothing
    length = np.sqrt((x * x).sum(axis=-1, keepdims=True))
    return (x / np.where(length > 0, length, 1.0)).astype(np.float32)
