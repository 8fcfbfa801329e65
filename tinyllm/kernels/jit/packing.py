"""Blocks of a matrix brought into the order in which the micro-kernel reads them.

A block that is read many times is worth a copy: in the copy, numbers that are used together lie together, in few pages
of memory and all over the cache. The rows of a block of ``b`` become panels LANES wide; where they lie in memory as
columns (b is the transpose of what is stored, as in x w^T), squares of numbers are turned in vector registers, since
writing them one by one takes longer than a tenth of the whole product.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic
from numba.np.arrayobj import populate_array

from ..compiler import inner
from .registers import LANES, WIDTH, entries, moved


@intrinsic
def contiguous(typing_context: Any, row: Any) -> Any:
    """Return the row (n,), which is contiguous, as an array of a type that says so: loops over it then vectorize."""
    array_type = types.Array(row.dtype, 1, "C", readonly=not row.mutable)

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        given = context.make_array(row)(context, builder, arguments[0])
        array = context.make_array(array_type)(context, builder)
        itemsize = context.get_constant(types.intp, row.dtype.bitwidth // 8)
        # Without a count of references: the array that the row belongs to is still there.
        populate_array(array, given.data, given.shape, [itemsize], itemsize, meminfo=None)
        return array._getvalue()

    return array_type(row), codegen


@inner
def pack_panel(b, panel):
    """Copy b (K, up to LANES columns), in any layout, to panel (K, LANES), filled up with zeros."""
    K, count = b.shape
    if count == LANES and b.strides[1] == b.itemsize:
        for k in range(K):
            row, out = contiguous(b[k]), contiguous(panel[k])
            for j in range(LANES):
                out[j] = row[j]
    elif count == LANES and b.strides[0] == b.itemsize:
        size = WIDTH // b.itemsize
        for k in range(0, K - size + 1, size):
            for j in range(0, LANES, size):
                _turn_square(b, panel, k, j)
        for k in range(K - K % size, K):
            for j in range(LANES):
                panel[k, j] = b[k, j]
    else:
        panel[:] = 0
        for k in range(K):
            for j in range(count):
                panel[k, j] = b[k, j]


@intrinsic
def _turn_square(typing_context: Any, b: Any, panel: Any, k: Any, j: Any) -> Any:
    """Copy b[k : k + n, j : j + n], whose columns are contiguous, where n numbers make a vector register."""
    number = panel.dtype

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        itemsize = number.bitwidth // 8
        n = WIDTH // itemsize
        vector = ir.VectorType(context.get_data_type(number), n)
        source, out = (
            context.make_array(kind)(context, builder, array)
            for kind, array in zip((b, panel), arguments[:2], strict=True)
        )
        down, across = cgutils.unpack_tuple(builder, source.strides, 2)
        below = cgutils.unpack_tuple(builder, out.strides, 2)[0]
        k_first, j_first = (
            context.cast(builder, index, kind, types.intp)
            for index, kind in zip(arguments[2:], signature.args[2:], strict=True)
        )

        def times(count: int, distance: Any) -> Any:
            return builder.mul(ir.Constant(distance.type, count), distance)

        corner = moved(builder, source.data, builder.add(builder.mul(k_first, down), builder.mul(j_first, across)))
        lines = [
            builder.load(entries(builder, moved(builder, corner, times(i, across)), 0, vector), align=itemsize)
            for i in range(n)
        ]
        # Blocks of 1, 2, 4, ... numbers beside the diagonal change places, until all of the square is turned.
        size = 1
        while size < n:
            upper = [j % (2 * size) // size * (n - size) + j for j in range(n)]
            lower = [j + size if j % (2 * size) < size else n + j for j in range(n)]
            masks = [ir.Constant(ir.VectorType(ir.IntType(32), n), mask) for mask in (upper, lower)]
            turned = list(lines)
            for i in range(n):
                if not i & size:
                    turned[i], turned[i + size] = (
                        builder.shuffle_vector(lines[i], lines[i + size], mask) for mask in masks
                    )
            lines, size = turned, 2 * size
        corner = moved(builder, out.data, builder.mul(k_first, below))
        for i in range(n):
            row = moved(builder, corner, times(i, below))
            row = builder.gep(row, [j_first])
            builder.store(lines[i], entries(builder, row, 0, vector), align=itemsize)
        return context.get_dummy_value()

    return types.void(b, panel, k, j), codegen
