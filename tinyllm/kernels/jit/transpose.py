"""Transposing a square block of a matrix inside of vector registers.

One number after the other, half of all memory accesses of a transposition are far from the one before. Here a block of
as many rows as a register has numbers, W, is loaded whole; then, log2(W) times, row i is interleaved with row i + W/2:

    a b c d      a e b f      a c e g ...
    e f g h  ->  c g d h  ->

Each time the bits of a number's place (row, column) rotate by one; after log2(W) times row and column have changed
places. That is W log2(W) shuffles for W^2 numbers.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from ..compiler import step
from .registers import WIDTH


@intrinsic
def _turn_block(typing_context: Any, x: Any, i: Any, j: Any, y: Any, k: Any, l: Any) -> Any:
    """y[k : k + W, l : l + W] = x[i : i + W, j : j + W].T, both with a contiguous last axis."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        number, itemsize = context.get_data_type(x.dtype), x.dtype.bitwidth // 8
        W = WIDTH // itemsize
        vector = ir.VectorType(number, W)

        def places(kind: Any, array: Any, row: Any, column: Any) -> list[Any]:
            matrix = context.make_array(kind)(context, builder, array)
            stride = cgutils.unpack_tuple(builder, matrix.strides, 2)[0]
            first = builder.add(builder.mul(row, stride), builder.mul(column, ir.Constant(column.type, itemsize)))
            rows = [builder.add(first, builder.mul(stride, ir.Constant(stride.type, n))) for n in range(W)]
            return [cgutils.pointer_add(builder, matrix.data, row, vector.as_pointer()) for row in rows]

        low = [n // 2 + W * (n % 2) for n in range(W)]  # entries 0 and W of both rows together, 1 and W + 1, ...
        masks = [ir.Constant(ir.VectorType(ir.IntType(32), W), [n + h for n in low]) for h in (0, W // 2)]
        rows = [builder.load(place, align=itemsize) for place in places(x, *arguments[:3])]
        for _ in range(W.bit_length() - 1):
            pairs = zip(rows[: W // 2], rows[W // 2 :], strict=True)
            rows = [builder.shuffle_vector(a, b, mask) for a, b in pairs for mask in masks]
        for row, place in zip(rows, places(y, *arguments[3:]), strict=True):
            builder.store(row, place, align=itemsize)
        return context.get_dummy_value()

    return types.void(x, types.intp, types.intp, y, types.intp, types.intp), codegen


@step
def transpose(x, rows, first, y, above):
    """y[above : above + N, :rows] = x[first : first + rows].T for x (M, N), both with a contiguous last axis."""
    W, N = WIDTH // y.itemsize, x.shape[1]
    whole_rows, whole_columns = rows - rows % W, N - N % W
    for i in range(0, whole_rows, W):
        for j in range(0, whole_columns, W):
            _turn_block(x, first + i, j, y, above + j, i)
    for i in range(rows):
        for j in range(whole_columns if i < whole_rows else 0, N):
            y[above + j, i] = x[first + i, j]
