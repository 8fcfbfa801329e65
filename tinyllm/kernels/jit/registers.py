"""Small arrays that live in vector registers, and the matrix product built on them.

A processor adds and multiplies whole vectors, 16 float32 at a time where it has AVX-512, and can start on the next one
long before the first is done. What holds a matrix product back is memory: two numbers have to be loaded for every
multiplication. So a *tile* of sums, ROWS x LANES of them, stays in registers for as long as K lasts. Each step along K
loads LANES numbers of ``b`` and ROWS of ``a``, and makes ROWS x LANES multiplications out of them:

    sums (12, 32)  +=  a[:, k] (12, 1)  *  b[k] (1, 32)     24 registers of 16 sums; 14 loads, 24 multiply-adds

That is more than a compiler finds by itself, so ``_tile`` writes the loop in LLVM's own language, with the sums as
variables of vector type. Where the machine has no fused multiply-add, ``plain_tiles`` does the same in Numba.

Each sum is one chain of multiply-adds in the order of K, wherever in a tile it stands and however many rows the tile
has: no result depends on how a matrix was cut.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from llvmlite.binding import get_host_cpu_name
from numba import types
from numba.core import cgutils
from numba.core.registry import cpu_target
from numba.extending import intrinsic
from numba.np.arrayobj import populate_array

from ..compiler import step


def _features() -> set[str]:
    """Return the names of what the processor that Numba compiles for can do."""
    listed = cpu_target.target_context.codegen()._tm_features.split(",")
    return {feature[1:] for feature in listed if feature.startswith("+")}


def _register_file(features: set[str]) -> tuple[int, int]:
    """Return how many bytes a vector register has, and how many registers may hold sums."""
    if "avx512f" in features:
        return 64, 24  # of 32: two hold a row of b, and some are needed for a
    if "avx" in features:
        return 32, 12  # of 16
    return 16, 24 if "neon" in features else 12


PROCESSOR = str(get_host_cpu_name())
FEATURES = _features()
FUSED = bool(FEATURES & {"fma", "neon"})  # multiply-add as one instruction; as a call it would be slow beyond all use
WIDTH, SUMS = _register_file(FEATURES)
LANES = 32 if WIDTH == 64 else 16  # columns of a tile


@intrinsic
def lanes(typing_context: Any, like: Any) -> Any:
    """Return an uninitialized array of LANES numbers of the type of ``like``, local to the calling function.

    An array of a size known to the compiler, which nobody else can see, need not be in memory at all: LLVM unrolls the
    loops over it and keeps it in vector registers.
    """
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


def rows_of(itemsize: int) -> int:
    """Return the rows of a full tile: as many as there are registers for."""
    return SUMS * WIDTH // (LANES * itemsize)


def _tile(rows: int | None) -> Any:
    """Return the intrinsic for a tile of that many rows; of as many as fit where ``rows`` is None."""

    @intrinsic
    def tile(typing_context: Any, a: Any, b: Any, c: Any, i: Any, fresh: Any) -> Any:
        """c[i : i + rows] += a[i : i + rows] @ b, or = where ``fresh``."""
        number = c.dtype

        def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            kind = context.get_data_type(number)
            full = rows_of(number.bitwidth // 8)
            count = rows or full
            if count > full:  # never called
                return context.get_dummy_value()
            function = _tile_function(builder.module, kind, number.bitwidth // 8, count)
            one, two, out = (
                context.make_array(kind_of)(context, builder, array)
                for kind_of, array in zip((a, b, c), arguments[:3], strict=True)
            )
            a_row, a_step = cgutils.unpack_tuple(builder, one.strides, 2)
            b_row = cgutils.unpack_tuple(builder, two.strides, 2)[0]
            c_row = cgutils.unpack_tuple(builder, out.strides, 2)[0]
            K = cgutils.unpack_tuple(builder, two.shape, 2)[0]
            row = context.cast(builder, arguments[3], signature.args[3], types.intp)
            first_a = moved(builder, one.data, builder.mul(row, a_row))
            first_c = moved(builder, out.data, builder.mul(row, c_row))
            flag = context.cast(builder, arguments[4], signature.args[4], types.boolean)
            flag = builder.trunc(flag, ir.IntType(1)) if flag.type != ir.IntType(1) else flag
            builder.call(function, [first_a, a_row, a_step, two.data, b_row, first_c, c_row, K, flag])
            return context.get_dummy_value()

        return types.void(a, b, c, i, fresh), codegen

    return tile


def moved(builder: Any, pointer: Any, distance: Any) -> Any:
    """Return a pointer that many bytes further on."""
    moved = builder.gep(builder.bitcast(pointer, ir.IntType(8).as_pointer()), [distance])
    return builder.bitcast(moved, pointer.type)


def _tile_function(module: Any, number: Any, itemsize: int, rows: int) -> Any:
    """Return the function that calculates one tile, written into the module where it is not there yet.

    (a, bytes from row to row, bytes from k to k + 1, b, bytes from row to row, c, the same, K, fresh)
    """
    name = f"tinyllm_tile_{rows}x{LANES}_{number}"
    if name in module.globals:
        return module.globals[name]
    size, pointer = ir.IntType(64), number.as_pointer()
    signature = [pointer, size, size, pointer, size, pointer, size, size, ir.IntType(1)]
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), signature), name)
    # Not "internal": LLVM would adapt the loop to what it knows of its callers, and put the sums into memory.
    function.linkage = "linkonce_odr"
    function.attributes.add("noinline")
    a, a_row, a_step, b, b_row, c, c_row, K, fresh = function.args

    width = WIDTH // itemsize
    vector, columns = ir.VectorType(number, width), range(LANES // width)
    entry, loop, done = (function.append_basic_block(block) for block in ("entry", "loop", "done"))
    add, put, end = (function.append_basic_block(block) for block in ("add", "put", "end"))
    zero = ir.Constant(vector, [0.0] * width)

    def load(builder: Any, row: Any, column: int) -> Any:
        return builder.load(entries(builder, row, column * width, vector), align=itemsize)

    builder = ir.IRBuilder(entry)
    ahead = [builder.mul(a_row, ir.Constant(size, i)) for i in range(rows)]
    builder.cbranch(builder.icmp_signed(">", K, ir.Constant(size, 0)), loop, done)

    builder = ir.IRBuilder(loop)
    k = builder.phi(size)
    a_here, b_here = builder.phi(pointer), builder.phi(pointer)
    sums = [[builder.phi(vector) for _ in columns] for _ in range(rows)]
    line = [load(builder, b_here, column) for column in columns]
    fused = _fused(module, vector)
    totals = []
    for i in range(rows):
        x = builder.load(moved(builder, a_here, ahead[i]))
        x = builder.insert_element(ir.Constant(vector, ir.Undefined), x, ir.Constant(ir.IntType(32), 0))
        x = builder.shuffle_vector(x, x, ir.Constant(ir.VectorType(ir.IntType(32), width), [0] * width))
        totals.append([builder.call(fused, [x, line[column], sums[i][column]]) for column in columns])
    k_next = builder.add(k, ir.Constant(size, 1))
    turns = [(k, ir.Constant(size, 0), k_next)]
    turns += [(a_here, a, moved(builder, a_here, a_step)), (b_here, b, moved(builder, b_here, b_row))]
    turns += [(sums[i][column], zero, totals[i][column]) for i in range(rows) for column in columns]
    for phi, first, following in turns:
        phi.add_incoming(first, entry)
        phi.add_incoming(following, loop)
    builder.cbranch(builder.icmp_signed("<", k_next, K), loop, done)

    builder = ir.IRBuilder(done)
    results = [[builder.phi(vector) for _ in columns] for _ in range(rows)]
    for i in range(rows):
        for column in columns:
            results[i][column].add_incoming(zero, entry)
            results[i][column].add_incoming(totals[i][column], loop)
    builder.cbranch(fresh, put, add)

    for block in (add, put):
        builder = ir.IRBuilder(block)
        for i in range(rows):
            row = moved(builder, c, builder.mul(c_row, ir.Constant(size, i)))
            for column in columns:
                total = results[i][column]
                if block is add:
                    total = builder.fadd(load(builder, row, column), total)
                builder.store(total, entries(builder, row, column * width, vector), align=itemsize)
        builder.branch(end)
    ir.IRBuilder(end).ret_void()
    return function


def entries(builder: Any, row: Any, first: int, vector: Any) -> Any:
    """Return the pointer to a vector of entries of a row."""
    return builder.bitcast(builder.gep(row, [ir.Constant(ir.IntType(64), first)]), vector.as_pointer())


def _fused(module: Any, vector: Any) -> Any:
    """Return LLVM's multiply-add of vectors: declared by hand, since llvmlite knows it for single numbers only."""
    letter = {"float": "f32", "double": "f64"}[str(vector.element)]
    name = f"llvm.fma.v{vector.count}{letter}"
    if name in module.globals:
        return module.globals[name]
    return ir.Function(module, ir.FunctionType(vector, [vector] * 3), name)


