"""Rotary positions for queries and keys, in the convention that turns channel i with channel i + D/2."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..autograd import Tensor, rope_half
from ..errors import ConfigError
from ..kernels import rope_angles

Array = np.ndarray[Any, np.dtype[Any]]


SCALINGS = ("linear", "llama3")


@dataclass(frozen=True)
class RopeScaling:
    r"""How a model that was trained on short texts turns its channels slower, to tell more positions apart.

    "linear" slows every pair of channels down by ``factor``. "llama3" goes by how often a pair turns around within
    the ``original`` length: often (``high`` times and more) and it stays as it is, seldom (``low`` times and fewer) and
    it is slowed down by ``factor``; in between, the two are mixed.

    Attributes:
        kind: "linear" or "llama3".
        factor: how much slower; 1 changes nothing.
        low, high: numbers of turns, for "llama3"; low is below high.
        original: length of the texts the model was trained on first, for "llama3".

    Raises:
        ConfigError: another kind, or numbers out of range.

    Example:
        >>> RopeScaling("linear", factor=4.0).slowed(np.array([1.0, 0.5]))
        array([0.25 , 0.125])
    """

    kind: str
    factor: float = 8.0
    low: float = 1.0
    high: float = 4.0
    original: int = 8192

    def __post_init__(self) -> None:
        if self.kind not in SCALINGS:
            raise ConfigError(f"RopeScaling: there is no kind {self.kind!r}", hint=" or ".join(SCALINGS))
        for name in ("factor", "low", "high", "original"):
            value = getattr(self, name)
            number = isinstance(value, (int, float)) and not isinstance(value, bool)
            if not number or not 0 < value < math.inf:
                raise ConfigError(f"RopeScaling: {name} is {value!r}", hint="a number above 0")
        if not self.low < self.high:
            raise ConfigError(f"RopeScaling: low={self.low} is not below high={self.high}", hint="low=1.0, high=4.0")

    def slowed(self, frequencies: Array) -> Array:
        """Return the angles from one position to the next, (D/2,), in place of the ``frequencies`` (D/2,)."""
        if self.kind == "linear":
            return frequencies / self.factor
        turns = self.original * frequencies / (2 * math.pi)  # (D/2,), within the original length
        kept = np.clip((turns - self.low) / (self.high - self.low), 0.0, 1.0)
        return frequencies * ((1 - kept) / self.factor + kept)


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
        scaling: slows the turning down; None for the angles above as they are.

    Example:
        >>> rope = RopeHalf(4)
        >>> x = np.ones((1, 1, 3, 4), dtype=np.float32)
        >>> rope(x).data[0, 0].round(2)
        array([[ 1.  ,  1.  ,  1.  ,  1.  ],
               [-0.3 ,  0.99,  1.38,  1.01],
               [-1.33,  0.98,  0.49,  1.02]], dtype=float32)
    """

    def __init__(self, D: int, theta: float = 10000.0, scaling: RopeScaling | None = None) -> None:
        if D % 2:
            raise ConfigError(
                f"RopeHalf: a head size of {D} is odd, and channels turn in pairs", hint="an even head size"
            )
        self.D = D
        self.theta = theta
        self.scaling = scaling
        self._tables: dict[np.dtype[Any], tuple[Array, Array]] = {}

    def __call__(self, x: Tensor) -> Tensor:
        """Turn x (B, H, T, D)."""
        cos, sin = self.tables(x.shape[-2], x.dtype)
        return rope_half(x, cos, sin)

    def tables(self, T: int, dtype: Any = np.float64) -> tuple[Array, Array]:
        """Return cos and sin of the angles of positions 0 to T - 1, each (T, D/2)."""
        known = self._tables.get(dtype)
        if known is None or len(known[0]) < T:
            cos, sin = self.angles(np.arange(T))
            known = self._tables[dtype] = (cos.astype(dtype), sin.astype(dtype))
        return known[0][:T], known[1][:T]

    def angles(self, positions: Array) -> tuple[Array, Array]:
        """Return cos and sin, each (T, D/2) and float64, of the angles of any ``positions`` (T,).

        Example:
            >>> cos, sin = RopeHalf(4, scaling=RopeScaling("linear", factor=2.0)).angles(np.arange(3))
            >>> np.allclose(cos[2], np.cos([1.0, 0.01]))
            True
        """
        if self.scaling is None:
            return rope_angles(positions, self.D, self.theta)
        frequencies = np.float64(self.theta) ** (-np.arange(0, self.D, 2, dtype=np.float64) / self.D)  # (D/2,)
        turned = np.multiply.outer(np.asarray(positions, dtype=np.float64), self.scaling.slowed(frequencies))
        return np.cos(turned), np.sin(turned)
