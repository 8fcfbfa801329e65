"""Kernels for arrays of any layout, each compiled once per dtype: no copy of an input only because it is a view.

Numba compiles a function for every layout it meets: contiguous or not, read-only or not, for each argument. Here the
signature is fixed instead, at the first call: every array is of any layout, inputs are read-only, and Numba casts what
it is given, at no cost. What is then unknown to the compiler may be known to us: where the last axis is contiguous (the
door sees to it), ``line`` says so, and a loop along it is vectorized.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numba import typeof, types
from numba.core import cgutils
from numba.core.compiler_lock import global_compiler_lock
from numba.extending import intrinsic
from numba.np.arrayobj import make_array, populate_array

from ..table import Array


class AnyLayout:
    """A compiled kernel whose arrays may have any layout.

    Attributes:
        py_func: the function as it was written.
        written: names of the arguments it writes to; all other arrays are read-only.
    """

    def __init__(self, dispatcher: Any, written: tuple[str, ...]) -> None:
        self.dispatcher = dispatcher
        self.py_func = dispatcher.py_func
        self.written = written
        self.ready: set[str] = set()

    @property
    def signatures(self) -> list[Any]:
        """The signatures compiled so far: one per dtype."""
        return list(self.dispatcher.signatures)

    def __call__(self, *arguments: Any) -> Any:
        """Run the kernel on arrays of one dtype."""
        if arguments[0].dtype.char not in self.ready:
            self._compile(arguments)
        return self.dispatcher(*arguments)

    def _compile(self, arguments: tuple[Any, ...]) -> None:
        names = self.py_func.__code__.co_varnames
        signature = [_loose(x, name in self.written) for name, x in zip(names, arguments, strict=False)]
        with global_compiler_lock:  # what is allowed for a moment is allowed to one Python thread
            self.dispatcher.disable_compile(False)
            self.dispatcher.compile(tuple(signature))
            self.dispatcher.disable_compile()  # from now on arrays are cast to what is there
            self.ready.add(arguments[0].dtype.char)


def any_layout(*written: str) -> Callable[[Any], AnyLayout]:
    """Decorate a compiled kernel whose arrays may have any layout; ``written`` names those that it writes to."""
    return lambda dispatcher: AnyLayout(dispatcher, written)


def _loose(x: Any, written: bool) -> Any:
    kind = typeof(x)
    return types.Array(kind.dtype, kind.ndim, "A", readonly=not written) if isinstance(x, np.ndarray) else kind


def lined(x: Array) -> Array:
    """Return x itself where its last axis is contiguous, else a copy."""
    return x if x.strides[-1] == x.itemsize else np.ascontiguousarray(x)


@intrinsic
def line(typing_context: Any, x: Any, i: Any) -> Any:
    """Return row i of x (N, D), whose last axis is contiguous, as an array known to be so, (D,)."""
    row_type = types.Array(x.dtype, 1, "C", readonly=not x.mutable)

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        matrix = make_array(x)(context, builder, arguments[0])
        rows = cgutils.unpack_tuple(builder, matrix.strides, 2)
        columns = cgutils.unpack_tuple(builder, matrix.shape, 2)
        number = context.get_data_type(x.dtype)
        data = cgutils.pointer_add(builder, matrix.data, builder.mul(arguments[1], rows[0]), number.as_pointer())
        itemsize = context.get_constant(types.intp, context.get_abi_sizeof(number))
        row = context.make_array(row_type)(context, builder)
        populate_array(row, data=data, shape=[columns[1]], strides=[itemsize], itemsize=itemsize, meminfo=None)
        return row._getvalue()

    return row_type(x, types.intp), codegen
