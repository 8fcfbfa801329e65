"""Small arrays that live in vector registers, and the matrix product built on them.

An array of a size known to the compiler, which nobody else can see, need not be in memory at all: LLVM unrolls the
loops over it and keeps it in vector registers, whatever their width is on the machine at hand. That is the whole trick
of a fast matrix product: 4 rows of sums stay in registers while a row of ``b`` is loaded once and used 4 times.
"""

from __future__ import annotations

from typing import Any

from llvmlite.binding import get_host_cpu_features
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic
from numba.np.arrayobj import populate_array

from ..compiler import inner


def _has_wide_registers() -> bool:
    """Tell whether the machine has 32 registers of 16 float32 each (AVX-512)."""
    return bool(dict(get_host_cpu_features()).get("avx512f"))


LANES = 32 if _has_wide_registers() else 16  # columns of a tile; 4 rows of them must leave a few registers free


@intrinsic
def lanes(typing_context: Any, like: Any) -> Any:
    """Return an uninitialized array of LANES numbers of the type of ``like``, local to the calling function."""
    array_type = types.Array(like, 1, "C")

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array = context.make_array(array_type)(context, builder)
        number = context.get_data_type(like)
        size = context.get_constant(types.intp, LANES)
        itemsize = context.get_constant(types.intp, context.get_abi_sizeof(number))
        data = cgutils.alloca_once(builder, number, size=size)
        populate_array(array, data=data, shape=[size], strides=[itemsize], itemsize=itemsize, meminfo=None)
        return array._getvalue()

    return array_type(like), codegen


@inner
def add_product(a, b, c):
    """c += a @ b, where b and c are LANES columns wide: a (M, K), b (K, LANES), c (M, LANES)."""
    zero, last = c.dtype.type(0), c.shape[0] - 1
    s0, s1, s2, s3 = lanes(zero), lanes(zero), lanes(zero), lanes(zero)
    for i in range(0, c.shape[0], 4):
        # Where fewer than four rows are left, the last one is calculated again and its sums are not stored.
        a0, a1, a2, a3 = a[i], a[min(i + 1, last)], a[min(i + 2, last)], a[min(i + 3, last)]
        for j in range(LANES):
            s0[j] = zero
            s1[j] = zero
            s2[j] = zero
            s3[j] = zero
        for k in range(b.shape[0]):
            row = b[k]
            x0, x1, x2, x3 = a0[k], a1[k], a2[k], a3[k]
            for j in range(LANES):
                s0[j] += x0 * row[j]
                s1[j] += x1 * row[j]
                s2[j] += x2 * row[j]
                s3[j] += x3 * row[j]
        c0, c1, c2, c3 = c[i], c[min(i + 1, last)], c[min(i + 2, last)], c[min(i + 3, last)]
        for j in range(LANES):
            c0[j] += s0[j]
        if i + 1 <= last:
            for j in range(LANES):
                c1[j] += s1[j]
        if i + 2 <= last:
            for j in range(LANES):
                c2[j] += s2[j]
        if i + 3 <= last:
            for j in range(LANES):
                c3[j] += s3[j]
