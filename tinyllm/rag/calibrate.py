"""A score as a probability: a sigmoid fitted to judged examples, since a logit of 3 means nothing by itself.

    p = 1 / (1 + exp(-(slope * score + offset)))

Source: Platt 1999, with its softened targets; fitted by Newton's method, as Lin, Lin & Weng 2007 recommend.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..errors import ConfigError, DataError
from .types import Array


@dataclass(frozen=True, slots=True)
class Sigmoid:
    """Turns scores of any scale into shares between 0 and 1, and keeps their order.

    Args:
        slope: how steep; above 0.
        offset: what is added.

    Raises:
        ConfigError: a slope that is not above 0, or an offset that is not finite.

    Example:
        >>> Sigmoid()([0.0, 100.0, -1e9]).tolist()
        [0.5, 1.0, 0.0]
    """

    slope: float = 1.0
    offset: float = 0.0

    def __post_init__(self) -> None:
        if not 0 < self.slope < math.inf or not math.isfinite(self.offset):
            raise ConfigError(f"Sigmoid: {self}", hint="a finite slope above 0")

    def __call__(self, scores: Sequence[float] | Array) -> Array:
        """Return a share for each score, float64."""
        x = self.slope * np.asarray(scores, np.float64) + self.offset
        half = np.exp(-np.abs(x))  # never overflows
        return np.where(x >= 0, 1 / (1 + half), half / (1 + half))

    @classmethod
    def fit(cls, scores: Sequence[float] | Array, relevant: Sequence[bool] | Array, steps: int = 100) -> Sigmoid:
        """Fit both numbers to scores and whether what they score was relevant, on queries of dev.

        Raises:
            DataError: fewer than one example of each kind, a score that is not finite, or relevant ones that score
                lower: then the scores are upside down, or worth nothing.

        Example:
            >>> fitted = Sigmoid.fit([4.0, 3.0, 2.0, 1.0, 0.0], [True, True, False, True, False])
            >>> bool(fitted([0.0])[0] < 0.5 < fitted([4.0])[0])
            True
        """
        raw, hit = np.asarray(scores, np.float64), np.asarray(relevant, bool)
        good = int(hit.sum())
        if raw.shape != hit.shape or raw.ndim != 1 or not 0 < good < len(hit) or not np.isfinite(raw).all():
            raise DataError(f"Sigmoid.fit: {raw.size} scores, {good} relevant of {hit.size}", hint="finite, both kinds")
        center, spread = raw.mean(), raw.std() or 1.0
        x = np.stack([(raw - center) / spread, np.ones(len(raw))])  # (2, N)
        target = np.where(hit, (good + 1) / (good + 2), 1 / (len(hit) - good + 2))
        unit = cls()
        found = np.array([0.0, math.log((good + 1) / (len(hit) - good + 1))])

        def loss(at: Array) -> float:
            z = at @ x
            return float((np.logaddexp(0, z) - target * z).sum())

        for _ in range(steps):
            p = unit(found @ x)
            gradient = x @ (p - target)
            if np.abs(gradient).max() < 1e-9:
                break
            step = np.linalg.solve((x * (p * (1 - p))) @ x.T + 1e-12 * np.eye(2), gradient)
            size, now = 1.0, loss(found)
            while size > 1e-10 and loss(found - size * step) > now:
                size /= 2
            found = found - size * step
        slope = float(found[0] / spread)
        if slope <= 0:
            raise DataError("Sigmoid.fit: relevant ones do not score higher", hint="look at the reranker")
        return cls(slope, float(found[1] - slope * center))
