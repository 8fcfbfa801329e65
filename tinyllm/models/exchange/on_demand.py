"""Tensors that are made when they are asked for: a model is filled or written with one of them in memory at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]


class OnDemand(Mapping[str, Array]):
    """A mapping from names to arrays, whose values are functions until somebody looks.

    Nothing is kept, so looking twice computes twice.

    Args:
        makers: name -> what makes its array.

    Example:
        >>> tensors = OnDemand({"a": lambda: np.arange(3)})
        >>> list(tensors), tensors["a"]
        (['a'], array([0, 1, 2]))
    """

    def __init__(self, makers: Mapping[str, Callable[[], Array]]) -> None:
        self._makers = makers

    def __getitem__(self, name: str) -> Array:
        return self._makers[name]()

    def __iter__(self) -> Iterator[str]:
        return iter(self._makers)

    def __len__(self) -> int:
        return len(self._makers)

    def __contains__(self, name: object) -> bool:
        return name in self._makers  # Mapping's own would make the array to find out
