r"""From one convention of RoPE to the other: the same query and key, their channels in another order.

    half     channel i turns with channel i + D/2     x0 x1 x2 | y0 y1 y2     transformers, and our models
    pairs    channel 2i turns with channel 2i + 1     x0 y0 x1 y1 x2 y2       llama2.c, Meta's files, GGUF's llama

The score of a query and a key is a sum over channels, so their order is of no matter as long as it is the same in both.
To write a model for readers of the other convention, the rows of the matrices that make q and k change places, and so
do their biases and the gains of norms on heads. What makes v, and what takes the heads' results, stays as it is.

Nothing in an array tells which order it is in: who calls these functions must know.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ...errors import ShapeError

Array = np.ndarray[Any, np.dtype[Any]]


def half_to_pairs(w: Array, heads: int) -> Array:
    """Put the channels of each head that turn together side by side.

    Args:
        w: (heads * D, ...), a weight, a bias, or with heads = 1 the gain of a norm on heads.
        heads: H for what makes queries, K for keys.

    Returns:
        An array of the same shape.

    Raises:
        ShapeError: the rows do not make this many heads of an even size.

    Example:
        >>> half_to_pairs(np.array(["x0", "x1", "x2", "y0", "y1", "y2"]), heads=1).tolist()
        ['x0', 'y0', 'x1', 'y1', 'x2', 'y2']
    """
    return _swapped(w, heads, 2, _half(w, heads))


def pairs_to_half(w: Array, heads: int) -> Array:
    """Put the first of each two channels that turn together into the first half of their head.

    Args:
        w: (heads * D, ...), a weight, a bias, or with heads = 1 the gain of a norm on heads.
        heads: H for what makes queries, K for keys.

    Returns:
        An array of the same shape.

    Raises:
        ShapeError: the rows do not make this many heads of an even size.

    Example:
        >>> pairs_to_half(np.array(["x0", "y0", "x1", "y1", "x2", "y2"]), heads=1).tolist()
        ['x0', 'x1', 'x2', 'y0', 'y1', 'y2']
    """
    return _swapped(w, heads, _half(w, heads), 2)


def _swapped(w: Array, heads: int, outer: int, inner: int) -> Array:
    """Swap the two axes that the channels of a head are made of."""
    return w.reshape(heads, outer, inner, *w.shape[1:]).swapaxes(1, 2).reshape(w.shape)


def _half(w: Array, heads: int) -> int:
    """Return D/2."""
    rows = w.shape[0] if w.ndim else 0
    if heads < 1 or rows % (2 * heads):
        raise ShapeError(
            f"permute: {rows} rows do not make {heads} heads of an even size", hint="H for queries, K for keys"
        )
    return rows // (2 * heads)
