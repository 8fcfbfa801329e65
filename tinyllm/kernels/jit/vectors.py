r"""Sixteen numbers as one value of a kernel, for where a plain loop is not turned into vector instructions.

A loop over small integers that become floats on their way is beyond LLVM's vectorizer more often than not, and then
runs ten times slower. Here a vector is a type of its own: a kernel loads one, multiplies, adds, and takes the total.
What the functions below write are LLVM's vectors of 16; a machine with narrower registers gets two or four instructions
for one.

    sums = splat(zero)                                      16 sums, all zero
    sums = plus_product(floats(x, 0), floats(y, 0), sums)   sums[j] += x[j] y[j]
    total(sums)                                             one number

Nothing checks that the 16 entries from ``i`` on are there.
"""

from __future__ import annotations

from typing import Any

from llvmlite import binding, ir
from numba import types
from numba.core.registry import cpu_target
from numba.extending import intrinsic, models, register_model

SIXTEEN = 16


class Vector(types.Type):
    """The type of 16 numbers of one dtype, float32 or float64."""

    def __init__(self, dtype: Any) -> None:
        self.dtype = dtype
        super().__init__(name=f"Vector({dtype})")


@register_model(Vector)
class _VectorModel(models.PrimitiveModel):
    """A vector is held as what LLVM calls one."""

    def __init__(self, dmm: Any, fe_type: Any) -> None:
        super().__init__(dmm, fe_type, _llvm(fe_type.dtype))


@intrinsic
def splat(typing_context: Any, number: Any) -> Any:
    """Return a vector that holds the number 16 times."""
    return Vector(number)(number), lambda context, builder, signature, args: _filled(builder, args[0])


@intrinsic
def floats(typing_context: Any, x: Any, i: Any) -> Any:
    """Return the vector of x[i : i + 16]."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return _load(context, builder, signature, args, _llvm(x.dtype))

    return Vector(x.dtype)(x, i), codegen


@intrinsic
def int8s(typing_context: Any, q: Any, i: Any, like: Any) -> Any:
    """Return the vector of q[i : i + 16], which are int8, in the type of ``like``."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.sitofp(builder.sext(_load(context, builder, signature, args, _BYTES), _WORDS), _llvm(like))

    return Vector(like)(q, i, like), codegen


@intrinsic
def low_nibbles(typing_context: Any, p: Any, i: Any, like: Any) -> Any:
    """Return the vector of the lower four bits of the bytes p[i : i + 16], 0 to 15, in the type of ``like``."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        pairs = builder.zext(_load(context, builder, signature, args, _BYTES), _WORDS)
        return builder.sitofp(builder.and_(pairs, ir.Constant(_WORDS, [15] * SIXTEEN)), _llvm(like))

    return Vector(like)(p, i, like), codegen


@intrinsic
def high_nibbles(typing_context: Any, p: Any, i: Any, like: Any) -> Any:
    """Return the vector of the upper four bits of the bytes p[i : i + 16], 0 to 15, in the type of ``like``."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        pairs = builder.zext(_load(context, builder, signature, args, _BYTES), _WORDS)
        return builder.sitofp(builder.lshr(pairs, ir.Constant(_WORDS, [4] * SIXTEEN)), _llvm(like))

    return Vector(like)(p, i, like), codegen


@intrinsic
def nibble_products(typing_context: Any, p: Any, i: Any, low: Any, high: Any, like: Any) -> Any:
    """Return 16 sums of 8 products of whole numbers, in the type of ``like``.

    Sum j is that of the lower four bits of the bytes p[i + 4 j : i + 4 j + 4] times low[the same], int8, and of the
    upper four bits times high[the same]. Where the processor has an instruction for this (vpdpbusd), it takes two.
    """

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        def words(array_type: Any, array: Any) -> Any:
            return builder.load(_place(context, builder, array_type, array, args[1], _WORDS), align=1)

        pairs, nibbles = words(p, args[0]), ir.Constant(_WORDS, [0x0F0F0F0F] * SIXTEEN)
        upper = builder.and_(builder.lshr(pairs, ir.Constant(_WORDS, [4] * SIXTEEN)), nibbles)
        sums = _dot_fours(builder, ir.Constant(_WORDS, None), builder.and_(pairs, nibbles), words(low, args[2]))
        return builder.sitofp(_dot_fours(builder, sums, upper, words(high, args[3])), _llvm(like))

    return Vector(like)(p, i, low, high, like), codegen


