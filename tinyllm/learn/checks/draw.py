"""Draw inputs that grow: sizes are distinct primes, from small to large, with one square case among them.

``Growing`` is the house's ``Draw`` (autograd/draw.py), which the samples of ops use, with sizes of its own choice. A
property or an oracle that asks it for sizes is shown the smallest case first, so that what fails first is small.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ...autograd.draw import Draw, Sample, as_sample, given

Array = np.ndarray[Any, Any]

__all__ = ["ROUNDS", "Draw", "Growing", "Sample", "as_sample", "given"]

ROUNDS = 6  # how many times a property is tried, each time on something larger
_PRIMES = (1, 2, 3, 5, 7, 11, 13)
_SQUARE = 3  # the round in which all sizes are equal: only there a swapped axis raises nothing


class Growing(Draw):
    """Draws arrays, and sizes that grow with each round.

    Args:
        seed: where the randomness comes from.
        round: how large the sizes are; 0 is the smallest.
        digits: round the numbers drawn to so many digits, so that a counter-example can be read; None leaves them.

    Example:
        >>> draw = Growing(0, round=2)
        >>> T, D = draw.sizes(2)
        >>> T != D
        True
        >>> Growing(0, round=3).sizes(2)
        (5, 5)
    """

    def __init__(self, seed: int, round: int = 1, digits: int | None = None) -> None:
        super().__init__(np.random.default_rng([seed, round]))
        self.round = round
        self.digits = digits

    def sizes(self, count: int | str) -> tuple[int, ...]:
        """Return so many sizes, or one for each letter of "B T D": distinct primes; in the square round all equal."""
        n = count if isinstance(count, int) else len(count.split())
        if self.round == _SQUARE:
            return (5 if n < 3 else 3,) * n
        low = min(max(0, self.round - 1), max(1, 6 - n))  # with many axes even small sizes make large arrays
        pool = np.array(_PRIMES[low : max(low + n, 2)])
        return tuple(int(size) for size in self.rng.permutation(pool)[:n])

    def size(self) -> int:
        """Return one size."""
        return self.sizes(1)[0]

    def __call__(self, *shape: int, scale: float = 1.0) -> Array:
        """Draw from a normal distribution of standard deviation ``scale``."""
        drawn = super().__call__(*shape, scale=scale)
        return drawn if self.digits is None else np.round(drawn, self.digits)


def samples_of(samples: Any, seed: int, rounds: int = ROUNDS) -> list[Sample]:
    """Draw what ``samples(draw)`` yields, smallest first.

    One that asks ``draw.sizes`` for its sizes is run once per round; one that names its sizes is run once.
    """
    found: list[Sample] = []
    for round in range(rounds):
        draw = _Asked(seed, round)
        found += [as_sample(drawn) for drawn in samples(draw)]
        if not draw.asked:
            break
    return sorted(found, key=_size)


class _Asked(Growing):
    """Notes whether it was asked for sizes."""

    asked = False

    def sizes(self, count: int | str) -> tuple[int, ...]:
        self.asked = True
        return super().sizes(count)


def _size(sample: Sample) -> tuple[bool, int]:
    """Small ones first, but empty arrays last: they show nothing."""
    arrays = [a for a in (*sample.args, *sample.params.values()) if isinstance(a, np.ndarray)]
    return any(not a.size for a in arrays), sum(a.size for a in arrays)
