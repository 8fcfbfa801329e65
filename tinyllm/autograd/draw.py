"""Draw the arrays that an op is sampled on.

``draw`` is what an op's ``samples(draw)`` receives. Sizes given by ops are small primes, a different one for every
axis, so that no swapped axis can pass; values are float64, because that is what gradients are checked in.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Sample:
    """One call of an op: the arrays it is applied to and its parameters."""

    args: tuple[Any, ...]
    params: dict[str, Any] = field(default_factory=dict)


def given(*args: Any, **params: Any) -> Sample:
    """Write down a sample with parameters: ``yield given(draw(3, 7), axis=0)``."""
    return Sample(args, params)


def as_sample(drawn: Any) -> Sample:
    """Read what ``samples`` yielded: a Sample, one array, or a tuple of arrays."""
    if isinstance(drawn, Sample):
        return drawn
    return Sample(drawn if isinstance(drawn, tuple) else (drawn,))


class Draw:
    """Draws arrays of given shapes from one random generator.

    Example:
        >>> draw = Draw(np.random.default_rng(0))
        >>> draw(2, 3).shape, draw.ints(5, 4).shape
        ((2, 3), (4,))
    """

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng

    def __call__(self, *shape: int, scale: float = 1.0) -> Array:
        """Draw from a normal distribution of standard deviation ``scale``."""
        return np.asarray(self.rng.normal(0.0, scale, shape))

    def positive(self, *shape: int, low: float = 0.5, high: float = 2.0) -> Array:
        """Draw numbers between ``low`` and ``high``, both above zero."""
        return np.asarray(self.rng.uniform(low, high, shape))

    def away(self, *shape: int, from_: float = 0.0, gap: float = 0.1) -> Array:
        """Draw normal numbers that keep at least ``gap`` from ``from_``, where an op may have a kink."""
        offset = self(*shape)
        return np.asarray(from_ + offset + np.where(offset < 0, -gap, gap))

    def apart(self, *shape: int, gap: float = 0.1) -> Array:
        """Draw numbers of which any two differ by at least ``gap``: no ties for max and abs to trip over."""
        size = int(np.prod(shape))
        steps = self.rng.permutation(size) - size / 2 + 0.25
        return np.asarray(gap * (steps + self.rng.uniform(0, 0.1, size))).reshape(shape)

    def ints(self, high: int, *shape: int) -> Array:
        """Draw integers from 0 to ``high`` - 1."""
        return np.asarray(self.rng.integers(0, high, shape))

    def mask(self, *shape: int) -> Array:
        """Draw booleans, about half of them true."""
        return np.asarray(self.rng.random(shape) < 0.5)

    def unit(self, *shape: int, dtype: Any = np.float64) -> Array:
        """Draw a direction: a normal array scaled to length one (an empty one stays empty)."""
        direction = self(*shape)
        length = np.sqrt((direction**2).sum())
        return np.asarray(direction / length if length > 0 else direction, dtype=dtype)
