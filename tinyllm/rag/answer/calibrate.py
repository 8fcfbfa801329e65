"""Calibrating: from which confidence on an answer is given, chosen on questions whose right answers are known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ...errors import ConfigError, DataError


@dataclass(frozen=True, slots=True)
class Threshold:
    """Where to abstain, and what came of it on the questions it was chosen on.

    Attributes:
        value: answers with less confidence are not given: hand it to ``answer(threshold=...)``.
        precision: the share of the given answers that are right.
        kept: the share of the right answers that are given.
        answered: the share of the questions that are answered.
    """

    value: float
    precision: float
    kept: float
    answered: float


def calibrate(
    confidences: Sequence[float], right: Sequence[bool], *, precision: float | None = None, keep: float | None = None
) -> Threshold:
    """Choose the threshold of abstention on development questions, some of which should have no answer.

    Args:
        confidences: ``Answer.confidence`` of each, answered with ``threshold=0``.
        right: whether the answer was right.
        precision: the lowest threshold from which on so large a share of the answers is right; or
        keep: the highest one that still gives so large a share of the right answers.

    Raises:
        ConfigError: not exactly one of ``precision`` and ``keep``, or none above 0 and at most 1.
        DataError: no question, not one confidence for each, none that is right, or a precision out of reach.

    Example:
        >>> calibrate([0.1, 0.4, 0.5, 0.9], [False, True, False, True], keep=1.0)
        Threshold(value=0.4, precision=0.6666666666666666, kept=1.0, answered=0.75)
    """
    target = precision if precision is not None else keep
    if (precision is None) == (keep is None) or target is None or not 0 < target <= 1:
        raise ConfigError(f"calibrate: precision={precision}, keep={keep}", hint="one of them, a share such as 0.9")
    if not confidences or len(confidences) != len(right) or not any(right):
        raise DataError(
            f"calibrate: {len(confidences)} confidences, {len(right)} verdicts, {sum(map(bool, right))} right",
            hint="one of each for every question, some of them right",
        )
    points = [_at(value, confidences, right) for value in sorted(set(confidences))]
    if keep is not None:
        return [point for point in points if point.kept >= keep][-1]
    reached = [point for point in points if point.precision >= target]
    if not reached:
        best = max(point.precision for point in points)
        raise DataError(f"calibrate: no threshold reaches a precision of {target}", hint=f"{best:.3f} or less")
    return reached[0]


def _at(value: float, confidences: Sequence[float], right: Sequence[bool]) -> Threshold:
    given = [bool(good) for confidence, good in zip(confidences, right, strict=True) if confidence >= value]
    hits = sum(given)
    return Threshold(float(value), hits / len(given), hits / sum(map(bool, right)), len(given) / len(right))
