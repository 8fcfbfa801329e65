"""Rotary positions for queries and keys, in the convention that turns channel i with channel i + D/2."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..autograd import Tensor, rope_half
from ..errors import ConfigError
from ..kernels import rope_angles

Array = np.ndarray[Any, np.dtype[Any]]


class RopeHalf:
    r"""Turn the query or key at position t by angles proportional to t, so that their product sees only the distance.

    Forward   y[i], y[i + D/2] = (x[i], x[i + D/2]) turned by the angle t theta^(-2i/D)
    Shapes    x (B, H, T, D) -> y (B, H, T, D), for positions 0 to T - 1
    Source    Su et al. 2021 (RoFormer). The convention is that of transformers; Meta's turns channels 2i and 2i + 1.

    There is nothing to learn, so this is no Module; all layers of a model share one. The angles are computed in
    float64, once, for the longest T that was met.

    Args:
        D: head size, even.
        theta: the base; larger ones turn slower and see farther.

    Example:
        >>> rope = RopeHalf(4)
        >>> x = np.ones((1, 1, 3, 4), dtype=np.float32)
        >>> rope(x).data[0, 0].round(2)
        array([[ 1.  ,  1.  ,  1.  ,  1.  ],
               [-0.3 ,  0.99,  1.38,  1.01],
               [-1.33,  0.98,  0.49,  1.02]], dtype=float32)
    """

    def __init__(self, D: int, theta: float = 10000.0) -> None:
        if D % 2:
            raise ConfigError(
                f"RopeHalf: a head size of {D} is odd, and channels turn in pairs", hint="an even head size"
            )
        self.D = D
        self.theta = theta
        self._tables: dict[np.dtype[Any], tuple[Array, Array]] = {}

    def __call__(self, x: Tensor) -> Tensor:
        """Turn x (B, H, T, D)."""
        cos, sin = self.tables(x.shape[-2], x.dtype)
        return rope_half(x, cos, sin)

    def tables(self, T: int, dtype: Any = np.float64) -> tuple[Array, Array]:
        """Return cos and sin of the angles of positions 0 to T - 1, each (T, D/2)."""
        known = self._tables.get(dtype)
        if known is None or len(known[0]) < T:
            cos, sin = rope_angles(np.arange(T), self.D, self.theta)
            known = self._tables[dtype] = (cos.astype(dtype), sin.astype(dtype))
        return known[0][:T], known[1][:T]
