"""Packing: sequences of unequal length laid end to end, so that nothing is ever computed for padding.

A batch comes as a rectangle (B, T), filled up with padding, and a mask that says which tokens are real. Nearly all of a
transformer looks at one position at a time: linear layers, norms and activations need no rectangle, only a list of
real tokens. Attention alone needs to know which tokens belong together. So the real tokens go into one list (N, C), the
shortest sequences first; those of one length T stand side by side, and a reshape makes them the rectangle (n, T, C)
that attention asks for. No padding is in it, so no mask is needed, and no padding can leak.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..autograd import Tensor, concat, split
from ..errors import DTypeError, ShapeError

Array = np.ndarray[Any, np.dtype[Any]]


class Packing:
    """Where each real token of a batch stands in the packed list, and the ways there and back.

    Args:
        mask: (B, T), nonzero or True where a token is real. Every sequence needs one at least.

    Attributes:
        groups: (n, T) for each length T that occurs: n sequences have it.
        columns: (N,), the position that each packed token had in its row.

    Raises:
        DTypeError: the mask holds something other than yes and no.
        ShapeError: the mask is not (B, T), or a row of it has no real token.

    Example:
        >>> packing = Packing(np.array([[1, 1, 1], [1, 0, 0]]))
        >>> packing.groups, packing.pick(np.array([[5, 6, 7], [8, 0, 0]]))
        ([(1, 1), (1, 3)], array([8, 5, 6, 7]))
    """

    def __init__(self, mask: Any) -> None:
        mask = _as_mask(mask)
        lengths = mask.sum(axis=1)  # (B,)
        order = np.argsort(lengths, kind="stable")
        rows, self.columns = np.nonzero(mask[order])
        sizes, counts = np.unique(lengths, return_counts=True)
        self.groups = [(int(n), int(T)) for n, T in zip(counts, sizes, strict=True)]
        self._sizes = [n * T for n, T in self.groups]
        self._rows = order[rows]  # (N,), the sequence that each packed token is of
        self._shape = mask.shape
        self._back = np.argsort(order)  # (B,), where in the order of packing each sequence stands

    def pick(self, per_token: Array) -> Array:
        """Pack an array: the entries (N, ...) of the real tokens of (B, T, ...)."""
        return per_token[self._rows, self.columns]

    def cut(self, x: Tensor) -> list[Tensor]:
        """Cut what is packed (N, C) into a rectangle (n, T, C) for each of ``groups``."""
        C = x.shape[-1]
        parts = split(x, self._sizes, axis=0) if len(self.groups) > 1 else [x]
        return [part.reshape(n, T, C) for part, (n, T) in zip(parts, self.groups, strict=True)]

    def join(self, parts: list[Tensor]) -> Tensor:
        """Undo ``cut``: rectangles (n, T, C) end to end, (N, C)."""
        flat = [part.reshape(-1, part.shape[-1]) for part in parts]
        return concat(flat, axis=0) if len(flat) > 1 else flat[0]

    def unpack(self, x: Tensor) -> Tensor:
        """Return x (N, C) as a rectangle (B, T, C), with zeros where there was padding.

        Example:
            >>> packing = Packing(np.array([[1, 1], [1, 0]]))
            >>> packing.unpack(Tensor([[3.0], [1.0], [2.0]])).data.tolist()
            [[[1.0], [2.0]], [[3.0], [0.0]]]
        """
        N, C = x.shape
        place = np.full(self._shape, N)  # padding looks at a row of zeros behind the last token
        place[self._rows, self.columns] = np.arange(N)
        return concat([x, np.zeros((1, C), x.dtype)], axis=0).take(place)

    def mean(self, x: Tensor) -> Tensor:
        """Return the mean (B, C) of each sequence's real tokens, of x (N, C).

        Example:
            >>> Packing(np.array([[1, 1], [1, 0]])).mean(Tensor([[3.0], [1.0], [2.0]])).data.tolist()
            [[1.5], [3.0]]
        """
        return self.join([part.mean(axis=1, keepdims=True) for part in self.cut(x)]).take(self._back)


def _as_mask(mask: Any) -> Array:
    """Return the mask as (B, T) of bool, each row with a real token."""
    mask = np.asarray(mask)
    if mask.ndim != 2 or not mask.size:
        raise ShapeError(f"Packing: mask has shape {mask.shape}, not (B, T)", hint="one row for each sequence")
    if mask.dtype.kind not in "biuf" or ((mask != 0) & (mask != 1)).any():
        raise DTypeError("Packing: mask holds more than yes and no", hint="1 for a real token, 0 for padding")
    yes = mask != 0
    empty = np.flatnonzero(~yes.any(axis=1))
    if empty.size:
        raise ShapeError(f"Packing: sequence {empty[0]} has no real token", hint="leave it out, or keep its [CLS]")
    return yes
