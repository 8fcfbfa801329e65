"""A string of bytes as two 64-bit numbers: exactly, if it has at most 15 bytes.

The bytes fill the two numbers from the lowest place up, and the length stands in the highest byte of the second. So two
short strings are equal if and only if their numbers are, and nearly all pieces of text are short. Of a longer string
the first number is a hash and the second its length below a mark; whoever finds equal numbers then compares bytes.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from ..compiler import bare
from .bits import load64

SHORT: Final = 15  # bytes that fit
_LONG: Final = np.uint64(1 << 63)
_TOP: Final = np.uint64(56)
# of a string of n bytes, what to keep of the first 8 bytes and of the next 8
_LOW = np.array([(1 << 8 * min(n, 8)) - 1 for n in range(SHORT + 1)], np.uint64)
_HIGH = np.array([(1 << 8 * max(n - 8, 0)) - 1 for n in range(SHORT + 1)], np.uint64)
# odd numbers with bits that follow no rule (the fractions of the golden ratio and of the square root of 3)
_SPREAD: Final = np.uint64(0x9E3779B97F4A7C15)
_STIR: Final = np.uint64(0xBB67AE8584CAA73B)


@bare
def packed(data, p, size):
    """Return the two numbers of the string data[p : p + size], of at most SHORT bytes."""
    n = np.uint64(size)
    return load64(data, p) & _LOW[n], load64(data, p + 8) & _HIGH[n] | n << _TOP


@bare
def packed_or_hashed(data, p, size):
    """Return the two numbers of the string data[p : p + size], of any length."""
    if size <= SHORT:
        return packed(data, p, size)
    stirred = np.uint64(size)
    for i in range(0, size - 7, 8):
        stirred = (stirred ^ load64(data, p + i)) * _SPREAD
        stirred ^= stirred >> np.uint64(32)
    stirred = (stirred ^ load64(data, p + size - 8)) * _SPREAD
    return stirred ^ stirred >> np.uint64(29), _LONG | np.uint64(size)


@bare
def is_long(second):
    """Tell whether this second number is that of a string longer than SHORT."""
    return second & _LONG != np.uint64(0)


@bare
def spread(first, second, shift):
    """Return a number of 64 - shift bits in which both have a say."""
    return np.int64((first + second * _STIR) * _SPREAD >> shift)


def shift_for(slots: int) -> int:
    """Return the shift with which ``spread`` gives numbers below ``slots``, a power of two."""
    return 64 - (slots.bit_length() - 1)


def slots_for(entries: int) -> int:
    """Return how many slots a table of so many entries has: a power of two, at most half of them taken."""
    return max(16, 1 << (2 * entries - 1).bit_length())
