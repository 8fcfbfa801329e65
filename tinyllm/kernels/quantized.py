r"""Weights in 8 and in 4 bits: a quarter and an eighth of the bytes that a token has to wait for.

A model that writes one token reads every weight once, and memory is slower than arithmetic: with a quarter of the bytes
it writes almost four times as fast. So a weight becomes a small integer, and 32 neighbors along the input axis C, a
*block*, share one scale: w = scale q.

    8 bits      scale = max |w| / 127           q = round(w / scale)            in -127 .. 127
    4 bits      scale = -(largest w) / 8        q = round(w / scale) + 8        in 0 .. 15, and w = scale (q - 8)

In 4 bits "largest" is the weight of the largest magnitude, with its sign: it lands on q = 0, which is exact. Two
weights share a byte: the lower four bits of byte i of a block are entry i, the upper four bits are entry i + 16.

These are the blocks of GGUF's Q8_0 and Q4_0, number for number (a half rounds away from zero; scales are rounded to
float16). Only their place differs: there a block is its scale, then its quants; here all quants are one array and all
scales another, so that each is read in one go.

Shapes: w (N, C) -> q (N, C) int8 or p (N, C/2) uint8, scales (N, C/32) in w's dtype. A C that is no multiple of 32 is
filled up with zeros to the next one; ``linear_8`` and ``linear_4`` fill up x in the same way.

Source: llama.cpp's Q8_0 and Q4_0 (ggml, 2023); Dettmers et al. 2022 (LLM.int8: why scales are kept for small blocks).
"""

from __future__ import annotations

import numpy as np

from ..errors import NaNError, ShapeError
from .table import Array, kernel, reference

BLOCK = 32  # weights that share a scale


def quantize_8(w: Array) -> tuple[Array, Array]:
    r"""Return (q, scales) of w (N, C): whole numbers from -127 to 127, and one scale for each block of 32.

    Errors: w has not two axes (ShapeError), or holds NaN or inf (NaNError).

    Example:
        >>> q, scales = quantize_8(np.array([[0.5, -2.0, 1.0] + 29 * [0.0]]))
        >>> q[0, :3], scales.round(4)
        (array([  32, -127,   64], dtype=int8), array([[0.0157]]))
    """
    blocks = _blocks(w, "quantize_8")  # (N, C/32, 32)
    scales = np.abs(blocks).max(axis=-1, keepdims=True) / 127
    x = blocks * _inverse(scales)
    # adding the number just below a half: 0.49999997 + 0.5 would already be rounded up to 1
    q = np.trunc(x + np.copysign(np.nextafter(x.dtype.type(0.5), x.dtype.type(0)), x))
    return q.astype(np.int8).reshape(len(w), -1), _half(scales[..., 0], w.dtype)


def quantize_4(w: Array) -> tuple[Array, Array]:
    r"""Return (p, scales) of w (N, C): two whole numbers from 0 to 15 in each byte, and one scale for each block of 32.

    Errors: w has not two axes (ShapeError), or holds NaN or inf (NaNError).

    Example:
        >>> p, scales = quantize_4(np.array([[0.5, -2.0, 1.0] + 29 * [0.0]]))
        >>> p[0, :4] & 15, p[0, :4] >> 4, scales
        (array([10,  0, 12,  8], dtype=uint8), array([8, 8, 8, 8], dtype=uint8), array([[0.25]]))
    """
    blocks = _blocks(w, "quantize_4")  # (N, C/32, 32)
    largest = np.abs(blocks).argmax(axis=-1, keepdims=True)
    scales = np.take_along_axis(blocks, largest, axis=-1) / -8
    q = np.minimum(np.floor(blocks * _inverse(scales) + 8.5), 15).astype(np.uint8)
    p = q[..., :16] | q[..., 16:] << 4
    return p.reshape(len(w), -1), _half(scales[..., 0], w.dtype)


@kernel
def dequantize_8(q: Array, scales: Array) -> Array:
    r"""Return the weights (N, C) that (q, scales) stand for, in the scales' dtype.

    Example:
        >>> dequantize_8(*quantize_8(np.full((1, 32), 0.5)))[0, :2].round(3)
        array([0.5, 0.5])
    """
    return (q.reshape(*scales.shape, BLOCK) * scales[..., None]).reshape(q.shape)


