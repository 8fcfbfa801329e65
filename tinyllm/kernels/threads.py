"""How many threads the kernels use, Numba's and BLAS's alike, and how idle ones wait.

    kernels.threads()                    how many
    TINYLLM_THREADS=4 python ...         as many as that
    with kernels.use_threads(1): ...     fewer, for a while

Without TINYLLM_THREADS there is one for each core this process may use: a core that shows itself twice
(hyper-threading) counts once, and a container that is granted the time of two cores of sixty-four gets two.

A thread that waits either spins, and holds a core that somebody else may need (the threads of BLAS, who do the same:
two pools that spin slow each other down by ten times and more), or it sleeps, and has to be woken up, often on the very
core that wakes it, where two threads then take turns as if there were one core. So ours spin for as long as the next
kernel of a training step keeps them waiting, some tenths of a millisecond, and then sleep; unless the user has said
otherwise. All of this must be settled before Numba loads its pool: the first kernel that is called sees to it, as does
``tinyllm.kernels.jit``.

Several Python threads may call kernels at once, and a process whose kernels have run may be forked: see launch.py.

No result depends on the number of threads: kernels split their work the same way however many share it. For BLAS we
cannot promise: jit/products.py says how far it goes.
"""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import KernelError

# What machine code looks at too, at every parallel launch (launch.py): the function that shares a loop among the
# threads, or GONE; whether a loop is being shared right now; how many threads ``use_threads`` leaves, or 0 for all; and
# the core that the pool's threads are kept off (affinity.py), or UNTIED.
POOL, BUSY, LIMIT, CORE = range(4)
GATE = (ctypes.c_int64 * 4)()
SPINS = "10000"  # turns of a waiting loop: a BLAS product right after a kernel then takes 0.3 ms longer
UNTIED = -2
GONE = -1  # in a forked child: no thread but the one that called fork is copied

_OPENBLAS = ("scipy_openblas_{}64_", "scipy_openblas_{}", "openblas_{}64_", "openblas_{}")
_OF_THE_USER = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "GOTO_NUM_THREADS")


def threads() -> int:
    """Return how many threads the kernels use here: those of ``use_threads``, of TINYLLM_THREADS, or one for each core.

    In a child that was forked from a process whose kernels had run it is 1: launch.py.

    Raises:
        KernelError: TINYLLM_THREADS is not a whole number of at least 1.

    Example:
        >>> threads() >= 1
        True
    """
    return GATE[LIMIT] or _most()


@contextmanager
def use_threads(count: int) -> Iterator[None]:
    """Run a block on fewer threads: Numba's and BLAS's, in the whole process.

    Args:
        count: from 1 to as many as the process began with.

    Raises:
        KernelError: there are not so many threads.

    Example:
        >>> with use_threads(1):
        ...     threads()
        1
    """
    most = _most()
    if isinstance(count, bool) or not isinstance(count, (int, np.integer)) or not 1 <= count <= most:
        raise KernelError(
            f"use_threads({count!r}): this process has {most}",
            hint=f"1 to {most}, or TINYLLM_THREADS before it starts",
        )
    before, blas = GATE[LIMIT], blas_threads()
    GATE[LIMIT] = count
    set_blas_threads(int(count))
    try:
        yield
    finally:
        GATE[LIMIT] = before
        if blas:
            set_blas_threads(blas)


def prepare() -> None:
    """Hand the policy to OpenMP, Numba and BLAS, before numba is imported.

    Raises:
        KernelError: TINYLLM_THREADS is not a whole number of at least 1.
    """
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ["OMP_WAIT_POLICY"] = "PASSIVE"
        os.environ.setdefault("GOMP_SPINCOUNT", SPINS)  # GNU's OpenMP heeds it before the policy
    os.environ.setdefault("NUMBA_THREADING_LAYER_PRIORITY", "omp tbb workqueue")
    count = _most()
    if numba := sys.modules.get("numba"):  # somebody else was first: its pool cannot grow any more, only rest
        if count < numba.config.NUMBA_NUM_THREADS:
            GATE[LIMIT] = count
    elif _asked() or count != len(_allowed()):
        os.environ["NUMBA_NUM_THREADS"] = str(count)
    if _asked() or (blas_threads() != count and not any(os.environ.get(name) for name in _OF_THE_USER)):
        set_blas_threads(count)


