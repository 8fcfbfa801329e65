"""Ids looked at before they are decoded: none may stand for nothing."""

from __future__ import annotations

from collections.abc import Iterable

from ..errors import TokenError


def known_ids(ids: Iterable[int], n_vocab: int) -> list[int]:
    """Return the ids as a list.

    Raises:
        TokenError: one of them is no id of a vocabulary of ``n_vocab`` tokens without holes.

    Example:
        >>> known_ids(range(2), 2)
        [0, 1]
    """
    ids = list(ids)
    wrong = [i for i in ids if not 0 <= i < n_vocab]
    if wrong:
        raise TokenError(f"decode: there is no token {wrong[0]}", hint=f"ids from 0 to {n_vocab - 1}")
    return ids