@kernel
def dequantize_4(p: Array, scales: Array) -> Array:
    r"""Return the weights (N, C) that (p, scales) stand for, in the scales' dtype.

    Example:
        >>> dequantize_4(*quantize_4(np.full((1, 32), 0.5)))[0, :2]
        array([0.5, 0.5])
    """
    pairs = p.reshape(*scales.shape, BLOCK // 2)
    q = np.concatenate([pairs & 15, pairs >> 4], axis=-1).astype(np.int8) - 8  # (N, C/32, 32)
    return (q * scales[..., None]).reshape(len(p), 2 * p.shape[1])


@kernel
def linear_8(x: Array, q: Array, scales: Array, b: Array | None = None) -> Array:
    r"""Return x w^T + b, where w is what (q, scales) stand for.

    Shapes: x (..., C), q (N, C), scales (N, C/32), b (N,) -> (..., N).

    Example:
        >>> linear_8(np.ones((1, 32)), *quantize_8(np.full((2, 32), 0.5))).round(2)
        array([[16., 16.]])
    """
    y = _filled(x, q.shape[1]) @ reference(dequantize_8)(q, scales).T
    return y if b is None else y + b


@kernel
def linear_4(x: Array, p: Array, scales: Array, b: Array | None = None) -> Array:
    r"""Return x w^T + b, where w is what (p, scales) stand for.

    Shapes: x (..., C), p (N, C/2), scales (N, C/32), b (N,) -> (..., N).

    Example:
        >>> linear_4(np.ones((1, 32)), *quantize_4(np.full((2, 32), 0.5)))
        array([[16., 16.]])
    """
    y = _filled(x, 2 * p.shape[1]) @ reference(dequantize_4)(p, scales).T
    return y if b is None else y + b


@kernel
def linear_4_by_8(x: Array, p: Array, scales: Array, b: Array | None = None) -> Array:
    r"""Return x w^T + b as ``linear_4`` does, but with x in 8 bits: then all products are of whole numbers, and fast.

    x is rounded as ``quantize_8`` rounds weights, except that its scales stay as they are: x = step u. A block of the
    sum is scale step sum (q - 8) u. With u in 8 bits the result moves by 0.5 % of its size (root mean square, for
    random x); with w in 4 bits it has already moved by 9 %.

    Shapes: x (..., C), p (N, C/2), scales (N, C/32), b (N,) -> (..., N).

    Example:
        >>> linear_4_by_8(np.ones((1, 32)), *quantize_4(np.full((2, 32), 0.5))).round(12)
        array([[16., 16.]])
    """
    blocks = _filled(x, 2 * p.shape[1]).real.reshape(-1, scales.shape[1], BLOCK)  # (M, C/32, 32)
    steps = np.abs(blocks).max(axis=-1, keepdims=True, initial=0) / 127
    rounded = (steps * _rounded(blocks * _inverse(steps))).reshape(*x.shape[:-1], 2 * p.shape[1])
    return reference(linear_4)(rounded, p, scales, b)


def _blocks(w: Array, name: str) -> Array:
    """Return w (N, C) in blocks, (N, C/32, 32), filled up with zeros."""
    if w.ndim != 2:
        raise ShapeError(f"{name}: w has shape {w.shape}, not (N, C)", hint="a matrix, with the input axis last")
    if not np.isfinite(w).all():
        raise NaNError(f"{name}: w holds NaN or inf", hint="the weights of a model that has not diverged")
    return _filled(w, -(-w.shape[1] // BLOCK) * BLOCK).reshape(len(w), -1, BLOCK)


def _filled(x: Array, C: int) -> Array:
    """Return x (..., up to C) with zeros after its last entries, (..., C)."""
    missing = C - x.shape[-1]
    if not 0 <= missing < BLOCK:
        raise ShapeError(f"linear: x {x.shape} does not fit weights for C={C}", hint="x (..., C)")
    return np.pad(x, [(0, 0)] * (x.ndim - 1) + [(0, missing)]) if missing else x


def _inverse(scales: Array) -> Array:
    """Return 1 / scales, and 0 for a block of nothing but zeros, or of numbers so small that 1 / scale is infinite."""
    return np.divide(1, scales, out=np.zeros_like(scales), where=np.abs(scales) >= np.finfo(scales.dtype).tiny)


def _rounded(x: Array) -> Array:
    """Return the nearest whole numbers; a half goes away from zero, as C's roundf has it."""
    return np.trunc(x + np.copysign(x.dtype.type(0.5), x))


def _half(scales: Array, dtype: np.dtype) -> Array:
    """Return scales as float16 would hold them, in dtype; too large ones become float16's largest number."""
    most = np.finfo(np.float16).max
    return np.clip(scales, -most, most).astype(np.float16).astype(dtype)
