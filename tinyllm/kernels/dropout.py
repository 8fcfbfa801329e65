r"""Dropout by counting: whether an entry is kept depends on the seed and on its own place, and on nothing else.

There is no state and no stored mask. The entry at flat index n draws the n-th number of splitmix64 started at the
seed (Steele, Lea & Flood 2014): a multiple of the golden ratio's odd constant, mixed by two rounds of shift, xor and
multiply. Every back end and every number of threads agree on the mask, and the backward pass makes it again.

Source: Srivastava et al. 2014 (dropout); Salmon et al. 2011 (random numbers from counters).
"""

from __future__ import annotations

import numpy as np

from .table import Array, kernel

GOLDEN = 0x9E3779B97F4A7C15
MIX_ONE = 0xBF58476D1CE4E5B9
MIX_TWO = 0x94D049BB133111EB


@kernel
def dropout(x: Array, p: float, seed: int) -> Array:
    r"""Set each entry to zero with probability p and scale those kept by 1 / (1 - p); the same seed, the same mask.

    The backward pass is the same kernel on dy: in the forward pass y = mask x; now dx = mask dy.

    Example:
        >>> dropout(np.ones(8), 0.5, seed=3)
        array([0., 2., 2., 0., 0., 2., 0., 2.])
    """
    n = np.arange(1, x.size + 1, dtype=np.uint64)
    z = start_of(seed) + n * np.uint64(GOLDEN)  # wraps around 2^64, as it should
    z = (z ^ (z >> np.uint64(30))) * np.uint64(MIX_ONE)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(MIX_TWO)
    z = z ^ (z >> np.uint64(31))
    keep = (z >> np.uint64(11)) >= threshold_of(p)  # 53 random bits
    return np.where(keep.reshape(x.shape), x * scale_of(p), 0)


def start_of(seed: int) -> np.uint64:
    """Return the seed's lowest 64 bits."""
    return np.uint64(seed & 0xFFFFFFFFFFFFFFFF)


def threshold_of(p: float) -> np.uint64:
    """Return the number of 53-bit integers that mean "drop"."""
    return np.uint64(round(p * 2.0**53))


def scale_of(p: float) -> float:
    """Return 1 / (1 - p), what is kept is scaled by; 0 when nothing is kept."""
    return 1 / (1 - p) if p < 1 else 0.0