_full, _eight, _four, _two, _one = (_tile(rows) for rows in (None, 8, 4, 2, 1))


@step
def _tiles(a, b, c, fresh):
    """c += a @ b, or = where ``fresh``: full tiles, then ever smaller ones for the rows that are left."""
    i, M, rows = 0, c.shape[0], SUMS * WIDTH // (LANES * c.itemsize)
    while i + rows <= M:
        _full(a, b, c, i, fresh)
        i += rows
    if i + 8 <= M:
        _eight(a, b, c, i, fresh)
        i += 8
    if i + 4 <= M:
        _four(a, b, c, i, fresh)
        i += 4
    if i + 2 <= M:
        _two(a, b, c, i, fresh)
        i += 2
    if i < M:
        _one(a, b, c, i, fresh)


@step
def plain_tiles(a, b, c, fresh):
    """The same as far as Numba gets by itself: tiles of 4 rows."""
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
        _keep(s0, c[i], fresh)
        if i + 1 <= last:
            _keep(s1, c[i + 1], fresh)
        if i + 2 <= last:
            _keep(s2, c[i + 2], fresh)
        if i + 3 <= last:
            _keep(s3, c[i + 3], fresh)


@step
def _keep(sums, row, fresh):
    """row += sums, or = where ``fresh``."""
    if fresh:
        for j in range(LANES):
            row[j] = sums[j]
    else:
        for j in range(LANES):
            row[j] += sums[j]


# The product of a (M, K), in any layout, and b (K, LANES), into c (M, LANES); rows of b and c are contiguous.
tiles = _tiles if FUSED else plain_tiles


@step
def add_product(a, b, c):
    """c += a @ b, where b and c are LANES columns wide: a (M, K) in any layout, b (K, LANES), c (M, LANES)."""
    tiles(a, b, c, False)
