"""Initial weights: functions that make an initializer, and an initializer makes an array from a generator and a shape.

    linear = Linear(C, N, rng=rng, init=init.normal(0.02))

The axes of a weight are (outputs, inputs), so its fan-in is its last axis and its fan-out the one before.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ..errors import ShapeError

Array = np.ndarray[Any, np.dtype[Any]]
Init = Callable[[np.random.Generator, tuple[int, ...]], Array]


def constant(value: float) -> Init:
    """Fill with one number.

    Example:
        >>> constant(1.0)(np.random.default_rng(0), (3,))
        array([1., 1., 1.], dtype=float32)
    """
    return lambda rng, shape: np.full(shape, value, dtype=np.float32)


def normal(std: float) -> Init:
    """Draw from a normal distribution of mean zero; GPT-2 takes ``std = 0.02`` for every matrix.

    Example:
        >>> round(float(normal(0.02)(np.random.default_rng(0), (300, 100)).std()), 3)
        0.02
    """

    def draw(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
        weights = rng.standard_normal(shape, dtype=np.float32)
        weights *= np.float32(std)
        return weights

    return draw


def uniform(bound: float) -> Init:
    """Draw evenly from -bound to bound.

    Example:
        >>> bool(np.abs(uniform(0.1)(np.random.default_rng(0), (5, 7))).max() <= 0.1)
        True
    """

    def draw(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
        weights = rng.random(shape, dtype=np.float32)
        weights *= np.float32(2 * bound)
        weights -= np.float32(bound)
        return weights

    return draw


def xavier() -> Init:
    r"""Draw evenly, with variance 2 / (fan in + fan out): signals keep their size both ways through a linear layer.

    Source: Glorot & Bengio 2010.
    """

    def draw(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
        fan_out, fan_in = _fans(shape)
        return uniform(math.sqrt(6 / (fan_in + fan_out)))(rng, shape)

    return draw


def kaiming() -> Init:
    r"""Draw normally, with variance 2 / fan in: signals keep their size forward through a layer followed by a ReLU.

    Source: He et al. 2015.
    """

    def draw(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
        return normal(math.sqrt(2 / _fans(shape)[1]))(rng, shape)

    return draw


def fan_in() -> Init:
    """Draw evenly from -1/sqrt(fan in) to 1/sqrt(fan in): what a Linear takes when nothing else is said.

    Source: LeCun et al. 1998, "Efficient BackProp"; PyTorch draws its linear layers from the same range.
    """

    def draw(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
        return uniform(1 / math.sqrt(_fans(shape)[1]))(rng, shape)

    return draw


def _fans(shape: tuple[int, ...]) -> tuple[int, int]:
    """Return (fan out, fan in) of a matrix."""
    if len(shape) != 2:
        raise ShapeError(f"init: a fan-in needs a matrix (outputs, inputs), not shape {shape}", hint="init.normal(std)")
    return shape[0], shape[1]
