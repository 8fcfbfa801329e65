"""How many threads the kernels use, Numba's and BLAS's alike, and how idle ones wait.

TINYLLM_THREADS=n asks for n threads in all; without it each library takes one per core. Two pools that both spin while
they wait slow each other down by ten times and more (an OpenMP thread that spins after a Numba kernel holds the core
the next matrix product needs), so OpenMP is told to wait passively unless the user has said otherwise. Both must be
settled before Numba loads its pool: the first kernel that is called sees to it, as does ``tinyllm.kernels.jit``.

No result depends on the number of threads: kernels split their work the same way however many share it. For BLAS we
cannot promise: jit/matmul.py says how far it goes.
"""

from __future__ import annotations

import ctypes
import os
import sys
from pathlib import Path

import numpy as np

from ..errors import KernelError

_OPENBLAS = ("scipy_openblas_set_num_threads64_", "scipy_openblas_set_num_threads", "openblas_set_num_threads")


def threads() -> int:
    """Return how many threads the kernels use: TINYLLM_THREADS, or one for each core this process may run on.

    Raises:
        KernelError: TINYLLM_THREADS is not a whole number of at least 1.

    Example:
        >>> threads() >= 1
        True
    """
    asked = os.environ.get("TINYLLM_THREADS", "").strip()
    if not asked:
        return _cores()
    if not asked.isascii() or not asked.isdigit() or int(asked) < 1:
        raise KernelError(
            f"TINYLLM_THREADS is {asked!r}, not a number of threads",
            hint="TINYLLM_THREADS=1 or more, or unset for one thread per core",
        )
    return int(asked)


def prepare() -> None:
    """Hand the policy to OpenMP, Numba and BLAS, before numba is imported.

    Raises:
        KernelError: TINYLLM_THREADS is not a whole number of at least 1.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("NUMBA_THREADING_LAYER_PRIORITY", "omp tbb workqueue")
    count = threads()
    if not os.environ.get("TINYLLM_THREADS", "").strip():
        return
    if numba := sys.modules.get("numba"):  # somebody else was first: its pool cannot grow any more, only rest
        numba.set_num_threads(min(count, numba.config.NUMBA_NUM_THREADS))
    else:
        os.environ["NUMBA_NUM_THREADS"] = str(count)
    set_blas_threads(count)


def set_blas_threads(count: int) -> bool:
    """Set the threads of the OpenBLAS inside NumPy's wheel; return False, and do nothing, for any other BLAS.

    Example:
        >>> set_blas_threads(threads()) in (True, False)
        True
    """
    folder = Path(np.__file__).parent
    for library in [*folder.parent.glob("numpy.libs/*openblas*"), *folder.glob(".dylibs/*openblas*")]:
        loaded = ctypes.CDLL(str(library))
        for name in _OPENBLAS:
            if hasattr(loaded, name):
                getattr(loaded, name)(count)
                return True
    return False


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
