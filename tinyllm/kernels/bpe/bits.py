"""Bytes looked at in bulk: 8 as one number, 64 as one question, and sets of places as the bits of a word.

Numba has no words for these instructions of the processor, so each is spelled out here for LLVM, which knows the best
way on every machine: 64 comparisons are one instruction with AVX-512, and a few without.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic
from numba.np.arrayobj import make_array, populate_array

from ..compiler import bare

ONE: Final = np.uint64(1)
NOWHERE: Final = np.uint64(0)
EVERYWHERE: Final = ~NOWHERE
BLOCK: Final = 64  # bytes asked about at once: as many as a word has bits


def _address(context: Any, builder: Any, array_type: Any, array: Any, i: Any) -> Any:
    """Return the address of array[i], for an i that is known to be inside."""
    return builder.gep(make_array(array_type)(context, builder, array).data, [i])


def _everywhere(builder: Any, number: Any) -> Any:
    """Return a vector of 64 times the same number."""
    nothing = ir.Constant(ir.VectorType(number.type, BLOCK), ir.Undefined)
    first = builder.insert_element(nothing, number, ir.IntType(32)(0))
    return builder.shuffle_vector(first, nothing, ir.Constant(ir.VectorType(ir.IntType(32), BLOCK), None))


@intrinsic
def load64(typing_context: Any, data: Any, p: Any) -> Any:
    """Return the 8 bytes of data from p on as one number, the first byte lowest."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        place = _address(context, builder, signature.args[0], *arguments)
        return builder.load(builder.bitcast(place, ir.IntType(64).as_pointer()), align=1)

    return types.uint64(data, types.intp), codegen


@intrinsic
def store64(typing_context: Any, numbers: Any, i: Any, two: Any) -> Any:
    """Write two int32 to numbers[i] and numbers[i + 1] at once."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array, i, two = arguments
        place = _address(context, builder, signature.args[0], array, i)
        builder.store(two, builder.bitcast(place, ir.IntType(64).as_pointer()), align=4)
        return context.get_dummy_value()

    return types.void(numbers, types.intp, types.uint64), codegen


@intrinsic
def prefetch(typing_context: Any, table: Any, row: Any) -> Any:
    """Ask for a row of a table, which will be read soon, to be brought near."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        table, row = arguments
        array = make_array(signature.args[0])(context, builder, table)
        columns = cgutils.unpack_tuple(builder, array.shape)[1]
        place = builder.bitcast(builder.gep(array.data, [builder.mul(row, columns)]), ir.IntType(8).as_pointer())
        number = ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [place.type, number, number, number])
        function = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
        builder.call(function, [place, number(0), number(3), number(1)])
        return context.get_dummy_value()

    return types.void(table, types.intp), codegen


@intrinsic
def between(typing_context: Any, data: Any, p: Any, low: Any, high: Any, fold: Any) -> Any:
    """Tell which of the 64 bytes of data from p on lie in low..high once the bits of ``fold`` are set in them."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array, p, *limits = arguments
        byte = ir.IntType(8)
        low, high, fold = (_everywhere(builder, builder.trunc(limit, byte)) for limit in limits)
        place = builder.bitcast(_address(context, builder, signature.args[0], array, p), low.type.as_pointer())
        folded = builder.or_(builder.load(place, align=1), fold)
        inside = builder.icmp_unsigned("<=", builder.sub(folded, low), builder.sub(high, low))
        return builder.bitcast(inside, ir.IntType(64))

    return types.uint64(data, types.intp, types.int64, types.int64, types.int64), codegen


@intrinsic
def least_of_64(typing_context: Any, numbers: Any, i: Any) -> Any:
    """Return the least of the 64 int32 of an array from i on, and its first place among them."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        number, vector = ir.IntType(32), ir.VectorType(ir.IntType(32), BLOCK)
        place = _address(context, builder, signature.args[0], *arguments)
        all64 = builder.load(builder.bitcast(place, vector.as_pointer()), align=4)
        reduce = cgutils.get_or_insert_function(
            builder.module, ir.FunctionType(number, [vector]), f"llvm.vector.reduce.smin.v{BLOCK}i32"
        )
        least = builder.call(reduce, [all64])
        equal = builder.icmp_signed("==", all64, _everywhere(builder, least))
        first = builder.cttz(builder.bitcast(equal, ir.IntType(64)), cgutils.true_bit)
        return context.make_tuple(builder, signature.return_type, (least, first))

    return types.Tuple((types.int32, types.intp))(numbers, types.intp), codegen


@intrinsic
def first_of(typing_context: Any, places: Any) -> Any:
    """Return the lowest place in a set; 64 if it is empty."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.cttz(arguments[0], cgutils.false_bit)

    return types.intp(types.uint64), codegen


@intrinsic
def last_of(typing_context: Any, places: Any) -> Any:
    """Return the highest place in a set that is not empty."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.sub(ir.IntType(64)(BLOCK - 1), builder.ctlz(arguments[0], cgutils.true_bit))

    return types.intp(types.uint64), codegen


@intrinsic
def array_of_64(typing_context: Any, like: Any) -> Any:
    """Return an uninitialized array of 64 numbers of the type of ``like``, local to the calling function."""
    array_type = types.Array(like, 1, "C")

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array = make_array(array_type)(context, builder)
        number = context.get_data_type(like)
        size = context.get_constant(types.intp, BLOCK)
        itemsize = context.get_constant(types.intp, context.get_abi_sizeof(number))
        data = cgutils.alloca_once(builder, number, size=size)
        populate_array(array, data=data, shape=[size], strides=[itemsize], itemsize=itemsize, meminfo=None)
        return array._getvalue()

    return array_type(like), codegen


@intrinsic
def array_at(typing_context: Any, address: Any, shape: Any, like: Any) -> Any:
    """Return the array of a shape and of the type of ``like`` at an address, which somebody else keeps alive."""
    array_type = types.Array(like, len(shape), "C")

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array = make_array(array_type)(context, builder)
        number = context.get_data_type(like)
        data = builder.inttoptr(arguments[0], number.as_pointer())
        sizes = cgutils.unpack_tuple(builder, arguments[1])
        itemsize = context.get_constant(types.intp, context.get_abi_sizeof(number))
        strides = [itemsize]
        for size in sizes[:0:-1]:
            strides.insert(0, builder.mul(strides[0], size))
        populate_array(array, data=data, shape=sizes, strides=strides, itemsize=itemsize, meminfo=None)
        return array._getvalue()

    return array_type(types.intp, shape, like), codegen


# sets of places in a block


@bare
def place(i):
    """Return the set of one place."""
    return ONE << np.uint64(i)


@bare
def below(i):
    """Return the set of the places before i, for i up to 63."""
    return (ONE << np.uint64(i)) - ONE


@bare
def after(places):
    """Return the places right after those of a set."""
    return places << ONE


@bare
def before(places):
    """Return the places right before those of a set."""
    return places >> ONE


@bare
def runs_from(places, seeds):
    """Return the runs of places that begin at a seed: what follows each seed without a gap, itself included."""
    # Added to a run, a seed carries through to the run's end and leaves zeros behind.
    return (places & ~(places + seeds)) | seeds
