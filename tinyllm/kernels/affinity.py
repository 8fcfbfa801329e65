"""Which cores the threads run on: none on the core of the thread that hands them their work.

A thread that sleeps is woken up by another one, and Linux likes to let it run where the other runs, for the sake of the
cache. It then waits there until the first has done its own share of the loop, though another core has nothing to do; on
a machine of two cores half of all loops took twice as long, for the tenth of a second until somebody looked. So the
pool's threads are kept off the core on which the loop is launched. They alone: whoever calls kernels is left where the
system wants to have it, and so is every thread and process that it starts.

Where that is needed is decided at each launch (launch.py), by comparing two numbers. Nothing is done where the user has
said which threads belong where, on machines with more cores than a few, which always have an idle one, or on other
systems than Linux.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys
import threading
from typing import Any

from .threads import CORE, GATE, UNTIED

FEW = 8  # threads
_OF_THE_USER = ("OMP_PROC_BIND", "OMP_PLACES", "GOMP_CPU_AFFINITY", "KMP_AFFINITY")
_BODY = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * 4)
_SHARE = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * 5, *[ctypes.c_size_t] * 3)


def keep_apart(share: int, threads: int) -> tuple[int, int, Any] | None:
    """Find the pool's threads and prepare to move them.

    Args:
        share: address of the function that shares a loop among the threads (launch.py).
        threads: how many there are, with the one that launches.

    Returns:
        The address of a function that tells the core it is called on, that of one that moves the pool's threads off
        it, and what must be kept alive for both; None where nothing is to be done.
    """
    GATE[CORE] = UNTIED
    if not sys.platform.startswith("linux") or not 1 < threads <= FEW or any(map(os.environ.get, _OF_THE_USER)):
        return None
    allowed = os.sched_getaffinity(0)
    library = ctypes.CDLL(None)
    if len(allowed) < 2 or not hasattr(library, "sched_getcpu"):
        return None
    pool = _members(share, threads) - {threading.get_native_id()}

    def move() -> None:
        here = library.sched_getcpu()
        GATE[CORE] = here
        for thread in pool:
            with contextlib.suppress(OSError):  # it has ended, or the system does not let us
                os.sched_setaffinity(thread, allowed - {here} or allowed)

    called = ctypes.CFUNCTYPE(None)(move)
    addresses = [ctypes.cast(function, ctypes.c_void_p).value or 0 for function in (library.sched_getcpu, called)]
    return addresses[0], addresses[1], (library, called)


def _members(share: int, threads: int) -> set[int]:
    """Run a loop that each thread takes a turn of, and let it say which one it is."""
    found: set[int] = set()
    body = _BODY(lambda *_: found.add(threading.get_native_id()))
    sizes, steps, places = (ctypes.c_size_t * 1)(threads), (ctypes.c_size_t * 1)(0), (ctypes.c_void_p * 1)(None)
    _SHARE(share)(ctypes.cast(body, ctypes.c_void_p), places, sizes, steps, None, 0, 1, threads)
    return found
