"""The gate that every parallel loop goes through: any Python thread may call a kernel, and so may a forked child.

Each ``prange`` of Numba's ends in a call of ``numba_parallel_for``, a C function of the threading layer, which hands
pieces of the loop to the threads. Two things make it end the whole process: the layer ``workqueue`` when two Python
threads call it at once (a loop is run without Python's lock), and GNU's OpenMP when a forked child calls it (threads
are not forked: the child would wait for ever for those that it lost). So we put a function of our own under that name:

    may the loop be shared?     yes, unless another one is being shared right now, ``use_threads(1)`` is in force, or
                                this process is a forked child
    yes                         hand it to the threading layer
    no                          do all of it here, in the thread that asked

Nobody waits, so nothing can wait for ever; and as no result depends on who does the work, all bits are the same. A
second Python thread would have found the cores taken anyway. A child forked from a process in which these kernels have
been loaded stays on one thread (BLAS minds forks itself, and keeps its threads); one that loads them itself, as those
of the start method "spawn" do, has them all.

The function is a dozen instructions, written in LLVM's terms because it has to be called from machine code.
"""

from __future__ import annotations

import ctypes
import os
from functools import cache
from typing import Any

import llvmlite.binding as llvm
from llvmlite import ir
from numba import get_num_threads, threading_layer
from numba.core.compiler_lock import global_compiler_lock
from numba.np.ufunc.parallel import _launch_threads

from .affinity import keep_apart
from .threads import BUSY, CORE, GATE, GONE, LIMIT, POOL

NAME = "numba_parallel_for"

_WORD, _POINTER = ir.IntType(64), ir.IntType(8).as_pointer()
_BODY = ir.FunctionType(ir.VoidType(), [_POINTER] * 4)
_TELL, _MOVE = ir.FunctionType(ir.IntType(32), []), ir.FunctionType(ir.VoidType(), [])
_SHARE = ir.FunctionType(ir.VoidType(), [_POINTER] * 5 + [_WORD] * 3)


@cache
def gate() -> Any:
    """Load the threading layer and put the gate in front of it, before any parallel kernel is linked; return it."""
    _launch_threads()
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    layer = llvm.address_of_symbol(NAME)
    apart = keep_apart(layer, get_num_threads()) if threading_layer() == "omp" else None
    engine = llvm.create_mcjit_compiler(
        llvm.parse_assembly(str(_gate(apart))), llvm.Target.from_default_triple().create_target_machine(opt=2)
    )
    engine.finalize_object()
    GATE[POOL] = layer
    llvm.add_symbol(NAME, engine.get_function_address("tinyllm_gate"))
    if hasattr(os, "register_at_fork"):
        # Whoever compiles in another thread holds a lock that nobody could give back in the child: let it finish.
        os.register_at_fork(
            before=global_compiler_lock.acquire,
            after_in_parent=global_compiler_lock.release,
            after_in_child=_alone,
        )
    return engine, apart  # which own the machine code


def _alone() -> None:
    """Share nothing any more: the threads were not forked."""
    GATE[POOL], GATE[BUSY], GATE[LIMIT] = GONE, 0, 0
    global_compiler_lock.release()


def _gate(apart: tuple[int, int, Any] | None) -> ir.Module:
    """Write the gate.

    body(args, sizes, steps, data) runs a loop from its beginning to its end; sharing it means to call it with parts.
    """
    module = ir.Module("tinyllm_gate")
    module.triple = llvm.get_default_triple()
    function = ir.Function(module, _SHARE, "tinyllm_gate")
    body, args, sizes, steps, data, *_, threads = function.args
    start, take, share, alone = (function.append_basic_block(name) for name in ("start", "take", "share", "alone"))
    pool, busy, limit, core = (
        ir.Constant(_WORD, ctypes.addressof(GATE) + 8 * cell).inttoptr(_WORD.as_pointer())
        for cell in (POOL, BUSY, LIMIT, CORE)
    )
    zero, one = _WORD(0), _WORD(1)

    builder = ir.IRBuilder(start)
    layer = builder.load_atomic(pool, "monotonic", 8)
    most = builder.load_atomic(limit, "monotonic", 8)
    fewer = builder.and_(builder.icmp_signed("!=", most, zero), builder.icmp_signed("<", most, threads))
    threads = builder.select(fewer, most, threads)
    shared = builder.and_(builder.icmp_signed("!=", layer, _WORD(GONE)), builder.icmp_signed(">", threads, one))
    builder.cbranch(shared, take, alone)

    builder = ir.IRBuilder(take)
    builder.cbranch(builder.extract_value(builder.cmpxchg(busy, zero, one, "seq_cst"), 1), share, alone)

    builder = ir.IRBuilder(share)
    if apart:
        tell, move = apart[:2]
        here = builder.call(builder.inttoptr(_WORD(tell), _TELL.as_pointer()), [])
        moved = builder.icmp_signed("!=", builder.sext(here, _WORD), builder.load_atomic(core, "monotonic", 8))
        with builder.if_then(moved, likely=False):
            builder.call(builder.inttoptr(_WORD(move), _MOVE.as_pointer()), [])
    builder.call(builder.inttoptr(layer, _SHARE.as_pointer()), [*function.args[:-1], threads])
    builder.store_atomic(zero, busy, "release", 8)
    builder.ret_void()

    builder = ir.IRBuilder(alone)
    builder.call(builder.bitcast(body, _BODY.as_pointer()), [args, sizes, steps, data])
    builder.ret_void()
    return module
