"""How the kernels are compiled: six decorators, and a cache that knows when it is stale.

Flags. ``reassoc`` and ``contract`` let LLVM vectorize sums and fuse multiply-adds, ``nsz`` and ``arcp`` are harmless.
Full fastmath is never used: it assumes that no NaN and no inf occur, and attention masks with -inf.

Inlining. A kernel that others call becomes part of each of them. Left as a function of its own, it would be found by
its name: in the process that compiles everything that is the copy it compiled first, in one that loads from the cache
the caller's own, which LLVM has optimized twice; and where sums may be reassociated, they differ in their last bits.

Types. A kernel is compiled at its first call, for the types it is called with. The doors (door.py) hand every input
over as a C-contiguous read-only array, so that there are two signatures in all, float32's and float64's; where turned
or strided arrays are read as they lie, ``any_layout`` (jit/layout.py) keeps it at two.

Cache. Numba keeps machine code on disk and throws it away when the kernel's own file has changed; a change in a file
the kernel imports from goes unnoticed. Here the stamp is a digest of all sources in the kernel's folder instead, and of
this file; cache.py has the files.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numba

from .cache import MachineCode
from .launch import gate

njit: Any = numba.njit

_OPTIONS: Any = {
    "error_model": "numpy",  # a division by zero gives inf or NaN, as in NumPy
    "fastmath": {"reassoc", "contract", "nsz", "arcp"},
    "no_cfunc_wrapper": True,  # for calls from C, which nobody makes
    "_nrt": True,  # references to arrays are counted, also where a caller (``bare``) counts none
}
# Of what Numba can turn into parallel loops we ask for prange alone: it is what the source says, and compiles faster.
PRANGE_ONLY = {
    "prange": True,
    "comprehension": False,
    "fusion": False,
    "inplace_binop": False,
    "numpy": False,
    "reduction": False,
    "setitem": False,
    "stencil": False,
}


def compiled(function: Callable[..., Any]) -> Any:
    """Compile a function of arrays to machine code, on its first call."""
    return _compile(function, forceinline=True)


def inner(function: Callable[..., Any]) -> Any:
    """Compile a function that only other compiled functions call: nothing translates its arguments from Python."""
    return _compile(function, no_cpython_wrapper=True, forceinline=True)


def step(function: Callable[..., Any]) -> Any:
    """Compile a part of a larger kernel that makes no arrays: inlined, and references to arrays go uncounted.

    What is not counted need not be compiled, and stands in the way of no loop.
    """
    return _compile(function, no_cpython_wrapper=True, forceinline=True, _nrt=False)


def bare(function: Callable[..., Any]) -> Any:
    """Compile a function that only others call and that makes no arrays: references to those it is given go uncounted.

    Counting them takes longer than many a small function.
    """
    return _compile(function, no_cpython_wrapper=True, _nrt=False)


def unlocked(function: Callable[..., Any]) -> Any:
    """Compile a function that lets other Python threads run while it works."""
    return _compile(function, nogil=True)


def parallel(function: Callable[..., Any]) -> Any:
    """Compile a function whose ``prange`` loops are shared by the threads.

    What it calculates must not depend on how many there are: a loop body owns what it writes, and sums over the whole
    loop go through partial sums of fixed size, added up in order.
    """
    gate()
    return _compile(function, parallel=PRANGE_ONLY)


def _compile(function: Callable[..., Any], **options: Any) -> Any:
    """Compile with a cache on disk that is valid for exactly this state of the sources."""
    try:
        dispatcher = njit(cache=True, **{**_OPTIONS, **options})(function)
    except RuntimeError:  # no folder for the cache can be written to: every process compiles for itself
        return njit(**{**_OPTIONS, **options})(function)
    numbas: Any = getattr(dispatcher, "_cache", None)
    if hasattr(numbas, "_cache_file"):
        sources = Path(function.__code__.co_filename).parent
        numbas._cache_file = MachineCode(numbas.cache_path, numbas._impl.filename_base, digest(sources))
    return dispatcher


@cache
def digest(folder: Path) -> str:
    """Return the sha256 of the sources that a kernel in this folder is made from."""
    here = Path(__file__)
    shared = [here, here.with_name("dropout.py")]  # whose constants end up in the machine code
    sources = [*sorted(folder.glob("*.py")), *shared]
    return hashlib.sha256(b"\0".join(source.read_bytes() for source in sources)).hexdigest()
