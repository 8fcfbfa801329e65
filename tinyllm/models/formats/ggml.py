r"""Block types: how a weight file of the ggml family stores the rows of a tensor, to and from float32 arrays.

    type    values  bytes   a block
    F32          1      4   a float32
    F16          1      2   a float16
    BF16         1      2   the upper half of a float32
    Q8_0        32     34   d as float16, then 32 int8 q                          w = d q
    Q4_0        32     18   d as float16, then 16 bytes p of two 4-bit q each     w = d (q - 8)

The lower four bits of byte i of p are entry i of its block, the upper four are entry i + 16. How q and d come about is
told in ``kernels.quantized``, whose numbers these are; here scales and quants are only put together and taken apart.
A row, the last axis, is a whole number of blocks. Of the other types ggml knows, the size of a block is listed, so
that a file that holds them can be looked at; their values are not read.

Source: ggml (2022-), type numbers and block sizes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...errors import CheckpointError, ConfigError, DTypeError, RangeError, ShapeError
from ...kernels.quantized import dequantize_4, dequantize_8, quantize_4, quantize_8
from ...kernels.table import reference
from .halves import bf16_to_float32, float32_to_bf16

Array = np.ndarray[Any, Any]

READABLE = ("F32", "F16", "BF16", "Q8_0", "Q4_0")
_SCALE = 2  # bytes of a block's float16
_DTYPES: dict[str, np.dtype[Any]] = {"F32": np.dtype("<f4"), "F16": np.dtype("<f2"), "BF16": np.dtype("<u2")}


@dataclass(frozen=True)
class BlockType:
    """A way to store values.

    Attributes:
        name: as ggml calls it, e.g. "Q8_0".
        code: its number in a file.
        values: how many values share a block.
        size: bytes of a block.
    """

    name: str
    code: int
    values: int
    size: int

    def row_bytes(self, shape: Sequence[int]) -> int:
        """Return the bytes of one row of a tensor of this shape.

        Raises:
            ShapeError: a row is no whole number of blocks.

        Example:
            >>> BLOCK_TYPES["Q8_0"].row_bytes((5, 64))
            68
        """
        C = shape[-1] if len(shape) else 1
        if C % self.values:
            raise ShapeError(
                f"{self.name}: rows of {C:,} values are no whole number of blocks of {self.values}",
                hint="F16 or F32 for this tensor",
            )
        return C // self.values * self.size

    def nbytes(self, shape: Sequence[int]) -> int:
        """Return the bytes of a tensor of this shape.

        Raises:
            ShapeError: a row is no whole number of blocks.

        Example:
            >>> BLOCK_TYPES["Q4_0"].nbytes((5, 64))
            180
        """
        return math.prod(shape[:-1]) * self.row_bytes(shape)


# name: number in a file, values of a block, bytes of a block
_KNOWN = {
    "F32": (0, 1, 4),
    "F16": (1, 1, 2),
    "Q4_0": (2, 32, 18),
    "Q4_1": (3, 32, 20),
    "Q5_0": (6, 32, 22),
    "Q5_1": (7, 32, 24),
    "Q8_0": (8, 32, 34),
    "Q8_1": (9, 32, 40),
    "Q2_K": (10, 256, 84),
    "Q3_K": (11, 256, 110),
    "Q4_K": (12, 256, 144),
    "Q5_K": (13, 256, 176),
    "Q6_K": (14, 256, 210),
    "Q8_K": (15, 256, 292),
    "IQ2_XXS": (16, 256, 66),
    "IQ2_XS": (17, 256, 74),
    "IQ3_XXS": (18, 256, 98),
    "IQ1_S": (19, 256, 50),
    "IQ4_NL": (20, 32, 18),
    "IQ3_S": (21, 256, 110),
    "IQ2_S": (22, 256, 82),
    "IQ4_XS": (23, 256, 136),
    "I8": (24, 1, 1),
    "I16": (25, 1, 2),
    "I32": (26, 1, 4),
    "I64": (27, 1, 8),
    "F64": (28, 1, 8),
    "IQ1_M": (29, 256, 56),
    "BF16": (30, 1, 2),
    "TQ1_0": (34, 256, 54),
    "TQ2_0": (35, 256, 66),
    "MXFP4": (39, 32, 17),
}
BLOCK_TYPES = {name: BlockType(name, *numbers) for name, numbers in _KNOWN.items()}


@dataclass(frozen=True, eq=False)
class Blocks:
    """A tensor as it is stored: nothing is converted before ``array`` or ``quants`` is called.

    Attributes:
        type: how values are stored.
        shape: of the tensor, the contiguous axis last.
        raw: its bytes, one axis, uint8; often a view of a file.

    Raises:
        ShapeError: the bytes are more or fewer than this shape takes.

    Example:
        >>> blocks = encode(np.full((2, 32), 0.5), "Q8_0")
        >>> blocks.type.name, blocks.shape, blocks.raw.size
        ('Q8_0', (2, 32), 68)
        >>> blocks.array()[1, :2].round(3)
        array([0.5, 0.5], dtype=float32)
    """

    type: BlockType
    shape: tuple[int, ...]
    raw: Array

    def __post_init__(self) -> None:
        expected = self.type.nbytes(self.shape)
        if self.raw.shape != (expected,) or self.raw.dtype != np.uint8:
            raise ShapeError(
                f"{self.type.name}: {self.raw.dtype} {self.raw.shape} for a tensor {self.shape}",
                hint=f"uint8 ({expected},)",
            )

    def array(self) -> Array:
        """Return the values in float32: of F32 a view (where it is aligned), else a new array.

        Raises:
            CheckpointError: the type is one whose values are not read.

        Example:
            >>> encode(np.array([1.0, -2.5]), "BF16").array()
            array([ 1. , -2.5], dtype=float32)
        """
        if self.type.name in ("Q8_0", "Q4_0"):
            dequantize = reference(dequantize_8 if self.type.name == "Q8_0" else dequantize_4)
            return dequantize(*self.quants()).reshape(self.shape)
        self._check_readable()
        values: Array = self.raw.view(_DTYPES[self.type.name]).reshape(self.shape)
        if not values.flags.aligned:  # a file may say that its tensors start anywhere
            values = values.copy()
        return bf16_to_float32(values) if self.type.name == "BF16" else values.astype(np.float32, copy=False)

    def quants(self) -> tuple[Array, Array]:
        """Return (q, scales) as ``kernels.linear_8``, or (p, scales) as ``kernels.linear_4`` takes them.

        Shapes: (..., C) -> q (N, C) int8 or p (N, C/2) uint8, scales (N, C/32) float32; N is all axes but the last.

        Raises:
            CheckpointError: the values are not stored in 8 or in 4 bits.

        Example:
            >>> q, scales = encode(np.full((2, 32), -0.5), "Q8_0").quants()
            >>> q[1, :2], scales.shape
            (array([-127, -127], dtype=int8), (2, 1))
        """
        self._check_readable()
        if self.type.values == 1:
            raise CheckpointError(f"{self.type.name}: holds numbers, not quants", hint="array()")
        N, count = math.prod(self.shape[:-1]), self.shape[-1] // self.type.values
        blocks = self.raw.reshape(N, count, self.type.size)
        scales = np.ascontiguousarray(blocks[..., :_SCALE]).view("<f2").reshape(N, count)
        q = np.ascontiguousarray(blocks[..., _SCALE:]).reshape(N, count * (self.type.size - _SCALE))
        return (q.view(np.int8) if self.type.name == "Q8_0" else q), scales.astype(np.float32)

    def rows(self, start: int, stop: int) -> Blocks:
        """Return entries ``start`` to ``stop`` (not included) along the first axis, without a copy.

        Raises:
            RangeError: there are no such rows, or no axis but the last.

        Example:
            >>> encode(np.arange(6.0).reshape(3, 2), "F16").rows(1, 2).array()
            array([[2., 3.]], dtype=float32)
        """
        if len(self.shape) < 2 or not 0 <= start <= stop <= self.shape[0]:
            raise RangeError(
                f"rows {start} to {stop} of a tensor {self.shape}", hint="0 <= start <= stop <= first axis"
            )
        size = self.type.nbytes(self.shape[1:])
        return Blocks(self.type, (stop - start, *self.shape[1:]), self.raw[start * size : stop * size])

    def _check_readable(self) -> None:
        if self.type.name not in READABLE:
            raise CheckpointError(
                f"{self.type.name}: values of this type are not read",
                hint=f"a file with {', '.join(READABLE)} only",
            )


def encode(w: Array, kind: str) -> Blocks:
    """Store an array of floats.

    Args:
        w: the values (..., C).
        kind: the name of a block type.

    Raises:
        ConfigError: the type is not written, or a value is too large for it.
        DTypeError: w holds no floats.
        NaNError: w holds NaN or inf, which Q8_0 and Q4_0 cannot.
        ShapeError: a row is no whole number of blocks.

    Example:
        >>> encode(np.array([1.0, -2.0]), "F16").raw
        array([  0,  60,   0, 192], dtype=uint8)
    """
    if kind not in READABLE:
        raise ConfigError(f"{kind!r} is no block type that is written", hint=f"one of {', '.join(READABLE)}")
    w = np.asarray(w)
    if w.dtype.kind != "f":
        raise DTypeError(f"{kind}: w is {w.dtype}", hint="an array of floats")
    block_type = BLOCK_TYPES[kind]
    block_type.row_bytes(w.shape)
    narrow = _cast(w, np.dtype("<f2") if kind == "F16" else np.dtype("<f4"), kind)
    if kind == "BF16":
        raw = float32_to_bf16(narrow).astype("<u2", copy=False).reshape(-1).view(np.uint8)
    elif block_type.values == 1:
        raw = narrow.reshape(-1).view(np.uint8)
    elif w.size == 0:
        raw = np.empty(0, np.uint8)
    else:
        raw = _quantized(narrow.reshape(-1, w.shape[-1]), kind)
    return Blocks(block_type, w.shape, raw)


def _quantized(w: Array, kind: str) -> Array:
    """Return the bytes of w (N, C), each block's scale before its quants."""
    q, scales = (quantize_8 if kind == "Q8_0" else quantize_4)(w)
    size = BLOCK_TYPES[kind].size
    blocks = np.empty((*scales.shape, size), np.uint8)  # (N, C/32, bytes)
    blocks[..., :_SCALE] = scales.astype("<f2")[..., None].view(np.uint8)
    blocks[..., _SCALE:] = q.view(np.uint8).reshape(*scales.shape, size - _SCALE)
    return blocks.reshape(-1)


def _cast(w: Array, dtype: np.dtype[Any], kind: str) -> Array:
    """Return w in a narrower dtype, contiguous; what was finite stays finite."""
    with np.errstate(over="ignore"):
        narrow = np.ascontiguousarray(w, dtype)
    if dtype.itemsize < w.dtype.itemsize and not np.array_equal(np.isfinite(narrow.reshape(w.shape)), np.isfinite(w)):
        most = np.finfo(dtype).max
        raise ConfigError(f"{kind}: a value is beyond {most:,.5g}", hint="BF16 or F32, or weights that are no larger")
    return narrow
