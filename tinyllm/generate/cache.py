"""KVCache: the keys and values of all tokens so far, so that a new token has to make only its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..errors import RangeError, ShapeError

Array = np.ndarray[Any, np.dtype[Any]]


class KVCache:
    r"""Keys and values of every layer, for a batch of texts of different lengths.

    A token goes in three steps: ``extend`` makes room for it in every text and tells its positions, each layer
    ``append``s what it makes of it, and attention reads the first ``lengths[b]`` places of text b. Each step can be
    taken for some of the texts only, and the others stay as they are: ``rows`` tells which, in any order.

    All memory is allocated once. Positions are never shifted or overwritten in a ring: a key is at the place of its
    position, and attention with a window simply does not look at older ones. Pages that no text reaches are never
    touched, and so cost nothing.

    Args:
        L, B, K, S, D: layers, texts, key/value heads (which groups of query heads share), places, size of a head.
        dtype: of the keys and values.

    Attributes:
        keys, values: (L, B, K, S, D).
        lengths: (B,), how many tokens each text has.

    Example:
        >>> cache = KVCache(L=1, B=2, K=1, S=3, D=4, dtype=np.float32)
        >>> cache.extend(2).tolist()
        [[0, 1], [0, 1]]
        >>> cache.append(0, np.ones((2, 1, 2, 4)), np.ones((2, 1, 2, 4)))
        >>> cache.truncate(np.array([1, 2])); cache.extend(1).tolist()
        [[1], [2]]
        >>> cache.extend(1, rows=[0]).tolist(), cache.lengths.tolist()
        ([[2]], [3, 3])
        >>> cache.extend(1, rows=[1])
        Traceback (most recent call last):
            ...
        tinyllm.errors.RangeError: E-RANGE KVCache: text 1 has 3 tokens of at most 3: no place for 1 more. Try: ...
    """

    def __init__(self, L: int, B: int, K: int, S: int, D: int, dtype: Any = np.float32) -> None:
        self.keys: Array = np.zeros((L, B, K, S, D), dtype=dtype)
        self.values: Array = np.zeros((L, B, K, S, D), dtype=dtype)
        self.lengths: Array = np.zeros(B, dtype=np.int64)
        self._new: list[tuple[int, slice]] = []  # text and places of the last tokens

    def rows(self, rows: Any = None) -> Array:
        """Return places in the batch as an array, in the order given; all of them for None.

        Raises:
            RangeError: they are not distinct places of the batch, one or more.

        Example:
            >>> KVCache(L=1, B=3, K=1, S=3, D=4).rows([2, 0])
            array([2, 0])
        """
        B = len(self.lengths)
        if rows is None:
            return np.arange(B)
        found = np.asarray(rows)
        whole = found.ndim == 1 and found.size and found.dtype.kind in "iu"
        if not whole or len(set(found.tolist()) & set(range(B))) != found.size:
            raise RangeError(
                f"KVCache: rows {found.tolist()} are not distinct places of a batch of {B}", hint="one or more, or None"
            )
        return found

    def extend(self, T: int, rows: Any = None) -> Array:
        """Make texts T tokens longer and return the positions of the new ones, (B, T).

        Raises:
            RangeError: a text would become longer than there are places, or ``rows`` are none.
        """
        rows = self.rows(rows)
        S, lengths = self.keys.shape[3], self.lengths[rows]
        if lengths.max() + T > S:
            raise RangeError(
                f"KVCache: text {rows[lengths.argmax()]} has {lengths.max()} tokens of at most {S}: "
                f"no place for {T} more",
                hint="reset() or truncate(), or a larger max_length",
            )
        positions: Array = lengths[:, None] + np.arange(T)
        self.lengths[rows] = lengths + T
        starts = zip(rows.tolist(), lengths.tolist(), strict=True)
        self._new = [(row, slice(start, start + T)) for row, start in starts]
        return positions

    def append(self, layer: int, k: Array, v: Array) -> None:
        """Put a layer's k and v (B, K, T, D) at the places that ``extend`` has just made, in the order of its rows."""
        new, (_, _, K, _, D) = self._new, self.keys.shape
        T = k.shape[2]
        if k.shape != v.shape or k.shape != (len(new), K, T, D):
            raise ShapeError(f"KVCache: k {k.shape} and v {v.shape} are not both (B={len(new)}, K={K}, T, D={D})")
        for b, (row, places) in enumerate(new):
            self.keys[layer, row, :, places] = k[b]
            self.values[layer, row, :, places] = v[b]

    def truncate(self, lengths: Any, rows: Any = None) -> None:
        """Forget all but the first ``lengths`` tokens: of every text, or of each of them (B,).

        Raises:
            RangeError: a text is not that long, or ``rows`` are none.
        """
        rows = self.rows(rows)
        before = self.lengths[rows]
        wanted = np.broadcast_to(np.asarray(lengths, dtype=np.int64), before.shape)
        if (wanted < 0).any() or (wanted > before).any():
            raise RangeError(f"KVCache: {wanted.tolist()} tokens cannot be kept of {before.tolist()}")
        self.lengths[rows] = wanted

    def bytes_read(self, windows: Sequence[int | None] | None = None) -> int:
        """Return the bytes that one more token of each text makes attention read; ``windows`` are the layers' own."""
        L, _, K, _, D = self.keys.shape
        seen = sum(np.minimum(self.lengths, window or self.lengths).sum() for window in windows or [None] * L)
        return int(2 * K * D * self.keys.itemsize * seen)

    @property
    def nbytes(self) -> int:
        """The bytes that all places take once they have been filled."""
        return self.keys.nbytes + self.values.nbytes