def blas_threads() -> int | None:
    """Return the threads of the OpenBLAS inside NumPy's wheel; None for any other BLAS."""
    found = _openblas()
    return int(found[0]()) if found else None


def set_blas_threads(count: int) -> bool:
    """Set the threads of the OpenBLAS inside NumPy's wheel; return False, and do nothing, for any other BLAS.

    Example:
        >>> set_blas_threads(threads()) in (True, False)
        True
    """
    if found := _openblas():
        found[1](count)
    return found is not None


@cache
def _openblas() -> tuple[Callable[[], int], Callable[[int], Any]] | None:
    """Find OpenBLAS's own functions to tell and to set its number of threads."""
    folder = Path(np.__file__).parent
    for library in [*folder.parent.glob("numpy.libs/*openblas*"), *folder.glob(".dylibs/*openblas*")]:
        loaded = ctypes.CDLL(str(library))
        for name in _OPENBLAS:
            if hasattr(loaded, name.format("set_num_threads")):
                return loaded[name.format("get_num_threads")], loaded[name.format("set_num_threads")]
    return None


def _asked() -> int | None:
    """Return TINYLLM_THREADS, where it is set."""
    asked = os.environ.get("TINYLLM_THREADS", "").strip()
    if not asked:
        return None
    if not asked.isascii() or not asked.isdigit() or int(asked) < 1:
        raise KernelError(
            f"TINYLLM_THREADS is {asked!r}, not a number of threads",
            hint="TINYLLM_THREADS=1 or more, or unset for one thread per core",
        )
    return int(asked)


def _most() -> int:
    """Return the threads this process began with; in a forked child, the one it has left."""
    if GATE[POOL] == GONE:
        return 1
    numba = os.environ.get("NUMBA_NUM_THREADS", "")
    return _asked() or (int(numba) if numba.isascii() and numba.isdigit() and int(numba) > 0 else cores())


def cores() -> int:
    """Return how many cores this process may use, as far as the system tells.

    Example:
        >>> 1 <= cores() <= os.cpu_count()
        True
    """
    allowed = _allowed()
    share = granted()
    return max(1, min(_apart(allowed), len(allowed) if share is None else int(share + 0.5)))


@cache
def _apart(allowed: frozenset[int], root: str = "/sys/devices/system/cpu") -> int:
    """Count the cores behind these processors; two that are one core name each other as siblings."""
    found = set()
    for processor in allowed:
        try:
            found.add(Path(root, f"cpu{processor}", "topology", "thread_siblings_list").read_text(encoding="ascii"))
        except (OSError, ValueError):
            return len(allowed)
    return len(found)


def _allowed() -> frozenset[int]:
    if hasattr(os, "sched_getaffinity"):
        return frozenset(os.sched_getaffinity(0))
    return frozenset(range(os.cpu_count() or 1))


@cache
def granted(root: str = "/") -> float | None:
    """Return how many cores' worth of time the container grants this process; None where there is no such limit.

    A control group of Linux says so in cpu.max (version 2: quota and period) or in cpu.cfs_quota_us and
    cpu.cfs_period_us (version 1); every group above it may say less.
    """
    shares = []
    try:
        groups = Path(root, "proc/self/cgroup").read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError):
        return None
    for number, kinds, group in (line.split(":", 2) for line in groups if line.count(":") >= 2):
        if number != "0" and "cpu" not in kinds.split(","):
            continue
        top = Path(root, "sys/fs/cgroup") if number == "0" else Path(root, "sys/fs/cgroup/cpu")
        folder = top / group.strip("/")
        for place in [folder, *folder.parents]:
            shares.append(_quota(place))
            if place == top:
                break
    return min((share for share in shares if share), default=None)


def _quota(folder: Path) -> float | None:
    """Return the share that one control group grants: quota over period, in cores."""
    for names in (("cpu.max",), ("cpu.cfs_quota_us", "cpu.cfs_period_us")):
        try:
            quota, period = " ".join((folder / name).read_text(encoding="ascii") for name in names).split()
            return int(quota) / int(period) if int(quota) > 0 else None
        except (OSError, ValueError, ZeroDivisionError):  # no such file; or "max", which is no limit
            continue
    return None
