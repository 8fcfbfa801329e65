"""KVCache: the keys and values of all tokens so far, so that a new token has to make only its own."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import RangeError, ShapeError

Array = np.ndarray[Any, np.dtype[Any]]


class KVCache:
    r"""Keys and values of every layer, for a batch of texts of different lengths.

    A token goes in three steps: ``extend`` makes room for it in every text and tells its positions, each layer
    ``append``s what it makes of it, and attention reads the first ``lengths[b]`` places of text b.

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
        >>> cache.extend(1)
        Traceback (most recent call last):
            ...
        tinyllm.errors.RangeError: E-RANGE KVCache: text 1 has 3 tokens of at most 3: no place for 1 more. Try: ...
    """

    def __init__(self, L: int, B: int, K: int, S: int, D: int, dtype: Any = np.float32) -> None:
        self.keys: Array = np.zeros((L, B, K, S, D), dtype=dtype)
        self.values: Array = np.zeros((L, B, K, S, D), dtype=dtype)
        self.lengths: Array = np.zeros(B, dtype=np.int64)

    def extend(self, T: int) -> Array:
        """Make every text T tokens longer and return the positions of the new ones, (B, T).

        Raises:
            RangeError: a text would become longer than there are places.
        """
        S, longest = self.keys.shape[3], int(self.lengths.max())
        if longest + T > S:
            raise RangeError(
                f"KVCache: text {self.lengths.argmax()} has {longest} tokens of at most {S}: no place for {T} more",
                hint="reset() or truncate(), or a larger max_length",
            )
        positions: Array = self.lengths[:, None] + np.arange(T)
        self.lengths = self.lengths + T
        return positions

    def append(self, layer: int, k: Array, v: Array) -> None:
        """Put a layer's k and v (B, K, T, D) at the places of the last T tokens."""
        T = k.shape[2]
        if k.shape != v.shape or k.shape != (*self.keys.shape[1:3], T, self.keys.shape[4]):
            raise ShapeError(
                f"KVCache: k {k.shape} and v {v.shape} are not both "
                f"(B={self.keys.shape[1]}, K={self.keys.shape[2]}, T, D={self.keys.shape[4]})"
            )
        for b, end in enumerate(self.lengths.tolist()):
            self.keys[layer, b, :, end - T : end] = k[b]
            self.values[layer, b, :, end - T : end] = v[b]

    def truncate(self, lengths: Any) -> None:
        """Forget all but the first ``lengths`` tokens: of every text, or of each of them (B,).

        Raises:
            RangeError: a text is not that long.
        """
        wanted = np.broadcast_to(np.asarray(lengths, dtype=np.int64), self.lengths.shape).copy()
        if (wanted < 0).any() or (wanted > self.lengths).any():
            raise RangeError(f"KVCache: {wanted.tolist()} tokens cannot be kept of {self.lengths.tolist()}")
        self.lengths = wanted

    def bytes_read(self, window: int | None = None) -> int:
        """Return the bytes that one more token of each text makes attention read, in all layers."""
        seen = self.lengths if window is None else np.minimum(self.lengths, window)
        L, _, K, _, D = self.keys.shape
        return int(2 * L * K * D * self.keys.itemsize * seen.sum())
