"""Whether a difference between two retrievers is more than luck of the queries.

Both answer the same queries, so what counts is the difference on each of them. If the two were equally good, every
difference might as well carry the other sign: ``sign_flips`` asks how often random signs give a mean at least as far
from zero. ``holm`` corrects for several questions asked at once, and ``least_detectable`` says how large a true
difference has to be before this many queries would show it, four times out of five.

Intervals of a mean are those of ``tinyllm.bootstrap``.

Source: Fisher 1935 (randomization); Smucker, Allan & Carterette 2007 (for retrieval); Phipson & Smyth 2010 (p is never
zero); Holm 1979.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...errors import ConfigError, DataError

Array = np.ndarray[Any, Any]
EXACT = 12  # up to so many differences every pattern of signs is tried: 4,096
_ROWS = 1024  # patterns at a time, so that memory stays small


def sign_flips(differences: Sequence[float] | Array, samples: int = 10_000, seed: int = 0) -> float:
    """Return the two-sided p-value of the mean of paired differences.

        p = patterns at least as extreme / 2^n                  up to 12 differences that are not zero
        p = (1 + hits) / (1 + samples)                          beyond: random patterns

    Zeros take no sign and so do not change p. Without any other difference p is 1.

    Args:
        differences: one per query, finite.
        samples: how many random patterns.
        seed: of the patterns: the same p every time.

    Raises:
        DataError: no differences, or one that is not finite.
        ConfigError: no samples.

    Example:
        >>> sign_flips([0.1, 0.2, 0.3, 0.1])  # all of one sign: 2 of 16 patterns are as extreme
        0.125
    """
    moved = _checked(differences)
    if samples < 1:
        raise ConfigError(f"sign_flips: samples={samples}", hint="samples=10_000")
    moved = moved[moved != 0]
    if not len(moved):
        return 1.0
    # a sum that is equal but for rounding is as extreme as what was seen
    seen = abs(moved.sum()) - 1e-12 * np.abs(moved).sum()
    if len(moved) <= EXACT:
        patterns = np.arange(1 << len(moved))[:, None] >> np.arange(len(moved)) & 1  # (2^n, n)
        return float((np.abs(_sums(patterns, moved)) >= seen).mean())
    rng = np.random.default_rng(seed)
    hits = 0
    for start in range(0, samples, _ROWS):
        rows = min(_ROWS, samples - start)
        packed = rng.integers(0, 256, size=(rows, -(-len(moved) // 8)), dtype=np.uint8)
        drawn = np.unpackbits(packed, axis=1, count=len(moved))
        hits += int((np.abs(_sums(drawn, moved)) >= seen).sum())
    return (1 + hits) / (1 + samples)


def holm(p_values: Sequence[float]) -> list[float]:
    """Return the p-values corrected for their number, so that one false alarm in all stays as rare as one p says.

    The smallest is multiplied by m, the next by m - 1, and so on; none is below one before it, nor above 1.

    Raises:
        DataError: a p-value that is not between 0 and 1.

    Example:
        >>> holm([0.01, 0.04, 0.03])
        [0.03, 0.06, 0.06]
    """
    p = np.asarray(p_values, dtype=np.float64)
    if p.ndim != 1 or not ((p >= 0) & (p <= 1)).all():
        raise DataError(f"holm: {list(p_values)} are no p-values", hint="numbers between 0 and 1")
    order = np.argsort(p, kind="stable")
    corrected = np.empty_like(p)
    corrected[order] = np.minimum(1.0, np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1)))
    return [float(value) for value in corrected]


def least_detectable(differences: Sequence[float] | Array) -> float:
    """Return 2.8 sd / sqrt(n): the true mean that a test at 5 % finds in 80 % of cases (1.96 + 0.84 = 2.8).

    A single difference says nothing about its spread, so the answer is infinite.

    Raises:
        DataError: as ``sign_flips``.

    Example:
        >>> least_detectable([0.5, -0.5] * 50)
        0.140...
    """
    array = _checked(differences)
    if len(array) < 2:
        return float("inf")
    return float(2.8 * array.std(ddof=1) / np.sqrt(len(array)))


def _sums(patterns: Array, moved: Array) -> Array:
    return (2 * moved) @ patterns.T.astype(np.float64) - moved.sum()


def _checked(differences: Any) -> Array:
    array = np.asarray(differences, dtype=np.float64).ravel()
    if not array.size or not np.isfinite(array).all():
        what = "no differences" if not array.size else f"{int((~np.isfinite(array)).sum())} that are not finite"
        raise DataError(f"significance: {what}", hint="one finite difference per query")
    return array
