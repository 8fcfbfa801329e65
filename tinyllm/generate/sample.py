r"""Sampling: from logits to a token.

logits / temperature                sharper below 1, flatter above
keep the k largest                  the unlikely tail is cut off
softmax, and draw                   one token

``setting.py`` puts these together with the choices of choices.py; ``streaming.py`` writes whole texts so.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import ConfigError, NaNError
from ..kernels import softmax

Array = np.ndarray[Any, Any]


def apply_temperature(logits: Array, temperature: float) -> Array:
    """Divide logits (..., V) by the temperature.

    Example:
        >>> apply_temperature(np.array([1.0, 2.0]), 0.5)
        array([2., 4.])
    """
    return logits / temperature


def top_k(logits: Array, k: int) -> Array:
    """Keep the k largest logits (V,) and set all others to minus infinity; of equal ones the first are kept.

    Example:
        >>> top_k(np.array([1.0, 3.0, 2.0, 2.0]), 2)
        array([-inf,   3.,   2., -inf])
    """
    if k >= len(logits):
        return logits
    threshold = np.partition(logits, -k)[-k]
    above = np.flatnonzero(logits > threshold)
    equal = np.flatnonzero(logits == threshold)[: k - len(above)]
    kept = np.full_like(logits, -np.inf)
    kept[above] = logits[above]
    kept[equal] = threshold
    return kept


def sample(rng: np.random.Generator, p: Array) -> int:
    """Draw an index with probabilities p (V,): the first at which their running sum passes a random number.

    Example:
        >>> sample(np.random.default_rng(0), np.array([0.0, 1.0, 0.0]))
        1
    """
    running = np.cumsum(p)
    drawn = rng.random() * running[-1]
    return int(np.searchsorted(running[:-1], drawn, side="right"))  # never past the last, however sums round


def next_token(
    logits: Array, temperature: float = 1.0, k: int | None = None, rng: np.random.Generator | None = None
) -> int:
    """Choose the next token from its logits.

    Args:
        logits: (V,).
        temperature: 0 takes the likeliest token, and needs no ``rng``.
        k: draw among the k likeliest only; None among all.
        rng: what draws.

    Raises:
        NaNError: the logits hold NaN.

    Example:
        >>> next_token(np.array([0.1, 0.9, 0.5]), temperature=0.0)
        1
    """
    if np.isnan(logits).any():
        raise NaNError("generate: the model's logits hold NaN", hint="another checkpoint; this one diverged")
    if temperature == 0:
        return int(logits.argmax())
    if rng is None:
        raise ConfigError("generate: drawing needs a random generator", hint="rng=np.random.default_rng(0)")
    wide = logits.astype(np.float64)
    with np.errstate(over="ignore"):  # a tiny temperature sends all but the largest to minus infinity, as it should
        wide = apply_temperature(wide - wide.max(), temperature)
    if k is not None:
        wide = top_k(wide, k)
    return sample(rng, softmax(wide))
