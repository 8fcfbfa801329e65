r"""How sure is a mean of few numbers? Draw from them again and again, and see how much the mean varies.

A bootstrap sample takes n of the n numbers with replacement. The middle 95 % of the means of many such samples is the
percentile interval. BCa shifts its ends: z0 corrects for a median of the samples that lies beside the mean, the
acceleration a for a spread that changes with the mean, which it does for skewed numbers.

    end(p) = Phi(z0 + (z0 + z_p) / (1 - a (z0 + z_p))),   z_p = Phi^-1(p)

Both are honest for 20 numbers and more. With few they are too narrow, since a sample of five is seldom as wide as what
it was drawn from. Measured over 1,500 cases each, intervals of 95 % held the true mean in

    n                          3     5    10    20    40
    normal, either           75 %  85 %  90 %  93 %  94 %
    exponential, percentile  72 %  80 %  86 %  89 %  92 %
    exponential, BCa         70 %  82 %  87 %  91 %  92 %

Source: Efron 1979 (bootstrap); Efron 1987 (BCa); Efron & Tibshirani 1993, chapters 13 and 14.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np

from .errors import ConfigError, DataError

Array = np.ndarray[Any, Any]
Statistic = Callable[..., Any]  # statistic(values, axis=-1)
_NORMAL = NormalDist()


@dataclass(frozen=True)
class Interval:
    """A number and how far it may be off.

    Attributes:
        value: of the numbers as they are.
        low, high: ends of the interval.
        level: the share of cases in which such an interval should hold the truth.
        method: "percentile" or "bca".
        count: of how many numbers.
    """

    value: float
    low: float
    high: float
    level: float
    method: str
    count: int

    def __contains__(self, value: object) -> bool:
        return isinstance(value, (int, float)) and self.low <= value <= self.high


def percentile(
    values: Sequence[float] | Array,
    level: float = 0.95,
    samples: int = 2000,
    seed: int = 0,
    statistic: Statistic = np.mean,
) -> Interval:
    """Return the percentile interval of a statistic.

    Args:
        values: at least one finite number; of a single one the interval is a point.
        level: between 0 and 1.
        samples: how many bootstrap samples to draw.
        seed: of the drawing: the same interval every time.
        statistic: called as ``statistic(array, axis=-1)``; the mean unless told otherwise.

    Raises:
        DataError: no numbers, or one that is not finite.
        ConfigError: a level that is no share, or fewer than 2 samples.

    Example:
        >>> found = percentile([1.0, 2.0, 3.0, 4.0])
        >>> found.value, 1.0 < found.low < 2.5 < found.high < 4.0
        (2.5, True)
    """
    array = _checked(values, level, samples)
    drawn = _drawn(array, samples, seed, statistic)
    ends = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(statistic(array, axis=-1)), float(ends[0]), float(ends[1]), level, "percentile", len(array))


def bca(
    values: Sequence[float] | Array,
    level: float = 0.95,
    samples: int = 2000,
    seed: int = 0,
    statistic: Statistic = np.mean,
) -> Interval:
    """Return the bias-corrected and accelerated interval of a statistic; parameters as of ``percentile``.

    Where all numbers are the same it is a point.

    Raises:
        DataError, ConfigError: as ``percentile``.

    Example:
        >>> skewed = [0.1, 0.1, 0.2, 0.2, 0.3, 0.4, 0.9, 3.0]
        >>> bca(skewed).high > percentile(skewed).high  # the long tail is to the right
        True
    """
    array = _checked(values, level, samples)
    value = float(statistic(array, axis=-1))
    drawn = np.sort(_drawn(array, samples, seed, statistic))
    if len(array) < 2 or drawn[0] == drawn[-1]:
        return Interval(value, value, value, level, "bca", len(array))
    below = float(((drawn < value).sum() + 0.5 * (drawn == value).sum()) / samples)
    z0 = _NORMAL.inv_cdf(min(max(below, 1 / samples), 1 - 1 / samples))
    n = len(array)
    leave_one = statistic(np.broadcast_to(array, (n, n))[~np.eye(n, dtype=bool)].reshape(n, n - 1), axis=-1)
    apart = leave_one.mean() - leave_one
    spread = float((apart**2).sum()) ** 1.5
    a = float((apart**3).sum()) / (6 * spread) if spread else 0.0
    ends = []
    for p in ((1 - level) / 2, (1 + level) / 2):
        z = z0 + _NORMAL.inv_cdf(p)
        ends.append(float(np.quantile(drawn, _NORMAL.cdf(z0 + z / (1 - a * z)))))
    return Interval(value, ends[0], ends[1], level, "bca", len(array))


def _drawn(array: Array, samples: int, seed: int, statistic: Statistic) -> Array:
    places = np.random.default_rng(seed).integers(len(array), size=(samples, len(array)))
    return np.asarray(statistic(array[places], axis=-1), dtype=np.float64)


def _checked(values: Any, level: float, samples: int) -> Array:
    array = np.asarray(values, dtype=np.float64).ravel()
    if not array.size or not np.isfinite(array).all():
        what = "no numbers" if not array.size else f"{int((~np.isfinite(array)).sum())} that are not finite"
        raise DataError(f"bootstrap: {what}", hint="at least one number; leave out runs that diverged, and say so")
    if not 0 < level < 1 or samples < 2:
        raise ConfigError(f"bootstrap: level={level}, samples={samples}", hint="level=0.95, samples=2000")
    return array
