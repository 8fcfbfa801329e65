"""Arrays by their addresses: how one kernel is handed fifty arrays, and the threads share all of them.

Numba would unpack a list of arrays one by one, and compile anew for every length of a tuple. A table of addresses is
one array of integers, whatever it points to. Whoever makes the table keeps the arrays alive until the kernel is done.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numba import types
from numba.extending import intrinsic
from numba.np.arrayobj import populate_array

from ..table import Array


@intrinsic
def array_at(typing_context: Any, address: Any, first: Any, size: Any, like: Any) -> Any:
    """Return entries ``first`` .. ``first + size - 1`` of the numbers at ``address``, of the type of ``like``."""
    array_type = types.Array(like, 1, "C", readonly=True)

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array = context.make_array(array_type)(context, builder)
        number = context.get_data_type(like)
        itemsize = context.get_constant(types.intp, context.get_abi_sizeof(number))
        data = builder.gep(builder.inttoptr(arguments[0], number.as_pointer()), [arguments[1]])
        populate_array(array, data=data, shape=[arguments[2]], strides=[itemsize], itemsize=itemsize, meminfo=None)
        return array._getvalue()

    return array_type(types.intp, types.intp, types.intp, like), codegen


def solid_arrays(arrays: Sequence[Array]) -> tuple[list[Array], Array]:
    """Return the arrays, each contiguous, and a table of their addresses and sizes, (n, 2)."""
    solid = [np.ascontiguousarray(x) for x in arrays]
    return solid, np.array([(x.__array_interface__["data"][0], x.size) for x in solid], np.int64).reshape(-1, 2)


def blocks_of(sizes: Array, block: int) -> Array:
    """Return a table of blocks (n, 3): the number of the array, the first entry, and how many entries it has."""
    counts = -(-sizes // block)
    owner = np.repeat(np.arange(len(sizes)), counts)
    first = (np.arange(len(owner)) - np.repeat(np.cumsum(counts) - counts, counts)) * block
    return np.stack([owner, first, np.minimum(block, sizes[owner] - first)], axis=1)