@intrinsic
def four_times(typing_context: Any, x: Any, i: Any) -> Any:
    """Return the vector of x[i], x[i + 1], x[i + 2] and x[i + 3], each of them four times in a row."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        four = _load(context, builder, signature, args, ir.VectorType(_llvm(x.dtype).element, 4))
        return builder.shuffle_vector(four, four, ir.Constant(_WORDS, [j // 4 for j in range(SIXTEEN)]))

    return Vector(x.dtype)(x, i), codegen


@intrinsic
def times(typing_context: Any, a: Any, b: Any) -> Any:
    """Return a b."""
    return a(a, b), lambda context, builder, signature, args: builder.fmul(*args)


@intrinsic
def plus(typing_context: Any, a: Any, b: Any) -> Any:
    """Return a + b."""
    return a(a, b), lambda context, builder, signature, args: builder.fadd(*args)


@intrinsic
def plus_product(typing_context: Any, a: Any, b: Any, c: Any) -> Any:
    """Return a b + c, with one rounding where the machine can."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        product = builder.fmul(args[0], args[1], flags=("contract",))
        return builder.fadd(product, args[2], flags=("contract",))

    return a(a, b, c), codegen


@intrinsic
def total(typing_context: Any, v: Any) -> Any:
    """Return the sum of the 16 numbers: the second half added to the first, until one is left."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        sums, undefined = args[0], ir.Constant(_llvm(v.dtype), ir.Undefined)
        for half in (8, 4, 2, 1):
            picked = ir.Constant(_WORDS, [half + j if j < half else 0 for j in range(SIXTEEN)])
            sums = builder.fadd(sums, builder.shuffle_vector(sums, undefined, picked))
        return builder.extract_element(sums, ir.Constant(ir.IntType(32), 0))

    return v.dtype(v), codegen


_WORDS = ir.VectorType(ir.IntType(32), SIXTEEN)
_BYTES = ir.VectorType(ir.IntType(8), SIXTEEN)


def _llvm(dtype: Any) -> Any:
    return ir.VectorType(ir.DoubleType() if dtype == types.float64 else ir.FloatType(), SIXTEEN)


def _filled(builder: Any, number: Any) -> Any:
    first = builder.insert_element(
        ir.Constant(ir.VectorType(number.type, SIXTEEN), ir.Undefined), number, ir.Constant(ir.IntType(32), 0)
    )
    return builder.shuffle_vector(first, first, ir.Constant(_WORDS, [0] * SIXTEEN))


def _place(context: Any, builder: Any, array_type: Any, array: Any, i: Any, vector: Any) -> Any:
    """Return the pointer to the vector that begins at entry i of a contiguous array."""
    data = context.make_array(array_type)(context, builder, array).data
    return builder.bitcast(builder.gep(data, [i]), vector.as_pointer())


def _load(context: Any, builder: Any, signature: Any, args: Any, vector: Any) -> Any:
    array_type = signature.args[0]
    place = _place(context, builder, array_type, args[0], args[1], vector)
    return builder.load(place, align=array_type.dtype.bitwidth // 8)


def _has_byte_products() -> bool:
    features = cpu_target.target_context.codegen()._tm_features.split(",")
    return "+avx512vnni" in features and binding.llvm_version_info[0] >= 15


def _dot_fours(builder: Any, sums: Any, a: Any, b: Any) -> Any:
    """Add to 16 sums the products of four unsigned bytes of a and four signed bytes of b each."""
    if _has_byte_products():
        name, bytes_ = "llvm.x86.avx512.vpdpbusd.512", ir.VectorType(ir.IntType(8), 4 * SIXTEEN)
        operand = bytes_ if binding.llvm_version_info[0] >= 22 else _WORDS
        function = builder.module.globals.get(name) or ir.Function(
            builder.module, ir.FunctionType(_WORDS, [_WORDS, operand, operand]), name
        )
        return builder.call(function, [sums, builder.bitcast(a, operand), builder.bitcast(b, operand)])
    for lane in range(4):  # a byte of every word at a time, moved to the top and back down: with zeros, or its sign
        up, down = (ir.Constant(_WORDS, [bits] * SIXTEEN) for bits in (24 - 8 * lane, 24))
        one, two = builder.lshr(builder.shl(a, up), down), builder.ashr(builder.shl(b, up), down)
        sums = builder.add(sums, builder.mul(one, two))
    return sums
