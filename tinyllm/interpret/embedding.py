r"""Neighbors in meaning: the tokens whose vectors point the same way, and what is to c as b is to a.

    cos(u, v) = u . v / |u| |v|

Tokens that occur in the same places get vectors that point the same way, because the model must do the same with them.
Length says other things, often how frequent a token is, so the cosine leaves it out.

Source: Mikolov et al. 2013, "Linguistic Regularities in Continuous Space Word Representations" (analogies).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import ConfigError, RangeError
from .neighbors import cloud

Array = np.ndarray[Any, np.dtype[Any]]


def nearest_tokens(vectors: Any, token: int, k: int = 10) -> tuple[Array, Array]:
    """Return the k tokens whose vectors are most like that of a token, the most like first: ids and cosines (k,).

    The token itself is left out. A vector of zeros is like none: its cosine is 0.

    Args:
        vectors: (V, C) one for each token; ``model.wte.weight.data``.
        token: its id.
        k: how many.

    Raises:
        RangeError: there is no such token.
        ConfigError: k is not between 1 and V - 1.

    Example:
        >>> nearest_tokens([[1.0, 0.0], [2.0, 0.1], [0.0, 3.0], [-1.0, 0.0]], token=0, k=2)
        (array([1, 2]), array([0.99875234, 0.        ]))
    """
    units = _units(vectors, [token], "nearest_tokens")
    return _nearest(units, units[token], [token], k, "nearest_tokens")


def analogy(vectors: Any, a: int, b: int, c: int, k: int = 5) -> tuple[Array, Array]:
    """Return the k tokens whose vectors are most like b - a + c, of vectors of length 1: a is to b as c is to ...

    a, b and c are left out, and that matters: b - a + c is often nearest to c. A small model knows few analogies.

    Args and errors are those of ``nearest_tokens``.

    Example:
        >>> words = ["man", "woman", "king", "queen", "bread"]
        >>> vectors = [[1, 0, 0], [1, 1, 0], [1, 0, 2], [1, 1, 2], [0, 0, -1]]
        >>> ids, _ = analogy(vectors, words.index("man"), words.index("woman"), words.index("king"), k=1)
        >>> words[ids[0]]
        'queen'
    """
    units = _units(vectors, [a, b, c], "analogy")
    return _nearest(units, units[b] - units[a] + units[c], [a, b, c], k, "analogy")


def _units(vectors: Any, tokens: list[int], name: str) -> Array:
    """The vectors, each of length 1, if all the tokens are there."""
    array = cloud(vectors, name)
    for token in tokens:
        if not 0 <= token < len(array):
            raise RangeError(f"{name}: there is no token {token}", hint=f"ids from 0 to {len(array) - 1}")
    length = np.sqrt((array * array).sum(axis=1, keepdims=True))
    return array / np.where(length > 0, length, 1)


def _nearest(units: Array, wanted: Array, left_out: list[int], k: int, name: str) -> tuple[Array, Array]:
    most = len(units) - len(set(left_out))
    if not 1 <= k <= most:
        raise ConfigError(f"{name}: the nearest {k} of {most} other tokens", hint=f"1 to {most}")
    length = np.sqrt((wanted * wanted).sum())
    cosines = units @ (wanted / (length if length > 0 else 1))
    cosines[left_out] = -np.inf
    ids = np.argsort(-cosines, kind="stable")[:k]
    return ids, cosines[ids]
