r"""Adding rows to the rows of a table: what an embedding does on the way back."""

from __future__ import annotations

import numpy as np

from ..errors import RangeError
from .table import Array, kernel


@kernel
def scatter_add(index: Array, src: Array, rows: int) -> Array:
    r"""Return the table (rows, C) in which row r is the sum of all src[n] with index[n] == r, added in order of n.

    An embedding looks up out[n] = table[index[n]]; going back, each row of the table collects from wherever it was
    used: dtable = scatter_add(index, dout, rows).

    Shapes: index (N,) of integers, src (N, C) -> (rows, C).

    Raises:
        RangeError: an index is not in 0 .. rows-1.

    Example:
        >>> scatter_add(np.array([1, 1]), np.array([[1.0], [2.0]]), 3).ravel()
        array([0., 3., 0.])
    """
    check_index("scatter_add", index, rows)
    table = np.zeros((rows, src.shape[1]), dtype=src.dtype)
    np.add.at(table, index, src)
    return table


def check_index(who: str, index: Array, rows: int) -> None:
    """Refuse an index outside of 0 .. rows-1 (a negative one, too: it would count from the end, silently)."""
    if index.size and (index.min() < 0 or index.max() >= rows):
        place = np.unravel_index(np.argmax((index < 0) | (index >= rows)), index.shape)
        raise RangeError(
            f"{who}: index[{', '.join(map(str, place))}] is {int(index[place])}, outside of 0 .. {rows - 1}",
            hint="an index is a row of the table, counted from 0",
        )
