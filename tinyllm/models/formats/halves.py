r"""BF16, the half-size float that NumPy lacks: the upper 16 bits of a float32.

    float32   sign 1   exponent 8   fraction 23
    BF16      sign 1   exponent 8   fraction  7

So reading one is a shift, exact for every bit pattern; writing one rounds to the nearest, ties to the even neighbor.
BF16 reaches as far as float32 (3.4e38) with two to three decimal digits. Here it lives in uint16 arrays, as its bits.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ...errors import DTypeError

Array = np.ndarray[Any, np.dtype[Any]]
TILE = 1 << 16  # values converted at a time: what is in between stays in the cache and never doubles the memory


def bf16_to_float32(bits: Array) -> Array:
    """Return the float32 values of BF16 bits: exact, also for infinities and subnormals; a NaN keeps its payload.

    Args:
        bits: uint16, any shape; need be neither contiguous nor aligned.

    Raises:
        DTypeError: bits are not uint16.

    Example:
        >>> bf16_to_float32(np.array([0x3F80, 0xC049, 0x7F80], np.uint16))
        array([ 1.     , -3.140625,       inf], dtype=float32)
    """
    bits = np.asarray(bits)
    if bits.dtype.newbyteorder("=") != np.uint16:
        raise DTypeError(f"bf16_to_float32: bits are {bits.dtype}", hint="uint16, the bits of each value")
    wide = np.empty(bits.shape, np.uint32)
    np.left_shift(bits, 16, out=wide, dtype=np.uint32)
    return wide.view(np.float32)


def float32_to_bf16(values: Array) -> Array:
    """Return the bits of the BF16 numbers nearest to float32 values, the even one of two that are as near.

    What is beyond the largest by half a step or more becomes an infinity, as in float32 itself. A NaN stays one, made
    quiet, even if all that told it from an infinity was in the bits that are dropped.

    Args:
        values: float32, any shape. Other floats are refused: rounding twice would not give the nearest.

    Raises:
        DTypeError: values are not float32.

    Example:
        >>> [hex(bits) for bits in float32_to_bf16(np.array([1.0, 1.00390625, 1.01171875, np.inf], np.float32))]
        ['0x3f80', '0x3f80', '0x3f82', '0x7f80']
    """
    values = np.asarray(values)
    if values.dtype.newbyteorder("=") != np.float32:
        raise DTypeError(f"float32_to_bf16: values are {values.dtype}", hint="values.astype(np.float32)")
    flat = np.ascontiguousarray(values, np.float32).reshape(-1).view(np.uint32)
    halves = np.empty(flat.shape, np.uint16)
    for begin in range(0, flat.size, TILE):
        halves[begin : begin + TILE] = _round(flat[begin : begin + TILE])
    return halves.reshape(values.shape)


def _round(wide: Array) -> Array:
    """Round the bits of float32 values to their upper halves."""
    lowest_kept = (wide >> np.uint32(16)) & np.uint32(1)
    # adding just under half a step, and the rest of it where the kept part is odd, carries into the kept part
    # exactly when rounding up is right; a carry out of the fraction raises the exponent, up to infinity
    rounded = (wide + (np.uint32(0x7FFF) + lowest_kept)) >> np.uint32(16)
    is_nan = (wide & np.uint32(0x7FFFFFFF)) > np.uint32(0x7F800000)  # there the sum could wrap around
    quiet = (wide >> np.uint32(16)) | np.uint32(0x0040)
    nearest: Array = np.where(is_nan, quiet, rounded).astype(np.uint16)
    return nearest
